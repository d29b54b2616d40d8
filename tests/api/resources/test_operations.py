"""What operators ask over HTTP: health, metrics, queues, workers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from broker.topology import QUEUES
from pipeline import STAGES
from settings import Settings
from tests.api.conftest import Client
from tests.guard import Guard
from tests.processes import Deployment
from tests.rabbitmq import RabbitServer
from tests.servers import eventually, free_port

#: Seconds of silence after which a worker counts as dead, unless it is set.
LEASE = Settings.model_fields["lease_seconds"].default


def health(deployment: Deployment) -> dict[str, Any]:
    """What `/health` says, which is always a 200."""
    answer = deployment.http.get("/health")
    assert answer.status_code == 200
    state: dict[str, Any] = answer.json()
    assert (state["status"] == "ok") == all(check["status"] == "up" for check in state["checks"].values())
    return state


def test_health_says_whether_anybody_works_and_whether_a_clock_ticks(deployment: Deployment) -> None:
    deployment.environment["LEASE_SECONDS"] = "3"
    deployment.start("web")
    assert deployment.http.get("/livez").json() == {"status": "ok"}
    up = {"status": "ok", "checks": {"postgresql": {"status": "up"}, "rabbitmq": {"status": "up"}}}
    eventually(lambda: deployment.http.get("/readyz").json() == up, seconds=20, reason="both servers are reached")
    checks = health(deployment)["checks"]
    assert {name: check["status"] for name, check in checks.items()} == {
        "postgresql": "up",
        "rabbitmq": "up",
        "clock": "down",
        "workers": "up",
    }
    assert "python -m clock" in checks["clock"]["reason"]
    Client(deployment).submit()
    unserved = eventually(lambda: health(deployment)["checks"]["workers"].get("reason"), seconds=30)
    assert "no worker serves default" in unserved
    clock = deployment.start("clock")
    deployment.start("worker")
    eventually(lambda: health(deployment)["status"] == "ok", seconds=30)
    clock.kill()
    eventually(lambda: health(deployment)["checks"]["clock"]["status"] == "down", seconds=30)


def test_health_says_that_the_disk_is_full(deployment: Deployment) -> None:
    # What the server says when it cannot write, as the look that `/health` takes meets it first.
    client = Client(deployment)
    client.execute("CREATE SCHEMA full_disk")
    client.execute(
        "CREATE FUNCTION full_disk.generate_series(integer, integer) RETURNS SETOF integer LANGUAGE plpgsql AS"
        " 'BEGIN RAISE disk_full USING MESSAGE = ''could not write: No space left on device''; END'"
    )
    path = "ALTER DATABASE %I SET search_path = full_disk, pg_catalog, public"
    client.execute(f"DO $$ BEGIN EXECUTE format('{path}', current_database()); END $$")
    deployment.start("web")
    postgres = health(deployment)["checks"]["postgresql"]
    assert postgres["status"] == "full"
    assert "disk is full" in postgres["reason"]
    assert deployment.http.get("/readyz").status_code == 200, "what can be read is served"


@pytest.fixture
def without_rabbitmq(database_url: str, tmp_path: Path, guard: Guard) -> Iterator[Deployment]:
    """A web process that has never reached its broker."""
    away = f"amqp://guest:guest@127.0.0.1:{free_port()}/%2F"
    with Deployment(database_url, away, tmp_path, guard) as deployment:
        deployment.start("web")
        yield deployment


def test_without_rabbitmq_the_service_is_degraded_and_takes_tasks(without_rabbitmq: Deployment) -> None:
    http = without_rabbitmq.http
    accepted = http.post("/api/v1/tasks", json={"task_type": "test"})
    assert accepted.status_code == 202
    assert http.get(accepted.headers["location"]).json()["status"] == "queued"
    state = health(without_rabbitmq)
    assert state["status"] == "degraded"
    assert state["checks"]["postgresql"] == {"status": "up"}
    assert state["checks"]["rabbitmq"]["status"] != "up"
    assert state["checks"]["rabbitmq"]["reason"]
    assert http.get("/readyz").status_code == 200
    queues = {queue["queue"]: queue for queue in http.get("/api/v1/stats/queues").json()["queues"]}
    assert queues["default"]["waiting"] == 1
    assert (queues["default"]["ready"], queues["default"]["consumers"]) == (None, None)


def test_a_database_without_its_migrations_is_not_ready(
    empty_database_url: str, rabbitmq: RabbitServer, tmp_path: Path, guard: Guard
) -> None:
    with Deployment(empty_database_url, rabbitmq.url, tmp_path, guard) as deployment:
        deployment.start("web")
        answer = deployment.http.get("/readyz")
        assert (answer.status_code, answer.json()["status"]) == (503, "unavailable")
        assert "alembic upgrade head" in answer.json()["checks"]["postgresql"]["reason"]
        assert deployment.http.get("/livez").status_code == 200
        assert deployment.http.get("/health").status_code == 200
        assert 'dependency_up{name="postgresql"} 0.0' in deployment.http.get("/metrics").text


#: Every metric of the contract, with its type and its labels.
PROMISED = {
    "task_queue_size": ("gauge", {"queue"}),
    "task_processing_duration_seconds": ("histogram", {"task_type"}),
    "task_success_total": ("counter", {"task_type"}),
    "task_failure_total": ("counter", {"task_type", "code"}),
    "task_retry_total": ("counter", {"task_type"}),
    "task_end_to_end_seconds": ("histogram", {"task_type"}),
    "worker_pool_active_count": ("gauge", set()),
    "worker_pool_idle_count": ("gauge", set()),
    "queue_worker_threads": ("gauge", {"queue"}),
    "clock_active_count": ("gauge", set()),
    "callback_delivery_total": ("counter", {"outcome"}),
    "embedding_tokens_total": ("counter", {"embedder"}),
    "queue_message_not_understood_total": ("counter", {"queue"}),
    "queue_consumer_cancelled_total": ("counter", {"queue"}),
    "queue_unserved_total": ("counter", {"queue"}),
    "queue_paused": ("gauge", {"queue"}),
    "task_open_count": ("gauge", {"status"}),
    "task_backlog_size": ("gauge", set()),
    "task_backlog_limit": ("gauge", set()),
    "callback_owed_count": ("gauge", set()),
    "callback_oldest_age_seconds": ("gauge", set()),
    "process_active_count": ("gauge", {"kind"}),
    "clock_heartbeat_age_seconds": ("gauge", set()),
    "dependency_up": ("gauge", {"name"}),
    "task_manager_build_info": ("gauge", {"version"}),
}


def test_every_metric_that_is_promised_is_exposed(client: Client, kb_id: str) -> None:
    client.take_in(kb_id, "Green tea.", "d")
    client.ended(client.upload(kb_id, b"", "empty.txt").json()["task_id"])
    eventually(
        lambda: 'code="empty",task_type="document_processing"' in client.http.get("/metrics").text,
        reason="it is counted",
    )
    answer = client.http.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    for name, (kind, labels) in PROMISED.items():
        family = families[name.removesuffix("_total")]
        assert family.type == kind, name
        for sample in family.samples:
            assert sample.labels.keys() - {"le"} == labels, sample
    values = {
        (sample.name, frozenset(sample.labels.values())): sample.value
        for family in families.values()
        for sample in family.samples
    }
    for stage in (*STAGES, "document_processing"):
        assert values["task_success_total", frozenset([stage])] >= 1
    assert values["task_failure_total", frozenset(["document_processing", "empty"])] >= 1
    assert values["task_end_to_end_seconds_count", frozenset(["document_processing"])] >= 2
    for queue in QUEUES:
        assert values["task_queue_size", frozenset([queue])] >= 0
        assert values["task_queue_oldest_age_seconds", frozenset([queue])] >= 0
        assert values["queue_worker_threads", frozenset([queue])] == 10
    assert kb_id not in answer.text


def test_the_queues_show_what_waits(idle_client: Client) -> None:
    idle_client.submit()

    def shown() -> dict[str, Any]:
        queues = {queue["queue"]: queue for queue in idle_client.http.get("/api/v1/stats/queues").json()["queues"]}
        assert set(queues) == set(QUEUES)
        default: dict[str, Any] = queues["default"]
        return default if default["waiting"] else {}

    default = eventually(shown, seconds=10)
    assert default["oldest_age_seconds"] >= 0
    assert (default["consumers"], default["dead_lettered"], default["worker_threads"]) == (0, 0, 0)


def test_figures_come_from_one_snapshot_that_says_how_old_it_is(idle_client: Client) -> None:
    began = datetime.now(UTC)
    of_all = {idle_client.http.get(f"/api/v1/stats/{name}").json()["as_of"] for name in ("queues", "workers") * 20}
    for as_of in of_all:
        assert datetime.fromisoformat(as_of) > began - timedelta(seconds=40)
    assert len(of_all) < 40
    eventually(lambda: idle_client.http.get("/api/v1/stats/queues").json()["as_of"] > max(of_all), seconds=40)


def test_the_workers_show_their_threads(client: Client) -> None:
    shown = client.http.get("/api/v1/stats/workers").json()
    (worker,) = shown["workers"]
    assert worker["threads"] == 10 == shown["active"] + shown["idle"]
    assert worker["name"]
    assert worker["heartbeat_at"].endswith("Z")
    for query, count in (({"queue": "default"}, 1), ({"queue": "none"}, 0)):
        answer = client.http.get("/api/v1/stats/workers", params=query).json()
        assert len(answer["workers"]) == count
        assert answer["active"] + answer["idle"] == 10, "of all processes"
    assert client.http.get("/api/v1/stats/workers", params={"state": "late"}).status_code == 422


def test_workers_are_listed_by_the_page_and_by_what_they_are(client: Client) -> None:
    def find(**query: Any) -> tuple[list[str], str | None]:
        shown = client.http.get("/api/v1/stats/workers", params=query).json()
        return [process["worker_id"] for process in shown["workers"]], shown["next_cursor"]

    ((worker,), _) = find()
    last = "ffffffff-ffff-7fff-8fff-ffffffffffff"
    client.execute(f"""
        INSERT INTO workers (id, name, kind, queues, threads, heartbeat_at)
        VALUES ('{last}', 'another', 'worker', '{{callback}}', 4, now() + interval '1 hour')
    """)
    try:
        eventually(lambda: find()[0] == [worker, last], seconds=30, reason="the snapshot has it")
        (first,), cursor = find(limit=1)
        assert first == worker
        assert find(limit=1, cursor=cursor) == ([last], None)
        assert find(queue="default") == ([worker], None)
        assert find(state="idle", queue="callback")[0][-1] == last
        assert last not in find(state="working")[0] + find(state="silent")[0]
        client.execute(
            f"UPDATE workers SET heartbeat_at = now() - interval '{0.6 * LEASE} seconds' WHERE id = '{last}'"
        )
        eventually(lambda: last in find(state="silent")[0], seconds=30, reason="it is silent")
    finally:
        client.execute(f"DELETE FROM workers WHERE id = '{last}'")


def test_queues_are_listed_by_what_they_are(idle_client: Client) -> None:
    def find(state: str) -> list[str]:
        shown = idle_client.http.get("/api/v1/stats/queues", params={"state": state}).json()
        return [queue["queue"] for queue in shown["queues"]]

    idle_client.submit()
    idle_client.http.post("/api/v1/queues/storing/pause")
    try:
        eventually(lambda: find("paused") == ["storing"], seconds=30, reason="the snapshot has it")
        assert "default" in find("waiting")
        assert "default" in find("no_worker")
        assert find("running") == []
        assert idle_client.http.get("/api/v1/stats/queues", params={"state": "late"}).status_code == 422
    finally:
        idle_client.http.post("/api/v1/queues/storing/resume")
