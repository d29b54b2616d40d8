"""Stage 5: the document points at its new version, in the transaction that completes the task."""

from __future__ import annotations

from collections.abc import Mapping

from actors.document.embedding import embed_anew
from documents.embedding.prices import cost
from documents.storing import deletions, index
from errors import TaskError
from models import Version
from models.base import Json
from settings import settings
from tasks.transactions.unit import Unit
from tasks.types.document_processing import document_id_of
from tasks.working.claim import Advance
from tasks.working.work import timings
from worker.holding import HandBack
from worker.stage import Work, stage


@stage
def indexing(work: Work) -> Advance:
    """Turn rows into search results: the one moment at which the document changes."""
    if embed_anew(work):
        with work.transaction() as session:
            index.store(session, work.task_id)

    def publish(unit: Unit) -> Json:
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
        return document_result(version, timings(session, work.claim), number=swapped.number)

    return work.done(within=publish)


def document_result(
    version: Version,
    timings: Mapping[str, float],
    *warnings: str,
    number: int | None,
    unchanged: bool = False,
) -> Json:
    """Return the result that is shown of a document.

    Parameters:
      version: what it was made into, or was already when it is unchanged; its warnings come before the others.
      timings: seconds of work by the name of the stage.
      number: of the version, None when it was never searchable.
    """
    tokens = 0 if unchanged else version.tokens_embedded
    return {
        "document_id": version.document_id,
        "version": number,
        "unchanged": unchanged,
        "chunks": version.chunks,
        "chunks_reused": version.chunks if unchanged else version.chunks_reused,
        "characters": version.characters,
        "pages": version.pages,
        "encoding": version.encoding,
        "coverage": version.properties.get("coverage"),
        "warnings": [*version.warnings, *warnings],
        "tokens_embedded": tokens,
        "estimated_cost": cost(version.embedder or "", tokens, settings()),
        "timings": dict(timings),
    }
