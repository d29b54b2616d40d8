"""Stage 5: the document points at its new version, in the transaction that completes the task."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from actors.document_result import document_result
from actors.embedding import settle
from actors.holding import HandBack
from actors.stage import Work, stage
from documents import index
from errors import TaskError
from tasks.claim import Advance
from tasks.work import metadata


@stage
def indexing(work: Work) -> Advance:
    """Rows to search results: the one moment at which the document changes."""
    if settle(work):
        with work.transaction() as session:
            index.store(session, work.task_id)

    def publish(session: Session) -> dict[str, Any]:
        try:
            swapped = index.swap(session, work.task_id, metadata(session, work.claim))
        except TaskError as error:
            if error.code == "embedder_rejected" and not work.payload.get("embedder"):
                # The KB was given another embedder this very moment; the next attempt settles it.
                raise HandBack from None
            raise
        late = "a later submission of this document is searchable already; this version was dropped"
        version = index.facts(session, work.task_id)
        return document_result(session, work, version, *([] if swapped.published else [late]), number=swapped.number)

    return work.done(within=publish)
