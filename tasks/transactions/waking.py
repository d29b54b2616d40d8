"""The messages that wake workers for tasks that have become ready."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol
from uuid import UUID

from broker import messages
from broker.messages import Message
from tasks.types import all_types

#: Seconds by which Dramatiq's `TimeLimit` lets the stage's own deadline go first.
BACKSTOP_SECONDS = 10.0
#: Messages that one transaction publishes for a stage and priority; whoever is woken and sees more wakes others.
MOST_MESSAGES = 20


class Ready(Protocol):
    """A task for which a worker is to be woken. Its next claim gets the next number of `attempt`."""

    @property
    def id(self) -> UUID: ...
    @property
    def task_type(self) -> str: ...
    @property
    def stage(self) -> str: ...
    @property
    def queue(self) -> str: ...
    @property
    def priority(self) -> int: ...
    @property
    def attempt(self) -> int: ...
    @property
    def timeout(self) -> float: ...
    @property
    def request_id(self) -> str | None: ...
    @property
    def traceparent(self) -> str | None: ...


class WakeBuffer:
    """Tasks for which somebody is to be woken. Those of quick stages that follow others closely wait for each other.

    The first is told at once, so that an idle system waits for nothing.

    Parameters:
      interval: seconds between two wake-ups of the same queue and priority.
    """

    def __init__(self, interval: float = 0.0) -> None:
        self._interval = interval
        self._held: dict[UUID, Ready] = {}
        self._told: dict[tuple[str, int], float] = {}

    def due(self, tasks: Mapping[UUID, Ready]) -> list[Ready]:
        """Add tasks by their ids, and return those, with what was held, for which it is time."""
        now = time.monotonic()
        ready = {**self._held, **tasks}
        late = {level for level, moment in self._told.items() if now < moment + self._interval}
        self._held = {
            task.id: task
            for task in ready.values()
            if (task.queue, task.priority) in late and _width(task.task_type, task.stage) > 1
        }
        due = [task for task in ready.values() if task.id not in self._held]
        self._told |= {(task.queue, task.priority): now for task in due}
        return due

    def seconds_left(self) -> float | None:
        """Return the seconds until it is time for what is held; None where nothing is."""
        if not self._held:
            return None
        levels = {(task.queue, task.priority) for task in self._held.values()}
        return max(0.0, min(self._told.get(level, 0.0) for level in levels) + self._interval - time.monotonic())

    def hasten(self) -> None:
        """Have what is held due now."""
        self._told.clear()


def messages_for(tasks: Iterable[Ready]) -> list[Message]:
    """Return the messages that wake workers for tasks, the most urgent first.

    They are few: whoever is woken takes what comes next, whatever his message names.
    """
    together: dict[tuple[int, str, str], list[Ready]] = {}
    for task in tasks:
        together.setdefault((-task.priority, task.task_type, task.stage), []).append(task)
    wake_ups = []
    for _, kind, stage in sorted(together):
        alike = together[_, kind, stage]
        width = _width(kind, stage)
        wake_ups += [
            message_for(alike[at : at + width]) for at in range(0, min(len(alike), width * MOST_MESSAGES), width)
        ]
    return wake_ups


def _width(kind: str, stage: str) -> int:
    """Return how many tasks one message names; one of a later release's type or stage, of which nothing is known."""
    known = all_types().get(kind)
    return next((step.bundle for step in known.stages if step.name == stage), 1) if known else 1


def message_for(tasks: Sequence[Ready]) -> Message:
    """Return the message that wakes a worker for tasks of one stage and priority."""
    first = tasks[0]
    return messages.wake_up(
        [str(task.id) for task in tasks],
        first.stage,
        first.queue,
        priority=first.priority,
        attempt=first.attempt + 1,
        time_limit=max(task.timeout for task in tasks) + BACKSTOP_SECONDS,
        request_id=first.request_id,
        traceparent=first.traceparent,
    )
