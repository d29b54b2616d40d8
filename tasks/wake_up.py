"""The message that wakes a worker for a task: the pipeline from its present stage to its last."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from dramatiq import Message

from broker.messages import Step, wake_up
from tasks.types import task_type
from tasks.unit import broker

#: Seconds by which Dramatiq's `TimeLimit` lets the stage's own deadline go first.
BACKSTOP_SECONDS = 10.0


def message_for(
    task_id: UUID, type_name: str, stage: str, *, priority: int, attempt: int, timeout: float
) -> Message[Any]:
    """Wake a worker for a task at `stage`; the stages that follow are linked behind it.

    Parameters:
      attempt: claims so far; the next claim gets the next number.
    """
    stages = task_type(type_name).stages
    rest = stages[task_type(type_name).position(stage) :]
    return wake_up(
        str(task_id),
        [Step(each.name, each.queue) for each in rest],
        priority=priority,
        attempt=attempt + 1,
        time_limit=timeout + BACKSTOP_SECONDS,
        broker=broker(),
    )
