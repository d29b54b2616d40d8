"""Lists of chunks with their scores, and a list by words and one by vectors made one."""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

#: A chunk, by its version and its index in it.
Chunk = tuple[UUID, int]
#: Chunks and their scores, the best first.
Ranked = list[tuple[Chunk, float]]


@dataclass(frozen=True, slots=True)
class Scores:
    """How near a chunk is to a query, from 0 to 1; a part that was not asked for is None.

    words: what the chunk scores by BM25, as a share of what a perfect passage would.
    vector: the cosine, from that of texts that have nothing to do with each other to that of an answer.
    total: both, weighted; see `COVERAGE`.
    """

    total: float
    words: float | None = None
    vector: float | None = None


#: In hybrid search half of a query's words are worth less than half of all: the share that they are of a perfect
#: passage is raised to this power. So a few words that many passages hold do not outweigh a near vector. Of 1, 1.5, 2
#: and 3 the one by which no set of docs/retrieval.md is worse than by words or by vectors alone.
COVERAGE = 1.5


def fused(words: Mapping[Chunk, float], vector: Mapping[Chunk, float], dense_weight: float) -> dict[Chunk, Scores]:
    """Return the weighted mean of two scores for each chunk, best first; a chunk that one of them lacks has 0 there.

    Scores are added, not ranks: a passage that stands far down in both lists cannot pass one that is first in one.
    """
    weighted = [
        (chunk, total(words.get(chunk, 0.0), vector.get(chunk, 0.0), dense_weight))
        for chunk in words.keys() | vector.keys()
    ]
    return {
        chunk: Scores(min(1.0, score), min(1.0, words.get(chunk, 0.0)), vector.get(chunk, 0.0))
        for chunk, score in sorted(weighted, key=best_first)
    }


def total(words: float, vector: float, dense_weight: float) -> float:
    """Return the weighted mean of two scores."""
    covered: float = min(1.0, words) ** COVERAGE
    return (1 - dense_weight) * covered + dense_weight * vector


def settled(words: Mapping[Chunk, float], dense_weight: float, wanted: int) -> bool:
    """Return whether no chunk that words did not find could be among the first `wanted`, were its vector the query's
    own. None holds more of the words than the last that they found.
    """
    if len(words) < wanted:
        return False
    scores = sorted(words.values(), reverse=True)
    return total(scores[-1], 1.0, dense_weight) < total(scores[wanted - 1], 0.0, dense_weight)


def contending(
    words: Mapping[Chunk, float], vector: Mapping[Chunk, float], dense_weight: float, wanted: int
) -> list[Chunk]:
    """Return the chunks without a score by vector that one of 1 would put among the first `wanted`."""
    scores = {
        chunk: total(words.get(chunk, 0.0), vector.get(chunk, 0.0), dense_weight)
        for chunk in words.keys() | vector.keys()
    }
    least = heapq.nlargest(wanted, scores.values())[-1] if len(scores) > wanted else 0.0
    return [chunk for chunk, score in scores.items() if chunk not in vector and score + dense_weight >= least]


def best_first(scored: tuple[Chunk, float]) -> tuple[float, Chunk]:
    """Sort by falling score; equal scores by document, so that a search repeats itself exactly."""
    chunk, score = scored
    return -score, chunk
