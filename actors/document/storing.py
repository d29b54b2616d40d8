"""Stage 4: drafts and vectors become searchable rows, which nothing points at yet."""

from __future__ import annotations

from actors.document.embedding import embed_anew
from documents.storing import index
from tasks.working.claim import Advance
from worker.stage import Work, stage


@stage
def storing(work: Work) -> Advance:
    """Turn vectors into rows."""
    embed_anew(work)
    with work.transaction() as session:
        count = index.store(session, work.task_id)
    return work.done(units=count)
