"""Why a task does not run, over HTTP: every reason, brought about by the functions that a worker calls."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from broker.in_process import InProcessBroker
from broker.topology import QUEUES
from errors import TaskError
from models import database, rate_limit
from models.base import new_id, rfc3339
from pipeline import STAGES
from tasks.dispatching import pausing
from tasks.ending.ending import cancel
from tasks.process import process_id
from tasks.transactions import unit
from tasks.transactions.unit import unit_of_work
from tasks.views.why import REASONS
from tasks.working import failing, fence, presence, work
from tasks.working.claim import Advance
from tasks.working.failing import Failure
from tests.api.conftest import Client, is_problem
from tests.guard import Guard
from tests.postgres import Postgres
from tests.processes import Deployment
from tests.rabbitmq import RabbitServer
from tests.servers import eventually
from tests.tasks.conftest import Desk

DOCUMENT = {"task_type": "document_processing", "kb_id": "kb", "payload": {"content": "text", "document_id": "d"}}


@pytest.fixture(scope="module")
def web(
    postgres: Postgres,
    rabbitmq_server_of_the_run: RabbitServer,
    tmp_path_factory: pytest.TempPathFactory,
    guard: Guard,
) -> Iterator[Deployment]:
    """Web alone; the tests do themselves what workers do."""
    with (
        postgres.database() as database_url,
        rabbitmq_server_of_the_run.fresh() as rabbitmq,
        Deployment(
            database_url, rabbitmq.url, tmp_path_factory.mktemp("why"), guard, MAX_CONCURRENT_TASKS="3"
        ) as deployment,
    ):
        deployment.start("web")
        yield deployment


class Office(Desk):
    """A service with nothing in it, and a worker that the test plays."""

    def __init__(self, web: Deployment) -> None:
        super().__init__(InProcessBroker())
        self.client = Client(web)
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self.sql("TRUNCATE tasks, batches, locks, shards, paused_queues, workers, paces, versions CASCADE")

    def submitted(self, **fields: Any) -> UUID:
        """Submit a task over HTTP, of type `test` unless told otherwise."""
        return UUID(self.client.submit(**fields))

    def serve(self, threads: int = 2) -> None:
        """Say that a worker serves all queues."""
        with database.transaction() as session:
            presence.beat(session, "worker", queues=QUEUES, threads=threads)

    def embedding(self) -> UUID:
        """Return a task that embeds a document by Cohere."""
        task_id = self.submitted(**DOCUMENT)
        for stage in STAGES[: STAGES.index("embedding")]:
            self.within(work.advance, Advance(self.held(task_id, stage)))
        self.held(task_id, "embedding")
        self.sql(
            """
            INSERT INTO versions (id, kb_id, document_id, format, sha256, size, characters, text, anchors, embedder)
            VALUES (:id, 'kb', 'd', 'text', '', 4, 4, 'text', '[]', 'cohere:embed-v4.0:1024')
            """,
            id=task_id,
        )
        return task_id

    def why(self, task_id: UUID) -> dict[str, Any]:
        """Ask why a task does not run."""
        answer = self.client.http.get(f"/api/v1/tasks/{task_id}/why")
        assert answer.status_code == 200, answer.text
        content: dict[str, Any] = answer.json()
        assert content["detail"]
        assert content["detail_zh"]
        assert content["since"] is None or datetime.fromisoformat(content["since"]) <= datetime.now(UTC)
        return content

    def reason(self, task_id: UUID) -> tuple[str, Any]:
        """Return the reason, and what is waited for if it is one thing."""
        content = self.why(task_id)
        causes = content["waiting_for"]
        return content["reason"], causes[0] if len(causes) == 1 else causes

    def shown(self, task_id: UUID) -> dict[str, Any]:
        """Return the task as it is shown."""
        task: dict[str, Any] = self.client.http.get(f"/api/v1/tasks/{task_id}").json()
        return task


@pytest.fixture
def office(web: Deployment) -> Iterator[Office]:
    database.connect(web.database_url, pool_size=5, application_name="tests")
    office = Office(web)
    unit.use_broker(office.broker)
    # Another test may have had the broker stopped.
    eventually(lambda: web.http.get("/readyz").json()["checks"]["rabbitmq"]["status"] == "up", seconds=30)
    yield office
    database.disconnect()


def fail(office: Office, task_id: UUID, code: str, stage: str = "test") -> None:
    office.within(failing.fail, Failure(office.held(task_id, stage), TaskError(code, "x")))


def test_there_is_no_reason_for_a_task_that_does_not_exist(office: Office) -> None:
    is_problem(office.client.http.get(f"/api/v1/tasks/{new_id()}/why"), 404)


def test_every_reason_is_described_and_has_its_test() -> None:
    assert {reason.name for reason in REASONS} == {
        name.split("__")[1] for name in globals() if name.startswith("test_it_is__")
    }


def test_it_is__ended(office: Office) -> None:
    task_id = office.submitted()
    office.within(cancel, task_id)
    assert office.why(task_id)["since"] == office.shown(task_id)["finished_at"]
    assert office.reason(task_id) == ("ended", [])


def test_it_is__running(office: Office) -> None:
    task_id = office.submitted()
    office.held(task_id)
    assert office.why(task_id)["since"] == office.shown(task_id)["attempts"][0]["started_at"]
    assert office.reason(task_id) == ("running", [])


def test_it_is__running__while_any_of_its_shards_is_held(office: Office) -> None:
    task_id = office.submitted(**DOCUMENT)
    office.within(work.advance, Advance(office.held(task_id, "preprocessing"), shards=[(0, 1), (1, 2)]))
    office.serve()
    assert office.reason(task_id)[0] == "behind"
    office.held(task_id, "preprocessing")
    assert office.reason(task_id)[0] == "running"


def test_it_is__isolation(office: Office) -> None:
    office.serve()
    task_id = office.submitted()
    office.held(task_id)
    with unit_of_work() as unit:
        failing.requeue(unit, process_id())
    assert office.reason(task_id) == ("isolation", {"kind": "worker", "queue": "default"})
    claim = office.held(task_id)
    assert office.reason(task_id) == ("isolation", {"kind": "process", "worker_id": str(process_id())})
    with database.transaction() as session:
        assert fence.begin(session, claim)
    assert office.reason(task_id)[0] == "running"


def test_it_is__provider_pace(office: Office) -> None:
    task_id = office.embedding()
    assert office.reason(task_id)[0] == "running"
    with database.transaction() as session:
        rate_limit.hold(session, "openai requests", 60)
    assert office.reason(task_id)[0] == "running", "another provider's pace is no reason"
    with database.transaction() as session:
        rate_limit.hold(session, "cohere requests", 60)
    reason, pace = office.reason(task_id)
    assert (reason, pace["name"]) == ("provider_pace", "cohere requests")
    assert datetime.fromisoformat(pace["free_at"]) > datetime.now(UTC) + timedelta(seconds=30)


def test_it_is__depends(office: Office) -> None:
    first, second = office.submitted(), office.submitted()
    task_id = office.submitted(depends_on=[str(first), str(second)])
    office.held(first)
    office.within(cancel, second)
    assert office.why(task_id)["reason"] == "ended", "one that it depends on was cancelled"
    task_id = office.submitted(depends_on=[str(first)])
    awaited = {"kind": "task", "task_id": str(first), "status": "processing", "stage": "test"}
    assert office.reason(task_id) == ("depends", awaited)
    assert office.why(task_id)["since"] == office.shown(task_id)["created_at"]


def test_it_is__locked(office: Office) -> None:
    office.serve()
    first, second = office.submitted(**DOCUMENT), office.submitted(**DOCUMENT)
    awaited = {"kind": "task", "task_id": str(first), "status": "queued", "stage": "preprocessing"}
    assert office.reason(second) == ("locked", awaited), "what was submitted first goes first"
    office.held(first, "preprocessing")
    awaited["status"] = "processing"
    assert office.reason(second) == ("locked", awaited), "nobody has looked at it yet"
    assert office.claim(second, "preprocessing") is None
    assert office.shown(second)["status"] == "waiting"
    assert office.reason(second) == ("locked", awaited)
    assert office.why(second)["since"] == office.shown(first)["started_at"]


def test_it_is__scheduled(office: Office) -> None:
    run_at = (datetime.now(UTC) + timedelta(hours=1)).replace(microsecond=0)
    task_id = office.submitted(run_at=run_at.isoformat())
    assert office.reason(task_id) == ("scheduled", {"kind": "time", "due_at": office.shown(task_id)["due_at"]})


def test_it_is__scheduled__also_to_be_ended_by_the_clock(office: Office) -> None:
    task_id = office.submitted(expires_at=(datetime.now(UTC) + timedelta(hours=1)).isoformat())
    office.sql("UPDATE tasks SET expires_at = now() - interval '1 s'")
    assert office.reason(task_id) == ("scheduled", {"kind": "clock"})


def test_it_is__retry(office: Office) -> None:
    task_id = office.submitted()
    fail(office, task_id, "fetch_failed")
    shown = office.shown(task_id)
    awaited = {"kind": "time", "due_at": shown["due_at"], "error": shown["error"]}
    assert office.reason(task_id) == ("retry", awaited)
    assert "fetch_failed" in office.why(task_id)["detail"]
    assert office.why(task_id)["since"] == shown["attempts"][0]["finished_at"]


def test_it_is__retry__when_all_shards_that_are_left_were_put_off(office: Office) -> None:
    task_id = office.submitted(**DOCUMENT)
    office.within(work.advance, Advance(office.held(task_id, "preprocessing"), shards=[(0, 1), (1, 2)]))
    for _ in range(2):
        fail(office, task_id, "fetch_failed", "preprocessing")
    reason, awaited = office.reason(task_id)
    assert (reason, awaited["error"]["code"]) == ("retry", "fetch_failed")
    (last,) = office.sql("SELECT max(put_off_at) AS at FROM shards WHERE task_id = :id", id=task_id)
    assert office.why(task_id)["since"] == rfc3339(last.at), "since the last of them was put off"
    assert datetime.fromisoformat(awaited["due_at"]) > datetime.now(UTC) - timedelta(minutes=1)


def test_it_is__paused(office: Office) -> None:
    office.serve()
    task_id = office.submitted()
    with unit_of_work() as unit:
        pausing.pause(unit, "default", by="ops", reason="maintenance")
    reason, awaited = office.reason(task_id)
    assert reason == "paused"
    assert awaited == {
        "kind": "queue",
        "queue": "default",
        "paused_by": "ops",
        "paused_at": office.why(task_id)["since"],
        "reason": "maintenance",
    }
    assert "by ops (maintenance)" in office.why(task_id)["detail"]


def test_it_is__no_worker(office: Office) -> None:
    task_id = office.submitted()
    with database.transaction() as session:
        presence.beat(session, "worker", queues=["embedding"], threads=2)
    assert office.reason(task_id) == ("no_worker", {"kind": "worker", "queue": "default"})
    office.serve()
    office.sql("UPDATE workers SET heartbeat_at = now() - interval '1 hour', queues = '{default}'")
    assert office.reason(task_id)[0] == "no_worker", "the only one was not heard of for long"


def test_it_is__no_worker__for_what_a_later_release_knows(office: Office) -> None:
    office.serve()
    task_id = office.submitted()
    office.sql("UPDATE tasks SET task_type = 'of_tomorrow'")
    assert office.reason(task_id)[0] == "no_worker"
    assert "of_tomorrow" in office.why(task_id)["detail"]


def test_it_is__limit(office: Office) -> None:
    office.serve(threads=4)
    for _ in range(3):
        office.held(office.submitted())
    task_id = office.submitted()
    assert office.reason(task_id) == ("limit", {"kind": "limit", "running": 3, "most": 3})


def test_it_is__behind(office: Office) -> None:
    office.serve()
    for kb_id, count in (("a", 3), ("b", 1), ("c", 5)):
        office.submit(count, kb_id=kb_id)
    task_id = office.submitted(kb_id="c")
    urgent = office.submit(2, priority="urgent", kb_id="c")
    reason, awaited = office.reason(task_id)
    assert reason == "behind"
    assert (awaited["ahead"], awaited["or_more"]) == (5 + 3 + 1 + 2, False)
    assert office.reason(urgent[1])[1]["ahead"] == 1


def test_it_is__broker_away(
    rabbit_node: Any, breakable_deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    breakable_deployment.start("web")
    client = Client(breakable_deployment)
    task_id = client.submit()
    client.execute(
        f"INSERT INTO workers (id, kind, name, queues, threads) VALUES ('{new_id()}', 'worker', 'w', '{{default}}', 1)"
    )

    def reason() -> str:
        return str(client.http.get(f"/api/v1/tasks/{task_id}/why").json()["reason"])

    eventually(lambda: reason() == "behind", seconds=20, reason="RabbitMQ is reached")
    rabbit_node.stop()
    eventually(lambda: reason() == "broker_away", seconds=20, reason="web notices that RabbitMQ is away")
    client.execute(f"UPDATE workers SET current = ARRAY['{task_id}'::uuid]")
    assert reason() == "behind", "whoever is at work takes it without being woken"
