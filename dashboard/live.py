"""Streams of what changes on pages. However many look at the same, it is looked up and rendered once for all."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable

import falcon
import structlog
from falcon.asgi import SSEvent
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from api.app import HUB
from api.bulkheads.pools import Busy
from api.problems import Invalid
from settings import settings
from tasks.views.selection import TooMany

log = structlog.get_logger(__name__)

#: Seconds between two looks at the same; what is dear to find rests REST times as long as it took.
EVERY, REST = 1.5, 30
#: Seconds of silence after which a comment is sent: routers of a PaaS close what is idle for 55 s.
COMMENT_EVERY = 15.0

Render = Callable[[], Awaitable[str]]


class _Shared:
    """What one page shows now, for all who look at it."""

    def __init__(self) -> None:
        self.viewers = 0
        self._html = ""
        self._next = 0.0
        self._looking: asyncio.Task[None] | None = None

    async def html(self, render: Render) -> str:
        """Return the page's part as it was at most EVERY seconds ago."""
        if time.monotonic() >= self._next and (self._looking is None or self._looking.done()):
            self._looking = asyncio.create_task(self._look(render))
        if self._looking is not None:
            await asyncio.wait({self._looking})
        return self._html

    async def _look(self, render: Render) -> None:
        began = time.monotonic()
        try:
            self._html = await render()
        except (DBAPIError, PoolTimeout, Busy, TooMany, Invalid, falcon.HTTPError, falcon.HTTPStatus) as error:
            # What was shown stays; the next look may succeed.
            log.info("page_not_read", reason=type(error).__name__)
        ended = time.monotonic()
        self._next = ended + max(EVERY, REST * (ended - began))


_shown: dict[Hashable, _Shared] = {}


def demand_room(caller: str) -> None:
    """Let a caller look at another page; these streams count among those of events.

    Raises:
      falcon.HTTPServiceUnavailable: as many are open as may be.
    """
    HUB.demand_room(caller, settings().max_streams)


async def changes(key: Hashable, render: Render, caller: str) -> AsyncIterator[SSEvent | None]:
    """Send a page's part each time that it has changed.

    Parameters:
      key: equal for all who see the same.
      caller: whose share of the streams it counts against.
    """
    with HUB.besides(caller):
        shared = _shown.setdefault(key, _Shared())
        shared.viewers += 1
        sent, silent = "", 0.0
        try:
            while not HUB.stopping:
                html = await shared.html(render)
                if html != sent:
                    sent, silent = html, 0.0
                    yield SSEvent(text=html)
                elif silent >= COMMENT_EVERY:
                    silent = 0.0
                    yield None
                await asyncio.sleep(EVERY)
                silent += EVERY
        finally:
            shared.viewers -= 1
            if not shared.viewers:
                _shown.pop(key, None)
