"""The stage of `document_deletion` tasks: takes a document out of its KB."""

from __future__ import annotations

from documents.storing import deletions, index
from errors import TaskError
from models import audit
from models.base import Json
from tasks.transactions.unit import Unit
from tasks.views.reading import submitted_at
from tasks.working.claim import Advance
from worker.stage import Work, stage


@stage
def document_deletion(work: Work) -> Advance:
    """Remove the document; search forgets it in the transaction that completes the task.

    The order of submission decides: what was submitted before and has not ended is overtaken, and what was submitted
    later stays.
    """
    document_id = work.payload["document_id"]

    def remove(unit: Unit) -> Json:
        session = unit.session
        index.lock_kb(session, work.kb_id)
        asked_at = work.claim.submitted_at
        origin = deletions.submission_shown(session, work.kb_id, document_id)
        if origin is not None and submitted_at(session, origin) > asked_at:
            raise TaskError("superseded", f"the document {document_id!r} was submitted again after this deletion")
        if deletions.remove(session, work.kb_id, document_id, asked_at) is None and not advance.result["superseded"]:
            raise TaskError("not_found", f"there is no document {document_id!r} in KB {work.kb_id!r}")
        audit.record_of_task(session, work.task_id, "document.delete", "document", document_id)
        return {"document_id": document_id}

    advance = work.done(within=remove, overtakes="document_processing")
    return advance
