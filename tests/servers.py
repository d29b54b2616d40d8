"""What every server of the tests needs: a free port, waiting, and saying that one is missing."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import TypeVar

Answer = TypeVar("Answer")


class ServerMissing(Exception):
    """A server is not to be had on this machine; the message says which command would help."""


def free_port() -> int:
    """A TCP port of the loopback interface that nobody listens on at this moment."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


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
