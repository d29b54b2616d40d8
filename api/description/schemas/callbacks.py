"""The delivery log of callbacks, as it is answered."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, Field


class CallbackAttempt(BaseModel):
    """One attempt to deliver a callback."""

    at: datetime
    answer: str = Field(description="What the service answered, or why there was no answer.")


class Callback(BaseModel):
    """A callback and how its delivery went."""

    callback_id: UUID = Field(description="The same as the header `webhook-id`.")
    type: Literal["task.completed", "task.failed", "task.cancelled", "batch.completed"]
    url: str
    status: Literal["pending", "delivered", "failed"]
    attempts: int
    next_attempt_at: datetime | None
    created_at: datetime
    delivered_at: datetime | None
    log: list[CallbackAttempt] = Field(description="The newest attempts, oldest first.")


class Callbacks(BaseModel):
    """The callbacks of a task, oldest first."""

    items: list[Callback]
