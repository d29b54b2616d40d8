"""One read for all who ask while another is under way: a thousand who come at once take few threads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Generic, TypeVar

from api.bulkheads.pools import Pool

Key = TypeVar("Key")
Found = TypeVar("Found")

#: Keys that are looked up at once.
AT_ONCE = 1000


class Together(Generic[Key, Found]):
    """Looks keys up, one read after the other, each for all who have asked since the one before began.

    Parameters:
      look: returns what was found by key; it blocks, and is called in a thread.
      pool: whose thread.
    """

    def __init__(self, look: Callable[[Sequence[Key]], Mapping[Key, Found]], pool: Pool) -> None:
        self._look = look
        self._pool = pool
        self._wanted: dict[Key, None] = {}
        self._next: asyncio.Task[Mapping[Key, Found]] | None = None
        self._now: asyncio.Task[Mapping[Key, Found]] | None = None

    async def get(self, key: Key) -> Found | None:
        """Return what is found for a key by a read that begins from now on; None where there is nothing.

        Raises:
          Busy: the pool has no room.
          what the look raises.
        """
        if self._next is None or len(self._wanted) >= AT_ONCE:
            self._wanted = {}
            self._next = asyncio.create_task(self._read(self._next or self._now, self._wanted))
            # Nobody may wait for it any more.
            self._next.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        self._wanted[key] = None
        return (await asyncio.shield(self._next)).get(key)

    async def _read(
        self, before: asyncio.Task[Mapping[Key, Found]] | None, wanted: dict[Key, None]
    ) -> Mapping[Key, Found]:
        if before is not None:
            await asyncio.wait({before})
        if self._wanted is wanted:
            self._next = None
        self._now = asyncio.current_task()
        return await self._pool.run(self._look, list(wanted))
