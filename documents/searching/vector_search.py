"""Ranking chunks by the nearness of their vectors to a query's: exactly in small KBs, in large ones by HNSW as well."""

from __future__ import annotations

import heapq
from array import array
from collections.abc import Collection
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from documents.embedding.local import LocalEmbedder
from documents.searching.ranking import Chunk, Ranked, best_first
from documents.searching.scope import Scope
from documents.storing.vector_index import EXACT
from models import VectorIndex, database
from models.statement import Statement

#: Chunks that HNSW keeps in view while it searches (`hnsw.ef_search`): those of `local` are harder to find than those
#: of models. See docs/decisions/0018-hnsw-beside-the-ingest.md.
IN_VIEW_OF_LOCAL, IN_VIEW = 400, 200
#: Chunks of a filter in an index's range that are looked at one by one: to come upon them in the graph takes longer.
FEW = 10_000


def by_vector(session: Session, scope: Scope, vector: array[float], limit: int) -> Ranked:
    """Return the chunks whose vectors are nearest, with their cosine similarity."""
    # A text without any word has no direction, and no neighbours.
    if not any(vector):
        return []
    asked = {**scope.parameters, "embedder": scope.embedder, "vector": _literal(vector), "limit": limit}
    indexes = _indexes(session, scope) if scope.chunks > EXACT else []
    ranked = _exactly(session, scope, asked, after=indexes[-1].up_to if indexes else None)
    for index in indexes:
        there = _chunks_in(session, scope, index) if scope.filtered else index.chunks
        if there > FEW:
            ranked += _by_graph(session, scope, asked, index)
        elif there:
            ranked += _exactly(session, scope, asked, after=index.after, up_to=index.up_to)
    return heapq.nsmallest(limit, ranked, key=best_first)


def vectors_of(session: Session, vector: array[float], chunks: Collection[Chunk]) -> Ranked:
    """Return the cosine similarity of certain chunks."""
    if not (any(vector) and chunks):
        return []
    rows = database.rows(
        session,
        _COSINES,
        {
            "vector": _literal(vector),
            "versions": [version for version, _ in chunks],
            "indexes": [index for _, index in chunks],
        },
    )
    return [((row.version_id, row.number), row.cosine) for row in rows]


def _indexes(session: Session, scope: Scope) -> list[VectorIndex]:
    """Return the indexes of a KB: one continues another; what comes after the last is in none."""
    return list(
        session.scalars(
            select(VectorIndex)
            .where(VectorIndex.kb_id == scope.kb_id, VectorIndex.embedder == scope.embedder)
            .order_by(VectorIndex.up_to)
        )
    )


def _chunks_in(session: Session, scope: Scope, index: VectorIndex) -> int:
    """Return how many chunks of the scope an index covers."""
    statement = text(
        "SELECT coalesce(sum(d.chunks), 0) FROM documents d"
        f" WHERE {scope.condition} AND d.version_id > :after AND d.version_id <= :up_to"
    )
    chunks: int = session.execute(
        statement, {**scope.parameters, "after": index.after, "up_to": index.up_to}
    ).scalar_one()
    return chunks


def _exactly(
    session: Session, scope: Scope, asked: dict[str, object], *, after: UUID | None = None, up_to: UUID | None = None
) -> Ranked:
    """Return the nearest of all chunks, or of those of a range of versions."""
    # All vectors have length 1, so that their inner product is the cosine; <#> is the negative of it.
    rows = session.execute(
        text(f"""
            SELECT c.version_id, c.index, c.embedding <#> CAST(:vector AS halfvec) AS distance
              FROM chunks c JOIN documents d ON d.version_id = c.version_id
             WHERE c.kb_id = :kb_id AND {scope.condition}
               AND {"true" if after is None else "d.version_id > :after"}
               AND {"true" if up_to is None else "d.version_id <= :up_to"}
             ORDER BY distance, c.version_id, c.index
             LIMIT :limit
        """),
        {**asked, "after": after, "up_to": up_to},
    )
    return [((version, index), -distance) for version, index, distance in rows]


def _by_graph(session: Session, scope: Scope, asked: dict[str, object], index: VectorIndex) -> Ranked:
    """Return the nearest chunks that an index covers. Those that no document shows, or a filter leaves out, are passed
    over: the scan goes on until there are enough.
    """
    # Whoever may sort will look at all: the planner takes the graph for dearer than it is.
    in_view = IN_VIEW_OF_LOCAL if scope.embedder == LocalEmbedder.name else IN_VIEW
    _set(session, enable_sort="off", **{"hnsw.iterative_scan": "relaxed_order", "hnsw.ef_search": str(in_view)})
    kind = f"halfvec({index.dimension})"
    # The conditions on `c` are those of the index, word for word: or else it could not be used.
    rows = session.execute(
        text(f"""
            SELECT c.version_id, c.index, CAST(c.embedding AS {kind}) <#> CAST(:vector AS {kind}) AS distance
              FROM chunks c JOIN documents d ON d.version_id = c.version_id
             WHERE c.kb_id = :kb_id AND c.embedder = :embedder AND c.version_id > :after AND c.version_id <= :up_to
               AND {scope.condition}
             ORDER BY distance
             LIMIT :limit
        """),
        {**asked, "after": index.after, "up_to": index.up_to},
    ).all()
    _set(session, enable_sort="on")
    return [((version, number), -distance) for version, number, distance in rows]


def _set(session: Session, **settings: str) -> None:
    """Set parameters of PostgreSQL for the rest of the transaction."""
    session.execute(
        text(
            "SELECT set_config(name, value, true)"
            " FROM unnest(CAST(:names AS text[]), CAST(:values AS text[])) AS given(name, value)"
        ),
        {"names": list(settings), "values": list(settings.values())},
    )


def _literal(vector: array[float]) -> str:
    return "[" + ",".join(f"{value:.5g}" for value in vector) + "]"


class Cosine(NamedTuple):
    """How near a chunk is."""

    version_id: UUID
    number: int
    cosine: float


_COSINES = Statement(
    """
    SELECT c.version_id, c.index AS number, -(c.embedding <#> CAST(:vector AS halfvec)) AS cosine
      FROM unnest(CAST(:versions AS uuid[]), CAST(:indexes AS integer[])) AS q (version_id, index)
      JOIN chunks c ON c.version_id = q.version_id AND c.index = q.index
    """,
    Cosine,
    is_prepared=True,
)
