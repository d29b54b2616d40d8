"""What this process counts of its requests: added up in memory, and written with commits of submissions."""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import Sequence

import metrics
from tasks.transactions.group_commit import GroupCommit
from tasks.transactions.tallies import Tallies

#: Seconds for which counts are kept in memory. A process that is killed takes the last of them along.
KEPT = 2.0

#: A metric and the values of its labels.
Key = tuple[metrics.Metric, tuple[str, ...]]


class Counting:
    """Counters and histograms of the loop's thread.

    Parameters:
      commits: with which they are written.
    """

    def __init__(self, commits: GroupCommit) -> None:
        self._commits = commits
        self._counts: dict[Key, int] = {}
        self._buckets: dict[Key, list[int]] = {}
        self._sums: dict[Key, float] = {}
        self._is_due = False

    def count(self, metric: metrics.Metric, *labels: str) -> None:
        """Raise a counter."""
        key = metric, labels
        self._counts[key] = self._counts.get(key, 0) + 1
        self._make_due()

    def observe(self, metric: metrics.Metric, *labels: str, seconds: float) -> None:
        """Add an observation to a histogram."""
        key = metric, labels
        if (buckets := self._buckets.get(key)) is None:
            buckets = self._buckets[key] = [0] * (len(metrics.BUCKETS) + 1)
        buckets[bisect_left(metrics.BUCKETS, seconds)] += 1
        self._sums[key] = self._sums.get(key, 0.0) + seconds
        self._make_due()

    def _make_due(self) -> None:
        if not self._is_due:
            self._is_due = True
            asyncio.get_running_loop().call_later(KEPT, self._hand_over)

    def _hand_over(self) -> None:
        tallies = Tallies()
        for (metric, labels), count in self._counts.items():
            tallies.count(metric, labels, count)
        for key, buckets in self._buckets.items():
            tallies.add(*key, (sum(buckets), self._sums[key], buckets))
        self._counts, self._buckets, self._sums, self._is_due = {}, {}, {}, False
        self._commits.add(tallies)


def class_of(status: int) -> str:
    """Return the class of an HTTP status, such as `4xx`."""
    return f"{status // 100}xx"


def zeros(routes: Sequence[tuple[str, str]]) -> dict[metrics.Metric, list[tuple[str, ...]]]:
    """Return the labels that counters of requests have before anything is counted.

    Parameters:
      routes: methods and templates.
    """
    return {
        metrics.REQUESTS: [(*route, status) for route in routes for status in ("2xx", "4xx", "5xx")],
        metrics.SEARCH_DEGRADED: [("vectors",), ("rerank",)],
    }
