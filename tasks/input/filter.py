"""Which tasks a client means: the one filter of lists, of counts and of what is done to many at once.

What is refused here could be found only by looking through every task; each message names what can be asked instead.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal, get_args
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator

from broker.topology import QUEUES
from errors import CODES
from tasks.input.bounds import obstacle
from tasks.lifecycle import ENDED, OPEN, Status

StatusName = Literal["waiting", "queued", "processing", "completed", "failed", "cancelled"]
Priority = Literal["low", "normal", "high", "urgent"]
#: No task is older, nor will any be younger. Time can still be added to these, and taken.
FIRST, LAST = datetime(1970, 1, 2, tzinfo=UTC), datetime(9998, 12, 31, tzinfo=UTC)
#: What a task that has an error has become.
NOT_COMPLETED = (Status.FAILED, Status.CANCELLED)


def _in_utc(moment: datetime) -> datetime:
    """Take a time without a zone as one in UTC, as all that are shown; and one beyond these as all that are so far."""
    return min(max(moment if moment.tzinfo else moment.replace(tzinfo=UTC), FIRST), LAST)


def _several(given: object) -> object:
    """Read statuses as a query says them: one, several with commas between them, or the parameter several times."""
    parts = given if isinstance(given, list) else [given]
    names = [name for part in parts for name in (part.split(",") if isinstance(part, str) else [part])]
    if not names or not set(map(str, names)) <= set(get_args(StatusName)):
        raise ValueError(f"must be one or several of {', '.join(get_args(StatusName))}")
    return names


def _known(what: str, names: tuple[str, ...]) -> AfterValidator:
    def check(name: str) -> str:
        if name not in names:
            raise ValueError(f"there is no such {what}; there are {', '.join(names)}")
        return name

    return AfterValidator(check)


def _storable(name: str) -> str:
    if (found := obstacle(name)) is not None:
        raise ValueError(found)
    return name


Name = Annotated[str, AfterValidator(_storable)]
Moment = Annotated[datetime, AfterValidator(_in_utc)]


class Filter(BaseModel):
    """Which tasks are meant. What is not named does not count; what is named counts together."""

    model_config = ConfigDict(extra="forbid")

    kb_id: Name | None = None
    status: Annotated[list[StatusName], BeforeValidator(_several)] | None = Field(
        None, description="One or several: `status=failed,cancelled`, or the parameter several times."
    )
    task_type: Name | None = None
    batch_id: UUID | None = None
    document_id: Name | None = Field(None, description="The document that tasks work on; with its `kb_id`.")
    error_code: Annotated[str, _known("error code", tuple(CODES))] | None = Field(
        None, description="What failed and cancelled tasks ended with."
    )
    queue: Annotated[str, _known("queue", QUEUES)] | None = Field(
        None, description="In which tasks wait or run; those that have ended are in none."
    )
    priority: Priority | None = None
    created_after: Moment | None = None
    created_before: Moment | None = None
    finished_after: Moment | None = None
    finished_before: Moment | None = None

    @field_validator("document_id")
    @classmethod
    def _names_its_kb(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None and info.data.get("kb_id") is None:
            raise ValueError("documents are known within their KB; give `kb_id` as well")
        return value

    @field_validator("error_code")
    @classmethod
    def _is_of_errors(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None and not _all_among(info.data.get("status"), NOT_COMPLETED):
            raise ValueError("only failed and cancelled tasks have an error; leave out `status`, or name these alone")
        return value

    @field_validator("queue")
    @classmethod
    def _is_of_open_tasks(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None and not _all_among(info.data.get("status"), OPEN):
            raise ValueError(f"tasks that have ended are in no queue; leave out `status`, or name {_listed(OPEN)}")
        if value is not None and info.data.get("error_code") is not None:
            raise ValueError("tasks that have ended are in no queue; leave out `error_code`")
        return value

    @field_validator("priority")
    @classmethod
    def _is_among_few(cls, value: str | None, info: ValidationInfo) -> str | None:
        status, few = info.data.get("status"), ("batch_id", "document_id", "error_code", "queue")
        if value is None or (status and _all_among(status, OPEN)) or _any_of(info, *few):
            return value
        raise ValueError(
            f"of tasks that have ended it is looked up only with {_listed(few)}; give one of these,"
            f" or name `status`: {_listed(OPEN)}"
        )

    @field_validator("finished_after", "finished_before")
    @classmethod
    def _is_of_ended_tasks(cls, value: datetime | None, info: ValidationInfo) -> datetime | None:
        if value is not None and (_any_of(info, "queue") or not _all_among(info.data.get("status"), ENDED)):
            raise ValueError(
                f"only what has ended has finished; leave out `queue`, and `status` or name {_listed(ENDED)}"
            )
        return value

    @field_validator("finished_after")
    @classmethod
    def _is_within_bounds(cls, value: datetime | None, info: ValidationInfo) -> datetime | None:
        status, bounds = info.data.get("status"), ("created_after", "batch_id", "document_id", "error_code")
        if value is None or (status and _all_among(status, NOT_COMPLETED)) or _any_of(info, *bounds):
            return value
        raise ValueError(
            f"tasks of any age may have finished then; give {_listed(bounds)} as well,"
            f" or name `status`: {_listed(NOT_COMPLETED)}"
        )

    def statuses(self) -> list[Status]:
        """Return the statuses that tasks of this filter can have."""
        if self.status is not None:
            return [Status(each) for each in self.status]
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


def _listed(names: Any) -> str:
    return ", ".join(f"`{name}`" for name in names[:-1]) + f" or `{names[-1]}`"
