"""Stage 2: the text is split on the boundaries of its sentences and headings; the drafts of its chunks are kept."""

from __future__ import annotations

from actors.children import SANDBOX
from actors.stage import Work, stage
from documents import index
from documents.sandbox import Cancelled
from models import database
from tasks.work import Advance


@stage
def chunking(work: Work) -> Advance:
    """Text to chunks."""
    with database.transaction() as session:
        text, anchors = index.read_text(session, work.task_id)
        earlier = None if work.payload.get("force") else index.edition(session, work.task_id)
    try:
        pieces = SANDBOX.split(
            text,
            anchors,
            work.payload["chunk_size"],
            work.payload["chunk_overlap"],
            earlier,
            timeout=work.seconds_left,
            cancelled=work.interrupted,
        )
    except Cancelled:
        raise work.interruption() from None
    with database.transaction() as session:
        count = index.write_drafts(session, work.task_id, text, pieces)
    return work.done(units=count)
