"""What a search is restricted to: a KB, and within it certain documents."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.orm import Session

from documents.storing.filter import IN_KB, Filter
from models import database
from models.statement import Statement

EVERYTHING = Filter()
#: A KB of more chunks than this is large: what takes a look at all of it is not done for each search.
LARGE = 20_000
#: Seconds for which the sums of a large KB are remembered. They are asked for sizes and means, which change little, and
#: take 2 ms over 10,000 documents.
REMEMBERED = 10.0
#: KBs of which they are remembered; beyond that all are forgotten.
MOST_REMEMBERED = 10_000


class Sums(NamedTuple):
    """The chunks of a KB, and the sum of their `token_count`."""

    chunks: int
    tokens: int


class Kb(NamedTuple):
    """A KB that has documents: what it is indexed with, its synonyms, and its sums where they were asked for."""

    embedder: str
    synonyms: list[list[str]] | None
    chunks: int | None
    tokens: int | None


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
    """Return the scope of a search; None when there is nothing in it. Sizes are those of up to REMEMBERED s ago."""
    sums = _recalled(kb_id)
    kbs = database.rows(session, _KB, {"kb_id": kb_id, "is_summed": sums is None})
    if not kbs:
        return None
    (kb,) = kbs
    sums = sums or _noted(kb_id, Sums(kb.chunks or 0, kb.tokens or 0))
    condition, parameters = filter.condition()
    filtered = condition != IN_KB
    parameters["kb_id"] = kb_id
    chunks = sums.chunks
    if filtered:
        chunks = session.scalar(text(f"SELECT sum(chunks) FROM documents d WHERE {condition}"), parameters)
    if not chunks:
        return None
    return Scope(kb_id, condition, parameters, filtered, chunks, *sums, kb.embedder, kb.synonyms or [])


#: Until when the sums of a KB are remembered.
_remembered: dict[str, tuple[float, Sums]] = {}


def _recalled(kb_id: str) -> Sums | None:
    until, sums = _remembered.get(kb_id, (0.0, None))
    return sums if until > time.monotonic() else None


def _noted(kb_id: str, sums: Sums) -> Sums:
    """Remember the sums of a large KB, and return them."""
    if sums.chunks > LARGE:
        if len(_remembered) >= MOST_REMEMBERED:
            _remembered.clear()
        _remembered[kb_id] = time.monotonic() + REMEMBERED, sums
    return sums


_KB = Statement(
    """
    SELECT kb.embedder, (SELECT synonyms FROM kbs WHERE kb_id = :kb_id) AS synonyms, whole.chunks, whole.tokens
    FROM (SELECT embedder FROM documents WHERE kb_id = :kb_id LIMIT 1) AS kb, (
        SELECT sum(chunks) AS chunks, sum(tokens) AS tokens FROM documents
        WHERE kb_id = :kb_id AND CAST(:is_summed AS boolean)
    ) AS whole
    """,
    Kb,
    is_prepared=True,
)
