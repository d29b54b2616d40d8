"""A request and how its answer is read, as data: nothing here sends anything."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from urllib.parse import quote, urlencode

from task_manager_client.core.shape import Shape
from task_manager_client.errors import UnexpectedAnswer, refusal

if TYPE_CHECKING:
    from task_manager_client.core.uploads import Upload
    from task_manager_client.errors import Refused

T = TypeVar("T")
S = TypeVar("S", bound=Shape)

PREFIX = "/api/v1"


@dataclass(frozen=True, eq=False)
class Answer:
    """An answer of HTTP. The names of headers are in small letters."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""

    def json(self) -> Any:
        """Return what its body holds.

        Raises:
          UnexpectedAnswer: no JSON.
        """
        try:
            return json.loads(self.body)
        except ValueError:
            raise UnexpectedAnswer(f"the service answers {self.status}, but not as this service does") from None

    def refusal(self) -> Refused | UnexpectedAnswer:
        """Return the error that it tells of."""
        problem: Any = None
        if "json" in self.headers.get("content-type", ""):
            try:
                problem = json.loads(self.body)
            except ValueError:
                problem = None
        if not isinstance(problem, dict):
            if self.status not in (429, 502, 503, 504):
                return UnexpectedAnswer(f"the service answers {self.status}, but not as this service does")
            problem = {"title": f"something before the service answers {self.status}"}
        return refusal(self.status, problem, _seconds(self.headers.get("retry-after")))


@dataclass(frozen=True, eq=False)
class Call(Generic[T]):
    """One thing that is asked of the service. Where it is `repeatable`, sending it twice does it once.

    Parameters:
      path: with its parts quoted.
      read: makes the result of an answer.
      query: parameters; None and empty lists are left out, times are written in RFC 3339.
      body: JSON.
      repeatable: whether it may be sent again when it is not known what became of it.
      also: statuses besides 2xx that `read` understands.
      absent_when_done: whether a 404 to a repetition says that an attempt whose answer was lost has done it.
    """

    method: str
    path: str
    read: Callable[[Answer], T]
    query: Mapping[str, Any] = field(default_factory=dict)
    body: Any = None
    upload: Upload | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    repeatable: bool = True
    also: tuple[int, ...] = ()
    absent_when_done: bool = False

    @property
    def target(self) -> str:
        """The path with the query."""
        pairs = [(name, text) for name, value in self.query.items() for text in _texts(value)]
        return self.path + (f"?{urlencode(pairs)}" if pairs else "")

    def with_query(self, **query: object) -> Call[T]:
        """Return the same call with other parameters besides."""
        return replace(self, query={**self.query, **query})

    def unread(self) -> Call[Answer]:
        """Return the same call with the answer itself as its result."""
        return Call(
            self.method,
            self.path,
            lambda answer: answer,
            query=self.query,
            body=self.body,
            upload=self.upload,
            headers=self.headers,
            repeatable=self.repeatable,
            also=self.also,
            absent_when_done=self.absent_when_done,
        )

    def with_method(self, method: str) -> Call[T]:
        """Return the same call by another method."""
        return replace(self, method=method)

    def with_upload(self, upload: Upload) -> Call[T]:
        """Return the same call with a form that holds a file."""
        return replace(self, upload=upload)

    def with_headers(self, **headers: str) -> Call[T]:
        """Return the same call with other headers besides; `_` stands for `-`."""
        return replace(
            self, headers={**self.headers, **{name.replace("_", "-"): text for name, text in headers.items()}}
        )


class Page(Generic[T]):
    """A part of a list.

    Parameters:
      items: of this page.
      next_cursor: what the next page is asked for with; None for the last.
      raw: the page as the service sent it.
    """

    def __init__(self, items: list[T], next_cursor: str | None, raw: Mapping[str, object]) -> None:
        self.items = items
        self.next_cursor = next_cursor
        self.raw = raw


def get(path: str, shape: type[S], **query: object) -> Call[S]:
    """Return a call that reads one thing."""
    return Call("GET", path, shaped(shape), query)


def get_page(path: str, shape: type[S], **query: object) -> Call[Page[S]]:
    """Return a call that reads one page of a list."""

    def read(answer: Answer) -> Page[S]:
        page = answer.json()
        if not isinstance(page, dict) or not isinstance(page.get("items"), list):
            raise UnexpectedAnswer("the answer is no page of a list")
        return Page([shape.read(item) for item in page["items"]], page.get("next_cursor"), page)

    return Call("GET", path, read, query)


def post(
    path: str, read: Callable[[Answer], T], body: object = None, *, once: bool = False, repeatable: bool = False
) -> Call[T]:
    """Return a call of the method POST.

    Parameters:
      once: whether the service keeps an Idempotency-Key for it. One is made here, so that it can be sent again.
      repeatable: whether it can be sent again without one.
    """
    headers = {"Idempotency-Key": str(uuid.uuid4())} if once else {}
    return Call("POST", path, read, body=as_json(body), headers=headers, repeatable=once or repeatable)


def shaped(shape: type[S]) -> Callable[[Answer], S]:
    """Return what reads an answer as a shape."""
    return lambda answer: shape.read(answer.json())


def delete(path: str) -> Call[None]:
    """Return a call that deletes something at once."""
    return Call("DELETE", path, nothing, absent_when_done=True)


def nothing(answer: Answer) -> None:
    """Read an answer without a body."""


def at(*parts: object) -> str:
    """Return a path below `PREFIX`, whose parts may hold any characters."""
    return PREFIX + "".join(f"/{quote(str(part), safe='')}" for part in parts)


def as_json(value: object) -> Any:
    """Return a value with its times in RFC 3339.

    Raises:
      ValueError: a time that does not say its zone.
    """
    if isinstance(value, datetime):
        return rfc3339(value)
    if isinstance(value, Mapping):
        return {name: as_json(part) for name, part in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [as_json(item) for item in value]
    return str(value) if isinstance(value, uuid.UUID) else value


def rfc3339(value: datetime) -> str:
    """Return a time as the service reads it.

    Raises:
      ValueError: it does not say its zone.
    """
    if value.tzinfo is None:
        raise ValueError(f"{value.isoformat()} does not say its time zone; datetime.now(UTC) does")
    return value.isoformat()


def without_none(**values: object) -> dict[str, Any]:
    """Return what is not None."""
    return {name: value for name, value in values.items() if value is not None}


def _texts(value: object) -> Sequence[str]:
    if value is None:
        return ()
    if isinstance(value, (list, tuple, set, frozenset)):
        return [text for item in value for text in _texts(item)]
    if isinstance(value, bool):
        return ("true" if value else "false",)
    return (rfc3339(value) if isinstance(value, datetime) else str(value),)


def _seconds(retry_after: str | None) -> float | None:
    try:
        return max(0.0, float(retry_after)) if retry_after else None
    except ValueError:
        return None  # a date; the pause is then our own
