"""Many who ask at once are answered by few reads, and each by one that began after it asked."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import pytest

from api.bulkheads.pools import Pool
from api.bulkheads.together import AT_ONCE, Together


class Reads:
    """A table that is read only when it is allowed to be."""

    def __init__(self) -> None:
        self.rows: dict[int, str] = {}
        self.made: list[int] = []
        self.began = threading.Event()
        self.may = threading.Semaphore(0)

    def read(self, keys: Sequence[int]) -> dict[int, str]:
        self.made.append(len(keys))
        self.began.set()
        self.may.acquire()
        rows = {key: self.rows[key] for key in keys if key in self.rows}
        if -1 in keys:
            raise LookupError("of this read")
        return rows


def test_all_who_ask_while_a_read_is_under_way_share_the_next() -> None:
    reads = Reads()

    async def ask() -> None:
        together = Together(reads.read, Pool("test", 2))
        reads.rows[0] = "first"
        first = asyncio.create_task(together.get(0))
        await asyncio.to_thread(reads.began.wait)
        others = [asyncio.create_task(together.get(number % 500)) for number in range(900)]
        await asyncio.sleep(0)
        reads.may.release()
        assert await first == "first"
        reads.rows[0] = "second"
        # Whoever asks no more takes nothing from the others.
        others[0].cancel()
        reads.may.release()
        answers = await asyncio.gather(*others[1:])
        assert (answers[499], set(answers) - {"second"}) == ("second", {None})

    asyncio.run(ask())
    assert reads.made == [1, 500]


def test_a_read_that_fails_fails_for_those_who_asked_for_it_and_no_other() -> None:
    reads = Reads()
    reads.may.release(10)

    async def ask() -> None:
        together = Together(reads.read, Pool("test", 2))
        with pytest.raises(LookupError):
            await together.get(-1)
        assert await together.get(1) is None

    asyncio.run(ask())


def test_no_read_is_of_more_keys_than_fit() -> None:
    reads = Reads()
    reads.may.release(10)

    async def ask() -> None:
        together = Together(reads.read, Pool("test", 2))
        await asyncio.gather(*(together.get(number) for number in range(AT_ONCE * 2 + 1)))

    asyncio.run(ask())
    assert sorted(reads.made) == [1, AT_ONCE, AT_ONCE]
