"""Lists of chunks with their scores, and a list by words and one by vectors made one."""

from __future__ import annotations

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
        (
            chunk,
            (1 - dense_weight) * min(1.0, words.get(chunk, 0.0)) ** COVERAGE + dense_weight * vector.get(chunk, 0.0),
        )
        for chunk in words.keys() | vector.keys()
    ]
    return {
        chunk: Scores(min(1.0, total), min(1.0, words.get(chunk, 0.0)), vector.get(chunk, 0.0))
        for chunk, total in sorted(weighted, key=best_first)
    }


def best_first(scored: tuple[Chunk, float]) -> tuple[float, Chunk]:
    """Sort by falling score; equal scores by document, so that a search repeats itself exactly."""
    chunk, score = scored
    return -score, chunk
