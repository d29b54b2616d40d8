"""Stage 2: the text is split on the boundaries of its sentences and headings; the drafts of its chunks are kept."""

from __future__ import annotations

from actors.children import SANDBOX
from actors.stage import Work, stage
from documents.embedding import token_measure
from documents.sandbox.pool import Cancelled
from documents.searching import search
from documents.splitting.measure import CHARACTERS
from documents.storing import index
from models import database
from settings import settings
from tasks.claim import Advance


@stage
def chunking(work: Work) -> Advance:
    """Text to chunks."""
    measured_in = CHARACTERS
    with database.transaction() as session:
        if work.payload.get("chunk_unit") == "tokens":
            name = work.payload.get("embedder") or search.embedder_of(session, work.kb_id) or settings().embedder
            measured_in = token_measure(name, settings())
        text, anchors = index.read_text(session, work.task_id)
        earlier = None if work.payload.get("force") else index.edition(session, work.task_id)
    try:
        pieces = SANDBOX.split(
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
