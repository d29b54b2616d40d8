"""Ranking chunks by the nearness of their vectors to a query's."""

from __future__ import annotations

from array import array

from sqlalchemy import text
from sqlalchemy.orm import Session

from documents.ranking import Ranked
from documents.scope import Scope


def by_vector(session: Session, scope: Scope, vector: array[float], limit: int) -> Ranked:
    """The chunks whose vectors are nearest, found exactly, with their cosine similarity."""
    # A text without any word has no direction, and no neighbours.
    if not any(vector):
        return []
    # All vectors have length 1, so that their inner product is the cosine; <#> is the negative of it.
    rows = session.execute(
        text(f"""
            SELECT c.version_id, c.index, c.embedding <#> CAST(:vector AS halfvec) AS distance
              FROM chunks c JOIN documents d ON d.version_id = c.version_id
             WHERE c.kb_id = :kb_id AND {scope.condition}
             ORDER BY distance, c.version_id, c.index
             LIMIT :limit
        """),
        {**scope.parameters, "vector": _literal(vector), "limit": limit},
    )
    return [((version, index), -distance) for version, index, distance in rows]


def _literal(vector: array[float]) -> str:
    return "[" + ",".join(f"{value:.5g}" for value in vector) + "]"
