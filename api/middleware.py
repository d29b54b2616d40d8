"""What every request passes: its id, its key, its line in the log."""

from __future__ import annotations

import hmac
import re
import time
import uuid
from typing import Any
from urllib.parse import unquote

import falcon
import structlog

log = structlog.get_logger(__name__)

#: Longer or stranger ids are replaced: they go into headers and logs.
REQUEST_ID = re.compile(r"[\w.:/+=@-]{1,128}", re.ASCII)


class RequestIds:
    """Accepts `X-Request-ID` or makes one, echoes it, and binds it to the log."""

    async def process_request(self, req: Any, resp: Any) -> None:
        given = req.get_header("X-Request-ID") or ""
        req.context.request_id = given if REQUEST_ID.fullmatch(given) else str(uuid.uuid4())
        req.context.began = time.perf_counter()
        resp.set_header("X-Request-ID", req.context.request_id)
        structlog.contextvars.bind_contextvars(request_id=req.context.request_id)

    async def process_response(self, req: Any, resp: Any, resource: Any, succeeded: bool) -> None:
        milliseconds = round((time.perf_counter() - req.context.began) * 1000, 1)
        log.debug("request", method=req.method, path=req.path, status=resp.status_code, milliseconds=milliseconds)
        structlog.contextvars.clear_contextvars()


class Addresses:
    """Lets a name in an address hold a slash, written as %2F: the id of a document is often its path or its URL.

    A NUL character is refused: nothing is named so, since PostgreSQL's text cannot hold one. That leaves it free to
    stand for a slash until the address is taken apart.
    """

    async def process_request(self, req: Any, resp: Any) -> None:
        if "\0" in req.path or "%00" in req.query_string:
            raise falcon.HTTPBadRequest(description="the address holds a NUL character; remove it")
        raw = req.scope.get("raw_path", b"").partition(b"?")[0]
        if b"%2f" in raw.lower():
            req.path = "/".join(unquote(part.decode("ascii")).replace("/", "\0") for part in raw.split(b"/"))

    async def process_resource(self, req: Any, resp: Any, resource: Any, params: dict[str, str]) -> None:
        for name, value in params.items():
            params[name] = value.replace("\0", "/")


class Keys:
    """Asks for a bearer key, where any are set, on every route but a few.

    The route decides, which is what the router made of an address: it finds the same route under several spellings.

    Parameters:
      keys: by the name of their holder; empty: every caller may come in.
      public: the templates of the routes that need none.
    """

    def __init__(self, keys: dict[str, str], public: frozenset[str]) -> None:
        self._keys = {name: key.encode() for name, key in keys.items()}
        self._public = public

    async def process_resource(self, req: Any, resp: Any, resource: Any, params: Any) -> None:
        if not self._keys or req.uri_template in self._public:
            return
        scheme, _, given = (req.auth or "").partition(" ")
        holder = self._holder(given.strip().encode()) if scheme.lower() == "bearer" else None
        if holder is None:
            raise falcon.HTTPUnauthorized(
                title="Unauthorized",
                description="send one of the API keys as `Authorization: Bearer KEY`",
                challenges=["Bearer"],
            )
        req.context.caller = holder

    def _holder(self, given: bytes) -> str | None:
        """Who has this key. Every key is compared, so that the time tells nothing."""
        found = [name for name, key in self._keys.items() if hmac.compare_digest(key, given)]
        return found[0] if found else None
