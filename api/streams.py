"""Who follows what happens, and the one reader of the log that all streams of this process share."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict, deque
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import chain
from uuid import UUID
from weakref import WeakSet

import falcon
import structlog
from falcon.asgi import SSEvent
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from api import requests
from api.bulkheads.pools import READING, WATCHING, Busy
from api.bulkheads.together import Together
from models import database
from models.base import Json
from sentences import say
from tasks.views import events

log = structlog.get_logger(__name__)

Happened = Json

#: Seconds between two looks at the log, while anybody follows it, and until the first look is understood.
LOOK_EVERY, FIRST_LOOK_EVERY = 0.25, 0.02
#: Seconds for which the reader goes on when nobody follows.
LINGERS = 5.0
#: Seconds that a client waits for the first look: a transaction of another may have to end before.
PATIENCE = events.LONGEST_TRANSACTION + 5
#: Seconds of silence after which a comment is sent: routers of a PaaS close what is idle for 55 s.
COMMENT_EVERY = 15.0
#: Events that are read at once, and that may wait for a client that is slow to take them. Beyond that its stream ends,
#: to be resumed where it stopped.
MOST_WAITING = 2000
#: Events after which those who were told of them have their turn.
WOKEN_AT_ONCE = 10
#: Seconds after which a client that found no place may come again.
TRY_AGAIN_AFTER = 10
#: Milliseconds after which a client whose stream ended comes again.
COME_AGAIN = 2000


class Stream:
    """One open stream: the events of one task, of one batch, or all.

    Parameters:
      after: the number of the event that the client has seen last.
      caller: whose it is.
      first: what it is sent before all else.
      kb_ids: the KBs whose tasks' events alone it holds; None: of all KBs, of none, and of batches as well.
      is_last: whether nothing is to follow an event.
    """

    def __init__(
        self,
        after: int,
        caller: str = "",
        *,
        first: Happened | None = None,
        task_id: UUID | None = None,
        batch_id: UUID | None = None,
        kb_ids: Collection[str] | None = None,
        is_last: Callable[[Happened], bool] = lambda _: False,
    ) -> None:
        self.after = after
        self.caller = caller
        self.first = first
        self.task_id = task_id
        self.task = None if task_id is None else str(task_id)
        self.batch_id = batch_id
        self.kb_ids = kb_ids
        self.is_last = is_last
        self.follows = False
        self.reader: object = None
        """Who tells it what happens, once it follows."""
        self._waiting: deque[Happened] = deque()
        self._news = asyncio.Event()

    @property
    def overrun(self) -> bool:
        """Whether its client is too slow."""
        return len(self._waiting) > MOST_WAITING

    def tell(self, happened: list[Happened]) -> None:
        """Hand over what it wants of these."""
        batch_id = str(self.batch_id)
        self._waiting.extend(
            event
            for event in happened
            if (self.task_id is None or event.get("task_id") == self.task)
            and (self.batch_id is None or event["batch_id"] == batch_id)
            and (self.kb_ids is None or event.get("kb_id") in self.kb_ids)
        )
        if self._waiting:
            self.wake()

    def wake(self) -> None:
        """Let it look for news, or for its end."""
        self._news.set()

    async def news(self) -> list[Happened]:
        """Wait for what happens and return it; nothing after COMMENT_EVERY seconds without news."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._news.wait(), COMMENT_EVERY)
        self._news.clear()
        come = [event for event in self._waiting if event["id"] > self.after]
        self._waiting.clear()
        return come


class Hub:
    """All streams of this process. The log is read for them by one reader, and only while there are any."""

    def __init__(self) -> None:
        self.stopping = False
        # By their task; None: those of more than one.
        self._streams: defaultdict[str | None, set[Stream]] = defaultdict(set)
        self._open: Counter[str] = Counter()
        self._early: WeakSet[Stream] = WeakSet()
        self._until = 0
        self._known = asyncio.Event()
        self._horizon = events.Horizon()
        self._reader: asyncio.Task[None] | None = None
        self._asked = 0.0
        self._states = Together(self._look_at, READING)
        self._opening: Counter[str] = Counter()
        self._besides: Counter[str] = Counter()

    @property
    def open(self) -> int:
        """How many streams there are, with those that are being opened, and those of something else."""
        return self._open.total() + self._opening.total() + self._besides.total()

    def demand_room(self, caller: str, most: int) -> None:
        """Let a caller open another stream, as long as more places are free than it has taken itself.

        So one alone takes half of them, and whoever comes next finds one. Those that are being opened count as well.

        Raises:
          falcon.HTTPServiceUnavailable: there is no place for another, or the process is to stop.
        """
        own = self._opening[caller] + self._besides[caller] + self._open[caller]
        if self.stopping or own >= most - self.open:
            raise falcon.HTTPServiceUnavailable(
                title="Service Unavailable",
                description=say("streams"),
                retry_after=TRY_AGAIN_AFTER,
            )

    @contextmanager
    def besides(self, caller: str) -> Iterator[None]:
        """Count a stream that is of something else than the log."""
        self._besides[caller] += 1
        try:
            yield
        finally:
            self._besides[caller] -= 1

    def stop(self) -> None:
        """End every stream: the process is to stop. Its clients come again, to another."""
        self.stopping = True
        self._known.set()
        for stream in chain.from_iterable(self._streams.values()):
            stream.wake()

    def follow(self, stream: Stream) -> None:
        """Tell a stream what happens from now on, though what it begins with is not read yet.

        So nothing can come in between, and nothing has to be looked up that it has missed. `until` was asked before.
        """
        stream.follows, stream.reader = True, self._reader
        self._early.add(stream)

    @contextmanager
    def opening(self, caller: str) -> Iterator[None]:
        """Count a stream that is being opened, and have the reader go on for it."""
        self._opening[caller] += 1
        try:
            yield
        finally:
            self._opening[caller] -= 1
            if not self._opening[caller]:
                del self._opening[caller]

    async def until(self) -> int:
        """Return the number of the last event that those who follow were told of.

        Raises:
          falcon.HTTPServiceUnavailable: it is not known in time.
        """
        self._asked = time.monotonic()
        if self._reader is None or self._reader.done():
            self._known, self._horizon = asyncio.Event(), events.Horizon()
            self._reader = asyncio.create_task(self._read())
        try:
            await asyncio.wait_for(self._known.wait(), PATIENCE)
        except TimeoutError:
            raise falcon.HTTPServiceUnavailable(
                title="Service Unavailable", description=say("no_events"), retry_after=COME_AGAIN // 1000
            ) from None
        return self._until

    async def state(self, task_id: UUID) -> Happened | None:
        """Return how a task is now, as an event; None where there is none. `until` was asked before."""
        return await self._states.get(task_id)

    def _look_at(self, task_ids: Sequence[UUID]) -> dict[UUID, Happened]:
        with database.transaction() as session:
            return events.states(session, task_ids, self._until)

    async def sent(self, stream: Stream) -> AsyncIterator[SSEvent | None]:
        """Yield what a stream sends: its first event, what it has missed, and what happens from then on."""
        with self._told(stream):
            if stream.first is not None:
                yield SSEvent(json=_data(stream.first), event_id=str(stream.first["id"]), retry=COME_AGAIN)
                if stream.is_last(stream.first):
                    return
            while not self.stopping:
                come = await stream.news() if stream.follows else await self._missed(stream)
                for event in come:
                    stream.after = event["id"]
                    yield SSEvent(json=_data(event), event_id=str(event["id"]))
                    if stream.is_last(event):
                        return
                if stream.overrun:
                    return
                if not come and stream.follows:
                    yield None

    @contextmanager
    def _told(self, stream: Stream) -> Iterator[None]:
        """Have a stream told what happens, as long as it is open."""
        self._streams[stream.task].add(stream)
        self._early.discard(stream)
        self._open[stream.caller] += 1
        # One that has ended tells nothing more, and another began somewhere else.
        has_reader = self._reader is not None and not self._reader.done()
        stream.follows = stream.follows and has_reader and stream.reader is self._reader
        try:
            yield
        finally:
            self._streams[stream.task].discard(stream)
            if not self._streams[stream.task]:
                del self._streams[stream.task]
            self._open[stream.caller] -= 1
            if not self._open[stream.caller]:
                del self._open[stream.caller]

    async def _missed(self, stream: Stream) -> list[Happened]:
        """Return the next that a stream has not been told of; when there is none, it follows from here on."""
        until = await self.until()
        if stream.after < until:
            missed = await requests.read(
                events.page,
                after=stream.after,
                until=until,
                task_id=stream.task_id,
                batch_id=stream.batch_id,
                kb_ids=stream.kb_ids,
            )
            if missed:
                return missed
            stream.after = until
        # Nothing is awaited between these two: no event can come between what was read and what is told.
        stream.follows = stream.after >= self._until
        return []

    async def _read(self) -> None:
        until: int | None = None
        while (self._open or self._opening or time.monotonic() - self._asked < LINGERS) and not self.stopping:
            pause = LOOK_EVERY
            try:
                happened, until = await requests.read(self._look, until, pool=WATCHING)
                if until is None:
                    pause = FIRST_LOOK_EVERY
                else:
                    self._until = until
                    await self._tell(happened)
                    self._known.set()
                    pause = 0 if len(happened) == MOST_WAITING else LOOK_EVERY
            except (DBAPIError, PoolTimeout, Busy) as error:
                # The next look begins where this one did.
                if isinstance(error, Busy | PoolTimeout):
                    log.warning("events_not_read", reason=getattr(error, "description", "no connection became free"))
                elif not database.is_told(error):
                    log.warning("events_not_read", reason=database.reason(error))
            await asyncio.sleep(pause)
        if not self.stopping:
            # Whoever comes now has a reader of its own, and waits for its first look.
            self._known.clear()

    async def _tell(self, happened: list[Happened]) -> None:
        """Hand over what has happened; what is of one task finds those who follow that, however many follow others.

        Not all of them are woken at once: what else this process does comes in between. Who begins to follow meanwhile
        has read all of it, and is told nothing twice.
        """
        for stream in chain(self._early, self._streams.get(None, ())):
            if stream.follows:
                stream.tell(happened)
        for number, event in enumerate(happened, 1):
            for stream in self._streams.get(event.get("task_id"), ()):
                if stream.follows and stream.task is not None:
                    stream.tell([event])
            if number % WOKEN_AT_ONCE == 0:
                await asyncio.sleep(0)

    def _look(self, session: Session, after: int | None) -> tuple[list[Happened], int | None]:
        """Return the events after a number, and the number of the last one read; None until the horizon is known."""
        self._horizon.look(session)
        settled = self._horizon.settled
        if after is None or settled is None or settled <= after:
            return [], settled if after is None else after
        happened = events.page(session, after=after, until=settled, limit=MOST_WAITING)
        return happened, happened[-1]["id"] if len(happened) == MOST_WAITING else settled


def _data(happened: Happened) -> Json:
    return {name: value for name, value in happened.items() if name != "id"}
