"""Ranking chunks by the words of a query (BM25)."""

from __future__ import annotations

import heapq
import math
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from documents.searching.ranking import Chunk, Ranked, best_first
from documents.searching.scope import LARGE, Scope
from documents.searching.synonyms import COUNTED as COUNTED_OF_OTHERS
from documents.searching.synonyms import Meant, Sought, Term, parts_of
from documents.searching.tsquery import all_of, any_of, both, either, held
from documents.searching.typos import corrections
from documents.splitting.simplified import simplified
from documents.splitting.tokens import is_covered, is_spaced

#: BM25's usual constants (Robertson and Zaragoza 2009): how soon repetition saturates, how far length counts.
K1 = 1.2
B = 0.75

#: A token in more of a KB's chunks than this share is left out unless there is no other: it hardly tells them apart,
#: and takes long to count. In a small KB none is; in a large one it takes less than the share.
COMMON = 0.2
COMMON_FROM, COMMON_TO = 1000, 3000

#: Seconds for which a token that was found common in a large KB is not counted again. Common tokens take most of the
#: time of counting: in 100,000 chunks 30 ms each, and rare ones 3 to 6 (measured beside other work).
REMEMBERED = 600.0
#: Tokens that are remembered so, over all KBs; beyond that all are forgotten.
MOST_REMEMBERED = 100_000

#: A word that stands in for one that was mistyped weighs so much: a choice.
MISTYPED = 0.6

#: A part of a longer token that the index knows weighs so much: 学 beside 大学. Chosen on half of CMRC 2018.
COVERED = 0.25

#: Chunks that are read to be ranked by BM25, best by `ts_rank` first, which knows no rare words from others. Among 200
#: of 100,000 chunks some of the ten best were missing.
CANDIDATES = 500

#: Chunks that `ts_rank` looks at for the query's own tokens, at most about, and as many again for synonyms; rarer
#: tokens go first.
LOOKED_AT = 5000

#: Chunks that it looks at where each word is in more than LOOKED_AT: whichever come first.
MOST = 10_000

#: Tokens of a query that are counted, the first: words, or the pieces of some 130 characters of Chinese. Of these so
#: many take part, the rarest. A page as a query takes a second or so in a large KB, whatever its length.
COUNTED = 500
TOKENS = 64


#: A perfect passage scores this multiple of the sum of the idf of a query's words: each occurs in it some three times,
#: in a chunk of the usual length. (Once is 1, and without end K1 + 1.)
PERFECT = 1.6


@dataclass(frozen=True, slots=True)
class Words:
    """The words of a query, as a KB knows them.

    weights: what an occurrence of each of those that count is worth.
    frequencies: in how many chunks each occurs, counted up to a little more than `common`.
    perfect: what a passage would score that answers the whole query, words that the KB does not know included.
    few: a filter left so few chunks that all of them can be looked at.
    terms: those of the query that have synonyms: their tokens, and the synonyms that the KB knows.
    """

    weights: dict[str, float]
    frequencies: dict[str, int]
    common: int
    few: bool
    perfect: float
    terms: list[tuple[frozenset[str], list[Term]]] = field(default_factory=list)

    @property
    def lexemes(self) -> list[str]:
        """All that a chunk can be found by."""
        others = (token for _, others in self.terms for other in others for token in other.weights)
        return list(dict.fromkeys([*self.weights, *others]))

    @property
    def sought(self) -> Sought:
        """The same, as it is marked in hits."""
        return Sought(frozenset(self.weights), tuple(other for _, others in self.terms for other in others))


def weighed(session: Session, scope: Scope, tokens: Sequence[str], meant: Sequence[Meant] = ()) -> Words:
    """Return what the tokens of a query are worth in a KB, and its terms that have synonyms there."""
    tokens = tokens[:COUNTED]
    common = min(max(COMMON_FROM, int(COMMON * scope.kb_chunks)), COMMON_TO)
    frequencies = _frequencies(session, scope, tokens, common + 1)
    terms = frozenset[str]().union(*(term.tokens for term in meant))
    near = corrections(
        session, scope.kb_id, [token for token in tokens if token not in frequencies and token not in terms]
    )
    standing_in = set(near.values()) - frequencies.keys()
    frequencies |= _counts(session, scope.kb_id, sorted(standing_in), common + 1) if standing_in else {}
    # A filter may have left no chunk that holds a rare token; where it left few, all tokens can be looked for.
    few = scope.filtered and scope.chunks <= LOOKED_AT
    weights = _weights(frequencies, scope.kb_chunks, scope.kb_chunks if few else common)
    for token in standing_in & weights.keys():
        weights[token] *= MISTYPED
    unknown = _unknown(tokens, frequencies.keys() | near.keys()) * _idf(0, scope.kb_chunks)
    words = Words(weights, frequencies, common, few, PERFECT * (sum(weights.values()) + unknown))
    return _with_synonyms(session, scope, words, meant) if meant else words


def _with_synonyms(session: Session, scope: Scope, words: Words, meant: Sequence[Meant]) -> Words:
    """Return the words with the synonyms that the KB knows. All that is said by a synonym is worth what the query's
    own term is: the owner says that they are one. So a perfect passage is worth the same as without.
    """
    asked = list(dict.fromkeys(token for term in meant for other in term.others for token in other))[:COUNTED_OF_OTHERS]
    counts = _frequencies(session, scope, asked, words.common + 1)
    common = scope.kb_chunks if words.few else words.common
    terms = []
    for term in meant:
        unknown = _unknown(list(term.tokens), words.frequencies.keys()) * _idf(0, scope.kb_chunks)
        worth = unknown + sum(words.weights.get(token, 0.0) for token in term.tokens)
        known = (
            (other, {token: counts[token] for token in other if token in counts}) for other in term.others if worth
        )
        others = [
            Term(
                {token: weight * worth / sum(weights.values()) for token, weight in weights.items()}, parts_of(weights)
            )
            for other, frequencies in known
            if parts_of(frequencies) == parts_of(other) and (weights := _weights(frequencies, scope.kb_chunks, common))
        ]
        terms.append((term.tokens, others))
    return replace(words, frequencies=counts | words.frequencies, terms=terms)


def by_words(session: Session, scope: Scope, words: Words, limit: int) -> Ranked:
    """Return the best by BM25 of those that `ts_rank` finds likely; scores are shares of a perfect passage's."""
    lexemes = words.lexemes
    if not lexemes:
        return []
    for likely in _likely(words):
        rows = _candidates(session, scope, likely, lexemes, max(CANDIDATES, 2 * limit))
        if rows:
            break
    return heapq.nsmallest(limit, _scored(rows, scope, words), key=best_first)


def words_of(session: Session, scope: Scope, words: Words, chunks: Collection[Chunk]) -> Ranked:
    """Return what certain chunks score; those without any of the words are left out."""
    lexemes = words.lexemes
    if not (lexemes and chunks):
        return []
    rows = session.execute(
        text(f"""
            SELECT c.version_id, c.index, c.token_count, array_agg(lexeme) AS lexemes,
                   array_agg(cardinality(positions)) AS counts
              FROM unnest(CAST(:versions AS uuid[]), CAST(:indexes AS integer[])) AS q (version_id, index)
              JOIN chunks c ON c.version_id = q.version_id AND c.index = q.index, unnest({held("c.tokens", ":lexemes")})
             GROUP BY c.version_id, c.index, c.token_count
        """),
        {
            "versions": [version for version, _ in chunks],
            "indexes": [index for _, index in chunks],
            "lexemes": lexemes,
        },
    ).all()
    return _scored(rows, scope, words)


def _scored(rows: Sequence[Row[UUID, int, int, list[str], list[int]]], scope: Scope, words: Words) -> Ranked:
    average = scope.kb_tokens / scope.kb_chunks
    # Some of a synonym's words are not the synonym.
    return [
        ((version, index), score / words.perfect)
        for version, index, count, lexemes, counts in rows
        if (score := _bm25(lexemes, counts, words, count / average))
    ]


def _candidates(
    session: Session, scope: Scope, likely: str, lexemes: Sequence[str], count: int
) -> Sequence[Row[UUID, int, int, list[str], list[int]]]:
    """Return the matching chunks that `ts_rank` puts first, with the lexemes that they hold and how often."""
    return session.execute(
        text(f"""
            WITH matching AS MATERIALIZED (
                SELECT c.version_id, c.index, c.token_count, c.tokens
                  FROM chunks c JOIN documents d ON d.version_id = c.version_id
                 WHERE ARRAY[c.kb_id] @> ARRAY[:kb_id] AND c.tokens @@ CAST(:likely AS tsquery) AND {scope.condition}
                 LIMIT :most
            ), likely AS MATERIALIZED (
                SELECT * FROM matching
                 ORDER BY ts_rank(tokens, CAST(:likely AS tsquery)) DESC, version_id, index LIMIT :count
            )
            SELECT version_id, index, token_count, array_agg(lexeme) AS lexemes,
                   array_agg(cardinality(positions)) AS counts
              FROM likely, unnest({held("tokens", ":lexemes")})
             GROUP BY version_id, index, token_count
        """),
        {**scope.parameters, "likely": likely, "lexemes": lexemes, "count": count, "most": MOST},
    ).all()


def _likely(words: Words) -> list[str]:
    """Return what the candidates must match, as tsqueries: each is for when the one before finds nothing."""
    tokens = words.lexemes
    if words.few:
        return [any_of(tokens)]
    # Synonyms crowd none of the query's own words out, and a rare one makes no common word rare.
    own = list(words.weights)
    others = [token for token in tokens if token not in words.weights]
    any_of_rarest = any_of([*_selective(own, words.frequencies), *_selective(others, words.frequencies)])
    if min(words.frequencies[token] for token in own or others) > words.common and len(tokens) > 1:
        # Every word is in too many chunks to look at; all of them together are in fewer.
        return [_all(words), any_of_rarest]
    return [any_of_rarest]


def _all(words: Words) -> str:
    """Write a tsquery for all of a query: where it holds a term that has synonyms, for that or one of them."""
    plain = list(words.weights)
    parts: list[str] = []
    for tokens, others in words.terms:
        said = [[token for token in plain if token in tokens], *(list(other.weights) for other in others)]
        parts.append(either(all_of(alternative) for alternative in said if alternative))
        plain = [token for token in plain if token not in tokens]
    return both([*([all_of(plain)] if plain else []), *filter(None, parts)])


def _frequencies(session: Session, scope: Scope, tokens: Sequence[str], ceiling: int) -> dict[str, int]:
    """Return in how many chunks of a KB each token occurs, counted up to `ceiling`; those in none are left out.

    In a large KB a part of a longer token that the index knows is not counted at all: single characters of Chinese are
    in thousands of chunks, and the count took nine tenths of a search.
    """
    if scope.kb_chunks <= LARGE:
        return _counts(session, scope.kb_id, tokens, ceiling)
    long = [token for token in tokens if is_spaced(token) or len(token) > 1]
    known = _counted_once(session, scope.kb_id, long, ceiling)
    characters = [token for token in tokens if token not in long and not is_covered(token, known)]
    return known | _counted_once(session, scope.kb_id, characters, ceiling)


#: Until when a token is taken for common, by its KB and the count from which it is.
_common: dict[tuple[str, int, str], float] = {}


def _counted_once(session: Session, kb_id: str, tokens: Sequence[str], ceiling: int) -> dict[str, int]:
    """Return the same as `_counts` for a large KB, in which a token that was found common is not counted again soon."""
    now = time.monotonic()
    common = {token for token in tokens if _common.get((kb_id, ceiling, token), 0.0) > now}
    counts = _counts(session, kb_id, [token for token in tokens if token not in common], ceiling)
    if len(_common) > MOST_REMEMBERED:
        _common.clear()
    _common.update({(kb_id, ceiling, token): now + REMEMBERED for token, count in counts.items() if count >= ceiling})
    return counts | dict.fromkeys(common, ceiling)


def _counts(session: Session, kb_id: str, tokens: Sequence[str], ceiling: int) -> dict[str, int]:
    """Return in how many chunks of a KB each token occurs, counted up to `ceiling`; those in none are left out."""
    rows = session.execute(
        text("""
            SELECT token, chunks FROM unnest(CAST(:tokens AS text[]), CAST(:queries AS text[])) AS q (token, query),
                   LATERAL (SELECT count(*) AS chunks
                              FROM (SELECT 1 FROM chunks
                                     WHERE ARRAY[kb_id] @> ARRAY[:kb_id] AND tokens @@ CAST(query AS tsquery)
                                     LIMIT :ceiling) AS found) AS counted
             WHERE chunks > 0
        """),
        {"kb_id": kb_id, "tokens": list(tokens), "queries": [any_of([token]) for token in tokens], "ceiling": ceiling},
    )
    return {row.token: row.chunks for row in rows}


def _weights(frequencies: Mapping[str, int], chunks: int, common: int) -> dict[str, float]:
    """Return what an occurrence of each token is worth: its idf, less when a longer token that is known covers it."""
    rare = {token: count for token, count in frequencies.items() if count <= common}
    kept = sorted(rare or frequencies, key=frequencies.__getitem__)[:TOKENS]
    return {
        token: _idf(frequencies[token], chunks) * (COVERED if is_covered(token, frequencies) else 1.0) for token in kept
    }


def _idf(frequency: int, chunks: int) -> float:
    return math.log1p((max(chunks - frequency, 0) + 0.5) / (frequency + 0.5))


def _unknown(tokens: Sequence[str], known: Collection[str]) -> int:
    """Return how many words of a query a KB does not know; where no spaces tell, two characters are one."""
    spaced = sum(1 for token in tokens if is_spaced(token) and token not in known)
    characters = {simplified(token) for token in tokens if not is_spaced(token) and len(token) == 1}
    return spaced + (len(characters - set(simplified("".join(known)))) + 1) // 2


def _selective(tokens: Collection[str], frequencies: Mapping[str, int]) -> list[str]:
    """Return the rarest tokens that together occur in about LOOKED_AT chunks, but at least one if there is any."""
    chosen: list[str] = []
    looked_at = 0
    for token in sorted(tokens, key=frequencies.__getitem__):
        looked_at += frequencies[token]
        if chosen and looked_at > LOOKED_AT:
            break
        chosen.append(token)
    return chosen


def _bm25(lexemes: Sequence[str], counts: Sequence[int], words: Words, length: float) -> float:
    """Return the score of a chunk whose length is given as a multiple of the average."""
    damping = K1 * (1 - B + B * length)
    gains = {lexeme: count * (K1 + 1) / (count + damping) for lexeme, count in zip(lexemes, counts, strict=True)}
    score = _sum(words.weights, gains)
    for tokens, others in words.terms:
        own = sum(words.weights.get(token, 0.0) * gains[token] for token in tokens & gains.keys())
        best = max((_sum(other.weights, gains) for other in others if other.is_held(gains)), default=0.0)
        score += max(0.0, best - own)
    return score


def _sum(weights: Mapping[str, float], gains: Mapping[str, float]) -> float:
    return sum(weights[lexeme] * gain for lexeme, gain in gains.items() if lexeme in weights)
