"""What a search is restricted to: a KB, and within it certain documents."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.orm import Session

from documents.storing.filter import IN_KB, Filter

EVERYTHING = Filter()


@dataclass(frozen=True, slots=True)
class Scope:
    """A KB, and the documents of it that a filter leaves.

    condition: SQL on `documents d`, with its parameters.
    filtered: whether there is a filter; chunks: how many its documents have, where all of the KB have kb_chunks.
    kb_tokens: the sum of `token_count` in the KB.
    embedder: what the KB is indexed with.
    synonyms: groups of terms that its owner says are one.
    """

    kb_id: str
    condition: str
    parameters: dict[str, object]
    filtered: bool
    chunks: int
    kb_chunks: int
    kb_tokens: int
    embedder: str
    synonyms: list[list[str]]


def scope_of(session: Session, kb_id: str, filter: Filter) -> Scope | None:
    """Return the scope of a search; None when there is nothing in it."""
    kb = session.execute(
        text(
            "SELECT sum(chunks) AS chunks, sum(tokens) AS tokens, min(embedder) AS embedder,"
            "       (SELECT synonyms FROM kbs WHERE kb_id = :kb_id) AS synonyms"
            "  FROM documents WHERE kb_id = :kb_id"
        ),
        {"kb_id": kb_id},
    ).one()
    condition, parameters = filter.condition()
    filtered = condition != IN_KB
    parameters["kb_id"] = kb_id
    chunks = kb.chunks
    if filtered:
        chunks = session.scalar(text(f"SELECT sum(chunks) FROM documents d WHERE {condition}"), parameters)
    if not chunks:
        return None
    sums = (chunks, kb.chunks, kb.tokens, kb.embedder)
    return Scope(kb_id, condition, parameters, filtered, *sums, synonyms=kb.synonyms or [])
