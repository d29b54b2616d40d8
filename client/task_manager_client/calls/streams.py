"""Streams of events, and what is followed by them."""

from __future__ import annotations

from typing import Any

from task_manager_client.answers.events import ends_batch, ends_task
from task_manager_client.answers.tasks import Batch, Task
from task_manager_client.calls.following import Followed
from task_manager_client.calls.tasks import get_batch, get_task
from task_manager_client.core.call import Call, at, nothing


def events() -> Call[Any]:
    """Open the stream of all that happens."""
    return _stream("events")


def followed_task(task_id: str) -> Followed[Task]:
    """Return what it takes to follow a task."""
    events = _stream("tasks", task_id, "events")
    return Followed(f"task {task_id}", get_task(task_id), events, ends_task, lambda task: task.ended, can_wait=True)


def followed_batch(batch_id: str) -> Followed[Batch]:
    """Return what it takes to follow a batch."""
    events = _stream("batches", batch_id, "events")
    return Followed(
        f"batch {batch_id}", get_batch(batch_id), events, ends_batch, lambda batch: batch.ended, can_wait=False
    )


def _stream(*parts: str) -> Call[Any]:
    return Call("GET", at(*parts), nothing, headers={"Accept": "text/event-stream"})
