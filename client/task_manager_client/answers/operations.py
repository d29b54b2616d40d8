"""Callbacks, queues, workers, statistics, and who did what."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from task_manager_client.core.shape import Shape


class CallbackAttempt(Shape):
    """An attempt to deliver a callback."""

    at: datetime
    answer: str


class Callback(Shape):
    """A callback and its deliveries."""

    callback_id: str
    task_id: str | None
    batch_id: str | None
    kb_id: str | None
    type: str
    url: str
    state: Literal["owed", "delivered", "failed"]
    attempts: int
    next_attempt_at: datetime | None
    created_at: datetime
    delivered_at: datetime | None
    log: list[CallbackAttempt]


class Callbacks(Shape):
    """The callbacks of a task or batch."""

    items: list[Callback]


class CallbackExample(Shape):
    """A callback that a bulk is for."""

    callback_id: str
    task_id: str | None
    batch_id: str | None
    url: str
    status: str
    created_at: datetime


class CallbacksPreview(Shape):
    """How many callbacks a bulk is for, and up to ten of them; `capped` where there are more than `count`."""

    count: int
    capped: bool
    examples: list[CallbackExample]


class Queue(Shape):
    """A queue, as PostgreSQL sees it, and RabbitMQ (None while it is away)."""

    queue: str
    paused: bool
    paused_by: str | None
    paused_at: datetime | None
    reason: str | None
    waiting: int
    delayed: int
    running: int
    oldest_age_seconds: float
    worker_threads: int
    ready: int | None
    unacked: int | None
    dead_lettered: int | None
    consumers: int | None


class Queues(Shape):
    """Every queue."""

    as_of: datetime
    queues: list[Queue]


class QueueState(Shape):
    """A queue that was paused or resumed."""

    queue: str
    paused: bool
    paused_by: str | None = None
    paused_at: datetime | None = None
    reason: str | None = None


class Worker(Shape):
    """A worker process."""

    worker_id: str
    name: str
    queues: list[str]
    threads: int
    active: int
    current_tasks: list[str]
    prefetched: dict[str, int]
    started_at: datetime
    heartbeat_at: datetime


class Workers(Shape):
    """Every worker that is alive; `active` and `idle` count threads."""

    as_of: datetime
    active: int
    idle: int
    workers: list[Worker]


class Attention(Shape):
    """Something that an operator should look at."""

    code: str
    message: str
    message_zh: str
    since: datetime | None
    about: dict[str, Any]


class Throughput(Shape):
    """Tasks that have completed; None where that is not known yet."""

    last_minute: int | None
    last_hour: int | None


class Failures(Shape):
    """Tasks that have failed, by their codes."""

    count: int
    capped: bool
    by_code: dict[str, int]


class CallbacksOwed(Shape):
    """Callbacks that are not delivered yet."""

    count: int
    capped: bool
    failing: int
    since: datetime | None


class Overview(Shape):
    """The whole deployment at one moment."""

    as_of: datetime
    waiting: int
    delayed: int
    oldest_age_seconds: float
    running: int
    workers: int
    threads: int
    completed: Throughput
    failed_last_hour: Failures
    callbacks_owed: CallbacksOwed
    attention: list[Attention]


class Series(Shape):
    """One line of a plot."""

    name: str
    values: list[float | None]


class History(Shape):
    """A figure over time; `times` are seconds since 1970."""

    as_of: datetime
    metric: str
    help: str
    unit: str
    window: str
    step_seconds: int
    times: list[int]
    series: list[Series]


class ErrorExample(Shape):
    """A task that failed so."""

    task_id: str
    kb_id: str | None
    message: str | None


class ErrorGroup(Shape):
    """Failures of one code, stage and format."""

    code: str | None
    stage: str | None
    format: str | None
    count: int
    kbs: int
    first_at: datetime
    last_at: datetime
    example: ErrorExample
    hint: str | None
    hint_zh: str | None


class Errors(Shape):
    """What has failed since a time."""

    as_of: datetime
    since: datetime
    count: int
    capped: bool
    errors: list[ErrorGroup]


class QueueScale(Shape):
    """How many threads a queue wants."""

    waiting: int
    running: int
    oldest_age_seconds: float
    seconds_waiting: float
    wanted_threads: int


class Scale(Shape):
    """How many workers are wanted."""

    as_of: datetime
    target_seconds: float
    threads_per_worker: int
    workers: int
    waiting: int
    running: int
    oldest_age_seconds: float
    wanted: int
    queues: dict[str, QueueScale]


class AuditTarget(Shape):
    """What something was done to."""

    kind: str
    id: str | None


class AuditEntry(Shape):
    """Something that somebody did."""

    audit_id: str
    at: datetime
    name: str | None
    action: str
    target: AuditTarget
    kb_id: str | None
    detail: dict[str, Any]
    request_id: str | None


class Check(Shape):
    """The state of something that the service needs."""

    status: str
    reason: str | None = None


class Health(Shape):
    """The state of all that the service needs, by name."""

    status: str
    checks: dict[str, Check]


class Session(Shape):
    """Whose key is used, and what it may; no `kbs` means all."""

    name: str | None
    role: str
    kbs: list[str] | None
