"""When a task will have ended: from what others of its type took lately, and from what waits ahead of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import fmean
from typing import Generic, NamedTuple, Self, TypeVar
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from models import Task, database
from models.base import FIRST_ID, LAST_ID, Json
from models.kb import weights
from models.statement import Statement
from models.task import KB, READY
from settings import settings
from tasks.dispatching import pausing
from tasks.lifecycle import Status
from tasks.types import all_types

#: The newest completed tasks of a type that its rates are measured on.
SAMPLE = 60
#: Seconds for which this process goes on with what it measured.
FRESH = 2.0
#: Tasks of the same KB that are counted ahead of one; of what has more ahead nothing is said.
MOST_AHEAD = 50_000
#: Completions that the rate of the past counts for, against those since a task waits.
PRIOR = 10.0
#: A stage that takes longer than it should is taken to need so much of what it took already.
OVERTIME = 0.1


@dataclass(frozen=True, slots=True)
class Line:
    """Seconds for units: least squares over what was measured, never falling and never below 0."""

    base: float
    slope: float

    @classmethod
    def through(cls, points: Sequence[tuple[float, float]]) -> Self:
        """Fit the line of (units, seconds)."""
        units, seconds = fmean(of for of, _ in points), fmean(took for _, took in points)
        spread = sum((of - units) ** 2 for of, _ in points)
        slope = max(0.0, sum((of - units) * (took - seconds) for of, took in points) / spread) if spread else 0.0
        if slope * units > seconds:
            return cls(0.0, seconds / units)
        return cls(seconds - slope * units, slope)

    def at(self, units: float) -> float:
        """Return the seconds for so many units."""
        return self.base + self.slope * units


@dataclass(frozen=True, slots=True)
class Sample:
    """A task that completed: for each stage its units and its seconds since the end of the one before.

    Parameters:
      size: characters of the document that it was about, if any.
    """

    stages: dict[str, tuple[float, float]]
    started_at: datetime
    finished_at: datetime
    size: float


class Rates:
    """What a task type took lately."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        self._samples = samples
        names = {name for sample in samples for name in sample.stages}
        of_stage = {name: [sample.stages[name] for sample in samples if name in sample.stages] for name in names}
        self._lines = {name: Line.through(points) for name, points in of_stage.items()}
        self._units = {name: sum(units for units, _ in points) for name, points in of_stage.items()}
        self._sizes = sum(sample.size for sample in samples)

    def knows(self, stages: Sequence[str]) -> bool:
        """Return whether every one of these stages was measured."""
        return all(name in self._lines for name in stages)

    def seconds(self, stage: str, known: dict[str, float], size: float) -> float:
        """Return how long a stage will take.

        Parameters:
          known: units of stages of the same task; of its own, or else of the latest, the others are proportional.
          size: as in `Sample`.
        """
        units = self._units[stage] / len(self._samples)
        if stage in known:
            units = known[stage]
        elif measured := [(name, of) for name, of in known.items() if of and self._units.get(name)]:
            name, of = measured[-1]
            units = of * self._units[stage] / self._units[name]
        elif size and self._sizes:
            units = size * self._units[stage] / self._sizes
        return self._lines[stage].at(units)

    def wait(self, ahead: float, since: datetime, now: datetime) -> float:
        """Return the seconds until so many have ended, by the rate since a task waits and the rate otherwise.

        What ends in the first moments was begun before, or is yet to come: they tell nothing of the pace.
        """
        begun = fmean((sample.finished_at - sample.started_at).total_seconds() for sample in self._samples)
        since = max(since + timedelta(seconds=begun), min(sample.finished_at for sample in self._samples))
        waited = max((now - since).total_seconds(), 0.0)
        ended = sum(sample.finished_at > since for sample in self._samples)
        return ahead * (waited + PRIOR * self._busy() / len(self._samples)) / (ended + PRIOR)

    def _busy(self) -> float:
        """Return the seconds in which at least one of the sample was at work."""
        total, until = 0.0, min(sample.started_at for sample in self._samples)
        for sample in sorted(self._samples, key=lambda sample: sample.started_at):
            total += max(0.0, (sample.finished_at - max(sample.started_at, until)).total_seconds())
            until = max(until, sample.finished_at)
        return total


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits and who works, as it was a moment ago.

    Parameters:
      waiting: tasks of each KB, by queue and priority.
      weights: of KBs; 1 where none is named.
      idle: places for stages that may start at once; None: there is no worker.
    """

    waiting: dict[tuple[str, int], dict[str, int]]
    weights: dict[str, int]
    idle: int | None
    paused: set[str]

    def ahead(self, task: Task, of_its_kb: int) -> int:
        """Count the tasks that start before one: more urgent ones, earlier ones of its KB, and by turns the others."""
        here = self.waiting.get((task.queue, task.priority), {})
        own = task.kb_id or ""
        rounds = of_its_kb // self.weights.get(own, 1) + 1
        fair = sum(min(count, rounds * self.weights.get(kb, 1)) for kb, count in here.items() if kb != own)
        urgent = sum(
            sum(kbs.values())
            for (queue, priority), kbs in self.waiting.items()
            if queue == task.queue and priority > task.priority
        )
        return urgent + fair + of_its_kb


Answer = TypeVar("Answer")


class Fresh(Generic[Answer]):
    """What was looked up, until it is FRESH seconds old."""

    def __init__(self) -> None:
        self._answers: dict[str, tuple[float, Answer]] = {}

    def get(self, name: str, look: Callable[[], Answer]) -> Answer:
        """Return what is known under a name, looked up anew where that is too long ago."""
        known = self._answers.get(name)
        if known is None or time.monotonic() - known[0] >= FRESH:
            known = self._answers[name] = time.monotonic(), look()
        return known[1]


_RATES: Fresh[Rates | None] = Fresh()
_BACKLOG: Fresh[Backlog] = Fresh()


def estimates(session: Session, tasks: Sequence[Task]) -> dict[UUID, datetime]:
    """Return when tasks will have ended. Nothing of those of which nothing can honestly be said: that are not due by
    time but by other tasks, or paused, of a type that was not measured yet, or without any worker.
    """
    going = [task for task in tasks if task.status in (Status.QUEUED, Status.PROCESSING) or _is_put_off(task)]
    if not going:
        return {}
    backlog = _look(session)
    positions = _positions(session, [task for task in going if _is_to_start(task)])
    now = datetime.now(UTC)
    estimated = {}
    for task in going:
        rates = _measured(session, task.task_type)
        if rates is None or backlog.idle is None or task.queue in backlog.paused:
            continue
        seconds = _left(task, rates, now)
        if seconds is None:
            continue
        if _is_put_off(task):
            seconds += max(0.0, (task.due_at - now).total_seconds())
        elif _is_to_start(task):
            if task.id not in positions:
                continue
            ahead = backlog.ahead(task, positions[task.id]) - backlog.idle + 1
            seconds += rates.wait(ahead, task.due_at, now) if ahead > 0 else 0.0
        with suppress(OverflowError):  # beyond the year 9999, see `models.connection.LATEST`, there is nothing to say
            estimated[task.id] = now + timedelta(seconds=seconds)
    return estimated


def after(session: Session, task: Task, ahead: int) -> datetime | None:
    """Return when a task will have ended before which so many start; None where nothing can be said."""
    rates = _measured(session, task.task_type)
    idle = session.execute(_IDLE, {"most": settings().max_concurrent_tasks}).scalar_one_or_none()
    now = datetime.now(UTC)
    seconds = None if rates is None else _left(task, rates, now)
    if rates is None or idle is None or seconds is None:
        return None
    return now + timedelta(seconds=seconds + rates.wait(max(0, ahead - idle + 1), task.due_at, now))


def of_batch(session: Session, batch_id: UUID) -> datetime | None:
    """Return when the last task of a batch will have ended; None where it cannot be said of one of them."""
    rows = select(Task).where(Task.batch_id == batch_id)
    last = [
        *session.scalars(rows.where(Task.status == Status.PROCESSING)),
        *session.scalars(rows.where(Task.status == Status.QUEUED).order_by(Task.priority, Task.id.desc()).limit(1)),
        *session.scalars(rows.where(Task.status == Status.WAITING)),
    ]
    of_tasks = estimates(session, last)
    return max(of_tasks.values()) if last and len(of_tasks) == len(last) else None


def _is_put_off(task: Task) -> bool:
    return task.status == Status.WAITING and not task.waiting_for


def _is_to_start(task: Task) -> bool:
    return task.status == Status.QUEUED and task.started_at is None


def _characters(payload: Json) -> int:
    """Return the length of a text that was submitted with it, or of the one that a list has left out."""
    content = payload.get("content")
    characters = payload.get("content_characters", 0) if content is None else content
    return len(characters) if isinstance(characters, str) else characters if isinstance(characters, int) else 0


def _left(task: Task, rates: Rates, now: datetime) -> float | None:
    """Return the seconds of work from the present stage on; None where a stage was not measured."""
    kind = all_types().get(task.task_type)
    names = [stage.name for stage in kind.stages[kind.position(task.stage) :]] if kind else []
    if not names or not rates.knows(names):
        return None
    known = {stage["name"]: float(stage["units"]) for stage in task.stages}
    if task.units:
        known[task.stage] = float(task.units)
    size = float(_characters(task.payload or {}))
    present, *following = (rates.seconds(name, known, size) for name in names)
    if task.stage_started_at is not None and task.status == Status.PROCESSING:
        began, took = task.stage_started_at, 0.0
        if task.claimed_at is not None and not task.shards:
            began, took = task.claimed_at, task.worked
        took += max(0.0, (now - began).total_seconds())
        done = task.units_done / task.units if task.units else 0.0
        left = max(present - took, OVERTIME * took)
        # The more it has done, the more its own pace counts.
        present = done * (took / done - took) + (1 - done) * left if done else left
    return present + sum(following)


def _measured(session: Session, task_type: str) -> Rates | None:
    """Return the rates of a type; None when none of it has completed yet."""

    def measure() -> Rates | None:
        values: dict[str, object] = {"task_type": task_type, "status": str(Status.COMPLETED), "limit": SAMPLE}
        rows = database.rows(session, _SAMPLE, values | {"first": FIRST_ID, "last": LAST_ID})
        samples = [Sample(_took(row), row.started_at, row.finished_at, row.size) for row in rows]
        return Rates(samples) if samples else None

    return _RATES.get(task_type, measure)


def _took(row: Completed) -> dict[str, tuple[float, float]]:
    stages, since = {}, row.started_at
    for stage in row.stages:
        if stage["finished_at"]:
            ended = datetime.fromisoformat(stage["finished_at"])
            # An earlier release did not write what it took: then what nobody did between its attempts counts as well.
            took = stage["waited"] + stage["seconds"] if "seconds" in stage else (ended - since).total_seconds()
            stages[stage["name"]] = float(stage["units"]), max(0.0, took)
            since = ended
    return stages


def _look(session: Session) -> Backlog:
    def look() -> Backlog:
        waiting: dict[tuple[str, int], dict[str, int]] = {}
        for row in database.rows(session, _WAITING):
            waiting.setdefault((row.queue, row.priority), {})[row.kb] = row.tasks
        idle = session.execute(_IDLE, {"most": settings().max_concurrent_tasks}).scalar_one_or_none()
        weighed = weights(session, list({kb for kbs in waiting.values() for kb in kbs}))
        return Backlog(waiting, weighed, idle, set(pausing.paused(session)))

    return _BACKLOG.get("", look)


def _positions(session: Session, tasks: Sequence[Task]) -> dict[UUID, int]:
    """Return how many of its KB wait before each: counted for a KB's oldest, behind which come the page's others."""
    groups: dict[tuple[str, int, str], list[UUID]] = {}
    for task in sorted(tasks, key=lambda task: task.id):
        groups.setdefault((task.queue, task.priority, task.kb_id or ""), []).append(task.id)
    if not groups:
        return {}
    rows = database.rows(
        session,
        _EARLIER,
        {
            "queues": [queue for queue, _, _ in groups],
            "priorities": [priority for _, priority, _ in groups],
            "kbs": [kb for _, _, kb in groups],
            "ids": [ids[0] for ids in groups.values()],
            "limit": MOST_AHEAD,
        },
    )
    counted = {(row.queue, row.priority, row.kb): row.earlier for row in rows if row.earlier < MOST_AHEAD}
    return {
        task_id: counted[group] + place
        for group, ids in groups.items()
        if group in counted
        for place, task_id in enumerate(ids)
    }


class Completed(NamedTuple):
    """A task that completed; `size`: as in `Sample`."""

    stages: list[Json]
    started_at: datetime
    finished_at: datetime
    size: float


class Waiting(NamedTuple):
    """How many tasks of a KB are ready in a queue."""

    queue: str
    priority: int
    kb: str
    tasks: int


class Earlier(NamedTuple):
    """How many of its KB wait before a task."""

    queue: str
    priority: int
    kb: str
    earlier: int


_SAMPLE = Statement(
    """
    SELECT stages, started_at, finished_at, coalesce(CAST(result->>'characters' AS float), 0) AS size FROM tasks
    WHERE (status, task_type, id) >= (:status, :task_type, CAST(:first AS uuid))
        AND (status, task_type, id) < (:status, :task_type, CAST(:last AS uuid))
    ORDER BY status DESC, task_type DESC, id DESC LIMIT :limit
    """,
    Completed,
)

_WAITING = Statement(
    f"""
    SELECT queue, priority, {KB} AS kb, count(*)::integer AS tasks
    FROM tasks WHERE {READY} GROUP BY queue, priority, {KB}
    """,
    Waiting,
)

#: What workers hold is counted in the tasks: they say it themselves once in some seconds only.
_IDLE = text(
    """
    SELECT least(sum(threads), :most) - (SELECT count(*) FROM tasks WHERE worker_id IS NOT NULL)
    FROM workers WHERE kind = 'worker' HAVING count(*) > 0
    """
)

_IN_FRONT = f"queue = asked.queue AND priority = asked.priority AND {KB} = asked.kb AND id < asked.id AND {READY}"

_EARLIER = Statement(
    f"""
    SELECT asked.queue, asked.priority, asked.kb, (
        SELECT count(*) FROM (SELECT FROM tasks WHERE {_IN_FRONT} LIMIT :limit) AS before
    ) AS earlier
    FROM unnest(
        CAST(:queues AS text[]), CAST(:priorities AS smallint[]), CAST(:kbs AS text[]), CAST(:ids AS uuid[])
    ) AS asked(queue, priority, kb, id)
    """,
    Earlier,
    is_prepared=True,
)
