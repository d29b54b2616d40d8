"""A small document goes through all its stages in one pass.

What they make is handed on in memory, and written in the transaction that ends the task. A worker that dies before has
read one small document in vain. Whatever does not go well here is left to the stages, in which it would go the same
way: so an error names the stage that it belongs to, and is tried again there.
"""

from __future__ import annotations

import time
from array import array
from collections.abc import Sequence
from itertools import pairwise
from uuid import UUID

from dramatiq.middleware.time_limit import TimeLimitExceeded

from actors.document.chunking import measure_of, previous_version_of, wanted_embedder
from actors.document.indexing import document_result
from documents.embedding import Embedder, embedder, is_own
from documents.embedding.batches import fitting
from documents.files.originals import Small
from documents.files.source import Source
from documents.sandbox.child import Reading, Splitting
from documents.splitting.pieces import Piece
from documents.storing import copying, index
from documents.storing import vectors as stored
from documents.storing.publication import Opening, Publication
from models import Version
from models.base import Json
from pipeline import STAGES
from settings import settings
from tasks.transactions.unit import Unit
from tasks.working.claim import Advance, Passed
from worker import holding
from worker.stage import Work

#: A document is small while it has no more bytes, its text no more characters and it no more chunks, and was read in so
#: many seconds.
BYTES = 256 * 1024
CHARACTERS_READ = 64_000
CHUNKS = 64
SECONDS = 1.0

#: The stages that are gone through here. Where a document has others, it goes stage by stage.
THROUGH = ("preprocessing", "chunking", "embedding", "storing", "indexing")

#: The encoded values of a chunk, and where two of them stand.
Row = Sequence[bytes | None]
HASH, TOKEN_COUNT = index.ENCODED.index("hash"), index.ENCODED.index("token_count")


def splitting(work: Work, fetched: Source, opening: Opening) -> Splitting | None:
    """Return how a document is to be split by the call that reads it; None: it takes the longer way.

    So does what another machine embeds: that may take long, and what was paid for is kept at once.
    """
    payload = work.payload
    wanted = wanted_embedder(work, opening.embedder)
    is_overtaken = opening.origin is not None and opening.origin > work.task_id
    is_long = fetched.size > BYTES or (opening.characters or 0) > CHARACTERS_READ
    if STAGES != THROUGH or not work.may_pass or is_overtaken or is_long or not is_own(wanted):
        return None
    return Splitting(
        payload["chunk_size"],
        payload["chunk_overlap"],
        measure_of(payload, wanted),
        None if opening.replaces is None else previous_version_of(work),
        CHARACTERS_READ,
        SECONDS,
    )


def through(work: Work, version: Version, reading: Reading, opening: Opening, original: Small | None) -> Advance | None:
    """Embed what was read and split, and be done with it; None: the stages are to do what is left.

    Parameters:
      original: the document as it came, to be written with the version.
    """
    pieces = reading.pieces
    if not pieces or len(pieces) > CHUNKS:
        return None
    split_at = time.monotonic()
    read_at = split_at - reading.seconds
    rows = [index.encoded(version.id, version.text, piece) for piece in pieces]
    try:
        provider = embedder(wanted_embedder(work, opening.embedder), settings())
        vectors, reused = _vectors(work, provider, version.text, pieces, rows, opening)
    except (holding.Lost, holding.HandBack):
        raise
    except (Exception, TimeLimitExceeded):
        return None
    embedded_at = time.monotonic()
    version.embedder, version.chunks, version.chunks_reused = provider.name, len(pieces), reused
    version.tokens_embedded, version.number = 0, (opening.number or 0) + 1
    made = _publication(version, opening.replaces, rows, vectors)
    stored_at = time.monotonic()
    moments = (work.began, read_at, split_at, embedded_at, stored_at)
    units = (version.pages or 1, len(pieces), len(pieces), len(pieces))
    spans = zip(THROUGH, units, pairwise(moments), strict=False)
    passed = [Passed(stage, count, *span) for stage, count, span in spans]

    def publish(unit: Unit) -> Json:
        made.show(unit.connection, work.claim.submitted_at, work.claim.metadata)
        timings = {step.stage: round(step.ended - step.began, 3) for step in passed}
        timings[THROUGH[-1]] = round(time.monotonic() - stored_at, 3)
        return document_result(version, timings, number=version.number)

    def keep(unit: Unit) -> Json:
        index.write_version(unit.session, version)
        if original:
            original.write(unit.connection, work.task_id)
        return {}

    def write(unit: Unit) -> None:
        made.write(unit.connection)
        if original:
            original.write(unit.connection, work.task_id)

    longer = work.done(units=version.pages or 1, within=keep)
    return work.done(first=write, within=publish, ends=True, passed=passed, otherwise=longer)


def _vectors(
    work: Work, provider: Embedder, text: str, pieces: Sequence[Piece], rows: Sequence[Row], opening: Opening
) -> tuple[list[bytes], int]:
    """Return the vector of each piece, encoded for COPY, and how many of them the KB had already.

    Raises:
      TaskError: what the embedder raises.
      Lost, HandBack: as `Work.check` does.
    """
    hashes = [row[HASH] or b"" for row in rows]
    known: dict[bytes, bytes] = {}
    if opening.embedder is not None:
        known = stored.known(work.kb_id, provider.name, hashes)
    reused = sum(digest in known for digest in hashes)
    missing = {
        digest: index.embedded_text(piece.heading_path, piece.context, text[piece.start : piece.end])
        for digest, piece in zip(hashes, pieces, strict=True)
        if digest not in known
    }
    while missing:
        work.check()
        batch = list(missing)[: fitting(list(missing.values()), provider)]
        vectors: Sequence[array[float]] = provider.embed([missing.pop(digest) for digest in batch], "document").vectors
        known |= {digest: copying.half_vector(vector) for digest, vector in zip(batch, vectors, strict=True)}
    return [known[digest] for digest in hashes], reused


def _publication(version: Version, replaces: UUID | None, rows: Sequence[Row], vectors: Sequence[bytes]) -> Publication:
    fixed = [copying.text(version.kb_id), copying.text(version.embedder or "")]
    tokens = sum(int.from_bytes(row[TOKEN_COUNT] or b"", "big") for row in rows)
    chunks = copying.packed([*row, *fixed, vector] for row, vector in zip(rows, vectors, strict=True))
    return Publication(version, replaces, chunks, tokens)
