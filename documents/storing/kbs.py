"""What a KB holds: the sums of its documents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from documents.storing.vector_index import EXACT
from models import Document

#: SQL for the embedder of `:kb_id`: all its documents have the same.
EMBEDDER = """coalesce(
    (SELECT embedder FROM documents WHERE kb_id = :kb_id LIMIT 1), (SELECT embedder FROM kbs WHERE kb_id = :kb_id))"""


@dataclass(frozen=True, slots=True)
class Sums:
    """What the documents of a KB come to.

    Parameters:
      documents: how many were added up; where this is the most that was asked for, there may be more.
      bytes: of the sources.
      embedder: of the KB's vectors.
      tokens_embedded: that this embedder has billed for them.
      indexed: chunks that were searchable when the vector indexes were built which hold them.
    """

    kb_id: str
    documents: int
    chunks: int
    bytes: int
    embedder: str
    tokens_embedded: int
    indexed: int
    created_at: datetime
    updated_at: datetime

    @property
    def index(self) -> str:
        """Return how vectors are searched: `exact`, one by one; `indexed`; `behind`, an index is still to be built."""
        if self.chunks - self.indexed > EXACT:
            return "behind"
        return "indexed" if self.indexed else "exact"


def embedder_of(session: Session, kb_id: str) -> str | None:
    """Return the `name` of the embedder that a KB is indexed with, or for an empty KB the provider in its settings."""
    embedder: str | None = session.scalar(text(f"SELECT {EMBEDDER}"), {"kb_id": kb_id})
    return embedder


def embedder_of_documents(session: Session, kb_id: str) -> str | None:
    """Return the `name` of the embedder that a KB is indexed with; None while it is empty."""
    return session.scalar(select(Document.embedder).where(Document.kb_id == kb_id).limit(1))


def sums(session: Session, kb_ids: Sequence[str], most: int) -> dict[str, Sums]:
    """Return what the documents of some KBs come to, by the KB's id; nothing for a KB without documents.

    Parameters:
      most: documents of each that are added up.
    """
    rows = session.execute(_SUMS, {"kb_ids": list(kb_ids), "most": most})
    return {row.kb_id: Sums(**row._mapping) for row in rows}


_SUMS = text("""
    SELECT kb.kb_id, added.*, (
            SELECT coalesce(sum(chunks), 0)::bigint FROM vector_indexes
             WHERE vector_indexes.kb_id = kb.kb_id AND vector_indexes.embedder = added.embedder
        ) AS indexed
      FROM unnest(CAST(:kb_ids AS text[])) AS kb(kb_id)
     CROSS JOIN LATERAL (
        SELECT count(*) AS documents, sum(chunks)::bigint AS chunks, sum(bytes)::bigint AS bytes,
               max(embedder) AS embedder, sum(tokens_embedded)::bigint AS tokens_embedded,
               min(created_at) AS created_at, max(updated_at) AS updated_at
          FROM (SELECT chunks, embedder, tokens_embedded, created_at, updated_at,
                       -- A row of a release before does not say it.
                       coalesce(bytes, (SELECT size FROM versions WHERE id = version_id)) AS bytes
                  FROM documents WHERE documents.kb_id = kb.kb_id ORDER BY document_id LIMIT :most) AS counted
     ) AS added
     WHERE added.documents > 0
""")
