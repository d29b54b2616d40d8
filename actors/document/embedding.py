"""Stage 3: each draft gets its vector, committed request by request; a resumed stage embeds only what is missing."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import metrics
from documents.embedding import Embedded, Embedder, embedder
from documents.embedding.batches import fitting, outcomes
from documents.storing import index, kbs, vectors
from documents.storing.vectors import Undone
from errors import TaskError
from models import database
from settings import settings
from tasks.types.document_processing import document_id_of
from tasks.working.claim import Advance
from tasks.working.shards import ranges
from worker.provider_limit import ProviderLimit
from worker.stage import Work, stage

#: A document with more chunks to embed than this is shared between workers, in shards of so many chunks.
UNDIVIDED = 1000
SHARD = 500


@stage
def embedding(work: Work) -> Advance:
    """Turn chunks into vectors."""
    provider, units = begin(work)
    if work.shard:
        embed(work, provider, work.shard.units)
        return work.done()
    if units > UNDIVIDED and not work.joins and _left(work, units) > UNDIVIDED:
        return work.divide(ranges(units, SHARD))
    embed(work, provider, range(units))
    with database.transaction() as session:
        if vectors.all_refused(session, work.task_id):
            raise TaskError("embedder_rejected", f"{provider.name} refused every chunk of the document")
    return work.done(units=units)


def begin(work: Work) -> tuple[Embedder, int]:
    """Return the document's embedder, its KB's unless the payload names one, and how many drafts there are."""
    with database.transaction() as session:
        # What the shards of one version write must be comparable; if its KB is given another embedder meanwhile, it
        # is embedded anew when they are joined.
        kept = index.facts(session, work.task_id).embedder if work.shard else None
        wanted = kept or work.payload.get("embedder") or kbs.embedder_of(session, work.kb_id)
    provider = embedder(wanted or settings().embedder, settings())
    name = provider.name  # for which an endpoint may have to be asked
    with work.transaction() as session:
        if kept is None:
            index.require_embedder(session, work.kb_id, document_id_of(work.payload), name)
        return provider, vectors.begin(session, work.task_id, name)


def _left(work: Work, units: int) -> int:
    """Return how many drafts are to be paid for, once what the KB has already is taken over."""
    with work.transaction() as session:
        vectors.reuse(session, work.task_id, range(units))
        return vectors.count_undone(session, work.task_id, range(units))


def embed_anew(work: Work) -> bool:
    """Embed the document anew if its KB has been given another embedder since that was done.

    Whatever was stored of it is taken back: nothing of it was shown. Returns whether that was so.
    """
    if work.payload.get("embedder"):
        return False
    with work.transaction() as session:
        if not index.is_of_other_embedder(session, work.task_id):
            return False
        index.unstore(session, work.task_id)
    provider, units = begin(work)
    embed(work, provider, range(units))
    return True


def embed(
    work: Work,
    provider: Embedder,
    indexes: range,
    version_id: UUID | None = None,
    *,
    before: int = 0,
    units: int | None = None,
) -> None:
    """Give the drafts of a range their vectors: those that the KB has already, then those that are paid for.

    Parameters:
      version_id: whose drafts they are; None for the version that has the task's id.
      before, units: what the stage had done before, and how much it has in all; None for these drafts.

    Raises:
      TaskError: what the provider raises for every text; for one text only, while trying again may help.
    """
    version_id = version_id or work.task_id
    limit = ProviderLimit(provider.name, settings())

    def request(texts: Sequence[str]) -> Embedded:
        work.check()
        limit.wait(work)
        with limit.heeding():
            return provider.embed(texts, "document")

    with work.transaction() as session:
        vectors.reuse(session, version_id, indexes)
        left = vectors.count_undone(session, version_id, indexes)
        drafts = vectors.undone(session, version_id, indexes, provider.batch_size)
    while drafts:
        work.report(before + len(indexes) - left, units or len(indexes))
        drafts = drafts[: fitting([draft.text for draft in drafts], provider)]
        for places, outcome in outcomes(request, [draft.text for draft in drafts]):
            _keep(work, version_id, provider, limit, drafts[places.start : places.stop], outcome)
        left -= len(drafts)
        # Looked at again: the drafts that follow, and what is left of those that did not fit into one request.
        with database.transaction() as session:
            drafts = vectors.undone(session, version_id, indexes, provider.batch_size) if left else []


def _keep(
    work: Work,
    version_id: UUID,
    provider: Embedder,
    limit: ProviderLimit,
    drafts: Sequence[Undone],
    outcome: Embedded | TaskError,
) -> None:
    """Write what became of some drafts, in one transaction with what it cost."""
    with work.unit() as unit:
        if isinstance(outcome, Embedded):
            limit.spend(unit.session, outcome.tokens)
            indexes = [draft.index for draft in drafts]
            vectors.write(unit.session, version_id, indexes, outcome.vectors, outcome.tokens)
            if outcome.tokens:
                unit.count(metrics.EMBEDDING_TOKENS, provider.name, by=outcome.tokens)
        elif outcome.retryable and work.claim.errors < work.claim.retry_limit:
            raise TaskError(
                outcome.code, f"chunk {drafts[0].index}: {outcome.message}", retry_after=outcome.retry_after
            )
        else:
            vectors.refuse(unit.session, version_id, drafts[0].index, provider.dimension, outcome.message)
