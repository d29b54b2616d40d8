"""Every error as `application/problem+json` (RFC 9457), with every bad field listed at once."""

from __future__ import annotations

import math
import re
from typing import Any

import falcon
import falcon.asgi
import structlog
from falcon import asgi
from pydantic import ValidationError
from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    IntegrityError,
    InterfaceError,
    InternalError,
    OperationalError,
    ProgrammingError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout

from errors import CODES, REFUSALS, TaskError
from models import database, trouble
from models.base import Json
from sentences import Bilingual, of_pydantic, say
from tasks.accepting.idempotency import Reused
from tasks.accepting.schedules.keeping import TooMany as TooManySchedules
from tasks.ending.dependencies import Unknown
from tasks.views.selection import TooMany

log = structlog.get_logger(__name__)

PROBLEM = "application/problem+json"
#: Seconds after which a client may try again when PostgreSQL or the embedder is away, and at most where it says when.
RETRY_AFTER, MOST_AFTER = 5, 300

#: HTTP statuses of the error codes that a request can earn directly.
STATUSES = {
    "too_large": 413,
    "not_found": 404,
    "internal": 500,
    # Of the embedder that a search needs.
    "embedder_unavailable": 503,
    "rate_limited": 503,
}

#: The codes of other refusals.
REFUSED_WITH = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "no_such_resource",
    405: "method_not_allowed",
    408: "request_timeout",
    409: "conflict",
    413: "too_large",
    415: "unsupported_media_type",
    422: "invalid_request",
    429: "too_many_requests",
    500: "internal",
    503: "unavailable",
}

#: Where each code has its section.
PAGES = "/docs/errors"

#: An address that holds an API key, which no answer repeats: also where it is misspelt, and so leads nowhere.
HOLDS_KEY = re.compile("(/hirefire/).*", re.DOTALL | re.IGNORECASE)

#: What is said where Falcon says the status alone.
DETAILS = {404: "no_address", 405: "method"}


class Invalid(Exception):
    """A request of which some fields are invalid.

    Parameters:
      problems: one for each field, made by `problem`.
    """

    def __init__(self, problems: list[dict[str, str]]) -> None:
        super().__init__("; ".join(f"{entry['field']}: {entry['message']}" for entry in problems))
        self.problems = problems


class Denied(falcon.HTTPForbidden):
    """A request that its caller may not make, now or later.

    Parameters:
      code: a key of `errors.REFUSALS`.
      description: what was asked, and why it is denied.
    """

    def __init__(self, code: str, description: Bilingual) -> None:
        super().__init__(title="Forbidden", description=description)
        self.denial = code
        self.told = description


def problem(field: str, message: Bilingual, code: str | None = None) -> dict[str, str]:
    """Return what is wrong with a field, as a problem lists it.

    Parameters:
      field: a dotted path.
      code: None: that of the sentence.
    """
    code = code or message.code
    return {
        "field": field,
        "code": code,
        "message": str(message),
        "message_zh": message.chinese,
        "type": f"{PAGES}#{code}",
    }


def fields_of(error: ValidationError, *prefix: str) -> list[dict[str, str]]:
    """Return the invalid fields of a pydantic error."""
    return [
        problem(
            ".".join(map(str, (*prefix, *field["loc"]))) or "body", of_pydantic(field["type"], field.get("ctx", {}))
        )
        for field in error.errors(include_url=False, include_input=False)
    ]


def install(app: falcon.asgi.App[Any, Any]) -> None:
    """Make every error of the application a problem."""
    app.set_error_serializer(_serialize)
    app.add_error_handler(Invalid, _on_invalid)
    app.add_error_handler(ValidationError, _on_validation)
    app.add_error_handler(Unknown, _on_unknown)
    app.add_error_handler(Reused, _on_reused)
    app.add_error_handler(TooMany, _on_too_many)
    app.add_error_handler(TooManySchedules, _on_too_many_schedules)
    app.add_error_handler(TaskError, _on_task_error)
    app.add_error_handler(DataError, _on_unstorable)
    app.add_error_handler(IntegrityError, _on_unstorable)
    app.add_error_handler(OperationalError, _on_database_away)
    app.add_error_handler(InterfaceError, _on_database_away)
    app.add_error_handler(InternalError, _on_internal)
    app.add_error_handler(PoolTimeout, _on_database_away)
    app.add_error_handler(ProgrammingError, _on_programming)
    app.add_error_handler(Exception, _on_unexpected)
    # Falcon's own handler for its HTTP errors stays more specific than the one for Exception.


def write(
    resp: falcon.asgi.Response,
    req: falcon.asgi.Request,
    status: int,
    detail: str,
    *,
    code: str | None = None,
    errors: list[dict[str, str]] | None = None,
) -> None:
    """Answer with a problem.

    Parameters:
      detail: what happened; in Chinese what the code means, unless it is a `Bilingual`.
      code: a key of `errors.CODES` or `errors.REFUSALS`; None: that of the status.
    """
    code = code or REFUSED_WITH.get(status, "bad_request")
    promised = REFUSALS.get(code) or CODES[code]
    body: Json = {
        "type": f"{PAGES}#{code}",
        "title": falcon.code_to_http_status(status)[4:],
        "status": status,
        "detail": str(detail),
        "detail_zh": detail.chinese if isinstance(detail, Bilingual) else promised.meaning_zh,
        "instance": HOLDS_KEY.sub(r"\1{token}/info", req.scope["path"]),
        "request_id": getattr(req.context, "request_id", None),
        "code": code,
        "hint": promised.hint,
        "hint_zh": promised.hint_zh,
    }
    if errors is not None:
        body |= {"param": errors[0]["field"], "errors": errors}
    resp.status = status
    resp.content_type = PROBLEM
    resp.data = falcon.media.JSONHandler().serialize(body, PROBLEM)


def _serialize(req: asgi.Request, resp: asgi.Response, exception: falcon.HTTPError) -> None:
    status, title = exception.status_code, exception.title or ""
    detail = exception.description or title
    if exception.description is None and status in DETAILS:
        detail = say(DETAILS[status], method=req.method)
    elif falcon.code_to_http_status(status)[4:].lower() not in title.lower():
        # Falcon's title says more than the status, such as that a form is malformed.
        detail = f"{title}: {detail}"
    write(resp, req, status, detail, code=exception.denial if isinstance(exception, Denied) else None)


async def _on_invalid(req: asgi.Request, resp: asgi.Response, error: Invalid, params: object) -> None:
    count = len(error.problems)
    write(resp, req, 422, say("one_field") if count == 1 else say("fields", count=count), errors=error.problems)


async def _on_validation(req: asgi.Request, resp: asgi.Response, error: ValidationError, params: object) -> None:
    await _on_invalid(req, resp, Invalid(fields_of(error)), params)


async def _on_unknown(req: asgi.Request, resp: asgi.Response, error: Unknown, params: object) -> None:
    await _on_invalid(req, resp, Invalid([problem("depends_on", error.args[0])]), params)


async def _on_reused(req: asgi.Request, resp: asgi.Response, error: Reused, params: object) -> None:
    await _on_invalid(req, resp, Invalid([problem("Idempotency-Key", say("reused_key"))]), params)


async def _on_too_many(req: asgi.Request, resp: asgi.Response, error: TooMany, params: object) -> None:
    write(resp, req, 422, error.args[0], code="too_many_tasks")


async def _on_too_many_schedules(
    req: asgi.Request, resp: asgi.Response, error: TooManySchedules, params: object
) -> None:
    write(resp, req, 422, error.args[0], code="too_many_schedules")


async def _on_task_error(req: asgi.Request, resp: asgi.Response, error: TaskError, params: object) -> None:
    status = STATUSES.get(error.code, 422)
    if status == 503:
        resp.set_header("Retry-After", str(math.ceil(min(max(error.retry_after or 0, RETRY_AFTER), MOST_AFTER))))
    write(resp, req, status, error.message, code=error.code)


async def _on_unstorable(req: asgi.Request, resp: asgi.Response, error: DBAPIError, params: object) -> None:
    # Beyond what validation knows; PostgreSQL's own words may quote the document.
    log.warning("unstorable", route=req.uri_template, reason=type(error.orig).__name__)
    await _on_invalid(req, resp, Invalid([problem("body", say("unstorable"))]), params)


async def _on_database_away(
    req: asgi.Request, resp: asgi.Response, error: DBAPIError | PoolTimeout, params: object
) -> None:
    # A connection of this process that did not become free in time is no error of PostgreSQL's.
    if isinstance(error, PoolTimeout):
        log.warning("database_refused", reason=trouble.why(error))
    elif not database.is_told(error):
        log.warning("database_refused", reason=database.reason(error))
    resp.set_header("Retry-After", str(RETRY_AFTER))
    if req.method in ("GET", "HEAD", "OPTIONS"):
        kind = "database_read"
    elif trouble.is_undone(error):
        kind = "database_undone"
    else:
        kind = "database_unknown"
    write(resp, req, 503, say(kind, reason=trouble.why(error)))


async def _on_internal(req: asgi.Request, resp: asgi.Response, error: InternalError, params: object) -> None:
    if database.is_away(error):
        await _on_database_away(req, resp, error, params)
    else:
        await _on_unexpected(req, resp, error, params)


async def _on_programming(req: asgi.Request, resp: asgi.Response, error: ProgrammingError, params: object) -> None:
    if database.is_told(error):
        resp.set_header("Retry-After", str(RETRY_AFTER))
        write(resp, req, 503, say("migration"))
    else:
        await _on_unexpected(req, resp, error, params)


async def _on_unexpected(req: asgi.Request, resp: asgi.Response, error: Exception, params: object) -> None:
    log.error("request_failed", method=req.method, route=req.uri_template, exc_info=error)
    write(resp, req, 500, say("unexpected"))
