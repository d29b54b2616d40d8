"""A task's attempts as bars on one axis of time, with wait and run apart."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from math import ceil, floor, log2
from typing import NamedTuple

from models.base import Json

#: The picture's width in its own units, and where the axis begins: before it stand the names.
WIDTH, LEFT = 1000.0, 170.0
#: So wide is what took no time.
NARROWEST = 2.0
#: Into how many steps the time of an open task is divided at least, and the seconds of one.
STEPS, SHORTEST_STEP = 16, 0.5


class Bar(NamedTuple):
    """One attempt at one stage; places and widths in the picture's units."""

    name: str
    number: int
    outcome: str
    worker: str | None
    waited_at: float
    waited: float
    waited_seconds: float
    ran_at: float
    ran: float
    ran_seconds: float


def bars(task: Json) -> list[Bar]:
    """Return a task's attempts in order; of one whose attempts were not kept, its stages."""
    begin = _moment(task["created_at"]) or datetime.now(UTC)
    now = _in_steps(begin, datetime.now(UTC))
    end = _moment(task["finished_at"]) or now
    scale = (WIDTH - LEFT) / max((end - begin).total_seconds(), 1e-6)
    shown, free = [], begin
    for attempt in task.get("attempts") or _stages(task):
        started = _moment(attempt["started_at"])
        if started is None:
            continue
        finished = _moment(attempt["finished_at"]) or now
        waited = attempt.get("waited_seconds")
        ready = min(max(free, begin), started) if waited is None else max(begin, started - timedelta(seconds=waited))
        shown.append(
            Bar(
                name=attempt["stage"],
                number=attempt["number"],
                outcome=attempt["outcome"] or "running",
                worker=attempt["worker"],
                waited_at=round(LEFT + (ready - begin).total_seconds() * scale, 1),
                waited=round((started - ready).total_seconds() * scale, 1),
                waited_seconds=(started - ready).total_seconds(),
                ran_at=round(min(LEFT + (started - begin).total_seconds() * scale, WIDTH - NARROWEST), 1),
                ran=round(max((finished - started).total_seconds() * scale, NARROWEST), 1),
                ran_seconds=(finished - started).total_seconds(),
            )
        )
        free = finished
    return shown


def _in_steps(begin: datetime, now: datetime) -> datetime:
    """Return how far the axis of an open task goes now, in steps that can be seen: it is drawn no more often."""
    passed = max((now - begin).total_seconds(), SHORTEST_STEP)
    step = max(2.0 ** floor(log2(passed / STEPS)), SHORTEST_STEP)
    return begin + timedelta(seconds=ceil(passed / step) * step)


def _stages(task: Json) -> list[Json]:
    return [
        {
            "stage": stage["name"],
            "number": stage["attempts"],
            "outcome": stage["status"],
            "worker": None,
            "started_at": stage["started_at"],
            "finished_at": stage["finished_at"],
        }
        for stage in task["stages"]
    ]


def _moment(shown: str | None) -> datetime | None:
    return datetime.fromisoformat(shown) if shown else None
