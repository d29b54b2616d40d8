"""What was counted and is not written yet: added up in memory, and written with a commit that is due anyway."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import metrics

#: Seconds that a thread which commits again and again keeps what was counted.
KEPT = 0.25

#: The name of a metric and its labels.
Key = tuple[str, str]
#: A count, a sum, and a count for each bucket.
Total = tuple[int, float, Sequence[int]]


class Counted(Protocol):
    """What a row of `Tally` or `History` holds."""

    @property
    def metric(self) -> str: ...
    @property
    def labels(self) -> str: ...
    @property
    def count(self) -> int: ...
    @property
    def sum(self) -> float: ...
    @property
    def buckets(self) -> Sequence[int]: ...


def totals(rows: Iterable[Counted]) -> dict[Key, Total]:
    """Add up what rows of one metric and its labels hold."""
    sums = Tallies()
    for row in rows:
        sums._add((row.metric, row.labels), (row.count, row.sum, row.buckets))
    return sums._totals


@dataclass
class Tallies:
    """Counters and histograms.

    Parameters:
      kept: seconds after which they are due to be written.
    """

    kept: float = 0.0

    def __post_init__(self) -> None:
        self._totals: dict[Key, Total] = {}
        self._since = time.monotonic()

    def __bool__(self) -> bool:
        return bool(self._totals)

    def count(self, metric: metrics.Metric, labels: Sequence[str], by: int) -> None:
        """Raise a counter."""
        self._add((metric.name, "|".join(labels)), (by, 0.0, ()))

    def observe(self, metric: metrics.Metric, labels: Sequence[str], value: float) -> None:
        """Add an observation to a histogram."""
        buckets = [0] * (len(metrics.BUCKETS) + 1)
        buckets[bisect_left(metrics.BUCKETS, value)] = 1
        self._add((metric.name, "|".join(labels)), (1, value, buckets))

    def add(self, metric: metrics.Metric, labels: Sequence[str], total: Total) -> None:
        """Add observations to a histogram: how many, their sum, and how many in each bucket."""
        self._add((metric.name, "|".join(labels)), total)

    def plus(self, others: Tallies) -> Tallies:
        """Return these and others; due when these are."""
        both = Tallies(self.kept)
        both._totals = dict(self._totals)
        both._since = self._since if self._totals else time.monotonic()
        for key, total in others._totals.items():
            both._add(key, total)
        return both

    def become(self, others: Tallies) -> None:
        """Hold what others do, and nothing else."""
        self._totals, self._since = dict(others._totals), others._since

    def is_due(self) -> bool:
        """Return whether they are to be written with the next commit."""
        return bool(self._totals) and time.monotonic() >= self._since + self.kept

    def put_off(self) -> None:
        """Have them due in `kept` seconds."""
        self._since = time.monotonic()

    def hasten(self) -> None:
        """Have them due now."""
        self._since -= self.kept

    def seconds_left(self) -> float | None:
        """Return the seconds until they are due; None where nothing was counted."""
        return max(0.0, self._since + self.kept - time.monotonic()) if self._totals else None

    def rows(self) -> list[dict[str, object]]:
        """Return one row for each metric and its labels; their order keeps processes from deadlocks."""
        return [
            {"metric": metric, "labels": labels, "count": count, "sum": total, "buckets": list(buckets)}
            for (metric, labels), (count, total, buckets) in sorted(self._totals.items())
        ]

    def _add(self, key: Key, total: Total) -> None:
        count, added, buckets = total
        before = self._totals.get(key)
        if before is not None:
            count, added = before[0] + count, before[1] + added
            buckets = [one + other for one, other in zip(before[2], buckets, strict=True)]
        self._totals[key] = count, added, buckets
