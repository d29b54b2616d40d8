"""The PostgreSQL and the RabbitMQ that every measurement shares, as the tests start them: fsync on, nothing tuned."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import psutil
import psycopg2

from bench.cpu import Groups
from tests.guard import Guard
from tests.postgres import Postgres, postgres
from tests.rabbitmq import RabbitNode, private_node


@dataclass(frozen=True)
class Servers:
    """Both servers, a folder of the run's own, and who removes them if the run dies."""

    postgres: Postgres
    rabbitmq: RabbitNode
    folder: Path
    guard: Guard

    @cached_property
    def processes(self) -> Groups:
        """The first process of each server, on this machine."""
        connection = psycopg2.connect(self.postgres.url)
        with connection.cursor() as cursor:
            cursor.execute("SHOW data_directory")
            (data,) = cursor.fetchone() or ("",)
        connection.close()
        broker = int(self.rabbitmq.control("eval", "list_to_integer(os:getpid()).").strip())
        return {"PostgreSQL": [postmaster(Path(data))], "RabbitMQ": [psutil.Process(broker)]}


def postmaster(data: Path) -> psutil.Process:
    """Return the first process of the PostgreSQL that has its data in a folder."""
    return psutil.Process(int((data / "postmaster.pid").read_text().splitlines()[0]))


@contextmanager
def start(prefix: str) -> Iterator[Servers]:
    """Start servers of the run's own, which end with it."""
    guard = Guard()
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    guard.remove_later(folder)
    server = postgres(folder / "postgres", guard)
    node = private_node(folder / "rabbitmq", guard)
    try:
        yield Servers(server, node, folder, guard)
    finally:
        node.close()
        server.close()
        guard.close()
