"""The PostgreSQL and the RabbitMQ that every measurement shares, as the tests start them: fsync on, nothing tuned."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.guard import Guard
from tests.postgres import Postgres, postgres
from tests.rabbitmq import RabbitNode, private_node


@dataclass(frozen=True, slots=True)
class Servers:
    """Both servers, a folder of the run's own, and who removes them if the run dies."""

    postgres: Postgres
    rabbitmq: RabbitNode
    folder: Path
    guard: Guard


@contextmanager
def servers(prefix: str) -> Iterator[Servers]:
    """Servers of the run's own, which end with it."""
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
