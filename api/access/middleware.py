"""What every request passes, in one middleware, since each costs Falcon as much as a small resource."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import unquote

import falcon
import structlog

from api.access import callers
from api.access.limits import Admission, RateLimit
from api.access.rules import Rule, rule_of
from api.access.session import SAFE, Sessions, demand_own_site, demand_token
from api.problems import PROBLEM, Denied
from keys import Key, holder

log = structlog.get_logger(__name__)

#: Longer or stranger ids are replaced: they go into headers and logs.
REQUEST_ID = re.compile(r"[\w.:/+=@-]{1,128}", re.ASCII)


class Access:
    """Gives each request its id and its line in the log, and lets it in if its key, and how many there are, allow it.

    The route decides what is asked for, which is what the router made of an address: it finds the same route under
    several spellings.

    Parameters:
      keys: empty: every caller may come in.
      sessions: of browsers, which send a cookie in place of a key.
      limits: what else is asked of a request that has the right key, in this order.
      as_page: shows a problem to a browser that asked for a page.
    """

    def __init__(
        self,
        keys: Sequence[Key],
        sessions: Sessions,
        limits: Sequence[RateLimit | Admission],
        as_page: Callable[[Any, Any], None],
    ) -> None:
        self._keys = keys
        self._sessions = sessions
        self._limits = limits
        self._as_page = as_page

    async def process_request(self, req: Any, resp: Any) -> None:
        _identify(req, resp)
        _unfold_slashes(req)

    async def process_resource(self, req: Any, resp: Any, resource: Any, params: dict[str, str]) -> None:
        for name, value in params.items():
            params[name] = value.replace("\0", "/")
        demand_own_site(req)
        rule = rule_of(req.method, req.uri_template)
        if rule.role is None:
            return
        req.context.key = key = await self._key(req)
        req.context.caller = key.name
        if not key.may(rule.role):
            raise Denied(
                "forbidden_role",
                f"the API key {key.name!r} has the role {key.role}, and {req.method} needs {rule.role} here",
            )
        if key.kbs is not None:
            await _confine(req, rule, params)
        for limit in self._limits:
            await limit.admit(req, resp)

    async def process_response(self, req: Any, resp: Any, resource: Any, succeeded: bool) -> None:
        if resp.content_type == PROBLEM:
            self._as_page(req, resp)
        milliseconds = round((time.perf_counter() - req.context.began) * 1000, 1)
        log.debug("request", method=req.method, path=req.path, status=resp.status_code, milliseconds=milliseconds)
        structlog.contextvars.clear_contextvars()

    async def _key(self, req: Any) -> Key:
        if not self._keys:
            return callers.ANYBODY
        if req.auth is None and (session := self._sessions.of(req)) is not None:
            if req.method not in SAFE:
                await demand_token(req, session)
            req.context.session = session
            return session.key
        scheme, _, given = (req.auth or "").partition(" ")
        found = holder(self._keys, given.strip().encode()) if scheme.lower() == "bearer" else None
        if found is None:
            raise falcon.HTTPUnauthorized(
                title="Unauthorized",
                description="send one of the API keys as `Authorization: Bearer KEY`",
                challenges=["Bearer"],
            )
        return found


def _identify(req: Any, resp: Any) -> None:
    """Accept `X-Request-ID` or make one, echo it, and bind it to the log."""
    given = req.get_header("X-Request-ID") or ""
    req.context.request_id = given if REQUEST_ID.fullmatch(given) else str(uuid.uuid4())
    req.context.began = time.perf_counter()
    resp.set_header("X-Request-ID", req.context.request_id)
    structlog.contextvars.bind_contextvars(request_id=req.context.request_id)


def _unfold_slashes(req: Any) -> None:
    """Let a name in an address hold a slash, written as %2F: the id of a document is often its path or its URL.

    A NUL character is refused: nothing is named so, since PostgreSQL's text cannot hold one. That leaves it free to
    stand for a slash until the address is taken apart.
    """
    if "\0" in req.path or "%00" in req.query_string:
        raise falcon.HTTPBadRequest(description="the address holds a NUL character; remove it")
    raw = req.scope.get("raw_path", b"").partition(b"?")[0]
    if b"%2f" in raw.lower():
        req.path = "/".join(unquote(part.decode("ascii")).replace("/", "\0") for part in raw.split(b"/"))


async def _confine(req: Any, rule: Rule, params: dict[str, str]) -> None:
    """Keep a key that is bound to KBs from touching anything else, as far as the address names it."""
    if rule.scope == "whole":
        raise Denied("forbidden_kb", f"the API key {callers.key(req).name!r} is bound to KBs, and this is of all KBs")
    if rule.scope == "kb":
        callers.demand(req, params["kb_id"])
    elif rule.scope == "task":
        await callers.demand_task(req, params["task_id"])
    elif rule.scope == "batch":
        await callers.demand_batch(req, params["batch_id"])
