"""The messages of a task: one that wakes a worker for it, and one that tells that it has failed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from dramatiq import Message

from broker import messages
from tasks.types import all_types

#: Seconds by which Dramatiq's `TimeLimit` lets the stage's own deadline go first.
BACKSTOP_SECONDS = 10.0
#: Messages that one transaction publishes for a stage and priority; whoever is woken and sees more wakes others.
MOST_MESSAGES = 20


def messages_for(tasks: Iterable[Any]) -> list[Message[Any]]:
    """Return the messages that wake workers for tasks, the most urgent first.

    They are few: whoever is woken takes what comes next, whatever his message names.
    """
    together: dict[tuple[int, str, str], list[Any]] = {}
    for task in tasks:
        together.setdefault((-task.priority, task.task_type, task.stage), []).append(task)
    found = []
    for _, kind, stage in sorted(together):
        alike = together[_, kind, stage]
        width = _width(kind, stage)
        found += [message_for(alike[at : at + width]) for at in range(0, min(len(alike), width * MOST_MESSAGES), width)]
    return found


def _width(kind: str, stage: str) -> int:
    """Return how many tasks one message names; one of a later release's type or stage, of which nothing is known."""
    known = all_types().get(kind)
    return next((each.bundle for each in known.stages if each.name == stage), 1) if known else 1


def message_for(tasks: Sequence[Any]) -> Message[Any]:
    """Wake a worker for tasks of one stage and priority.

    Parameters:
      tasks: with their id, stage, queue, priority, attempt, timeout, request_id and traceparent; their next claims get
        the next numbers.
    """
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


def dead_letter(row: Any) -> Message[Any]:
    """Tell whoever looks at RabbitMQ that a task has failed.

    Parameters:
      row: of `tasks.transitions.ending.END`.
    """
    told = {
        "code": row.error["code"],
        "kb_id": row.kb_id,
        "document_id": str(row.document_id) if row.document_id is not None else None,
        "request_id": row.request_id,
        "traceparent": row.traceparent,
    }
    return messages.dead_letter(str(row.id), row.stage, row.queue, row.attempt, told)
