"""How long pages, lists and figures take to answer, asked in turns, while snapshots are taken in between."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import httpx2

#: What a browser asks for, and what a program does.
HTML, JSON = {"Accept": "text/html"}, {"Accept": "application/json"}


@dataclass(slots=True)
class Answers:
    """How long one address took, in milliseconds, and how many snapshots were seen meanwhile."""

    path: str
    milliseconds: list[float] = field(default_factory=list)
    bytes: int = 0

    def share(self, part: float) -> float:
        """Return within how many milliseconds this part of the answers came."""
        ordered = sorted(self.milliseconds)
        return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


def ask(
    url: str, paths: Mapping[str, str], *, rounds: int, every: float = 0.0, html: bool = True
) -> dict[str, Answers]:
    """Ask for all of these in turns, one request at a time.

    Parameters:
      paths: addresses by their names.
      every: seconds between the beginnings of two rounds, at least.
      html: whether a browser asks.

    Raises:
      httpx2.HTTPStatusError: one was not answered with 200.
    """
    by_name = {name: Answers(path) for name, path in paths.items()}
    with httpx2.Client(base_url=url, headers=HTML if html else JSON, timeout=60) as client:
        for path in paths.values():
            client.get(path).raise_for_status()
        for _ in range(rounds):
            began = time.perf_counter()
            for answers in by_name.values():
                asked = time.perf_counter()
                answer = client.get(answers.path).raise_for_status()
                answers.milliseconds.append((time.perf_counter() - asked) * 1000)
                answers.bytes = len(answer.content)
            time.sleep(max(0.0, began + every - time.perf_counter()))
    return by_name
