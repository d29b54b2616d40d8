"""What a bulk is asked for by: a filter, whether all are meant, and whether it is only to be previewed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from api import requests
from api.problems import Invalid, problem
from sentences import say
from tasks.bulk.scope import STATUSES, CallbacksFilter, TaskFilter
from tasks.input.batch_filter import BatchFilter
from tasks.input.fields import Priority
from tasks.types.bulk import Action

#: The statuses that an action is for where a filter names none. A retry of what somebody has cancelled must be meant.
UNLESS_NAMED: dict[str, list[str]] = {name: list(statuses) for name, statuses in STATUSES.items()} | {
    "retry": ["failed"]
}
#: Of callbacks those that were given up.
STATE_UNLESS_NAMED = "failed"
ALL: Any = Field(False, description="Must be true where the filter names nothing.")
PREVIEWED = "With `dry_run`: how many there are, and up to 10 of them."


class Request(BaseModel):
    """Whether something is only to be previewed."""

    model_config = ConfigDict(extra="forbid")

    dry_run: bool = Field(False, description="Answer how many there are, and change nothing.")


class TasksRequest(Request):
    """Which tasks are meant."""

    all: bool = ALL
    filter: TaskFilter = Field(TaskFilter(), description="Which tasks; as in `GET /tasks`, or by their `ids`.")


class RetryRequest(TasksRequest):
    """Which tasks are to run again."""

    include_permanent: bool = Field(
        False,
        description="Also what no retry can mend, such as `corrupt` and `encrypted`;"
        " these are meant as well where the filter names their `error_code` or their `ids`.",
    )


class PriorityRequest(TasksRequest):
    """Which waiting tasks are to have which priority."""

    priority: Priority


class BatchesRequest(Request):
    """The tasks of which batches are meant."""

    all: bool = ALL
    filter: BatchFilter = Field(BatchFilter(), description="Which batches; as in `GET /batches`.")


class RetryBatchesRequest(BatchesRequest):
    """The failed tasks of which batches are to run again."""

    include_permanent: bool = Field(
        False, description="Also what no retry can mend, such as `corrupt` and `encrypted`."
    )


class CallbacksRequest(Request):
    """Which callbacks are to be delivered again."""

    all: bool = ALL
    filter: CallbacksFilter = Field(
        CallbacksFilter(), description="Which callbacks; as in `GET /callbacks`, or by their `ids`. Default: `failed`."
    )


Filtered = TasksRequest | BatchesRequest | CallbacksRequest
Asked = TypeVar("Asked", bound=Filtered)
Model = TypeVar("Model", bound=BaseModel)


def understood(model: type[Asked], action: Action, body: object) -> Asked:
    """Return the request in a body. What a filter names may stand in `filter`, or beside the rest.

    Raises:
      Invalid: naming every field that does not fit.
    """
    return within_filter(model, partial(_checked, model, action), body)


def within_filter(model: type[BaseModel], check: Callable[[Any], Model], body: object) -> Model:
    """Return what is made of a body whose fields that are none of the request's own belong into its `filter`.

    Parameters:
      check: is given the body with its `filter`.

    Raises:
      Invalid: naming every field that does not fit, as it was given.
    """
    if not isinstance(body, dict) or "filter" in body:
        return check(body)
    own = {name: value for name, value in body.items() if name in model.model_fields}
    named = {name: value for name, value in body.items() if name not in model.model_fields}
    try:
        return check(own | {"filter": named})
    except Invalid as error:
        raise Invalid([entry | {"field": entry["field"].removeprefix("filter.")} for entry in error.problems]) from None


def _checked(model: type[Asked], action: Action, body: Any) -> Asked:
    request = requests.fit(model, body if issubclass(model, BatchesRequest) else _completed(action, body))
    if not request.all and all(value is None for value in (body.get("filter") or {}).values()):
        raise Invalid([problem("filter", say("filter_empty"))])
    if isinstance(request.filter, TaskFilter) and not set(request.filter.status or ()) <= set(STATUSES[action]):
        raise Invalid([problem("filter.status", say("filter_status", action=action, names=STATUSES[action]))])
    return request


def _completed(action: Action, body: Any) -> Any:
    """Return a request with what its filter means where it names no status, or no state."""
    named = body.get("filter", {}) if isinstance(body, dict) else None
    if not isinstance(named, dict) or "ids" in named:
        return body
    default = {"state": STATE_UNLESS_NAMED} if action == "redeliver" else {"status": UNLESS_NAMED[action]}
    return body | {"filter": default | {name: value for name, value in named.items() if value is not None}}
