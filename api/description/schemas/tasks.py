"""Tasks, as they are submitted and as they are shown: one model for each task type, told apart by `task_type`."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, create_model

from api.description.schemas.shape import Count, Model, OneOf, Page, camel, sometimes, told_apart
from models.base import Json
from tasks.input.fields import KEPT, Priority, TaskFields
from tasks.lifecycle import Status
from tasks.types import TaskType, all_types


class TaskStage(Model):
    """A step of a task."""

    name: str
    status: Literal["pending", "waiting", "queued", "processing", "completed", "failed", "cancelled"]
    started_at: datetime | None
    finished_at: datetime | None
    queue_wait_seconds: float | None = Field(description="Seconds in which it could have run and no worker was free.")
    units: int = Field(description="What it has to do, such as pages or chunks; 0 while that is not known.")
    units_done: int
    attempts: int


class AttemptError(Model):
    """What an attempt ended with."""

    code: str
    message: str
    retryable: bool


class TaskAttempt(Model):
    """A worker's work at a stage. A stage that is divided is one attempt, by the worker that joined its shards."""

    run: int = Field(description="1, and one more for each retry by hand.")
    stage: str
    number: int = Field(description="Of the stage, in this run. What was handed back does not count.")
    worker: UUID | None = Field(description="Null where an earlier release did not write it, or shards are at work.")
    started_at: datetime
    finished_at: datetime | None = Field(description="Of a worker that died, when it was last heard of.")
    waited_seconds: float | None = Field(description="From when it was ready until it began.")
    outcome: Literal[
        "running", "completed", "failed", "cancelled", "put_off", "handed_back", "worker_died", "lost", "went_back"
    ]
    error: AttemptError | None


class TaskFailure(Model):
    """Why a task failed, or why its last attempt did."""

    code: str = Field(description="What programs tell errors by; each has its section in `docs/errors.md`.")
    message: str = Field(description="What happened to this very task.")
    stage: str
    retryable: bool = Field(description="Whether the service tries again by itself.")
    hint: str = Field(description="What can be done.")
    hint_zh: str = Field(description="The same in Chinese.")


class ShownTask(Model):
    """What every task shows, whatever its type."""

    task_id: UUID
    batch_id: UUID | None
    status: Status
    stage: str = Field(description="The present stage, or the one in which it ended.")
    progress: float = Field(ge=0, le=100, description="Percent; never falls.")
    attempt: int = Field(description="Of the present stage; 0 before the first.")
    submitted_by: str | None = Field(description="The name of the API key; null where none was asked for.")
    request_id: str | None = Field(
        description="Of the request that submitted it, as its `X-Request-ID`; null where an earlier release wrote none."
    )
    trace_id: str | None = Field(
        description="Of the trace that this request belongs to, by its `traceparent` (W3C Trace Context), else made."
    )
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    estimated_completion: datetime | None = sometimes("When it will have ended, by what is ahead of it; null in lists.")
    queue_wait_seconds: float
    due_at: datetime | None = Field(description="While it is `waiting`: when it is looked at again.")
    stages: list[TaskStage]
    attempts: list[TaskAttempt] = sometimes("The newest, from the oldest to the one that runs; not in lists.")
    error: TaskFailure | None
    left_out: list[Literal["payload", "metadata"]] = sometimes("In a list: the fields that are too large for it.")


def _payload(kind: TaskType) -> type[BaseModel]:
    """Return what is shown of a payload. It may be from an earlier release, so nothing in it is promised."""
    fields: Json = {
        name: (info.annotation, sometimes(info.description or "")) for name, info in kind.payload.model_fields.items()
    }
    if fields.pop("content", None):
        fields["content_characters"] = int, sometimes("The length of `content`, which is not shown.")
    if fields.pop("headers", None):
        fields["header_names"] = list[str], sometimes("The names of `headers`, whose values are not shown.")
    extra = kind.payload.model_config.get("extra") == "allow"
    return create_model(
        f"{camel(kind.name)}Payload",
        __doc__=f"What a `{kind.name}` task was submitted with.",
        __config__=ConfigDict(extra="allow" if extra else "ignore"),
        **fields,
    )


#: What was said of a task, as it is shown; what bounds a submission need not bound one of an earlier release.
_SAID: Json = {
    name: (kept.shows or field.annotation, Field(description=field.description))
    for (name, field), kept in zip(TaskFields.model_fields.items(), KEPT.values(), strict=True)
}


def _shown(kind: TaskType) -> type[BaseModel]:
    result = kind.result or create_model(f"{camel(kind.name)}Result", __config__=ConfigDict(extra="allow"))
    fields: Json = _SAID | {
        "task_type": (Literal[kind.name], ...),
        "payload": (_payload(kind) | None, Field(description="Null where `left_out` names it.")),
        "result": (result | None, Field(description="Set when it has completed.")),
    }
    return create_model(f"{camel(kind.name)}Task", __base__=ShownTask, __doc__=f"A `{kind.name}` task.", **fields)


_OTHER: Json = _SAID | {
    "task_type": (str, Field(json_schema_extra={"not": {"enum": list(all_types())}})),
    "result": (Json | None, ...),
}
OtherTask = create_model(
    "OtherTask", __base__=ShownTask, __doc__="A task of a type that only a later release knows.", **_OTHER
)
Task = told_apart("Task", "task_type", [_shown(kind) for kind in all_types().values()], OtherTask)


class TaskPage(Page[Task]):  # type: ignore[valid-type]
    """Tasks, newest first; their `estimated_completion` is null."""

    total: Count = sometimes("How many fit the filter, where `count` asks for it.")


class AcceptedTask(Model):
    """The answer to a submission: the task is durable."""

    task_id: UUID
    status: Status
    task_type: str
    kb_id: str | None
    created_at: datetime


class RefusedRetry(Model):
    """A task that cannot run again."""

    task_id: UUID
    reason: str


class RetriedTasks(Model):
    """What became of a request to run tasks again."""

    retried: int
    task_ids: list[UUID]
    refused: list[RefusedRetry]
    more: bool = Field(description="Whether others may match: call again.")


class Awaited(Model):
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


class Why(Model):
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


class RetryStarted(OneOf[AcceptedTask | RetriedTasks]):
    """The task that retries others; for a request of the first version, what was retried."""


class TaskExample(Model):
    """A task in a few words."""

    task_id: UUID
    task_type: str
    kb_id: str | None
    document_id: str | None
    status: Status
    priority: Priority
    error_code: str | None
    created_at: datetime


class TasksPreview(Count):
    """The tasks that would be changed, among the newest 10,000 that the filter names."""

    examples: list[TaskExample] = Field(description="The newest, up to 10.")


class BulkItem(Model):
    """A task, or a callback, that a bulk is for."""

    task_id: UUID = sometimes("Of a bulk of tasks.")
    callback_id: UUID = sometimes("Of a bulk of callbacks.")
    outcome: Literal["open", "changed", "refused"]
    reason: str | None = Field(description="Why it was not changed.")
    priority_before: Priority | None = Field(description="Where its priority was changed.")
    priority_after: Priority | None


class BulkItemPage(Page[BulkItem]):
    """What a bulk is for, newest first."""
