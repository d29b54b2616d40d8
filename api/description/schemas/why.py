"""Why a task does not run."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, Field

from api.description.schemas.shape import sometimes
from api.description.schemas.tasks import TaskFailure
from tasks.lifecycle import Status


class Awaited(BaseModel):
    """What a task waits for; `kind` says which of the other fields there are."""

    kind: Literal["task", "time", "clock", "queue", "worker", "process", "limit", "pace", "rabbitmq", "turn"]
    task_id: UUID = sometimes("A task that ends first.")
    status: Status = sometimes("Its status.")
    stage: str = sometimes("Its stage.")
    due_at: datetime = sometimes("When the task, or its next attempt, is due.")
    error: TaskFailure = sometimes("What the last attempt ended with.")
    queue: str = sometimes("The queue that is paused, or whose workers are waited for.")
    paused_by: str | None = sometimes("The name of the API key that paused it.")
    paused_at: datetime = sometimes("When it was paused.")
    reason: str | None = sometimes("Why it was paused.")
    worker_id: UUID = sometimes("The worker that starts a process for it.")
    running: int = sometimes("Stages that run.")
    most: int = sometimes("How many may.")
    name: str = sometimes("The limit of a provider that is used up.")
    free_at: datetime = sometimes("When it is free again.")
    ahead: int = sometimes("Tasks of its queue that start before it.")
    or_more: bool = sometimes("Whether there are more than were counted.")
    estimated_completion: datetime | None = sometimes("When the task will have ended, if that can be said.")


class Why(BaseModel):
    """The reason why a task does not run."""

    reason: Literal[
        "running",
        "paused",
        "locked",
        "depends",
        "scheduled",
        "retry",
        "no_worker",
        "limit",
        "provider_pace",
        "behind",
        "broker_away",
        "isolation",
        "ended",
    ]
    since: datetime | None = Field(description="From when on it can have held, at the earliest; null: nothing tells.")
    detail: str = Field(description="A sentence for people.")
    detail_zh: str = Field(description="The same in Chinese.")
    waiting_for: list[Awaited]
