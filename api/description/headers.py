"""Headers of requests and answers, each described once."""

from __future__ import annotations

from models.base import Json

_TEXT = {"type": "string"}

#: Headers that a request may have, by the name under which the document refers to them.
TAKEN: dict[str, Json] = {
    "RequestId": {
        "name": "X-Request-ID",
        "description": "An id of yours; it is echoed and logged. The service makes one where there is none, and in "
        "place of one that has more than 128 characters, or others than letters, digits and `.:/+=@_-`.",
        "schema": _TEXT,
    },
    "IdempotencyKey": {
        "name": "Idempotency-Key",
        "description": "A new one for each new request: sent again with the same body, the request is not done again "
        "but answered as the first time.",
        "schema": {**_TEXT, "pattern": "^[\\x21-\\x7e]{1,255}$"},
    },
    "IfNoneMatch": {
        "name": "If-None-Match",
        "description": "The `ETag` of an earlier answer: 304 without a body while nothing has changed.",
        "schema": _TEXT,
    },
    "LastEventId": {
        "name": "Last-Event-ID",
        "description": "The id of the last event that was seen: the stream goes on behind it, without loss.",
        "schema": {**_TEXT, "pattern": "^[0-9]{1,18}$"},
    },
}

#: Headers that an answer may have.
GIVEN: dict[str, Json] = {
    "X-Request-ID": {"description": "The id of the request, yours or ours.", "schema": _TEXT},
    "Location": {"description": "Where to look for what was made.", "schema": {**_TEXT, "format": "uri-reference"}},
    "ETag": {"description": "Changes with what is shown; see `If-None-Match`.", "schema": _TEXT},
    "Retry-After": {"description": "Seconds after which it may be tried again.", "schema": {"type": "integer"}},
    "RateLimit": {
        "description": "Where RATE_LIMIT_PER_MINUTE is set: `r` requests are left, and all again in `t` seconds.",
        "schema": _TEXT,
    },
    "RateLimit-Policy": {
        "description": "Where RATE_LIMIT_PER_MINUTE is set: `q` requests may be sent in `w` seconds.",
        "schema": _TEXT,
    },
    "WWW-Authenticate": {"description": "How to say who you are: `Bearer`.", "schema": _TEXT},
}


#: What every answer has that counts against the rate limit.
COUNTED = ("RateLimit", "RateLimit-Policy")


def components() -> Json:
    """Return both, as components of the document."""
    return {
        "parameters": {name: {"in": "header", **header} for name, header in TAKEN.items()},
        "headers": GIVEN,
    }


def of_answer(*names: str) -> Json:
    """Return the headers of an answer, by reference; each has the id of the request."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in ("X-Request-ID", *names)}


def of_request(*names: str) -> list[Json]:
    """Return the header parameters of a request, by reference; each may have an id."""
    return [{"$ref": f"#/components/parameters/{name}"} for name in (*names, "RequestId")]
