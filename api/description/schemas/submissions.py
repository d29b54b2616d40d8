"""Tasks as clients submit them, now or by a schedule: one model for each task type, told apart by `task_type`.

They describe; what is submitted is validated by `tasks.accepting.submission.Submission`, from which they are made.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, create_model

from api.description.schemas.shape import Model, Page, camel, told_apart
from models.base import Json
from tasks.accepting.submission import Submission
from tasks.input.fields import CallbackAddress
from tasks.types import TaskType, all_types

#: Tasks of one batch.
LARGEST = 1000
_KB = "The knowledge base it works on."


class Described(Submission):
    """A submission, for the OpenAPI document alone."""

    model_config = ConfigDict(defer_build=True)


def _submitted(kind: TaskType, suffix: str, **more: Any) -> type[BaseModel]:
    """Return what a task of a type is submitted with."""
    kb: Any = Field(min_length=1, max_length=255, description=_KB)
    required = any(field.is_required() for field in kind.payload.model_fields.values()) or kind.needs_kb
    payload: Any = Field(... if required else {}, description="What is to be done.")
    fields: Json = {
        "task_type": (Literal[kind.name], Field(description=kind.payload.__doc__)),
        "payload": (kind.payload, payload),
        **({"kb_id": (str, kb)} if kind.needs_kb else {}),
        **more,
    }
    doc = f"A `{kind.name}` task, as it is submitted."
    return create_model(f"{camel(kind.name)}{suffix}", __base__=Described, __doc__=doc, **fields)


#: What only this service makes is not submitted.
_KINDS = [kind for kind in all_types().values() if not kind.is_ours]

NewTask = told_apart("NewTask", "task_type", [_submitted(kind, "Submission") for kind in _KINDS])

_NAME: Any = Field(None, min_length=1, max_length=255, description="By which others of the batch depend on it.")
_DEPENDS_ON: Any = Field(
    [], max_length=1000, description="Ids of tasks that must have ended first, or names of this batch."
)
NewBatchItem = told_apart(
    "NewBatchItem",
    "task_type",
    [_submitted(kind, "BatchItem", name=(str | None, _NAME), depends_on=(list[str], _DEPENDS_ON)) for kind in _KINDS],
)


class NewBatch(Model):
    """Tasks to be submitted together."""

    model_config = ConfigDict(extra="forbid")

    tasks: list[NewBatchItem] = Field(  # type: ignore[valid-type]
        min_length=1, max_length=LARGEST, description="One with a `name` can be depended on by the others."
    )
    callback_url: CallbackAddress | None = None
    atomic: bool = Field(False, description="All or none: one task that does not fit rejects the rest.")


CatchUp = Literal["one", "all"]
#: Described alone: what is wrong with an expression, its reader says better.
_CRON: Any = {"minLength": 9, "maxLength": 100, "pattern": r"^\s*\S+(\s+\S+){4}\s*$"}
_FIELDS = "Five fields, as Debian's cron reads them: minute, hour, day of the month, month, day of the week."
_TIMEZONE = "Of the IANA database, such as `Europe/Berlin`."
_CATCH_UP = "When the clock was away at several due times: `one` run for the latest, or `all`, the latest 100."
_TASK = "What `POST /tasks` takes, without `run_at`, `expires_at` and `depends_on`; at most 256 KiB as JSON."


class NewSchedule(Model):
    """A task, and when it is to be submitted."""

    model_config = ConfigDict(extra="forbid")

    name: str | None = Field(None, min_length=1, max_length=255)
    cron: str = Field(description=_FIELDS, json_schema_extra=_CRON)
    timezone: str = Field("UTC", description=_TIMEZONE)
    catch_up: CatchUp = Field("one", description=_CATCH_UP)
    task: NewTask = Field(description=_TASK)  # type: ignore[valid-type]


class ScheduleChange(Model):
    """What is to be changed of a schedule; its task is replaced as a whole."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"minProperties": 1})

    name: str | None = Field(None, min_length=1, max_length=255)
    cron: str = Field(default_factory=str, description="As in `NewSchedule`.", json_schema_extra=_CRON)
    timezone: str = Field(default_factory=str, description=_TIMEZONE)
    catch_up: CatchUp = Field(default_factory=lambda: "one", description=_CATCH_UP)
    task: NewTask = Field(default_factory=dict, description=_TASK)  # type: ignore[valid-type]


class Schedule(Model):
    """A task that is submitted again and again."""

    schedule_id: UUID
    name: str | None
    kb_id: str | None = Field(description="Of its task.")
    cron: str
    timezone: str
    catch_up: CatchUp
    task: Json = Field(description="As it was said.")
    created_by: str | None = Field(
        description="The API key that made it, or changed its task last; its tasks are submitted in this name."
    )
    created_at: datetime
    updated_at: datetime
    paused_at: datetime | None
    next_due_at: datetime | None = Field(description="Null while it is paused.")
    last_due_at: datetime | None = Field(description="Of its last task; of one that was asked for, when that was.")
    last_task_id: UUID | None
    last_error: str | None = Field(description="Why its task is refused since `next_due_at`; it is tried each second.")
    last_error_zh: str | None = Field(description="The same in Chinese.")


class SchedulePage(Page[Schedule]):
    """Schedules, newest first."""
