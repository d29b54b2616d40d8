"""What every server of the tests needs: a free port, waiting, and saying that one is missing."""

from __future__ import annotations

import fcntl
import random
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

Answer = TypeVar("Answer")


class ServerMissing(Exception):
    """A server is not to be had on this machine; the message says which command would help."""


#: Below the ports that Linux gives to outgoing connections: one of those could take a port before its server does.
PORTS = range(15_000, 32_000)


def free_port() -> int:
    """A TCP port of the loopback interface that nobody listens on at this moment.

    Several runs and several processes of a run ask at once, so it is drawn by chance.
    """
    while True:
        port = random.SystemRandom().choice(PORTS)
        with socket.socket() as listener:
            try:
                listener.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


@contextmanager
def one_at_a_time(what: str) -> Iterator[None]:
    """Keep other processes of this machine from doing the same, such as installing a package."""
    with (Path(tempfile.gettempdir()) / f"task-manager-tests-{what}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def eventually(ask: Callable[[], Answer], *, seconds: float = 10.0, every: float = 0.05, reason: str = "") -> Answer:
    """The first true answer of `ask`, asked again and again; an error counts as no answer yet.

    Raises:
      AssertionError: when there was none in time; says what the last answer or error was.
    """
    deadline = time.monotonic() + seconds
    while True:
        last: object
        try:
            answer = ask()
            if answer:
                return answer
            last = answer
        except Exception as error:
            last = error
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:g} s: {reason or ask}; the last answer was {last!r}")
        time.sleep(every)
