"""Batches, as they are answered."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from api.description.schemas.problem import BadField
from api.description.schemas.shape import Model, Page
from tasks.lifecycle import Status


class BatchItemAccepted(Model):
    """A task of a batch that was accepted."""

    index: int = Field(description="Its position in the request, from 0.")
    task_id: UUID
    status: Status


class BatchItemErrors(Model):
    """What is wrong with a task of a batch."""

    errors: list[BadField]


class BatchItemRejected(Model):
    """A task of a batch that was rejected."""

    index: int = Field(description="Its position in the request, from 0.")
    error: BatchItemErrors


class AcceptedBatch(Model):
    """The answer to a batch, in the order of its tasks."""

    batch_id: UUID
    tasks: list[BatchItemAccepted | BatchItemRejected]
    accepted: int
    rejected: int


class StatusCounts(Model):
    """How many tasks have each status."""

    waiting: int
    queued: int
    processing: int
    completed: int
    failed: int
    cancelled: int


class ListedBatch(Model):
    """A batch with its counts."""

    batch_id: UUID
    status: Literal["processing", "completed"]
    total: int
    counts: StatusCounts
    deleted: int = Field(description="Tasks of it that ended and were deleted since.")
    progress: float = Field(ge=0, le=100)
    created_at: datetime
    finished_at: datetime | None


class BatchPage(Page[ListedBatch]):
    """Batches, newest first, without `estimated_completion`."""


class Batch(ListedBatch):
    """A batch as it is now."""

    estimated_completion: datetime | None
