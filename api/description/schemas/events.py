"""What streams of events send: one JSON object in each `data`."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from api.description.schemas.batches import Batch
from api.description.schemas.shape import Model, OneOf
from tasks.lifecycle import Status


class StreamEvent(Model):
    """The beginning of a stream of everything; `reset`: what followed `Last-Event-ID` is not known any more."""

    type: Literal["open", "reset"]


class TaskEvent(Model):
    """Something happened to a task."""

    type: Literal["task.waiting", "task.queued", "task.processing", "task.completed", "task.failed", "task.cancelled"]
    task_id: UUID
    task_type: str | None
    kb_id: str | None
    batch_id: UUID | None
    status: Status
    stage: str
    progress: float
    at: datetime


class BatchCompletedEvent(Model):
    """All tasks of a batch have ended."""

    type: Literal["batch.completed"]
    batch_id: UUID
    status: str
    at: datetime


class BatchStateEvent(Batch):
    """The beginning of a batch's stream: the batch as it is now."""

    type: Literal["batch.processing", "batch.completed"]


class Event(OneOf[StreamEvent | TaskEvent | BatchCompletedEvent | BatchStateEvent]):
    """What a stream sends in `data`."""
