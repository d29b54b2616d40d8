"""How connections to RabbitMQ are called, and why one failed."""

from __future__ import annotations

import copy
import os
import socket
from collections.abc import Sequence

import pika

from logs import Outage

#: What pika raises where a connection or a channel is there no more.
LOST = (AssertionError, pika.exceptions.AMQPConnectionError, pika.exceptions.AMQPChannelError)

#: RabbitMQ, as this process sees it.
AWAY = Outage("rabbitmq_unreachable")


def process_name(kind: str) -> str:
    """Return a process's name as RabbitMQ shows it: `worker HOST:PID`."""
    return f"{kind} {socket.gethostname()}:{os.getpid()}".strip()


def named(parameters: Sequence[pika.URLParameters], name: str) -> list[pika.URLParameters]:
    """Return the same parameters for a connection of this name."""
    called = [copy.copy(parameter) for parameter in parameters]
    for parameter in called:
        parameter.client_properties = {**(parameter.client_properties or {}), "connection_name": name}
    return called


def why(error: BaseException) -> str:
    """Return what is behind an error of pika, whose own text is often empty."""
    inner: object = error
    while isinstance(inner, BaseException):
        error = inner
        # An error of pika's connector has what it wraps in `exception`.
        inner = getattr(error, "exception", None) or (error.args[0] if error.args else None)
    return f"{type(error).__name__}: {error}".removesuffix(": ")
