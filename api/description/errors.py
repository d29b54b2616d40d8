"""The errors that requests may earn, each described once; an operation refers to them."""

from __future__ import annotations

from dataclasses import dataclass

import falcon

from api.description import headers
from api.description.operation import Operation
from errors import CODES, REFUSALS
from models.base import Json
from sentences import Bilingual, of_pydantic, say

MEDIA = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Error:
    """An error by its status.

    Parameters:
      name: under which the document refers to it.
      meaning: what it means where nothing else is said.
      code, detail: of its example.
    """

    name: str
    meaning: str
    code: str
    detail: Bilingual
    headers: tuple[str, ...] = ()


ERRORS = {
    400: Error(
        "BadRequest", "The request is malformed, such as a body that is not JSON.", "bad_request", say("empty_body")
    ),
    401: Error(
        "Unauthorized", "There is no API key, or an unknown one.", "unauthorized", say("no_key"), ("WWW-Authenticate",)
    ),
    403: Error(
        "Forbidden",
        "The API key does not allow this.",
        "forbidden_kb",
        say("other_kb", name="kb", kb_id="handbook"),
    ),
    404: Error(
        "NotFound",
        "The resource does not exist.",
        "no_such_resource",
        say("gone", what="task", what_zh="任务", value="1"),
    ),
    408: Error(
        "RequestTimeout",
        "The request body arrived too slowly; nothing was accepted.",
        "request_timeout",
        say("slow_body", rate=10_000, seconds=30),
    ),
    409: Error(
        "Conflict",
        "The current state of the resource does not allow the request.",
        "conflict",
        say("task_ended", status="completed"),
    ),
    413: Error("ContentTooLarge", "The request body is too large.", "too_large", say("many_values", most=250_000)),
    415: Error(
        "UnsupportedMediaType",
        "The request body has an unsupported media type or is compressed.",
        "unsupported_media_type",
        say("no_json_type"),
    ),
    422: Error(
        "UnprocessableContent",
        "One or more fields are invalid; `errors` lists each.",
        "invalid_request",
        say("one_field"),
    ),
    429: Error(
        "TooManyRequests",
        "The rate limit of the API key is exceeded (RATE_LIMIT_PER_MINUTE).",
        "too_many_requests",
        say("rate", count=600),
        ("Retry-After",),
    ),
    500: Error(
        "InternalServerError",
        "An unexpected error; the log holds the details under the request's id.",
        "internal",
        say("unexpected"),
    ),
    503: Error(
        "ServiceUnavailable",
        "PostgreSQL cannot be reached, or there are too many requests; `detail` says whether anything was accepted.",
        "unavailable",
        say("database_undone", reason="connection refused"),
        ("Retry-After",),
    ),
}
_RANGE = of_pydantic("greater_than_equal", {"ge": 50})
_FIELD = {
    "field": "payload.chunk_size",
    "code": _RANGE.code,
    "message": str(_RANGE),
    "message_zh": _RANGE.chinese,
    "type": f"/docs/errors#{_RANGE.code}",
}


def components() -> Json:
    """Return the errors as components of the document."""
    return {
        error.name: {
            "description": error.meaning,
            "headers": headers.of_answer(*error.headers, *headers.COUNTED),
            "content": {
                MEDIA: {
                    "schema": {"$ref": "#/components/schemas/Problem"},
                    "example": _example(status, error),
                }
            },
        }
        for status, error in ERRORS.items()
    }


def _example(status: int, error: Error) -> Json:
    promised = REFUSALS.get(error.code) or CODES[error.code]
    problem: Json = {
        "type": f"/docs/errors#{error.code}",
        "title": falcon.code_to_http_status(status)[4:],
        "status": status,
        "detail": str(error.detail),
        "detail_zh": error.detail.chinese,
        "instance": "/api/v1/tasks",
        "request_id": "7c1f0a52-1f0e-4d07-9a43-0f6f6e2a9d11",
        "code": error.code,
        "hint": promised.hint,
        "hint_zh": promised.hint_zh,
    }
    return problem | ({"param": _FIELD["field"], "errors": [_FIELD]} if status == 422 else {})


def possible(operation: Operation, *, public: bool) -> list[int]:
    """Return the statuses of errors that an operation may answer without saying so.

    Parameters:
      public: whether it needs no key, and counts against no limit.
    """
    statuses = {400, 500, 503}
    if not public:
        statuses |= {401, 403, 429}
    if operation.request is not None:
        statuses |= {408, 413, 415, 422}
    if operation.query is not None or "IdempotencyKey" in operation.takes:
        statuses.add(422)
    return sorted(statuses - operation.answers.keys() - operation.besides.keys())


def reference(status: int, meaning: str | None = None) -> Json:
    """Return an error of an operation.

    Parameters:
      meaning: what it means there.
    """
    response = {"$ref": f"#/components/responses/{ERRORS[status].name}"}
    return response if meaning is None else {**response, "description": meaning}
