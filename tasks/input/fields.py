"""The fields of a task, each declared once: what a client may say of it, and by what tasks are found.

A field of `TaskFields` is submitted, kept in the column of `models.Task` that has its name, shown, described in
OpenAPI, read from the form of an upload, and handed on to the documents of an archive. A field of `Filter` is a
parameter of lists, counts and bulks. `make proto` adds both to the messages of gRPC.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, TypeVar, get_args
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
)

from addresses import without_credentials
from broker.topology import PRIORITIES, PRIORITY_NAMES, QUEUES
from errors import CODES
from models.base import Json, rfc3339
from models.task import FORMAT
from sentences import say
from tasks.input.bounds import storable
from tasks.lifecycle import ENDED, OPEN, Status

StatusName = Literal["waiting", "queued", "processing", "completed", "failed", "cancelled"]
Priority = Literal["low", "normal", "high", "urgent"]
#: Whether something newer than what a document shows is under way, or has failed.
DocumentState = Literal["current", "pending", "failed"]
#: No task is older, nor will any be younger. Time can still be added to these, and taken.
FIRST, LAST = datetime(1970, 1, 2, tzinfo=UTC), datetime(9998, 12, 31, tzinfo=UTC)
#: The format of tasks whose document has none, or that work on none.
NO_FORMAT = "none"
#: What a task that has an error has become.
NOT_COMPLETED = (Status.FAILED, Status.CANCELLED)


def _in_utc(moment: datetime) -> datetime:
    """Read a time without a zone as UTC. A time before FIRST becomes FIRST, one after LAST becomes LAST."""
    return min(max(moment if moment.tzinfo else moment.replace(tzinfo=UTC), FIRST), LAST)


def _several(value: object) -> object:
    """Read statuses as a query says them: one, several with commas between them, or the parameter several times."""
    parts = value if isinstance(value, list) else [value]
    names = [name for part in parts for name in (part.split(",") if isinstance(part, str) else [part])]
    if not names or not set(map(str, names)) <= set(get_args(StatusName)):
        raise ValueError(say("status", names=get_args(StatusName)))
    return names


def _known(names: tuple[str, ...]) -> AfterValidator:
    def check(name: str) -> str:
        if name not in names:
            raise ValueError(say("one_of", names=names))
        return name

    return AfterValidator(check)


Mark = TypeVar("Mark")
Name = Annotated[str, AfterValidator(storable)]
Moment = Annotated[datetime, AfterValidator(_in_utc)]
#: The same of a time that must say its zone.
Aware = Annotated[AwareDatetime, AfterValidator(_in_utc)]


#: An address that a callback may go to, as far as its form tells.
CallbackAddress = Annotated[
    str,
    Field(max_length=2048, pattern=r"^https?://[^\x00-\x20]+$", description="Default: KB_CALLBACK_URL."),
    AfterValidator(without_credentials),
]


def _plain(value: object) -> Any:
    """Return a value as JSON has it."""
    if isinstance(value, datetime):
        return rfc3339(value)
    if isinstance(value, UUID):
        return str(value)
    return [_plain(item) for item in value] if isinstance(value, list) else value


@dataclass(frozen=True, slots=True)
class Kept:
    """How a field is kept and shown, where that is not simply as it was said.

    Parameters:
      attribute: of `models.Task`; None: the field's name.
      stored, shown: make what is kept of what was said, and the other way round.
      shows: the type that is shown; None: the one that is said.
      inherited: whether a document of an archive has what was said of the archive.
    """

    attribute: str | None = None
    stored: Callable[[Any], Any] | None = None
    shown: Callable[[Any], Any] = _plain
    shows: Any = None
    inherited: bool = True


class TaskFields(BaseModel):
    """What a client may say of a task, and what is shown of it."""

    model_config = ConfigDict(extra="forbid")

    task_type: str = Field(description="`document_processing`, `document_deletion`, `test`, `benchmark`, …")
    kb_id: str | None = Field(
        None, min_length=1, max_length=255, validate_default=True, description="The knowledge base it works on."
    )
    payload: Annotated[Json, Kept(shows=Json | None, inherited=False)] = Field(
        {}, validate_default=True, description="What the task type asks for. At most 256 KiB as JSON besides `content`."
    )
    priority: Annotated[Priority, Kept(stored=PRIORITIES.__getitem__, shown=PRIORITY_NAMES.__getitem__)] = "normal"
    retry_limit: Annotated[int | None, Kept(shows=int)] = Field(
        None, ge=0, le=20, description="Default: MAX_RETRY_ATTEMPTS."
    )
    timeout: Annotated[float | None, Kept(shows=float)] = Field(
        None, gt=0, le=86_400, description="Running seconds of one stage's attempt. Default: TASK_TIMEOUT."
    )
    callback_url: Annotated[CallbackAddress | None, Kept(shows=str | None, inherited=False)] = None
    run_at: Annotated[AwareDatetime | None, Kept(inherited=False)] = Field(None, description="Not started before.")
    expires_at: Annotated[AwareDatetime | None, Kept(inherited=False)] = Field(
        None, description="Fails with `expired` if not started by then."
    )
    depends_on: Annotated[list[UUID], Kept(inherited=False)] = Field(
        default_factory=list, max_length=1000, description="Tasks that must end first."
    )
    on_dependency_failure: Annotated[Literal["fail", "run"], Kept(inherited=False)] = Field(
        "fail", description="What becomes of it when one of them does not complete."
    )
    metadata: Annotated[Json, Kept(attribute="details", shows=Json | None)] = Field(
        default_factory=dict,
        json_schema_extra={"default": {}},
        description="Yours; comes back unchanged. At most 64 KiB as JSON. "
        "A document of which none is said again keeps what it has.",
    )


@dataclass(frozen=True, slots=True)
class Where:
    """What fits a parameter of a filter.

    Parameters:
      condition: in SQL, of a row of `tasks`.
      index: the column before the id in an index of its own, which orders what fits by time; None: there is none.
    """

    condition: str
    index: str | None = None


class Filter(BaseModel):
    """Which tasks are meant. What is not named does not count; what is named counts together.

    What is refused here could be found only by looking through every task; each message names what can be asked
    instead.
    """

    model_config = ConfigDict(extra="forbid")

    kb_id: Annotated[Name | None, Where("kb_id = :kb_id")] = None
    status: Annotated[
        Annotated[list[StatusName], BeforeValidator(_several)] | None,
        Where("status = ANY(CAST(:statuses AS text[]))"),
    ] = Field(None, description="One or several: `status=failed,cancelled`, or the parameter several times.")
    task_type: Annotated[Name | None, Where("task_type = :task_type")] = None
    batch_id: Annotated[UUID | None, Where("batch_id = :batch_id", index="batch_id")] = None
    document_id: Annotated[Name | None, Where("subject = :document_id")] = Field(
        None, description="The document that tasks work on; with its `kb_id`."
    )
    # Not as its index has it, which PostgreSQL would take where the one that orders the page does better.
    error_code: Annotated[
        Annotated[str, _known(tuple(CODES))] | None,
        Where("error->'code' = to_jsonb(CAST(:error_code AS text)) AND finished_at IS NOT NULL"),
    ] = Field(None, description="What failed and cancelled tasks ended with.")
    queue: Annotated[Annotated[str, _known(QUEUES)] | None, Where("queue = :queue AND finished_at IS NULL")] = Field(
        None, description="In which tasks wait or run; those that have ended are in none."
    )
    priority: Annotated[Priority | None, Where("priority = :priority")] = None
    stage: Annotated[
        Annotated[str, Field(min_length=1, max_length=255), AfterValidator(storable)] | None, Where("stage = :stage")
    ] = Field(None, description="In which failed and cancelled tasks ended.")
    format: Annotated[
        Annotated[str, Field(max_length=255, pattern="^[A-Za-z0-9]+$"), AfterValidator(str.lower)] | None,
        Where(f"coalesce({FORMAT}, '{NO_FORMAT}') = :format"),
    ] = Field(
        None,
        description="With what the names of the documents of failed and cancelled tasks end, such as `pdf`; "
        f"`{NO_FORMAT}`: with none.",
    )
    created_after: Annotated[Moment | None, Where("created_at > :created_after")] = None
    created_before: Annotated[Moment | None, Where("created_at < :created_before")] = None
    finished_after: Annotated[Moment | None, Where("finished_at > :finished_after")] = None
    finished_before: Annotated[Moment | None, Where("finished_at < :finished_before")] = None

    @field_validator("document_id")
    @classmethod
    def _names_its_kb(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None and info.data.get("kb_id") is None:
            raise ValueError(say("document_needs_kb"))
        return value

    @field_validator("error_code")
    @classmethod
    def _is_of_errors(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None and not _all_among(info.data.get("status"), NOT_COMPLETED):
            raise ValueError(say("error_status"))
        return value

    @field_validator("queue")
    @classmethod
    def _is_of_open_tasks(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None and not _all_among(info.data.get("status"), OPEN):
            raise ValueError(say("queue_status", open=_quoted(OPEN)))
        if value is not None and info.data.get("error_code") is not None:
            raise ValueError(say("queue_error"))
        return value

    @field_validator("priority")
    @classmethod
    def _is_among_few(cls, value: str | None, info: ValidationInfo) -> str | None:
        status, few = info.data.get("status"), ("batch_id", "document_id", "error_code", "queue")
        if value is None or (status and _all_among(status, OPEN)) or _any_of(info, *few):
            return value
        raise ValueError(say("priority_alone", few=_quoted(few), open=_quoted(OPEN)))

    @field_validator("stage", "format")
    @classmethod
    def _is_of_what_failed(cls, value: str | None, info: ValidationInfo) -> str | None:
        status, few = info.data.get("status"), ("batch_id", "document_id", "error_code")
        if value is None or (status and _all_among(status, NOT_COMPLETED)) or _any_of(info, *few):
            return value
        raise ValueError(say("failed_alone", few=_quoted(few), failed=_quoted(NOT_COMPLETED)))

    @field_validator("finished_after", "finished_before")
    @classmethod
    def _is_of_ended_tasks(cls, value: datetime | None, info: ValidationInfo) -> datetime | None:
        if value is not None and (_any_of(info, "queue") or not _all_among(info.data.get("status"), ENDED)):
            raise ValueError(say("finished_status", ended=_quoted(ENDED)))
        return value

    @field_validator("finished_after")
    @classmethod
    def _is_within_bounds(cls, value: datetime | None, info: ValidationInfo) -> datetime | None:
        status, bounds = info.data.get("status"), ("created_after", "batch_id", "document_id", "error_code")
        if value is None or (status and _all_among(status, NOT_COMPLETED)) or _any_of(info, *bounds):
            return value
        raise ValueError(say("finished_alone", bounds=_quoted(bounds), failed=_quoted(NOT_COMPLETED)))

    def statuses(self) -> list[Status]:
        """Return the statuses that tasks of this filter can have."""
        if self.status is not None:
            return [Status(name) for name in self.status]
        if self.error_code is not None:
            return list(NOT_COMPLETED)
        if self.queue is not None:
            return list(OPEN)
        if self.finished_after is not None or self.finished_before is not None:
            return list(ENDED)
        return list(Status)


def _any_of(info: ValidationInfo, *names: str) -> bool:
    return any(info.data.get(name) is not None for name in names)


def _all_among(statuses: list[str] | None, those: tuple[Status, ...]) -> bool:
    return statuses is None or set(statuses) <= set(map(str, those))


def _quoted(names: Iterable[str]) -> list[str]:
    return [f"`{name}`" for name in names]


def _marks(model: type[BaseModel], kind: type[Mark]) -> dict[str, Mark]:
    """Return what the fields of a model are marked with, by their names."""
    return {
        name: mark for name, field in model.model_fields.items() for mark in field.metadata if isinstance(mark, kind)
    }


#: By the name of the field.
KEPT: Mapping[str, Kept] = dict.fromkeys(TaskFields.model_fields, Kept()) | _marks(TaskFields, Kept)
WHERE: Mapping[str, Where] = _marks(Filter, Where)
