"""What happens to tasks and batches, as streams tell it."""

from __future__ import annotations

from datetime import datetime

from task_manager_client.answers.tasks import ENDED, StatusCounts
from task_manager_client.core.shape import Shape


class Event(Shape):
    """One event. `type` is `task.` with a status, `batch.processing`, `batch.completed`, `open`, or `reset` where a
    stream could not be resumed without a gap."""

    type: str
    task_id: str | None = None
    task_type: str | None = None
    kb_id: str | None = None
    batch_id: str | None = None
    status: str | None = None
    stage: str | None = None
    progress: float | None = None
    at: datetime | None = None
    total: int | None = None
    counts: StatusCounts | None = None


def ends_task(event: Event) -> bool:
    """Whether a task's stream ends with it."""
    return event.type.startswith("task.") and event.type.removeprefix("task.") in ENDED


def ends_batch(event: Event) -> bool:
    """Whether a batch's stream ends with it."""
    return event.type == "batch.completed"


def never(_: Event) -> bool:
    """Say that a stream goes on for ever."""
    return False
