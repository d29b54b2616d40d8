"""What streams of events send: one JSON object in each `data`."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, RootModel

from api.description.schemas.batches import Batch
from tasks.lifecycle import Status


class StreamEvent(BaseModel):
    """The beginning of a stream of everything; `reset`: what followed `Last-Event-ID` is not known any more."""

    type: Literal["open", "reset"]


class TaskEvent(BaseModel):
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


class BatchCompletedEvent(BaseModel):
    """All tasks of a batch have ended."""

    type: Literal["batch.completed"]
    batch_id: UUID
    status: str
    at: datetime


class BatchStateEvent(Batch):
    """The beginning of a batch's stream: the batch as it is now."""

    type: Literal["batch.processing", "batch.completed"]


class Event(RootModel[StreamEvent | TaskEvent | BatchCompletedEvent | BatchStateEvent]):
    """What a stream sends in `data`."""
