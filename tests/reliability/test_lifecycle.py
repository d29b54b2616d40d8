"""The life of tasks in a deployment of two workers and two clocks: times, cancels, pauses, batches, leaders."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg2
import pytest

from tests.guard import Guard
from tests.postgres import Postgres
from tests.processes import Deployment
from tests.rabbitmq import RabbitServer
from tests.receiver import Receiver
from tests.reliability.conftest import LONG, House
from tests.servers import eventually

#: Threads of each of the two workers.
THREADS = 2
#: Takes a child many seconds to read.
LONG_TEXT = "The quick brown fox jumps over the lazy dog. 敏捷的棕色狐狸跳过了懒狗。\n\n".encode() * 200_000


class Village(House):
    """A house of several of each."""

    def __init__(self, deployment: Deployment, receiver: Receiver) -> None:
        super().__init__(deployment, receiver)
        self.open("web")
        self.workers = [deployment.start("worker", WORKER_POOL_SIZE=str(THREADS)) for _ in range(2)]
        self.clocks = [deployment.start("clock", restart=True) for _ in range(2)]

    def post(self, path: str, **body: Any) -> Any:
        """What a request is answered that must succeed."""
        answer = self.deployment.http.post(f"/api/v1{path}", json=body or None)
        assert answer.is_success, answer.text
        return answer.json()

    @contextmanager
    def paused(self, queue: str) -> Iterator[None]:
        """While a queue is paused."""
        self.post(f"/queues/{queue}/pause")
        try:
            yield
        finally:
            self.post(f"/queues/{queue}/resume")


@pytest.fixture(scope="module")
def village(
    postgres: Postgres,
    rabbitmq_server_of_the_run: RabbitServer,
    tmp_path_factory: pytest.TempPathFactory,
    guard: Guard,
) -> Iterator[Village]:
    with (
        postgres.database() as database_url,
        rabbitmq_server_of_the_run.fresh() as rabbitmq,
        Deployment(database_url, rabbitmq.url, tmp_path_factory.mktemp("village"), guard) as deployment,
        Receiver() as receiver,
    ):
        yield Village(deployment, receiver)


def soon(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


def test_a_task_starts_at_its_time_and_not_before(village: Village) -> None:
    task_id = village.submit(task_type="test", run_at=soon(2))
    assert village.show(task_id)["status"] == "waiting"
    shown = village.ended(task_id, seconds=20)
    assert shown["status"] == "completed"
    assert shown["run_at"] <= shown["started_at"]


def test_a_batch_of_every_outcome_is_called_back_with_its_counts(village: Village) -> None:
    test = {"task_type": "test"}
    items = [
        test,
        {"task_type": "document_processing", "kb_id": "kb", "payload": {"content": "", "document_id": "empty"}},
        test | {"name": "cancelled", "run_at": soon(3600)},
        test | {"depends_on": ["cancelled"]},
        test | {"run_at": soon(1), "expires_at": soon(2)},
    ]
    with village.paused("default"):
        batch = village.post("/tasks/batch", tasks=items)
        ids = [task["task_id"] for task in batch["tasks"]]
        late = village.ended(ids[4], seconds=20)
        assert (late["status"], late["error"]["code"]) == ("failed", "expired")
        assert late["started_at"] is None
        assert village.deployment.http.delete(f"/api/v1/tasks/{ids[2]}").status_code == 200
    codes = [
        (shown := village.ended(task_id))["status"] + ((shown["error"] or {}).get("code") or "") for task_id in ids
    ]
    assert codes == ["completed", "failedempty", "cancelled", "faileddependency_failed", "failedexpired"]
    village.called_back_once(*ids, batch["batch_id"])
    shown = village.deployment.http.get(f"/api/v1/batches/{batch['batch_id']}").json()
    assert (shown["status"], shown["total"], shown["progress"]) == ("completed", 5, 100.0)
    (body,) = [callback.body for callback in village.receiver.received if callback.body["data"].get("total") == 5]
    assert body["type"] == "batch.completed"
    counts = {"total": 5, "completed": 1, "failed": 3, "cancelled": 1}
    assert body["data"] == {"batch_id": batch["batch_id"], **counts}


def test_a_document_that_a_child_works_on_stops_within_two_seconds_of_its_cancel(village: Village) -> None:
    """The child is killed, since nobody can ask it to stop: all threads of both workers are free again."""

    def upload(number: int) -> str:
        files = {"file": (f"{number}.txt", LONG_TEXT)}
        answer = village.deployment.http.post("/api/v1/kbs/kb/documents", files=files)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["task_id"])

    ids = [upload(number) for number in range(2 * THREADS)]
    held = "SELECT count(*) FROM tasks WHERE worker_id IS NOT NULL AND stage IN ('preprocessing', 'chunking')"
    eventually(lambda: village.sql(held) == [(len(ids),)], seconds=30, every=0.02, reason="all threads read or split")
    answers = [village.deployment.http.delete(f"/api/v1/tasks/{task_id}").status_code for task_id in ids]
    # Whoever had just read its text was between two stages: nothing had to be stopped.
    assert set(answers) <= {200, 202}
    assert 202 in answers
    began = time.monotonic()
    following = [village.submit(task_type="test") for _ in ids]
    for task_id in following:
        assert village.ended(task_id, seconds=10)["status"] == "completed"
    # 2 s to stop; the rest is what this test itself takes on a busy machine.
    assert time.monotonic() - began < 4
    assert {village.show(task_id)["status"] for task_id in ids} == {"cancelled"}


def test_a_pause_holds_for_all_workers_at_once(village: Village) -> None:
    tasks = [{"task_type": "benchmark", "payload": {"seconds": 0.05}}] * 100
    batch = village.post("/tasks/batch", tasks=tasks)
    started = "SELECT count(*) FROM tasks WHERE batch_id = %s AND started_at IS NOT NULL"
    eventually(lambda: village.sql(started, batch["batch_id"])[0][0] > 10, seconds=20, every=0.01, reason="they run")
    with village.paused("default"):
        ((count,),) = village.sql(started, batch["batch_id"])
        assert 10 < count < 100
        time.sleep(1)
        assert village.sql(started, batch["batch_id"]) == [(count,)], "none has started since the answer"
    done = f"/api/v1/batches/{batch['batch_id']}"
    eventually(
        lambda: village.deployment.http.get(done).json()["counts"]["completed"] == 100,
        seconds=60,
        every=0.2,
        reason="all complete when it is resumed",
    )


def test_a_queue_that_is_resumed_starts_with_what_is_most_urgent(village: Village) -> None:
    tasks = {"task_type": "benchmark", "payload": {"seconds": 0.2}}
    with village.paused("default"):
        for priority in ("normal", "low", "urgent", "high"):
            village.post("/tasks/batch", tasks=[tasks | {"priority": priority, "kb_id": "resumed"}] * 20)
    ended = "SELECT count(*) FROM tasks WHERE kb_id = 'resumed' AND status = 'completed'"
    eventually(lambda: village.sql(ended) == [(80,)], seconds=60, every=0.2, reason="all complete")
    order = [n for (n,) in village.sql("SELECT priority FROM tasks WHERE kb_id = 'resumed' ORDER BY started_at")]
    assert list(dict.fromkeys(order)) == [9, 6, 4, 1]
    assert order.index(4) >= 20, "but for what two workers take at the same moment"
    assert order.index(1) >= 40, "likewise"


@pytest.mark.parametrize("which", [0, 1])
def test_a_clock_that_is_killed_is_replaced_in_seconds(village: Village, which: int) -> None:
    village.clocks[which].kill()
    # What only a clock does: it wakes what becomes due.
    task_id = village.submit(task_type="test", run_at=soon(0.5))
    village.ended(task_id, seconds=10)
    village.deployment.wait_until_ready(village.clocks[which])


def test_one_clock_at_a_time_leads(village: Village) -> None:
    """Whoever has the lock of an entry: while somebody else has it, no clock wakes anything."""
    connection = psycopg2.connect(village.deployment.database_url)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(hashtext('clock wake'))")
            task_id = village.submit(task_type="test", run_at=soon(0.5))
            time.sleep(3)
            assert village.show(task_id)["status"] == "waiting"
    finally:
        connection.close()
    assert village.ended(task_id, seconds=10)["status"] == "completed"


def test_a_retry_by_filter_goes_on_at_the_stage_that_failed(village: Village) -> None:
    rule = "ALTER TABLE draft_vectors ADD CONSTRAINT broken CHECK (index < 0) NOT VALID"
    village.sql(rule)
    try:
        task_id = village.document(LONG, "long", retry_limit=0)
        first = village.ended(task_id)
    finally:
        village.sql("ALTER TABLE draft_vectors DROP CONSTRAINT broken")
    assert (first["status"], first["error"]["stage"]) == ("failed", "embedding")
    assert village.post("/tasks/retry", kb_id="kb", error_code="internal")["task_ids"] == [task_id]
    again = village.ended(task_id)
    assert again["status"] == "completed", again["error"]
    assert again["stages"][:2] == first["stages"][:2], "what was done is not done again"
    types = [
        callback.body["type"]
        for callback in village.receiver.received
        if callback.body["data"].get("task_id") == task_id
    ]
    eventually(lambda: len(village.receiver.ids_by_subject()[task_id]) == 2, reason="each end is told under its own id")
    assert types[:1] == ["task.failed"]
