"""Lists of chunks with their scores, and several of them made one."""

from __future__ import annotations

from uuid import UUID

#: A chunk by version and index, and its score; the best first.
Ranked = list[tuple[tuple[UUID, int], float]]

#: Reciprocal rank fusion's usual constant (Cormack et al. 2009).
FUSION = 60


def fused(*lists: tuple[Ranked, float]) -> Ranked:
    """Weighted reciprocal rank fusion; the score is the share of what being first in every list would give."""
    scores: dict[tuple[UUID, int], float] = {}
    for ranked, weight in lists:
        for rank, (chunk, _) in enumerate(ranked, 1):
            scores[chunk] = scores.get(chunk, 0.0) + weight / (FUSION + rank)
    full = sum(weight for _, weight in lists) / (FUSION + 1)
    return sorted(((chunk, score / full) for chunk, score in scores.items()), key=best_first)


def best_first(scored: tuple[tuple[UUID, int], float]) -> tuple[float, tuple[UUID, int]]:
    """By falling score; equal scores in the order of the documents, so that a search repeats itself exactly."""
    chunk, score = scored
    return -score, chunk
