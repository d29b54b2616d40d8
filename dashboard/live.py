"""Streams of what changes on pages. However many look at the same, it is looked up and rendered once for all."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable
from typing import Any

import falcon
import structlog
from falcon.asgi import SSEvent
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

import logs
from api.app import HUB
from api.bulkheads.pools import Busy
from api.problems import Invalid
from settings import settings
from tasks.views.selection import TooMany

log = structlog.get_logger(__name__)

#: Seconds between two looks at a page, at least.
EVERY = 1.5
#: A look rests so many times as long as it took, and as often again for each other page that is looked at, so that all
#: together cost little of what is watched; for the sake of the others no longer than PATIENCE seconds.
REST, PATIENCE = 30, 8.0
#: Seconds of silence after which a comment is sent: routers of a PaaS close what is idle for 55 s.
COMMENT_EVERY = 15.0

Render = Callable[[], Awaitable[str]]


class _News(SSEvent):
    """What a page shows, written once for all who look at it."""

    def __init__(self, html: str) -> None:
        super().__init__(text=html)
        self._written = super().serialize()

    def serialize(self, handler: Any = None) -> bytes:  # noqa: ARG002 - as Falcon calls it
        return self._written


class _Shared:
    """What one page shows now, for all who look at it: one task looks, and wakes the others when it has changed."""

    def __init__(self, render: Render) -> None:
        self.viewers = 0
        self.news: _News | None = None
        self.changed = asyncio.Event()
        self._render = render
        self._html = ""
        self._looking = asyncio.create_task(self._look_on())

    def stop(self) -> None:
        """Stop looking."""
        self._looking.cancel()

    async def _look_on(self) -> None:
        # A task begins with the context of who made it: the request of the first viewer, which is not what looks.
        logs.set_about({})
        due = 0.0
        while not HUB.stopping:
            if (began := time.monotonic()) >= due:
                await self._look()
                due = time.monotonic() + _rest(time.monotonic() - began)
            await asyncio.sleep(EVERY)
        self._wake()

    async def _look(self) -> None:
        try:
            html = await self._render()
        except (DBAPIError, PoolTimeout, Busy, TooMany, Invalid, falcon.HTTPError, falcon.HTTPStatus) as error:
            # What was shown stays; the next look may succeed.
            log.info("page_not_read", reason=type(error).__name__)
            return
        except Exception:
            # A defect of one page; those who look at it are to see what comes after it was mended by other data.
            log.exception("page_failed")
            return
        if html != self._html:
            self._html, self.news = html, _News(html)
            self._wake()

    def _wake(self) -> None:
        woken, self.changed = self.changed, asyncio.Event()
        woken.set()


_shown: dict[Hashable, _Shared] = {}


def _rest(took: float) -> float:
    """Return for how many seconds a page is not looked at again: longer on a busy machine, where a look takes so."""
    return max(REST * took, min(PATIENCE, REST * took * len(_shown)))


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
        shared = _shown.get(key) or _shown.setdefault(key, _Shared(render))
        shared.viewers += 1
        sent: _News | None = None
        try:
            while not HUB.stopping:
                changed = shared.changed
                if shared.news is not sent:
                    sent = shared.news
                    yield sent
                    continue
                try:
                    await asyncio.wait_for(changed.wait(), COMMENT_EVERY)
                except TimeoutError:
                    yield None
        finally:
            shared.viewers -= 1
            if not shared.viewers:
                shared.stop()
                _shown.pop(key, None)
