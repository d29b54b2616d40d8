"""Reading requests: JSON bodies, queries and cursors; and running what blocks beside the event loop."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar
from uuid import UUID

import falcon
from pydantic import BaseModel, ValidationError

from api.problems import Invalid, fields_of
from models import database

Result = TypeVar("Result")
Model = TypeVar("Model", bound=BaseModel)

#: Threads for calls that block: short reads, pages of an upload. Never the loop itself.
THREADS = 8
_pool = ThreadPoolExecutor(THREADS, thread_name_prefix="api")


async def beside(function: Callable[..., Result], *args: Any) -> Result:
    """Run a call that blocks in the bounded pool."""
    return await asyncio.get_running_loop().run_in_executor(_pool, function, *args)


async def read(function: Callable[..., Result], *args: Any, repeatable: bool = False, **named: Any) -> Result:
    """Call a function with a session and these arguments, in a transaction beside the loop."""

    def within() -> Result:
        with database.transaction(repeatable=repeatable) as session:
            return function(session, *args, **named)

    return await beside(within)


async def body(req: Any) -> Any:
    """The request's JSON.

    Raises:
      falcon.HTTPBadRequest: when there is none, or it is not JSON.
    """
    if not (req.content_type or "").lower().startswith(("application/json", "application/problem+json")):
        raise falcon.HTTPUnsupportedMediaType(description="send JSON, with `Content-Type: application/json`")
    try:
        return await req.get_media()
    except falcon.MediaNotFoundError:
        raise falcon.HTTPBadRequest(title="Bad Request", description="the body is empty; send a JSON object") from None
    except falcon.MediaMalformedError as error:
        reason = str(error.__cause__ or error)
        raise falcon.HTTPBadRequest(title="Bad Request", description=f"the body is not JSON: {reason}") from None


def fit(model: type[Model], given: Any) -> Model:
    """The model of a body.

    Raises:
      Invalid: naming every field that does not fit.
    """
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise Invalid(fields_of(error)) from None


def query(req: Any, model: type[Model]) -> Model:
    """The model of a query string; an unknown parameter is an error, since it would be silently without effect."""
    return fit(model, dict(req.params))


def identifier(value: str, what: str) -> UUID:
    """The id in a path.

    Raises:
      falcon.HTTPNotFound: when it cannot be one.
    """
    try:
        return UUID(value)
    except ValueError:
        raise missing(what, value) from None


def missing(what: str, value: object) -> falcon.HTTPNotFound:
    """The answer for something that is not there."""
    return falcon.HTTPNotFound(title="Not Found", description=f"there is no {what} {str(value)[:200]!r}")


def page_of(items: list[dict[str, Any]], limit: int, key: str) -> dict[str, Any]:
    """A page of at most `limit` items, and an opaque mark for the next one where there are more.

    Parameters:
      items: one more than the page holds, where there are so many.
      key: the field by which the items are ordered.
    """
    page = items[:limit]
    return {"items": page, "next_cursor": cursor(page[-1][key]) if len(items) > limit else None}


def number(mark: str) -> int:
    """A cursor's content as a number.

    Raises:
      Invalid: when it is none.
    """
    try:
        return int(mark)
    except ValueError:
        raise Invalid([{"field": "cursor", "message": "is not a cursor of this service"}]) from None


def cursor(after: object) -> str:
    """An opaque mark for the next page."""
    return base64.urlsafe_b64encode(str(after).encode()).decode().rstrip("=")


def from_cursor(given: str) -> str:
    """What a mark stands for.

    Raises:
      Invalid: when it is not one of ours.
    """
    try:
        return base64.urlsafe_b64decode(given + "=" * (-len(given) % 4)).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise Invalid([{"field": "cursor", "message": "is not a cursor of this service"}]) from None
