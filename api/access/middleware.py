"""What every request passes, in one middleware, since each costs Falcon as much as a small resource."""

from __future__ import annotations

import asyncio
import random
import re
import time
import uuid
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import unquote

import falcon
from falcon import asgi

import logs
import metrics
import tracing
from api.access import callers
from api.access.limits import Admission, RateLimit
from api.access.rules import METHODS, PREFIX, Rule, rule_of
from api.access.session import SAFE, Sessions, demand_own_site, demand_token
from api.counting import Counting, class_of
from api.problems import PROBLEM, Denied
from keys import Key, Keys, holder
from models.base import trace_id_of
from sentences import say

#: Longer or stranger ids are replaced: they go into headers and logs.
REQUEST_ID = re.compile(r"[\w.:/+=@-]{1,128}", re.ASCII)
#: The `traceparent` of W3C Trace Context: version 00, or a later one, of which more may follow.
TRACEPARENT = re.compile(
    r"(?!ff)([0-9a-f]{2})-((?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2})(-.*)?", re.ASCII
)
#: How a method that is none of ours, and an address without a route, are counted.
OTHER = "other"
#: Routes that are asked again and again by machines, and whose lines would hide the others.
PROBES = frozenset({"/health", f"{PREFIX}/health", "/livez", "/readyz", "/metrics", "/static/{digest}/{name}"})


class Access:
    """Gives each request an id and a line in the log, and checks its key and its rate limits.

    The rule is looked up by the matched route, not by the address: the router finds the same route under several
    spellings.

    Parameters:
      keys: as they are now; without any, every caller may come in.
      sessions: of browsers, which send a cookie in place of a key.
      limits: what else is asked of a request that has the right key, in this order.
      as_page: shows a problem to a browser that asked for a page.
      counting: where requests are counted.
    """

    def __init__(
        self,
        keys: Keys,
        sessions: Sessions,
        limits: Sequence[RateLimit | Admission],
        as_page: Callable[[Any, Any], None],
        counting: Counting,
    ) -> None:
        self._keys = keys
        self._sessions = sessions
        self._limits = limits
        self._as_page = as_page
        self._counting = counting
        self._lines: list[logs.Request] = []

    async def process_request(self, req: asgi.Request, resp: asgi.Response) -> None:
        _identify(req, resp)
        _unfold_slashes(req)

    async def process_resource(
        self, req: asgi.Request, resp: asgi.Response, resource: object, params: dict[str, str]
    ) -> None:
        for name, value in params.items():
            params[name] = value.replace("\0", "/")
        demand_own_site(req)
        rule = rule_of(req.method, req.uri_template or "")
        if rule.role is None:
            return
        req.context.key = key = await self._key(req)
        req.context.caller = key.name
        if not key.may(rule.role):
            raise Denied(
                "forbidden_role",
                say("role", name=key.name, role=key.role, method=req.method, needed=rule.role),
            )
        if key.kbs is not None:
            await _confine(req, rule, params)
        for limit in self._limits:
            await limit.admit(req, resp)

    async def process_response(self, req: asgi.Request, resp: asgi.Response, resource: object, succeeded: bool) -> None:
        if resp.content_type == PROBLEM:
            self._as_page(req, resp)
        seconds = time.perf_counter() - req.context.began
        if req.context.span is not None and req.uri_template not in PROBES:
            _end(req.context.span, req, resp)
        # Whatever is sent as a method, and whatever address leads nowhere, has one name.
        route = (req.method if req.method in METHODS else OTHER, req.uri_template or OTHER)
        self._counting.count(metrics.REQUESTS, *route, class_of(resp.status_code))
        self._counting.observe(metrics.REQUEST_SECONDS, *route, seconds=seconds)
        if req.uri_template not in PROBES:
            self._note(req, resp, seconds)

    def _note(self, req: asgi.Request, resp: asgi.Response, seconds: float) -> None:
        """Have the request's line written, with those of all that are answered in this turn of the loop."""
        if not self._lines:
            asyncio.get_running_loop().call_soon(self._tell)
        # The route and not the path: what is named in that may be a secret.
        self._lines.append(
            logs.Request(
                method=req.method,
                route=req.uri_template,
                status=resp.status_code,
                milliseconds=logs.milliseconds(seconds),
                key=getattr(req.context, "caller", None) or None,
                request_id=req.context.request_id,
                trace_id=trace_id_of(req.context.traceparent),
            )
        )

    def _tell(self) -> None:
        lines, self._lines = self._lines, []
        logs.tell(lines)

    async def _key(self, req: asgi.Request) -> Key:
        if not (keys := self._keys()):
            return callers.ANYBODY
        if req.auth is None and (session := self._sessions.of(req)) is not None:
            if req.method not in SAFE:
                await demand_token(req, session)
            req.context.session = session
            return session.key
        scheme, _, credentials = (req.auth or "").partition(" ")
        key = holder(keys, credentials.strip().encode()) if scheme.lower() == "bearer" else None
        if key is None:
            raise falcon.HTTPUnauthorized(
                title="Unauthorized",
                description=say("no_key"),
                challenges=["Bearer"],
            )
        return key


def _identify(req: asgi.Request, resp: asgi.Response) -> None:
    """Accept `X-Request-ID` and `traceparent`, or make them; echo the id, and have all lines of the log say both.

    A trace that begins here has the id that a request without one of its own gets. It is marked as to be recorded:
    no caller has decided against it.
    """
    req.context.began = time.perf_counter()
    made = uuid.uuid4()
    header = req.get_header("X-Request-ID") or ""
    req.context.request_id = request_id = header if REQUEST_ID.fullmatch(header) else str(made)
    parent = _traceparent(req.get_header("traceparent"))
    req.context.span = span = tracing.begin(
        req.method, "SERVER", parent, {"http.request.method": req.method}, trace_id=made.int
    )
    if span is not None:
        parent = span.traceparent
    req.context.traceparent = traceparent = parent or f"00-{made.hex}-{random.getrandbits(64) | 1:016x}-01"
    resp.set_header("X-Request-ID", request_id)
    logs.set_about({"request_id": request_id, "trace_id": trace_id_of(traceparent)})


def _end(span: tracing.Span, req: asgi.Request, resp: asgi.Response) -> None:
    status, route = resp.status_code, req.uri_template
    facts: dict[str, str | int] = {"http.response.status_code": status}
    if route is not None:
        facts["http.route"] = route
    span.end(facts, name=f"{req.method} {route}" if route else None, error=str(status) if status >= 500 else None)


def _traceparent(header: str | None) -> str | None:
    """Return a `traceparent` as version 00 writes it; None for one that is none."""
    match = None if header is None else TRACEPARENT.fullmatch(header.strip())
    if match is not None and not (match[1] == "00" and match[3]):
        return f"00-{match[2]}"
    return None


def _unfold_slashes(req: asgi.Request) -> None:
    """Let a name in an address hold a slash, written as %2F: the id of a document is often its path or its URL.

    A NUL character is refused: nothing is named so, since PostgreSQL's text cannot hold one. That leaves it free to
    stand for a slash until the address is taken apart.
    """
    if "\0" in req.path or "%00" in req.query_string:
        raise falcon.HTTPBadRequest(description=say("address_nul"))
    raw = req.scope.get("raw_path", b"").partition(b"?")[0]
    if b"%2f" in raw.lower():
        req.path = "/".join(unquote(part.decode("ascii")).replace("/", "\0") for part in raw.split(b"/"))


async def _confine(req: asgi.Request, rule: Rule, params: dict[str, str]) -> None:
    """Keep a key that is bound to KBs from touching anything else, as far as the address names it."""
    if rule.scope == "whole":
        raise Denied("forbidden_kb", say("all_kbs", name=callers.key(req).name))
    if rule.scope == "kb":
        callers.demand(req, params["kb_id"])
    elif rule.scope == "task":
        await callers.demand_task(req, params["task_id"])
    elif rule.scope == "batch":
        await callers.demand_batch(req, params["batch_id"])
