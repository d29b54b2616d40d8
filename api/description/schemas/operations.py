"""What operators are answered: health, queues and workers."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from api.description.schemas.shape import Model, sometimes


class Check(Model):
    """The state of one thing that the service needs."""

    status: str = Field(description="`up`, or what is wrong with it, such as `down` or `unknown`.")
    reason: str = sometimes("Why it is not up, and what can be done.")


class ServerChecks(Model):
    """The servers that are needed."""

    postgresql: Check
    rabbitmq: Check
    replica: Check = sometimes("Whether it is read: where `DATABASE_READ_URL` is set.")


class Checks(ServerChecks):
    """The servers that are needed, and whether anybody works and repairs: the latter while PostgreSQL can be asked."""

    clock: Check = sometimes("Whether what is due is started and what was lost is repaired.")
    workers: Check = sometimes("Whether somebody works on what waits.")


class Health(Model):
    """Whether all is well."""

    status: Literal["ok", "degraded"]
    checks: Checks


class Alive(Model):
    """The process answers."""

    status: Literal["ok"]


class Readiness(Model):
    """Whether requests can be served."""

    status: Literal["ok", "unavailable"]
    checks: ServerChecks


class Worker(Model):
    """A worker process."""

    worker_id: UUID
    name: str = Field(description="Host and process.")
    queues: list[str]
    threads: int
    active: int = Field(description="Threads that work.")
    current_tasks: list[UUID]
    prefetched: dict[str, int] = Field(description="Messages that it holds ahead, by queue.")
    started_at: datetime
    heartbeat_at: datetime


class Workers(Model):
    """The worker processes that are alive."""

    as_of: datetime
    active: int = Field(description="Threads that work, of all processes, listed or not.")
    idle: int = Field(description="Threads that do not.")
    workers: list[Worker]
    next_cursor: str | None = Field(description="Null on the last page.")


class Queue(Model):
    """A queue as PostgreSQL sees it, and in the last four fields RabbitMQ, null while it is away."""

    queue: str
    paused: bool
    paused_by: str | None = Field(description="The name of the API key.")
    paused_at: datetime | None
    reason: str | None = Field(description="Why it is paused.")
    waiting: int = Field(description="Tasks that could start.")
    delayed: int = Field(description="Tasks that are not due, or wait for another.")
    running: int
    oldest_age_seconds: float = Field(description="Of the task that could start for the longest.")
    worker_threads: int
    ready: int | None
    unacked: int | None
    dead_lettered: int | None
    consumers: int | None


class Queues(Model):
    """All queues."""

    as_of: datetime
    queues: list[Queue]


class ResumedQueue(Model):
    """Whether a queue is held back."""

    queue: str
    paused: bool


class PausedQueue(ResumedQueue):
    """A queue that is held back, by whom and why."""

    paused_by: str | None = Field(description="The name of the API key; null where none was asked for.")
    paused_at: datetime | None
    reason: str | None
