"""What operators ask over HTTP: health, metrics, queues, workers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from broker.topology import QUEUES
from tests.api.conftest import Client
from tests.guard import Guard
from tests.processes import Deployment
from tests.rabbitmq import RabbitServer
from tests.servers import free_port


def test_a_whole_service_is_healthy(idle_client: Client) -> None:
    for path in ("/health", "/readyz"):
        answer = idle_client.http.get(path)
        assert (answer.status_code, answer.json()["status"]) == (200, "ok")
        assert {name: check["status"] for name, check in answer.json()["checks"].items()} == {
            "postgresql": "up",
            "rabbitmq": "up",
        }
    assert idle_client.http.get("/livez").json() == {"status": "ok"}


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
    health = http.get("/health")
    assert (health.status_code, health.json()["status"]) == (200, "degraded")
    assert health.json()["checks"]["postgresql"] == {"status": "up"}
    assert health.json()["checks"]["rabbitmq"]["status"] != "up"
    assert health.json()["checks"]["rabbitmq"]["reason"]
    assert http.get("/readyz").status_code == 200
    queues = {each["queue"]: each for each in http.get("/api/v1/stats/queues").json()["queues"]}
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
    "callback_delivery_total": ("counter", {"outcome"}),
    "embedding_tokens_total": ("counter", {"embedder"}),
    "queue_message_not_understood_total": ("counter", {"queue"}),
    "queue_consumer_cancelled_total": ("counter", {"queue"}),
    "queue_unserved_total": ("counter", {"queue"}),
}


def test_every_metric_that_is_promised_is_exposed(client: Client, kb_id: str) -> None:
    client.take_in(kb_id, "Green tea.", "d")
    client.ended(client.upload(kb_id, b"", "empty.txt").json()["task_id"])
    answer = client.http.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    families = {each.name: each for each in text_string_to_metric_families(answer.text)}
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
    for stage in ("preprocessing", "chunking", "embedding", "storing", "indexing", "document_processing"):
        assert values["task_success_total", frozenset([stage])] >= 1
    assert values["task_failure_total", frozenset(["document_processing", "empty"])] >= 1
    assert values["task_end_to_end_seconds_count", frozenset(["document_processing"])] >= 2
    for queue in QUEUES:
        assert values["task_queue_size", frozenset([queue])] >= 0
        assert values["task_queue_oldest_age_seconds", frozenset([queue])] >= 0
    assert kb_id not in answer.text


def test_the_queues_show_what_waits(idle_client: Client) -> None:
    idle_client.submit()
    queues = {each["queue"]: each for each in idle_client.http.get("/api/v1/stats/queues").json()["queues"]}
    assert set(queues) == set(QUEUES)
    assert queues["default"]["waiting"] >= 1
    assert queues["default"]["oldest_age_seconds"] >= 0
    assert (queues["default"]["consumers"], queues["default"]["dead_lettered"]) == (0, 0)


def test_the_workers_show_their_threads(client: Client) -> None:
    shown = client.http.get("/api/v1/stats/workers").json()
    (worker,) = shown["workers"]
    assert worker["threads"] == 10 == shown["active"] + shown["idle"]
    assert worker["name"] and worker["heartbeat_at"].endswith("Z")
