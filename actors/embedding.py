"""Stage 3: each draft gets its vector, committed batch by batch; a resumed stage embeds only what is missing."""

from __future__ import annotations

import metrics
from actors.provider_pace import ProviderPace
from actors.stage import Work, stage
from documents import index
from documents.embedding import embedder
from models import database
from settings import settings
from tasks.unit import unit_of_work
from tasks.work import Advance


@stage
def embedding(work: Work) -> Advance:
    """Chunks to vectors."""
    provider = embedder(work.payload.get("embedder") or settings().embedder, settings())
    with database.transaction() as session:
        version = index.facts(session, work.task_id)
        index.require_embedder(session, work.kb_id, version.document_id, provider.name)
        units, done = index.count_drafts(session, work.task_id)
    pace = ProviderPace(provider.name, settings())
    while done < units:
        work.check()
        pace.wait(work)
        with database.transaction() as session:
            batch = index.undone_drafts(session, work.task_id, provider.batch_size)
        with pace.heeding():
            embedded = provider.embed([draft.text for draft in batch], "document")
        with unit_of_work() as unit:
            pace.spend(unit.session, embedded.tokens)
            index.write_vectors(unit.session, work.task_id, [draft.index for draft in batch], embedded.vectors)
            index.add_tokens(unit.session, work.task_id, embedded.tokens)
            unit.count(metrics.EMBEDDING_TOKENS, provider.name, by=embedded.tokens)
        done += len(batch)
        work.report(done, units)
    return work.done(units=units)
