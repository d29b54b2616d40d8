"""How likely a KB answers a query at all: what a caller goes by who would rather do without than be misled."""

from __future__ import annotations

from documents.embedding import Curve, Nearness

#: Of scores by words alone: see docs/retrieval.md, "When to do without".
WORDS = Curve(base=-6.7, best=21.7)


def curve_of(mode: str, nearness: Nearness | None) -> Curve:
    """Return what the scores of a mode say, where `nearness` is that of the vectors."""
    if mode == "text" or nearness is None:
        return WORDS
    return nearness.vector if mode == "vector" else nearness.hybrid
