"""Stage 5: the document points at its new version, in the transaction that completes the task."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from actors.document_result import document_result
from actors.embedding import settle
from actors.holding import HandBack
from actors.stage import Work, stage
from documents.storing import deletions, index
from errors import TaskError
from tasks.claim import Advance
from tasks.reading import submitted_at
from tasks.types.document_processing import document_id_of
from tasks.work import metadata


@stage
def indexing(work: Work) -> Advance:
    """Rows to search results: the one moment at which the document changes."""
    if settle(work):
        with work.transaction() as session:
            index.store(session, work.task_id)

    def publish(session: Session) -> dict[str, Any]:
        try:
            at = submitted_at(session, work.task_id)
            deletions.check(session, work.kb_id, document_id_of(work.payload), at)
            swapped = index.swap(session, work.task_id, metadata(session, work.claim))
        except TaskError as error:
            if error.code == "embedder_rejected" and not work.payload.get("embedder"):
                # The KB was given another embedder this very moment; the next attempt settles it.
                raise HandBack from None
            raise
        version = index.facts(session, work.task_id)
        return document_result(session, work, version, number=swapped.number)

    return work.done(within=publish)
