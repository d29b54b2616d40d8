"""Stage 2: the text is split on the boundaries of its sentences and headings; the drafts of its chunks are kept."""

from __future__ import annotations

from documents.embedding import token_measure
from documents.sandbox.pool import Cancelled
from documents.splitting.measure import CHARACTERS
from documents.splitting.previous_version import PreviousVersion
from documents.storing import index, kbs
from models import database
from models.base import Json
from settings import settings
from tasks.types.document_processing import document_id_of, parameters_of
from tasks.working.claim import Advance
from worker.process import PROCESS
from worker.stage import Work, stage


@stage
def chunking(work: Work) -> Advance:
    """Turn text into chunks."""
    with database.transaction() as session:
        wanted = wanted_embedder(work, kbs.embedder_of(session, work.kb_id))
        text, anchors = index.read_text(session, work.task_id)
    measured_in, earlier = measure_of(work.payload, wanted), previous_version_of(work)
    try:
        pieces = PROCESS.sandbox.split(
            text,
            anchors,
            work.payload["chunk_size"],
            work.payload["chunk_overlap"],
            earlier,
            measured_in,
            timeout=work.seconds_left,
            cancelled=work.interrupted,
        )
    except Cancelled:
        raise work.interruption() from None
    with work.transaction() as session:
        count = index.write_drafts(session, work.task_id, text, pieces)
    return work.done(units=count)


def wanted_embedder(work: Work, of_kb: str | None) -> str:
    """Return the embedder that a document is to have: the payload's, else that of its KB, else EMBEDDER."""
    return work.payload.get("embedder") or of_kb or settings().embedder


def measure_of(payload: Json, embedder: str) -> str:
    """Return what the size of a chunk is measured in: a name for `documents.splitting.measure.measure`."""
    return token_measure(embedder, settings()) if payload.get("chunk_unit") == "tokens" else CHARACTERS


def previous_version_of(work: Work) -> PreviousVersion | None:
    """Return what the document shows now, where the new text is to be cut as that was; None: it is cut anew."""
    if work.payload.get("force"):
        return None
    with database.transaction() as session:
        return index.previous_version(session, work.kb_id, document_id_of(work.payload), parameters_of(work.payload))
