"""Ranking chunks by the words of a query (BM25)."""

from __future__ import annotations

import heapq
import math
from collections.abc import Mapping, Sequence

from sqlalchemy import text
from sqlalchemy.orm import Session

from documents.ranking import Ranked, best_first
from documents.scope import Scope
from documents.tokens import is_covered

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


def by_words(session: Session, scope: Scope, tokens: Sequence[str], limit: int) -> Ranked:
    """The best chunks by BM25, among those that `ts_rank` finds likely."""
    common = min(max(COMMON_FROM, int(COMMON * scope.kb_chunks)), COMMON_TO)
    frequencies = _frequencies(session, scope.kb_id, tokens, common + 1)
    # A filter may have left no chunk that holds a rare token; where it left few, all tokens can be looked for.
    few = scope.filtered and scope.chunks <= LOOKED_AT
    weights = _weights(frequencies, scope.kb_chunks, scope.kb_chunks if few else common)
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
            "likely": _any_of(list(weights) if few else _selective(weights, frequencies)),
            "lexemes": list(weights),
            "candidates": max(CANDIDATES, 2 * limit),
        },
    )
    average = scope.kb_tokens / scope.kb_chunks
    scored = [
        ((version, index), _bm25(lexemes, counts, weights, count / average))
        for version, index, count, lexemes, counts in rows
    ]
    return heapq.nsmallest(limit, scored, key=best_first)


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
        weights[token] = idf * (COVERED if is_covered(token, frequencies) else 1.0)
    return weights


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
