"""The same for Flower beside Celery: throughput with its page of workers open 200 times and without, in turns."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import httpx2

from bench.contestants import CONTESTANTS, PEERS, Running, running
from bench.dashboard.engine import OPENED, Turns, turns_of
from bench.servers import Servers
from tests.processes import ROOT
from tests.servers import eventually, free_port

CELERY = CONTESTANTS[1]
APPLICATION = "bench.peers.fastapi_celery:celery"
#: Seconds between two requests of the page of workers, as its script has it unless told otherwise.
EVERY = 1.0


def measure(servers: Servers, count: int, pairs: int, seconds: float) -> Turns:
    """Measure turns without Flower, and with it and so many who look at it."""
    with running(CELERY, servers, servers.folder / "flower") as celery:
        return turns_of(celery, pairs, seconds, lambda: looking(celery, count))


@contextmanager
def looking(celery: Running, count: int) -> Iterator[dict[str, Any]]:
    """Run Flower, which has the workers tell of each task, and have its page open so many times."""
    port = free_port()
    environment = celery.own["worker"][0].environ()
    command = [str(PEERS / "celery"), "-A", APPLICATION]
    flower = subprocess.Popen(
        [*command, "flower", f"--port={port}", "--logging=error"],
        env=environment,
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    viewers: subprocess.Popen[bytes] | None = None
    try:
        answers = f"{url}/workers"
        eventually(lambda: httpx2.get(answers, timeout=5).status_code == 200, seconds=60, reason="Flower answers")
        viewers = subprocess.Popen(
            [sys.executable, "-m", "bench.dashboard.flower", url, str(count)], stdin=subprocess.PIPE
        )
        time.sleep(OPENED)
        yield {}
    finally:
        if viewers is not None:
            viewers.communicate(timeout=30)
        flower.kill()
        flower.wait()
        silence = [*command, "control", "disable_events"]
        subprocess.run(silence, env=environment, cwd=ROOT, capture_output=True, check=False)


async def _look(url: str, count: int) -> None:
    """Ask as so many pages do, each for itself, until standard input ends."""
    host, _, port = url.removeprefix("http://").partition(":")

    async def page(delay: float) -> None:
        await asyncio.sleep(delay)
        while True:
            began = time.monotonic()
            # It may not keep up; a browser asks again as well.
            with suppress(OSError):
                reader, writer = await asyncio.open_connection(host, int(port))
                writer.write(f"GET /workers?json=1 HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
                await reader.read()
                writer.close()
            await asyncio.sleep(max(0.0, began + EVERY - time.monotonic()))

    pages = [asyncio.create_task(page(EVERY * number / count)) for number in range(count)]
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    for task in pages:
        task.cancel()


if __name__ == "__main__":
    asyncio.run(_look(sys.argv[1], int(sys.argv[2])))
