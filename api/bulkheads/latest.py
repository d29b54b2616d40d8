"""One answer for all who ask the same at once, and for whoever asks soon after."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Hashable
from functools import partial
from typing import Generic, TypeVar

from api.bulkheads.pools import Busy, Pool
from sentences import say

Answer = TypeVar("Answer")
Asked = TypeVar("Asked", bound=Hashable)

#: An answer is kept for so many times as long as it took: what is dear is asked for seldom.
REST = 20
#: Seconds that whoever asks may wait for an answer in any case.
SOON = 0.05
#: Seconds after which a question that hangs is asked anew.
HANGS = 60.0


class Latest(Generic[Answer]):
    """The latest answer to a question that blocks; however many ask, it is asked once at a time.

    Parameters:
      question: what is called in a thread.
      pool: whose thread.
      fresh: seconds for which an answer is kept at least.
      oldest: and at most, however long it took.
      meanwhile: seconds for which an answer that took longer than SOON is given while a new one is asked for.
      patience: seconds that whoever asks waits for a new one.
    """

    def __init__(
        self,
        question: Callable[[], Answer],
        pool: Pool,
        *,
        fresh: float,
        oldest: float,
        patience: float,
        meanwhile: float = 0.0,
    ) -> None:
        self._question = question
        self._pool = pool
        self._fresh = fresh
        self._oldest = oldest
        self._patience = patience
        self._meanwhile = meanwhile
        self._known: tuple[Answer] | None = None
        self._old_at = self._over_at = 0.0
        self._asking: asyncio.Task[Answer] | None = None

    async def get(self, patience: float | None = None) -> Answer:
        """Return the answer, as it is now or was a moment ago.

        Parameters:
          patience: seconds that this one waits for a new one, instead of what all do.

        Raises:
          Busy: it did not come in time; whoever asks next waits for the same.
          what the question raises.
        """
        if self._known is not None and time.monotonic() < self._old_at:
            return self._known[0]
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask())
            # Nobody may wait for it.
            self._asking.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        if self._known is not None and time.monotonic() < self._over_at:
            return self._known[0]
        asking = self._asking
        done, _ = await asyncio.wait({asking}, timeout=self._patience if patience is None else patience)
        if not done:
            raise Busy(say("no_answer", pool=self._pool.name))
        return asking.result()

    async def _ask(self) -> Answer:
        began = time.monotonic()
        answer = await self._pool.run(self._question, seconds=HANGS)
        ended = time.monotonic()
        self._known = (answer,)
        self._old_at = ended + min(max(self._fresh, REST * (ended - began)), self._oldest)
        self._over_at = ended + self._meanwhile if ended - began > SOON else 0.0
        return answer


class LatestOf(Generic[Asked, Answer]):
    """The latest answers to questions of one kind; each is shared by all who ask the same.

    Parameters:
      question: what is called in a thread with what is asked.
      most: answers that are kept: those that were asked for last.
      the others: as those of `Latest`.
    """

    def __init__(
        self,
        question: Callable[[Asked], Answer],
        pool: Pool,
        *,
        most: int,
        fresh: float,
        oldest: float,
        patience: float,
        meanwhile: float,
    ) -> None:
        self._question = question
        self._most = most
        self._latest = partial(
            Latest[Answer], pool=pool, fresh=fresh, oldest=oldest, patience=patience, meanwhile=meanwhile
        )
        self._kept: dict[Asked, Latest[Answer]] = {}

    async def get(self, subject: Asked) -> Answer:
        """Return the answer to what is asked, as `Latest.get` does."""
        latest = self._kept.pop(subject, None) or self._latest(partial(self._question, subject))
        self._kept[subject] = latest
        if len(self._kept) > self._most:
            del self._kept[next(iter(self._kept))]
        return await latest.get()
