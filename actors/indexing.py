"""Stage 5: the document points at its new version, in the transaction that completes the task."""

from __future__ import annotations

from typing import Any

from actors.document_result import document_result
from actors.embedding import settle
from actors.holding import HandBack
from actors.stage import Work, stage
from documents.storing import deletions, index
from errors import TaskError
from tasks.claim import Advance
from tasks.types.document_processing import document_id_of
from tasks.unit import Unit
from tasks.work import timings


@stage
def indexing(work: Work) -> Advance:
    """Rows to search results: the one moment at which the document changes."""
    if settle(work):
        with work.transaction() as session:
            index.store(session, work.task_id)

    def publish(unit: Unit) -> dict[str, Any]:
        session = unit.session
        try:
            deletions.check(session, work.kb_id, document_id_of(work.payload), work.claim.submitted_at)
            swapped = index.swap(session, work.task_id, work.claim.metadata)
        except TaskError as error:
            if error.code == "embedder_rejected" and not work.payload.get("embedder"):
                # The KB was given another embedder this very moment; the next attempt settles it.
                raise HandBack from None
            raise
        version = index.facts(session, work.task_id)
        return document_result(work, version, timings(session, work.claim), number=swapped.number)

    return work.done(within=publish)
