"""Streams of what changes on pages. However many look at the same, it is looked up and rendered once for all."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable
from typing import NamedTuple

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
REST, PATIENCE = 60, 8.0
#: Seconds of silence after which viewers are told how old what they see is, or sent a comment: routers of a PaaS close
#: what is idle for 55 s.
TOLD_EVERY = 15.0


class Look(NamedTuple):
    """What a page shows at one moment.

    Parameters:
      html: of the part that changes. It says no age of its own, so that it is sent only when something else changes.
      as_of: the moment of its figures; None where they are as they were read.
    """

    html: str
    as_of: str | None


Render = Callable[[], Awaitable[Look]]


class _News(SSEvent):
    """What a page shows, written once for all who look at it."""

    def __init__(self, look: Look) -> None:
        super().__init__(text=look.html, event_id=look.as_of)
        self._written = super().serialize()

    def serialize(self, handler: object = None) -> bytes:  # noqa: ARG002 - as Falcon calls it
        return self._written


class _Shared:
    """What one page shows now, for all who look at it: one task looks, and wakes the others when it has changed."""

    def __init__(self, render: Render) -> None:
        self.viewers = 0
        self.news: _News | None = None
        self.as_of: str | None = None
        self.changed = asyncio.Event()
        self._render = render
        self._html: str | None = None
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
            look = await self._render()
        except (DBAPIError, PoolTimeout, Busy, TooMany, Invalid, falcon.HTTPError, falcon.HTTPStatus) as error:
            # What was shown stays; the next look may succeed.
            log.info("page_not_read", reason=type(error).__name__)
            return
        except Exception:
            # A defect of one page; those who look at it are to see what comes after it was mended by other data.
            log.exception("page_failed")
            return
        self.as_of = look.as_of
        if look.html != self._html:
            self._html, self.news = look.html, _News(look)
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
                    await asyncio.wait_for(changed.wait(), TOLD_EVERY)
                except TimeoutError:
                    yield None if shared.as_of is None else SSEvent(event="unchanged", event_id=shared.as_of)
        finally:
            shared.viewers -= 1
            if not shared.viewers:
                shared.stop()
                _shown.pop(key, None)
