"""What keeps a client, or all of them, from sending more than is to be taken."""

from __future__ import annotations

import math

import falcon
from falcon import asgi

from api import requests
from api.bulkheads.pools import INTAKE
from models import rate_limit
from sentences import say
from tasks.accepting.admission import Backlog

MINUTE = 60.0
#: Seconds for which a client is sent away while too many tasks wait.
TRY_AGAIN_AFTER = 30


class RateLimit:
    """Lets each caller spend so many requests a minute, counted over all web processes.

    Parameters:
      per_minute: which may also come all at once, after a minute's rest.
    """

    def __init__(self, per_minute: int) -> None:
        self._cost = MINUTE / per_minute

    async def admit(self, req: asgi.Request, resp: asgi.Response) -> None:
        """Count a request, and say what is left (draft-ietf-httpapi-ratelimit-headers).

        Raises:
          falcon.HTTPTooManyRequests: its caller has none left.
        """
        name = f"requests of {req.context.caller}"
        seconds, rested = await requests.read(rate_limit.use, name, self._cost, MINUTE, pool=INTAKE)
        # Half a millisecond is lost where seconds become a number of requests.
        left = int((rested + 0.0005) / self._cost)
        resp.set_header("RateLimit-Policy", f'"requests";q={MINUTE / self._cost:.0f};w={MINUTE:.0f}')
        resp.set_header("RateLimit", f'"requests";r={left};t={math.ceil(max(seconds, MINUTE - rested))}')
        if seconds:
            raise falcon.HTTPTooManyRequests(
                title="Too Many Requests",
                description=say("rate", count=MINUTE / self._cost),
                retry_after=math.ceil(seconds),
            )


class Admission:
    """Refuses submissions while too many tasks wait.

    Parameters:
      backlog: what this process knows of the tasks that wait.
      paths: what a POST to which submits, as the end of its route.
    """

    def __init__(self, backlog: Backlog, paths: tuple[str, ...]) -> None:
        self._backlog = backlog
        self._paths = paths

    async def admit(self, req: asgi.Request, _resp: object) -> None:
        """Let a request submit, where it would.

        Raises:
          falcon.HTTPServiceUnavailable: too many tasks wait.
        """
        if req.method != "POST" or not (req.uri_template or "").endswith(self._paths):
            return
        if self._backlog.is_due():
            await requests.read(self._backlog.count, pool=INTAKE)
        if self._backlog.is_full:
            raise falcon.HTTPServiceUnavailable(
                title="Service Unavailable",
                description=say("backlog"),
                retry_after=TRY_AGAIN_AFTER,
            )
