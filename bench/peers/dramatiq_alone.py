"""The ceiling: Dramatiq behind Falcon without any state; messages are persistent and confirmed, rows there are none."""

from __future__ import annotations

import mmap
import os
import struct
from functools import cache
from pathlib import Path
from typing import Any

import dramatiq
import falcon
from dramatiq.brokers.rabbitmq import RabbitmqBroker

broker = RabbitmqBroker(url=os.environ["RABBITMQ_URL"], confirm_delivery=True)
dramatiq.set_broker(broker)


@cache
def counter() -> mmap.mmap:
    """Return what this worker process has done, where the benchmark can read it: eight bytes of a file."""
    path = Path(os.environ["COUNTERS"]) / str(os.getpid())
    path.write_bytes(bytes(8))
    with path.open("r+b") as file:
        return mmap.mmap(file.fileno(), 8)


@dramatiq.actor
def work(payload: dict[str, Any]) -> None:
    """Count; a process has one thread."""
    done = counter()
    struct.pack_into("<q", done, 0, struct.unpack_from("<q", done)[0] + 1)


class Health:
    """`/health`"""

    def on_get(self, req: Any, resp: Any) -> None:
        resp.media = {"status": "ok"}


class Tasks:
    """`/tasks`"""

    def on_post(self, req: Any, resp: Any) -> None:
        resp.media = {"task_id": work.send(req.media["payload"]).message_id, "status": "queued"}
        resp.status = falcon.HTTP_202


class Batches:
    """`/tasks/batch`"""

    def on_post(self, req: Any, resp: Any) -> None:
        ids = [work.send(task["payload"]).message_id for task in req.media["tasks"]]
        resp.media = {"tasks": [{"task_id": task_id, "status": "queued"} for task_id in ids]}
        resp.status = falcon.HTTP_202


app = falcon.App()
app.add_route("/health", Health())
app.add_route("/tasks", Tasks())
app.add_route("/tasks/batch", Batches())
