"""The errors that requests may earn, each described once; an operation refers to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from api.description import headers
from api.description.operation import Operation

PROBLEM = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}


@dataclass(frozen=True, slots=True)
class Error:
    """An error by its status: the name under which it is referred to, and what it means where nothing else is said."""

    name: str
    meaning: str
    headers: tuple[str, ...] = ()


ERRORS = {
    400: Error("BadRequest", "The request cannot be read, such as a body that is not JSON."),
    401: Error("Unauthorized", "No API key, or none that is known.", ("WWW-Authenticate",)),
    403: Error("Forbidden", "The key may not do this."),
    404: Error("NotFound", "There is no such thing."),
    408: Error("RequestTimeout", "The body came too slowly; nothing was accepted."),
    409: Error("Conflict", "What it asks for does not go with the present state."),
    413: Error("ContentTooLarge", "The body is larger than is taken."),
    415: Error("UnsupportedMediaType", "The body is of another type, or compressed."),
    422: Error("UnprocessableContent", "Fields do not fit; `errors` names each."),
    429: Error("TooManyRequests", "The rate limit is spent (RATE_LIMIT_PER_MINUTE).", ("Retry-After",)),
    500: Error("InternalServerError", "An unexpected error; the log holds the details under the request's id."),
    503: Error(
        "ServiceUnavailable",
        "PostgreSQL is away, or too much is asked at once; `detail` says whether anything was accepted.",
        ("Retry-After",),
    ),
}


def components() -> dict[str, Any]:
    """Return the errors as components of the document."""
    return {
        each.name: {
            "description": each.meaning,
            "headers": headers.given(*each.headers, *headers.COUNTED),
            "content": PROBLEM,
        }
        for each in ERRORS.values()
    }


def possible(operation: Operation, *, public: bool) -> list[int]:
    """Return the statuses of errors that an operation may answer without saying so.

    Parameters:
      public: whether it needs no key, and counts against no limit.
    """
    found = {400, 500, 503}
    if not public:
        found |= {401, 403, 429}
    if operation.request is not None:
        found |= {408, 413, 415, 422}
    if operation.query is not None or "IdempotencyKey" in operation.takes:
        found.add(422)
    return sorted(found - operation.answers.keys() - operation.besides.keys())


def reference(status: int, meaning: str | None = None) -> dict[str, Any]:
    """Return an error of an operation.

    Parameters:
      meaning: what it means there.
    """
    found = {"$ref": f"#/components/responses/{ERRORS[status].name}"}
    return found if meaning is None else {**found, "description": meaning}
