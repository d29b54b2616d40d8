"""Stage 4: drafts and vectors become searchable rows, which nothing points at yet."""

from __future__ import annotations

from actors.stage import Work, stage
from documents import index
from documents.embedding import embedder
from models import database
from settings import settings
from tasks.work import Advance


@stage
def storing(work: Work) -> Advance:
    """Vectors to rows."""
    provider = embedder(work.payload.get("embedder") or settings().embedder, settings())
    with database.transaction() as session:
        count = index.store(session, work.task_id, provider.name)
    return work.done(units=count)
