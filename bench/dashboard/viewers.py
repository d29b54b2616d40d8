"""Dashboards that are looked at, as a browser holds them, on one thread.

    python -m bench.dashboard.viewers URL --count 200 / /tasks /queues

Each keeps the stream of one page open, and what it is sent is thrown away; a stream that ends is opened again. Whoever
looks at the overview asks for its plots as well, as often as the page does. Ends with standard input, and prints one
line of JSON: streams that were open at the end, refused and reopened, news and bytes that came, and plots.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections import Counter
from itertools import cycle, islice
from urllib.parse import urlsplit

#: Seconds between two looks at the plots, as in dashboard/static/plots.js.
PLOTS_EVERY = 20.0


class Viewers:
    """All of them, and what came."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 80
        self.counts: Counter[str] = Counter()

    async def look(self, path: str, delay: float) -> None:
        """Look at a page until cancelled.

        Parameters:
          delay: seconds before it is opened, so that not all come in the same moment.
        """
        await asyncio.sleep(delay)
        while True:
            reader, writer = await self._ask(path + ("&" if "?" in path else "?") + "live=1", "text/event-stream")
            try:
                if b" 200 " not in await reader.readline():
                    self.counts["refused"] += 1
                    await asyncio.sleep(5)
                    continue
                self.counts["open"] += 1
                while data := await reader.read(65_536):
                    self.counts["bytes"] += len(data)
                    self.counts["news"] += data.count(b"data: ")
                self.counts["open"] -= 1
                self.counts["reopened"] += 1
            finally:
                writer.close()

    async def plot(self, delay: float) -> None:
        """Ask for the plots of the overview again and again."""
        await asyncio.sleep(delay)
        while True:
            reader, writer = await self._ask("/plots?window=1h", "application/json")
            await reader.read()
            writer.close()
            self.counts["plots"] += 1
            await asyncio.sleep(PLOTS_EVERY)

    async def _ask(self, path: str, accept: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection(self._host, self._port)
        head = f"GET {path} HTTP/1.1\r\nHost: {self._host}:{self._port}\r\nAccept: {accept}\r\n"
        # A stream never ends by itself; a plot's connection is closed, so that its end is seen.
        closing = "" if accept == "text/event-stream" else "Connection: close\r\n"
        writer.write(f"{head}{closing}\r\n".encode())
        return reader, writer


async def watch(url: str, paths: list[str], count: int) -> Counter[str]:
    """Have so many dashboards open until standard input ends."""
    viewers = Viewers(url)
    looks = []
    for number, path in enumerate(islice(cycle(paths), count)):
        delay = 3.0 * number / count
        looks.append(asyncio.create_task(viewers.look(path, delay)))
        if path == "/":
            looks.append(asyncio.create_task(viewers.plot(delay)))
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    for look in looks:
        look.cancel()
    return viewers.counts


def main() -> None:
    """Look, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("url")
    parser.add_argument("paths", nargs="+")
    parser.add_argument("--count", type=int, default=200)
    arguments = parser.parse_args()
    print(json.dumps(asyncio.run(watch(arguments.url, arguments.paths, arguments.count))))


if __name__ == "__main__":
    main()
