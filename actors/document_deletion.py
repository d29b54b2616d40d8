"""The stage of `document_deletion` tasks: takes a document out of its KB."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from actors.stage import Work, stage
from documents import index
from errors import TaskError
from tasks.claim import Advance


@stage
def document_deletion(work: Work) -> Advance:
    """Remove the document; search forgets it in the transaction that completes the task."""
    document_id = work.payload["document_id"]

    def remove(session: Session) -> dict[str, Any]:
        if index.remove(session, work.kb_id, document_id) is None:
            raise TaskError("not_found", f"there is no document {document_id!r} in KB {work.kb_id!r}")
        return {"document_id": document_id}

    return work.done(within=remove)
