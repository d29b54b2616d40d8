"""Callbacks, as they are sent, and the log of their delivery, as it is answered."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from api.description.schemas.shape import Count, Model, Page, sometimes
from api.description.schemas.tasks import TaskFailure
from models.base import Json


class CallbackAttempt(Model):
    """One attempt to deliver a callback."""

    at: datetime
    answer: str = Field(description="What the service answered, or why there was no answer.")


class Callback(Model):
    """A callback and how its delivery went."""

    callback_id: UUID = Field(description="The same as the header `webhook-id`.")
    task_id: UUID | None
    batch_id: UUID | None
    kb_id: str | None = Field(description="Of its task; a batch is of none.")
    type: Literal["task.completed", "task.failed", "task.cancelled", "batch.completed"]
    url: str
    state: Literal["owed", "delivered", "failed"] = Field(description="`failed`: it was given up.")
    status: Literal["pending", "delivered", "failed"] = Field(description="The same; `pending` is `owed`.")
    attempts: int
    next_attempt_at: datetime | None
    created_at: datetime
    delivered_at: datetime | None
    log: list[CallbackAttempt] = Field(description="The newest attempts, oldest first.")


class Callbacks(Model):
    """The callbacks of a task or of a batch, oldest first."""

    items: list[Callback]


class CallbackPage(Page[Callback]):
    """Callbacks, newest first."""


class CallbackExample(Model):
    """A callback in a few words."""

    callback_id: UUID
    task_id: UUID | None
    batch_id: UUID | None
    url: str
    status: Literal["pending", "delivered", "failed"]
    created_at: datetime


class CallbacksPreview(Count):
    """The callbacks that would be delivered again, among the newest 10,000 that the filter names."""

    examples: list[CallbackExample] = Field(description="The newest, up to 10.")


class TaskCallbackData(Model):
    """A task that has ended."""

    kb_id: str | None
    task_id: UUID
    task_type: str
    status: Literal["completed", "failed", "cancelled"]
    document_id: str | None
    result: Json | None = Field(description="As the task shows it.")
    error: TaskFailure | None
    retry_count: int
    metadata: Json = Field(description="As it was submitted.")
    left_out: list[Literal["metadata"]] = sometimes("Metadata that are too large, from an earlier release.")


class TaskCallback(Model):
    """What the KB service is sent when a task has ended."""

    type: Literal["task.completed", "task.failed", "task.cancelled"]
    timestamp: datetime
    data: TaskCallbackData


class BatchCallbackData(Model):
    """A batch of which all tasks have ended, counted."""

    batch_id: UUID
    total: int
    completed: int
    failed: int
    cancelled: int


class BatchCallback(Model):
    """What the KB service is sent when all tasks of a batch have ended."""

    type: Literal["batch.completed"]
    timestamp: datetime
    data: BatchCallbackData
