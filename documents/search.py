"""Finding chunks by words (BM25), by vectors, or by both."""

from __future__ import annotations

import heapq
import math
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from documents.embedding import Embedder
from documents.tokens import query_tokens
from errors import TaskError

Mode = Literal["hybrid", "vector", "text"]

#: BM25's usual constants (Robertson and Zaragoza 2009): how soon repetition saturates, how far length counts.
K1 = 1.2
B = 0.75

#: A token in more of a KB's chunks than this share is left out unless there is no other: it hardly tells them apart,
#: and takes long to count. In a small KB none is; in a large one it takes less than the share.
COMMON = 0.2
COMMON_FROM, COMMON_TO = 1000, 10_000

#: A part of a longer token that the index knows weighs so much: 学 beside 大学. Chosen on half of CMRC 2018.
COVERED = 0.25

#: Chunks that are read to be ranked by BM25, best by `ts_rank` first.
CANDIDATES = 200

#: Chunks that `ts_rank` looks at, at most about; rarer tokens go first.
LOOKED_AT = 5000

#: Tokens of a query that take part, the rarest: a whole page as a query still answers at once.
TOKENS = 64

#: Reciprocal rank fusion's usual constant (Cormack et al. 2009), and how deep each list is fused.
FUSION = 60
DEPTH = 100


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk that was found. `start` and `end` are offsets in its document's text.

    score: BM25 in mode text, cosine similarity in mode vector, in mode hybrid the fused rank (0 to 1, 1 when both
    lists have it first). Scores of different queries or modes do not compare.
    """

    document_id: str
    chunk_id: str
    text: str
    score: float
    page: int | None
    heading_path: list[str]
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Question:
    """A query, made ready without a database: its tokens, and its vector where there is an embedder."""

    tokens: list[str]
    vector: array[float] | None = None
    embedder: str | None = None
    dense_weight: float = 0.0


#: What a search is restricted to: conditions on `documents d`, and their parameters.
@dataclass(frozen=True, slots=True)
class _Scope:
    condition: str
    parameters: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Size:
    chunks: int
    tokens: int
    embedder: str


#: A chunk by version and index, and its score.
_Ranked = list[tuple[tuple[UUID, int], float]]


def ask(query: str, embedder: Embedder | None) -> Question:
    """Make a query ready. This may call the embedder's provider, so no transaction should be open.

    Raises:
      TaskError: what the embedder raises.
    """
    question = Question(query_tokens(query))
    if embedder is None:
        return question
    vector = embedder.embed([query], "query").vectors[0]
    return replace(question, vector=vector, embedder=embedder.name, dense_weight=embedder.dense_weight)


def search(
    session: Session,
    kb_id: str,
    question: Question,
    *,
    limit: int = 10,
    mode: Mode = "hybrid",
    filter: Mapping[str, Any] | None = None,
) -> list[Hit]:
    """The best chunks of a KB, best first. The session must be REPEATABLE READ, so that all statements agree.

    Parameters:
      filter: `document_id`: one, or a list of them.

    Raises:
      ValueError: the filter is not understood; or a vector is needed, and the question has none.
      TaskError: embedder_rejected, when the KB was indexed with another embedder than the question's.
    """
    scope = _scope(kb_id, filter)
    size = _size(session, kb_id)
    if size is None:
        return []
    if mode == "text":
        ranked = _by_words(session, scope, size, question.tokens, limit)
    elif mode == "vector":
        ranked = _by_vector(session, scope, size, question, limit)
    else:
        depth = max(DEPTH, limit)
        ranked = _fused(
            (_by_words(session, scope, size, question.tokens, depth), 1.0),
            (_by_vector(session, scope, size, question, depth), question.dense_weight),
        )[:limit]
    return _hits(session, ranked)


def embedder_of(session: Session, kb_id: str) -> str | None:
    """The `name` of the embedder that a KB is indexed with; None while it is empty."""
    found = session.execute(
        text("SELECT embedder FROM documents WHERE kb_id = :kb_id LIMIT 1"), {"kb_id": kb_id}
    ).one_or_none()
    return found.embedder if found is not None else None


def _scope(kb_id: str, filter: Mapping[str, Any] | None) -> _Scope:
    unknown = sorted(set(filter or ()) - {"document_id"})
    if unknown:
        raise ValueError(f"the filter knows `document_id` only, not {', '.join(map(repr, unknown))}")
    if not filter:
        return _Scope("d.kb_id = :kb_id", {"kb_id": kb_id})
    names = filter["document_id"]
    names = [names] if isinstance(names, str) else names
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError("the filter's `document_id` is a string or a list of strings")
    return _Scope(
        "d.kb_id = :kb_id AND d.document_id = ANY(:document_ids)",
        {"kb_id": kb_id, "document_ids": names},
    )


def _size(session: Session, kb_id: str) -> _Size | None:
    """How much a KB holds; None when nothing."""
    row = session.execute(
        text(
            "SELECT sum(chunks) AS chunks, sum(tokens) AS tokens, min(embedder) AS embedder"
            "  FROM documents WHERE kb_id = :kb_id"
        ),
        {"kb_id": kb_id},
    ).one()
    return _Size(row.chunks, row.tokens, row.embedder) if row.chunks else None


def _by_words(session: Session, scope: _Scope, size: _Size, tokens: Sequence[str], limit: int) -> _Ranked:
    """The best chunks by BM25, among those that `ts_rank` finds likely."""
    common = min(max(COMMON_FROM, int(COMMON * size.chunks)), COMMON_TO)
    frequencies = _frequencies(session, scope.parameters["kb_id"], tokens, common + 1)
    weights = _weights(frequencies, size.chunks, common)
    if not weights:
        return []
    rows = session.execute(
        text(f"""
            WITH likely AS MATERIALIZED (
                SELECT c.version_id, c.index, c.token_count, c.tokens
                  FROM chunks c JOIN documents d ON d.version_id = c.version_id
                 WHERE ARRAY[c.kb_id] @> ARRAY[:kb_id] AND c.tokens @@ CAST(:likely AS tsquery) AND {scope.condition}
                 ORDER BY ts_rank(c.tokens, CAST(:likely AS tsquery)) DESC, c.version_id, c.index
                 LIMIT :candidates
            )
            SELECT version_id, index, token_count, array_agg(lexeme) AS lexemes,
                   array_agg(cardinality(positions)) AS counts
              FROM likely, unnest(tokens)
             WHERE lexeme = ANY(:lexemes)
             GROUP BY version_id, index, token_count
        """),
        {
            **scope.parameters,
            "likely": _any_of(_selective(weights, frequencies)),
            "lexemes": list(weights),
            "candidates": max(CANDIDATES, 2 * limit),
        },
    )
    average = size.tokens / size.chunks
    scored = [
        ((version, index), _bm25(lexemes, counts, weights, count / average))
        for version, index, count, lexemes, counts in rows
    ]
    return heapq.nsmallest(limit, scored, key=_best_first)


def _frequencies(session: Session, kb_id: str, tokens: Sequence[str], ceiling: int) -> dict[str, int]:
    """In how many chunks of a KB each token occurs, counted up to `ceiling`; those in none are left out."""
    rows = session.execute(
        text("""
            SELECT token, chunks FROM unnest(CAST(:tokens AS text[]), CAST(:queries AS text[])) AS q (token, query),
                   LATERAL (SELECT count(*) AS chunks
                              FROM (SELECT 1 FROM chunks
                                     WHERE ARRAY[kb_id] @> ARRAY[:kb_id] AND tokens @@ CAST(query AS tsquery)
                                     LIMIT :ceiling) AS found) AS counted
             WHERE chunks > 0
        """),
        {"kb_id": kb_id, "tokens": list(tokens), "queries": [_any_of([token]) for token in tokens], "ceiling": ceiling},
    )
    return {row.token: row.chunks for row in rows}


def _weights(frequencies: Mapping[str, int], chunks: int, common: int) -> dict[str, float]:
    """What an occurrence of each token is worth: its idf, less when a longer token that is known covers it."""
    rare = {token: count for token, count in frequencies.items() if count <= common}
    kept = sorted(rare or frequencies, key=frequencies.__getitem__)[:TOKENS]
    weights = {}
    for token in kept:
        idf = math.log1p((max(chunks - frequencies[token], 0) + 0.5) / (frequencies[token] + 0.5))
        weights[token] = idf * (COVERED if _is_covered(token, frequencies) else 1.0)
    return weights


def _is_covered(token: str, known: Mapping[str, int]) -> bool:
    """A piece of Chinese is part of a longer piece that the index knows; words in letters stand for themselves."""
    return token[0] > "\u2e80" and any(token in other for other in known if len(other) > len(token))


def _selective(weights: Mapping[str, float], frequencies: Mapping[str, int]) -> list[str]:
    """The rarest tokens that together occur in about LOOKED_AT chunks, but at least one."""
    chosen: list[str] = []
    looked_at = 0
    for token in sorted(weights, key=frequencies.__getitem__):
        looked_at += frequencies[token]
        if chosen and looked_at > LOOKED_AT:
            break
        chosen.append(token)
    return chosen


def _any_of(tokens: Sequence[str]) -> str:
    """A tsquery, as text, that matches any of these lexemes as they stand."""
    return " | ".join("'" + token.replace("\\", "\\\\").replace("'", "''") + "'" for token in tokens)


def _bm25(lexemes: Sequence[str], counts: Sequence[int], weights: Mapping[str, float], length: float) -> float:
    """The score of a chunk whose length is given as a multiple of the average."""
    damping = K1 * (1 - B + B * length)
    return sum(
        weights[lexeme] * count * (K1 + 1) / (count + damping) for lexeme, count in zip(lexemes, counts, strict=True)
    )


def _by_vector(session: Session, scope: _Scope, size: _Size, question: Question, limit: int) -> _Ranked:
    """The chunks whose vectors are nearest, found exactly, with their cosine similarity."""
    if question.vector is None:
        raise ValueError("a question without a vector can be searched in mode `text` only")
    if question.embedder != size.embedder:
        raise TaskError("embedder_rejected", f"the KB is indexed with {size.embedder}, not with {question.embedder}")
    # A text without any word has no direction, and no neighbours.
    if not any(question.vector):
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
        {**scope.parameters, "vector": _literal(question.vector), "limit": limit},
    )
    return [((version, index), -distance) for version, index, distance in rows]


def _literal(vector: array[float]) -> str:
    return "[" + ",".join(f"{value:.5g}" for value in vector) + "]"


def _fused(*lists: tuple[_Ranked, float]) -> _Ranked:
    """Weighted reciprocal rank fusion; the score is the share of what being first in every list would give."""
    scores: dict[tuple[UUID, int], float] = {}
    for ranked, weight in lists:
        for rank, (chunk, _) in enumerate(ranked, 1):
            scores[chunk] = scores.get(chunk, 0.0) + weight / (FUSION + rank)
    full = sum(weight for _, weight in lists) / (FUSION + 1)
    return sorted(((chunk, score / full) for chunk, score in scores.items()), key=_best_first)


def _best_first(scored: tuple[tuple[UUID, int], float]) -> tuple[float, tuple[UUID, int]]:
    """By falling score; equal scores in the order of the documents, so that a search repeats itself exactly."""
    chunk, score = scored
    return -score, chunk


def _hits(session: Session, ranked: _Ranked) -> list[Hit]:
    """What is shown of chunks, in their order."""
    rows = session.execute(
        text("""
            SELECT c.version_id, c.index AS number, d.document_id, c.text, c.page, c.heading_path, c.start_offset,
                   c.end_offset
              FROM unnest(CAST(:versions AS uuid[]), CAST(:indexes AS integer[])) AS q (version_id, index)
              JOIN chunks c ON c.version_id = q.version_id AND c.index = q.index
              JOIN documents d ON d.version_id = c.version_id
        """),
        {
            "versions": [version for (version, _), _ in ranked],
            "indexes": [index for (_, index), _ in ranked],
        },
    )
    found = {(row.version_id, row.number): row for row in rows}
    return [
        Hit(
            document_id=row.document_id,
            chunk_id=f"{row.version_id}:{row.number}",
            text=row.text,
            score=round(score, 6),
            page=row.page,
            heading_path=row.heading_path,
            start=row.start_offset,
            end=row.end_offset,
        )
        for chunk, score in ranked
        if (row := found.get(chunk)) is not None
    ]
