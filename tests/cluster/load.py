"""Clients that submit while something is done to a deployment, and what became of it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tests.processes import Process
from tests.reliability.submitters import Client

#: Seconds until a process is ready, on a machine that does all of this at once.
PATIENCE = 180.0


@contextmanager
def load(urls: Sequence[str], *, keyed: bool) -> Iterator[list[Client]]:
    """Have clients submit, until what is within has been done; see `Client`."""
    stop = threading.Event()
    clients = [Client(urls, number, stop, keyed=keyed) for number in (1, 2, 3)]
    for client in clients:
        client.start()
    try:
        yield clients
    finally:
        stop.set()
        for client in clients:
            client.join()


def accepted(clients: Sequence[Client]) -> list[str]:
    """The ids of the tasks that were accepted so far."""
    return [task_id for client in clients for request in client.requests for task_id in request.task_ids]


def errors(processes: Sequence[Process]) -> list[str]:
    """The lines that processes wrote as errors."""
    lines = [line for process in processes for line in process.log.splitlines()]
    return [line for line in lines if not line.startswith("{") or json.loads(line)["level"] in ("error", "critical")]
