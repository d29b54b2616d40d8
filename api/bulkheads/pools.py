"""Threads for calls that block, in pools apart: what hangs in one of them does not stop the others."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar, TypeVarTuple

import falcon

from models.connection import limit_thread
from sentences import say

Result = TypeVar("Result")
Given = TypeVarTuple("Given")

#: Seconds that a call may wait for a thread, and may then run; the database's own limits end most before.
WAITS, RUNS = 5.0, 20.0
#: Calls that may wait in a pool for each of its threads.
LINE = 50
#: Milliseconds that a statement of a web process may take, and wait for a lock: whoever asked is still there.
LIMITS = {"statement_timeout": 10_000, "lock_timeout": 3_000}


class Busy(falcon.HTTPServiceUnavailable):
    """No thread became free in time, or the call did not end; the client may come again."""

    def __init__(self, description: str, seconds: int = 5) -> None:
        super().__init__(title="Service Unavailable", description=description, retry_after=seconds)


class Pool:
    """Threads for one kind of call, and a line of bounded length and time before them.

    Parameters:
      name: of the threads, and in the answer to whoever finds no place.
    """

    def __init__(self, name: str, threads: int) -> None:
        self.name = name
        self.threads = threads
        self._executor = ThreadPoolExecutor(threads, name, initializer=limit_thread, initargs=(LIMITS,))
        self._calls: set[Future[Any]] = set()

    async def run(self, function: Callable[[*Given], Result], *args: *Given, seconds: float = WAITS + RUNS) -> Result:
        """Run a call that blocks.

        Parameters:
          seconds: for all of it.

        Raises:
          Busy: too many wait already, no thread became free in time, or it did not end in time. A call that has begun
            goes on; it holds its thread until it ends.
        """
        if len(self._calls) >= self.threads * (1 + LINE):
            raise Busy(say("line", pool=self.name))
        call = self._executor.submit(function, *args)
        self._calls.add(call)
        call.add_done_callback(self._calls.discard)
        answer = asyncio.wrap_future(call)
        # Nobody may be there any more when it ends.
        answer.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        waits = min(WAITS, seconds)
        if await _ended(answer, waits):
            return answer.result()
        if call.cancel():
            raise Busy(say("threads", pool=self.name))
        if await _ended(answer, seconds - waits):
            return answer.result()
        raise Busy(say("maybe_done", pool=self.name))


async def _ended(answer: asyncio.Future[Any], seconds: float) -> bool:
    done, _ = await asyncio.wait({answer}, timeout=max(0.0, seconds))
    return bool(done)


#: What changes something, and uploads.
INTAKE = Pool("changes and uploads", 6)
#: Tasks, batches, callbacks as they are shown.
READING = Pool("tasks", 6)
#: Documents and searches, which lie in other tables.
SEARCHING = Pool("documents and search", 6)
#: Embedding providers. No connection to the database is held here.
PROVIDERS = Pool("embedding provider", 16)
#: The rerank model, apart from them: one that hangs takes no vector's thread.
RERANKING = Pool("rerank model", 8)
#: The log of events, and figures for operators: a few calls that many share.
WATCHING = Pool("watching", 3)
#: Whether the database can be used; it has a connection of its own.
PROBING = Pool("health", 1)

#: Connections that all of them, and the commits of submissions, need at once.
CONNECTIONS = sum(pool.threads for pool in (INTAKE, READING, SEARCHING, WATCHING)) + 1
#: And those to a replica, with the one that looks whether it can be used.
REPLICA_CONNECTIONS = sum(pool.threads for pool in (READING, SEARCHING, WATCHING)) + 1
