"""The vectors of a version in the making: what its KB has already is taken over, the rest is written as it comes.

Each function is handed a session and leaves the commit to whoever opened it. Shards of one version may run side by
side, each with its own range of drafts.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import delete, text, update
from sqlalchemy.orm import Session

from documents.storing import copying
from documents.storing.index import embedded_text, lock
from models import DraftVector, Version, database
from models.statement import prepared

#: Refused chunks that a version names in its warnings; beyond these they are only counted.
NAMED = 20
_REFUSED = "no vector and is found by its words only"


@dataclass(frozen=True, slots=True)
class Undone:
    """A draft without a vector; `text` is what is to be embedded."""

    index: int
    text: str


def begin(session: Session, version_id: UUID, embedder: str) -> int:
    """Settle which embedder a version is made with, and drop what an earlier attempt made with another.

    Returns:
      how many drafts the version has.
    """
    version = lock(session, version_id)
    # Two embedders' vectors may have the same length; in one index they would be found by chance.
    if version.embedder != embedder:
        if version.embedder is not None:
            session.execute(delete(DraftVector).where(DraftVector.version_id == version_id))
        warnings = [warning for warning in version.warnings if _REFUSED not in warning]
        _set(session, version_id, embedder=embedder, chunks_reused=0, chunks_refused=0, warnings=warnings)
    count: int = session.execute(_COUNT, {"version_id": version_id}).scalar_one()
    return count


def _known(embedding: str, digest: str, kb_id: str, embedder: str) -> str:
    """Write SQL for a chunk that has the vector of a hash already; a refused one has none to give."""
    return f"""
        SELECT {embedding} AS embedding FROM chunks AS c
        -- As an expression, the KB takes no index along: of a table without statistics all of it would be read.
        WHERE c.hash = {digest} AND c.kb_id || '' = {kb_id} AND c.embedder = {embedder}
            AND c.embedding <#> c.embedding < 0
        LIMIT 1"""


_REUSE = text(f"""
    WITH reused AS (
        INSERT INTO draft_vectors (version_id, index, embedding)
        SELECT d.version_id, d.index, known.embedding
          FROM drafts d JOIN versions v ON v.id = d.version_id
         CROSS JOIN LATERAL ({_known("c.embedding", "d.hash", "v.kb_id", "v.embedder")}) AS known
         WHERE d.version_id = :version_id AND d.index BETWEEN :first AND :last
           AND NOT EXISTS (SELECT FROM draft_vectors dv WHERE dv.version_id = d.version_id AND dv.index = d.index)
        RETURNING 1)
    UPDATE versions SET chunks_reused = chunks_reused + (SELECT count(*) FROM reused) WHERE id = :version_id
""")


class Known(NamedTuple):
    """The hash of a text, and the vector of a chunk that has it."""

    hash: memoryview
    embedding: memoryview


_OF_HASHES = prepared(
    f"""
    SELECT wanted.hash, known.embedding FROM unnest(CAST(:hashes AS bytea[])) AS wanted(hash)
     CROSS JOIN LATERAL ({_known("halfvec_send(c.embedding)", "wanted.hash", ":kb_id", ":embedder")}) AS known
""",
    Known,
)


def known(kb_id: str, embedder: str, hashes: Sequence[bytes]) -> dict[bytes, bytes]:
    """Return the vectors, encoded for COPY, that chunks of a KB have already, by the hash of their text."""
    rows = database.read(_OF_HASHES, {"kb_id": kb_id, "embedder": embedder, "hashes": list(hashes)})
    return {bytes(row.hash): bytes(row.embedding) for row in rows}


def reuse(session: Session, version_id: UUID, indexes: range) -> None:
    """Take over the vectors that chunks of the same KB, text and embedder have; a refused chunk has none to give."""
    lock(session, version_id)
    session.execute(_REUSE, _between(version_id, indexes))


def _between(version_id: UUID, indexes: range) -> dict[str, object]:
    return {"version_id": version_id, "first": indexes.start, "last": indexes.stop - 1}


_UNDONE = text("""
    SELECT d.index, d.heading_path, d.context, d.text
      FROM drafts d LEFT JOIN draft_vectors v ON v.version_id = d.version_id AND v.index = d.index
     WHERE d.version_id = :version_id AND d.index BETWEEN :first AND :last AND v.version_id IS NULL
     ORDER BY d.index LIMIT :limit
""")
_COUNT = text("SELECT count(*) FROM drafts WHERE version_id = :version_id")
_COUNT_DONE = text("""
    SELECT count(*) FROM draft_vectors WHERE version_id = :version_id AND index BETWEEN :first AND :last
""")


def undone(session: Session, version_id: UUID, indexes: range, limit: int) -> list[Undone]:
    """Return the first `limit` drafts of a range that have no vector yet, by index."""
    rows = session.execute(_UNDONE, _between(version_id, indexes) | {"limit": limit})
    return [Undone(index, embedded_text(path, context, body)) for index, path, context, body in rows]


def count_undone(session: Session, version_id: UUID, indexes: range) -> int:
    """Return how many drafts of a range have no vector yet."""
    done: int = session.execute(_COUNT_DONE, _between(version_id, indexes)).scalar_one()
    return len(indexes) - done


def write(
    session: Session, version_id: UUID, indexes: Sequence[int], vectors: Sequence[array[float]], tokens: int
) -> int:
    """Keep the vectors of some drafts, and note what was billed for them.

    A draft that has one already keeps it, so two attempts do not collide.

    Returns:
      how many drafts had none.

    Raises:
      ValueError: not as many vectors as indexes.
    """
    lock(session, version_id)
    present = set(session.scalars(_PRESENT, {"version_id": version_id, "indexes": list(indexes)}))
    rows = [
        (copying.uuid(version_id), copying.integer(index), copying.half_vector(vector))
        for index, vector in zip(indexes, vectors, strict=True)
        if index not in present
    ]
    copying.copy(session, DraftVector.__tablename__, ["version_id", "index", "embedding"], rows)
    if tokens:
        session.execute(_CHARGE, {"version_id": version_id, "tokens": tokens})
    return len(rows)


_PRESENT = text("SELECT index FROM draft_vectors WHERE version_id = :version_id AND index = ANY(:indexes)")
_CHARGE = text("UPDATE versions SET tokens_embedded = tokens_embedded + :tokens WHERE id = :version_id")


def refuse(session: Session, version_id: UUID, index: int, dimension: int, reason: str) -> None:
    """Let a draft that its embedder will not have be found by its words only, and say so in the version's warnings."""
    if not write(session, version_id, [index], [array("f", bytes(4 * dimension))], 0):
        return
    _set(session, version_id, chunks_refused=Version.chunks_refused + 1)
    warnings = lock(session, version_id).warnings
    named = sum(_REFUSED in warning for warning in warnings)
    if named < NAMED:
        _set(session, version_id, warnings=[*warnings, f"chunk {index} has {_REFUSED}: {reason}"])
    elif named == NAMED:
        _set(session, version_id, warnings=[*warnings, f"more chunks than these {NAMED} have {_REFUSED}"])


def all_refused(session: Session, version_id: UUID) -> bool:
    """Return whether not one draft of a version has a vector of the embedder's."""
    return bool(session.execute(_ALL_REFUSED, {"version_id": version_id}).scalar_one())


_ALL_REFUSED = text("""
    SELECT chunks_refused > 0 AND chunks_refused = (SELECT count(*) FROM drafts WHERE version_id = :version_id)
      FROM versions WHERE id = :version_id
""")


def _set(session: Session, version_id: UUID, **values: object) -> None:
    session.execute(
        update(Version).where(Version.id == version_id).values(**values).execution_options(synchronize_session=False)
    )
