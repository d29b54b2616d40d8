"""A restore to an earlier moment under load: what RabbitMQ still knows is harmless, what PostgreSQL knows ends."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.api.resources.test_events import follow
from tests.backups import script
from tests.cluster.load import PATIENCE, accepted, errors, load
from tests.postgres import Postgres
from tests.processes import Deployment
from tests.rabbitmq import RabbitServer
from tests.receiver import Receiver
from tests.reliability.conftest import House
from tests.reliability.submitters import Client
from tests.reliability.test_ledger import every_document_once, everything_ends
from tests.servers import eventually

#: Tasks before the backup, between it and the end of the old database, and messages that RabbitMQ holds at that end.
BEFORE, BETWEEN, MESSAGES = 80, 40, 5


def messages(rabbitmq: RabbitServer) -> int:
    """How many RabbitMQ holds, dead letters apart."""
    return sum(queue.get("messages", 0) for name, queue in rabbitmq.queues().items() if not name.endswith(".XQ"))


def ended(house: House) -> set[str]:
    """The tasks and batches that have ended."""
    query = """
        SELECT id::text FROM tasks WHERE finished_at IS NOT NULL
        UNION ALL SELECT id::text FROM batches WHERE finished_at IS NOT NULL
    """
    return {subject for (subject,) in house.sql(query)}


def numbers_of(house: House, clients: list[Client]) -> list[int]:
    """The documents whose tasks are there, by their numbers."""
    markers = {marker for (marker,) in house.sql("SELECT metadata->>'marker' FROM tasks")}
    requests = [request for client in clients for request in client.requests]
    return [number for request in requests for marker, number in request.documents.items() if marker in markers]


@pytest.mark.timeout(900)
def test_after_a_restore_all_that_postgresql_knows_ends_and_all_that_rabbitmq_knows_is_harmless(
    postgres: Postgres,
    database_url: str,
    empty_database_url: str,
    rabbitmq: RabbitServer,
    tmp_path: Path,
    deployment: Deployment,
) -> None:
    with Receiver() as receiver:
        house = House(deployment, receiver)
        deployment.patience = PATIENCE
        # A process that a busy machine holds up is not to be taken for a dead one.
        deployment.environment["LEASE_SECONDS"] = "30"
        house.open("web", "worker", "worker", "clock")
        with load([deployment.url], keyed=False) as clients:
            eventually(lambda: len(accepted(clients)) > BEFORE, seconds=120, reason="work is under way")
            first, began = accepted(clients), time.monotonic()
            saved = script("backup.sh", postgres.programs, database_url, tmp_path / "backups")
            assert saved.returncode == 0, saved.stderr
            file, took = Path(saved.stdout.strip()), time.monotonic() - began
            print(f"\nbackup: {took:.1f} s, {file.stat().st_size:,} bytes, {len(first)} tasks before it")
            until_now = len(accepted(clients))
            eventually(lambda: len(accepted(clients)) > until_now + BETWEEN, seconds=120, reason="work goes on")
            for process in deployment.processes[1:3]:
                process.end()
            eventually(lambda: messages(rabbitmq) > MESSAGES, seconds=60, reason="messages wait that nobody takes")
        for process in deployment.processes:
            process.end()
        callbacks = {subject: set(ids) for subject, ids in receiver.ids_by_subject().items()}
        print(f"{len(accepted(clients))} tasks, {messages(rabbitmq)} messages in RabbitMQ when all was lost")

        refused = script("restore.sh", postgres.programs, database_url, file)
        assert (refused.returncode, "not empty" in refused.stderr) == (1, True)
        began = time.monotonic()
        restored = script("restore.sh", postgres.programs, empty_database_url, file)
        assert restored.returncode == 0, restored.stderr
        print(f"restore: {time.monotonic() - began:.1f} s")
        deployment.database_url = deployment.environment["DATABASE_URL"] = empty_database_url
        before = ended(house)
        ids = {task_id for (task_id,) in house.sql("SELECT id::text FROM tasks")}
        assert set(first) <= ids < set(accepted(clients)), (
            "what was accepted before the backup, and not all that came later"
        )
        print(f"{len(ids)} tasks came back, {len(ids - before)} of them open")

        house.open("web", "worker", "worker", "clock")
        everything_ends(house)
        assert house.sql("SELECT DISTINCT status FROM tasks") == [("completed",)]
        assert house.sql("SELECT count(*) FROM tasks WHERE errors > 0 OR crashes > 0 OR retries > 0") == [(0,)]
        every_document_once(house, numbers_of(house, clients))
        eventually(lambda: ended(house) <= receiver.ids_by_subject().keys(), seconds=120, reason="all are called back")
        assert [callback.problem for callback in receiver.received if callback.problem] == []
        again = {subject for subject, known in receiver.ids_by_subject().items() if len(known) > 1}
        assert again.isdisjoint(before), "who had ended is called back under the same id"
        assert again <= callbacks.keys(), "only who was told of an end that came after the backup is told of another"
        print(f"{len(again)} of {len(callbacks)} ends that had been told came a second time, under another id")

        for task_id in sorted(set(accepted(clients)) - ids)[:20]:
            assert deployment.http.get(f"/api/v1/tasks/{task_id}").status_code == 404
        assert next(follow(deployment, "/events", 5))["type"] == "reset"
        eventually(lambda: messages(rabbitmq) == 0, seconds=60, reason="no message is left")
        assert {queue["messages"] for name, queue in rabbitmq.queues().items() if name.endswith(".XQ")} == {0}
        assert errors(deployment.processes[4:]) == []
