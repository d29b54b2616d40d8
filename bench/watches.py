"""What a thousand open Watch streams cost the calls beside them, over gRPC.

    make bench-watches ARGS="--watches 1000 --seconds 60"

A process of its own holds the streams: each watches a task from its submission to its end, and then the next one.
Another makes Submit and Get at fixed rates, at random moments and however long the ones before take, and notes how long
each takes from the moment at which it was due. Both are measured three times: without streams, beside streams whose
tasks are due in an hour, and beside streams whose tasks run within two minutes, so that streams end and begin all the
time. In the end each stream that saw its task end is compared with the log: the same events, in the same order, none
twice.

Everything runs on this machine and takes CPU from the rest, so what each part of it takes is told as well. In a
deployment the workers are elsewhere: `--workers-aside` has them, and the clock, take only what the others leave.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import psutil
import psycopg2

from bench.cpu import Groups, by_group, spent
from bench.servers import start
from rpc.generated.taskmanager.v1.task_service_pb2 import GetRequest, SubmitRequest, WatchRequest
from rpc.generated.taskmanager.v1.task_service_pb2_grpc import TaskServiceStub
from tests.processes import Deployment
from tests.rpc.conftest import is_serving
from tests.servers import free_port

KEY = (("authorization", "Bearer bench"),)
#: Streams that are begun at once.
OPENING = 50
#: Seconds from which and up to which a watched task is due, at random: of streams that stay, and of those that end.
LATER, SOON = (3600.0, 3600.0), (1.0, 120.0)
#: Calls a second.
SUBMITS, GETS = 10.0, 40.0
#: Events of a task behind one of them.
BEHIND = "SELECT id FROM events WHERE task_id = %s AND id > %s ORDER BY id"


class Watching:
    """Tasks that are watched, one after the other in each of so many places.

    Parameters:
      due: seconds from which and up to which a task is due.

    `refused` counts streams that found no place, `seen` holds the tokens of those that saw their task end, and `opened`
    is set once there is a stream in each place.
    """

    def __init__(self, stub: Any, count: int, due: tuple[float, float]) -> None:
        self._stub = stub
        self._due = due
        self._opening = asyncio.Semaphore(OPENING)
        self._left = count
        self.opened = asyncio.Event()
        self.refused = 0
        self.seen: list[tuple[str, list[int]]] = []

    async def keep(self) -> None:
        """Watch task after task until cancelled."""
        stream = await self._open()
        self._left -= 1
        if not self._left:
            self.opened.set()
        while True:
            await self._follow(*stream)
            stream = await self._open()

    async def _open(self) -> tuple[str, Any, list[int]]:
        """Submit a task and begin to watch it. Returns its id, the stream, and the tokens so far."""
        message = SubmitRequest(task_type="test")
        message.run_at.FromDatetime(datetime.now(UTC) + timedelta(seconds=random.uniform(*self._due)))
        async with self._opening:
            task_id = (await self._stub.Submit(message, metadata=KEY)).task_id
            while True:
                stream = self._stub.Watch(WatchRequest(task_id=task_id), metadata=KEY)
                try:
                    return task_id, stream, [int((await stream.read()).resume_token)]
                except grpc.aio.AioRpcError:
                    self.refused += 1
                    await asyncio.sleep(1)

    async def _follow(self, task_id: str, stream: Any, tokens: list[int]) -> None:
        while (answer := await stream.read()) is not grpc.aio.EOF:
            tokens.append(int(answer.resume_token))
        self.seen.append((task_id, tokens))


async def watch(target: str, count: int, due: tuple[float, float]) -> None:
    """Hold so many streams until standard input ends; say `open` once they are, and then what each has seen."""
    async with grpc.aio.insecure_channel(target) as channel:
        watching = Watching(TaskServiceStub(channel), count, due)
        places = [asyncio.create_task(watching.keep()) for _ in range(count)]
        await watching.opened.wait()
        print("open", flush=True)
        until = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        await asyncio.wait({until, *places}, return_when=asyncio.FIRST_COMPLETED)
        for place in places:
            # A place that failed says why.
            place.result() if place.done() else place.cancel()
        print(json.dumps({"refused": watching.refused, "seen": watching.seen}), flush=True)


async def call(target: str, seconds: float) -> None:
    """Make Submit and Get at their rates, and print how many milliseconds each took."""
    async with grpc.aio.insecure_channel(target) as channel:
        stub: Any = TaskServiceStub(channel)
        task_id = (await stub.Submit(SubmitRequest(task_type="test"), metadata=KEY)).task_id
        took: dict[str, list[float]] = {"Submit": [], "Get": []}
        # A pause of the caller is none of the service.
        gc.freeze()
        gc.disable()

        async def timed(name: str, due: float, make: Callable[[], Awaitable[Any]]) -> None:
            await make()
            took[name].append((time.monotonic() - due) * 1000)

        async def at_rate(name: str, rate: float, make: Callable[[], Awaitable[Any]]) -> None:
            calls, until = [], time.monotonic() + seconds
            due = time.monotonic()
            while (due := due + random.expovariate(rate)) < until:
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                calls.append(asyncio.create_task(timed(name, due, make)))
            await asyncio.gather(*calls)

        await asyncio.gather(
            at_rate("Submit", SUBMITS, lambda: stub.Submit(SubmitRequest(task_type="test"), metadata=KEY)),
            at_rate("Get", GETS, lambda: stub.Get(GetRequest(task_id=task_id), metadata=KEY)),
        )
        print(json.dumps(took), flush=True)


async def _child(*arguments: str) -> asyncio.subprocess.Process:
    command = [sys.executable, "-m", "bench.watches", *arguments]
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, limit=1 << 30)


async def _calls(name: str, target: str, seconds: float, groups: Groups) -> None:
    """Make the calls, and show how long they took and what the parts of the service took of the CPU."""
    child = await _child("--call", target, "--seconds", str(seconds))
    before, began = by_group(groups), time.monotonic()
    psutil.cpu_percent()
    assert child.stdout is not None
    took: dict[str, list[float]] = json.loads(await child.stdout.readline())
    used, lasted, busy = spent(groups, before), time.monotonic() - began, psutil.cpu_percent()
    await child.wait()
    _show(name, took)
    shares = ", ".join(f"{group} {100 * cost / lasted:.0f} %" for group, cost in used.items())
    print(f"| {name}: CPU of one core: {shares}; the machine was {busy:.0f} % busy | | | | |", flush=True)


async def measure(target: str, database_url: str, count: int, seconds: float, groups: Groups) -> None:
    """Print the figures without streams, and beside them.

    Raises:
      AssertionError: a stream has lost an event, or told one twice.
    """
    print("| | calls | p50, ms | p99, ms | most, ms |\n|---|---|---|---|---|")
    await _calls("no stream", target, seconds, groups)
    seen, refused = [], 0
    for name, due in ((f"{count:,} streams", LATER), (f"{count:,} streams that end and begin", SOON)):
        watching = await _child("--watch", target, "--watches", str(count), "--due", *map(str, due))
        assert watching.stdout is not None
        assert (await watching.stdout.readline()).strip() == b"open"
        client = {"the streams' client": [psutil.Process(watching.pid)]}
        await _calls(name, target, seconds, {**groups, **client})
        record = json.loads((await watching.communicate(b""))[0])
        seen += record["seen"]
        refused += record["refused"]
    wrong = 0
    connection = psycopg2.connect(database_url)
    with connection.cursor() as cursor:
        for task_id, tokens in seen:
            cursor.execute(BEHIND, (task_id, tokens[0]))
            wrong += [row[0] for row in cursor.fetchall()] != tokens[1:]
    connection.close()
    events = sum(len(tokens) for _, tokens in seen)
    print(
        f"\n{len(seen):,} streams ended with their tasks after {events:,} events, {wrong} of them differ from "
        f"the log; {refused} were refused. Load average {os.getloadavg()[0]:.1f}."
    )
    assert not wrong


def _show(name: str, took: dict[str, list[float]]) -> None:
    for call_, milliseconds in took.items():
        parts = statistics.quantiles(milliseconds, n=100)
        print(
            f"| {call_}, {name} | {len(milliseconds)} | {parts[49]:.1f} | {parts[98]:.1f} | {max(milliseconds):.1f} |",
            flush=True,
        )


def main() -> None:
    """Start the service, measure, and stop it."""
    parser = argparse.ArgumentParser(prog="make bench-watches", description=__doc__.partition("\n")[0])
    parser.add_argument("--watches", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=60.0)
    aside = "the workers and the clock take only what is left"
    parser.add_argument("--workers-aside", action="store_true", help=aside)
    parser.add_argument("--watch", help=argparse.SUPPRESS)
    parser.add_argument("--due", type=float, nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--call", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.watch:
        asyncio.run(watch(arguments.watch, arguments.watches, tuple(arguments.due)))
        return
    if arguments.call:
        asyncio.run(call(arguments.call, arguments.seconds))
        return
    with (
        tempfile.TemporaryDirectory(prefix="watches-") as folder,
        start("watches-") as servers,
        servers.postgres.database() as database_url,
        servers.rabbitmq.fresh() as rabbitmq,
    ):
        port = free_port()
        own = {"GRPC_PORT": str(port), "API_KEYS": "bench:bench"}
        with Deployment(database_url, rabbitmq.url, Path(folder), servers.guard, **own) as deployment:
            others = [deployment.start(name) for name in ("worker", "clock")]
            rpc = deployment.start("rpc", ready=is_serving)
            groups: Groups = {
                "rpc": [psutil.Process(rpc.pid)],
                "worker and clock": [psutil.Process(process.pid) for process in others],
                **servers.processes,
            }
            if arguments.workers_aside:
                _put_aside(groups["worker and clock"])
            asyncio.run(measure(f"127.0.0.1:{port}", database_url, arguments.watches, arguments.seconds, groups))


def _put_aside(roots: Sequence[psutil.Process]) -> None:
    """Have processes take only what CPU the others leave; nice is of each thread, and what they start inherits it."""
    for root in roots:
        for process in (root, *root.children(recursive=True)):
            for thread in process.threads():
                os.setpriority(os.PRIO_PROCESS, thread.id, 19)


if __name__ == "__main__":
    main()
