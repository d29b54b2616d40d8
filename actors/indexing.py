"""Stage 5: the document points at its new version, in the transaction that completes the task."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from actors.document_result import document_result
from actors.stage import Work, stage
from documents import index
from tasks.work import Advance, metadata


@stage
def indexing(work: Work) -> Advance:
    """Rows to search results: the one moment at which the document changes."""

    def publish(session: Session) -> dict[str, Any]:
        swapped = index.swap(session, work.task_id, metadata(session, work.claim))
        late = "a later submission of this document is searchable already; this version was dropped"
        version = index.facts(session, work.task_id)
        return document_result(session, work, version, *([] if swapped.published else [late]), number=swapped.number)

    return work.done(within=publish)
