"""A worker that is stopped at one of its writes for longer than its lease: what it then goes on with counts no more."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest

from tests.cohere_server import CohereServer
from tests.processes import Process
from tests.reliability.conftest import House
from tests.reliability.test_crashes import AT_ITS_WRITE, TABLES, WRITTEN_AT_ONCE
from tests.servers import eventually

#: What stages write; of a version not `created_at`, which says when it was begun.
WRITTEN = {
    "versions": "(id, text, embedder, chunks, tokens_embedded, chunks_reused, warnings, number)",
    "drafts": "every",
    "draft_vectors": "every",
    "chunks": "every",
    "documents": "every",
}


def text_about(subject: str) -> str:
    """Some pages of which no two have a chunk in common."""
    return "\n\n".join(f"Paragraph {n} of {subject} says what {n * 7919 % 1009} is about. " * 5 for n in range(30))


def written(house: House) -> dict[str, list[Any]]:
    return {
        table: house.sql(f"SELECT {columns}::text FROM {table} AS every ORDER BY 1")
        for table, columns in WRITTEN.items()
    }


def stop_at_its_write(house: House, stage: str, table: str) -> tuple[Process, str]:
    """A worker that is stopped while it waits for a lock that a stage's write needs, and the task taken from it."""
    worker = house.deployment.start("worker")
    taken = "SELECT deaths FROM tasks WHERE id = %s AND worker_id IS NULL"
    with house.locked(table):
        task_id = house.document(text_about(stage), stage)
        house.at_work(task_id, stage)
        eventually(lambda: house.sql(AT_ITS_WRITE) == [(1,)], seconds=20, reason=f"{stage} is at its write")
        os.killpg(worker.pid, signal.SIGSTOP)
        eventually(lambda: house.sql(taken, task_id) == [(1,)], seconds=30, reason=f"{stage} is taken from it")
    return worker, task_id


def go_on(house: House, worker: Process) -> None:
    """Let a stopped worker go on, until it says that it lives and has had time for what it was at."""
    os.killpg(worker.pid, signal.SIGCONT)
    alive = "SELECT count(*) FROM workers WHERE kind = 'worker'"
    eventually(lambda: house.sql(alive) == [(2,)], seconds=20, reason="it is back")
    assert house.ended(house.submit(task_type="test"))["status"] == "completed"


def stop_and_go_on(house: House, stage: str, table: str) -> None:
    """Stop a worker at a write, let another do its task, and let it go on: it changes nothing."""
    # What is in the hands of a consumer that is stopped comes back when RabbitMQ misses its heartbeats.
    house.deployment.environment["RABBITMQ_URL"] += "?heartbeat=5"
    house.open("web", "clock")
    first, task_id = stop_at_its_write(house, stage, table)
    house.deployment.start("worker")
    shown = house.ended(task_id, seconds=120)
    assert shown["status"] == "completed", shown["error"]
    made = written(house)
    go_on(house, first)
    assert written(house) == made
    assert house.show(task_id)["result"] == shown["result"]


@pytest.mark.parametrize("stage", TABLES)
def test_a_worker_stopped_at_its_write_changes_nothing_when_it_goes_on(
    house: House, cohere: CohereServer, stage: str
) -> None:
    stop_and_go_on(house, stage, TABLES[stage])
    assert len(cohere.texts) == len(set(cohere.texts)) > 0, "no text is paid twice"


@pytest.mark.parametrize("table", WRITTEN_AT_ONCE)
def test_a_worker_stopped_in_a_single_pass_changes_nothing_when_it_goes_on(house: House, table: str) -> None:
    stop_and_go_on(house, "preprocessing", table)
