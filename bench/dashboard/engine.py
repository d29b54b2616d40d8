"""What dashboards that are open cost those who work: throughput with them and without, in turns of one run."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

from bench.contestants import BODY, Running
from bench.size import interval
from bench.throughput import CLIENTS, load

#: Seconds that dashboards are open before their turn begins.
OPENED = 6.0
#: The pages that are looked at, as often the one as the other.
LOOKED_AT = ("/", "/tasks", "/errors", "/batches", "/queues", "/workers", "/kbs", "/callbacks", "/audit")


@dataclass(slots=True)
class Turns:
    """Completed tasks a second and microseconds of CPU for each, without dashboards and with them."""

    rates: dict[bool, list[float]] = field(default_factory=lambda: {False: [], True: []})
    cpu: dict[bool, list[float]] = field(default_factory=lambda: {False: [], True: []})
    seen: list[dict[str, Any]] = field(default_factory=list)

    def ratios(self, figures: dict[bool, list[float]]) -> list[float]:
        """Return each figure with dashboards over the one without them of the same pair."""
        return [on / off for on, off in zip(figures[True], figures[False], strict=True)]

    def spread(self, figures: dict[bool, list[float]]) -> str:
        """Write the median of the ratios with its interval."""
        ratios = self.ratios(figures)
        low, high = interval(ratios)
        return f"{statistics.median(ratios):.3f} ({low:.3f}–{high:.3f})"


def measure(service: Running, count: int, pairs: int, seconds: float, paths: Sequence[str] = LOOKED_AT) -> Turns:
    """Measure turns without and with so many dashboards."""
    return turns_of(service, pairs, seconds, lambda: looking(service.url, count, paths))


def turns_of(
    service: Running,
    pairs: int,
    seconds: float,
    watching: Callable[[], AbstractContextManager[dict[str, Any]]],
    path: str = "/tasks",
) -> Turns:
    """Measure turns without and with somebody who looks; whichever comes first changes from pair to pair.

    Parameters:
      watching: has somebody look as long as it is open, and gives what came of that.
      path: where tasks are submitted.
    """
    turns = Turns()
    load(service, path, BODY, CLIENTS, 3.0)
    for pair in range(pairs):
        for watched in (False, True) if pair % 2 == 0 else (True, False):
            with watching() if watched else nullcontext({}) as seen:
                done = load(service, path, BODY, CLIENTS, seconds)
            if watched:
                turns.seen.append(seen)
            turns.rates[watched].append(done.completed)
            turns.cpu[watched].append(sum(done.cpu.values()))
            how = "watched" if watched else "alone"
            print(f"{how}: {done.completed:.0f}/s, {turns.cpu[watched][-1]:.0f} µs", flush=True)
    return turns


@contextmanager
def looking(url: str, count: int, paths: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Have so many dashboards open; what came of them is in the dictionary at the end.

    Raises:
      AssertionError: not all were open at the end.
    """
    command = [sys.executable, "-m", "bench.dashboard.viewers", url, *paths, "--count", str(count)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    seen: dict[str, Any] = {}
    try:
        time.sleep(OPENED)
        yield seen
    finally:
        output, _ = process.communicate(timeout=30)
    seen |= json.loads(output)
    assert seen["open"] == count, seen
