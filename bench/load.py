"""A load generator that costs little: one request for each connection at a time, on one thread.

    python -m bench.load URL --connections 50 --seconds 5 < body.json

It shares the machine with what it measures, so it does no more than it must: the request is made once, and of an
answer only its status and its length are read. Prints one line of JSON: seconds, statuses, and the percentiles of the
latency in milliseconds.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import select
import socket
import sys
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

RECEIVED_AT_ONCE = 65_536


@dataclass(slots=True)
class _Connection:
    """A socket, what has come of the present answer, and since when it is awaited."""

    socket: socket.socket
    since: float = 0.0
    received: bytes = b""

    def answer(self, data: bytes) -> bytes | None:
        """Add what has come. Returns the status of the answer when all of it has."""
        received = self.received + data if self.received else data
        end = received.find(b"\r\n\r\n")
        if end < 0 or len(received) < end + 4 + _content_length(received):
            self.received = received
            return None
        self.received = b""
        return received[9:12]


_CONTENT_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


def _content_length(answer: bytes) -> int:
    match = _CONTENT_LENGTH.search(answer)
    if match is None:
        raise ValueError(f"an answer without Content-Length: {answer!r}")
    return int(match[1])


def post(
    url: str, body: bytes, *, connections: int, requests: int, seconds: float = math.inf, every: float = 0.0
) -> dict[str, Any]:
    """Send the same POST again and again.

    Parameters:
      connections: requests that are under way at a time.
      requests: how many at most.
      seconds: after which none is sent any more.
      every: seconds between two requests of one connection; 0: each follows the answer to the one before.

    Returns:
      `began`, the time of the first request, `seconds` from then to the last answer, `cpu` seconds that this process
      has used, `statuses` with their counts, and `p50`, `p99` and `max` of the latency in milliseconds.

    Raises:
      ConnectionError: when the server closes a connection.
    """
    parts = urlsplit(url)
    request = (
        f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body
    address = parts.hostname or "", parts.port or 80
    open_connections = dict(_connected(address) for _ in range(min(connections, requests)))
    epoll = select.epoll()
    for descriptor in open_connections:
        epoll.register(descriptor, select.EPOLLIN)
    began, at = time.perf_counter(), time.time()
    sent = 0
    for connection in open_connections.values():
        sent += _send(connection, request)
    latencies: list[float] = []
    statuses: Counter[bytes] = Counter()
    while len(latencies) < sent:
        for descriptor, _ in epoll.poll():
            connection = open_connections[descriptor]
            data = connection.socket.recv(RECEIVED_AT_ONCE)
            if not data:
                raise ConnectionError("the server closed a connection")
            status = connection.answer(data)
            if status is None:
                continue
            now = time.perf_counter()
            latencies.append(now - connection.since)
            statuses[status] += 1
            if sent < requests and now < began + seconds:
                if every:
                    time.sleep(max(0.0, connection.since + every - now))
                sent += _send(connection, request)
    took = time.perf_counter() - began
    epoll.close()
    for connection in open_connections.values():
        connection.socket.close()
    answered = {int(status): count for status, count in statuses.items()}
    return {
        "began": at,
        "seconds": took,
        "cpu": time.process_time(),
        "statuses": answered,
        **_percentiles(latencies),
    }


def _connected(address: tuple[str, int]) -> tuple[int, _Connection]:
    """Return a new connection behind its descriptor."""
    connection = _Connection(socket.create_connection(address))
    connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection.socket.fileno(), connection


def _send(connection: _Connection, request: bytes) -> int:
    connection.since = time.perf_counter()
    connection.socket.sendall(request)
    return 1


def _percentiles(latencies: list[float]) -> dict[str, float]:
    ordered = sorted(latencies)
    return {
        "p50": ordered[len(ordered) // 2] * 1000,
        "p99": ordered[int(len(ordered) * 0.99)] * 1000,
        "max": ordered[-1] * 1000,
    }


def main() -> None:
    """Send what standard input holds, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("url")
    parser.add_argument("--connections", type=int, default=50)
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--every", type=float, default=0.0, help="seconds between two requests of a connection")
    arguments = parser.parse_args()
    body = sys.stdin.buffer.read()
    limits = {"connections": arguments.connections, "requests": arguments.requests, "seconds": arguments.seconds}
    print(json.dumps(post(arguments.url, body, every=arguments.every, **limits)))


if __name__ == "__main__":
    main()
