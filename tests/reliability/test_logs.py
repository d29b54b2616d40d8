"""What the logs say of ordinary days and of bad ones, and what they never say."""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import Any

import pika
import pytest

from tests.guard import Guard
from tests.postgres import OwnPostgres
from tests.processes import Deployment
from tests.rabbitmq import RabbitNode, RabbitServer
from tests.receiver import Receiver
from tests.reliability.conftest import House
from tests.servers import eventually
from tests.test_outbound import Site, answer

SECRET = "s3cr3t"


def test_no_log_holds_the_address_of_a_callback(house: House, receiver: Receiver) -> None:
    house.deployment.environment["LOG_LEVEL"] = "debug"
    house.open("web", "worker")
    url = f"{receiver.url}?token={SECRET}"
    task_id = house.submit(task_type="test", callback_url=url)
    house.called_back_once(task_id)
    # Nor where it cannot be delivered.
    for address in (f"http://127.0.0.1:1/{SECRET}?token={SECRET}", f"http://kb:port/?token={SECRET}"):
        house.submit(task_type="test", callback_url=address)
    worker = house.deployment.processes[1]
    eventually(lambda: worker.log.count("callback_put_off") == worker.log.count("callback_refused") == 1)
    assert SECRET not in house.deployment.logs()
    (answered,) = [line for line in worker.log.splitlines() if "callback_answered" in line]
    assert task_id in answered
    assert "127.0.0.1" in answered


def test_nothing_but_one_column_holds_what_a_url_is_fetched_with(house: House, receiver: Receiver) -> None:
    site = Site()
    house.deployment.environment.update(LOG_LEVEL="debug", SOURCE_ALLOWED_HOSTS=site.host)
    house.open("web", "worker", "clock")
    site.pages["/tea.md"] = site.pages["/tea.md?again"] = answer(200, b"# Tea", content_type="text/markdown")
    site.pages["/locked.md"] = answer(401, b"Who are you?")
    site.pages["/broken.md"] = lambda handler: setattr(handler, "close_connection", True)

    def document(url: str, **headers: str) -> dict[str, Any]:
        payload = {"url": url and site.url(url), "headers": {"Authorization": f"Bearer {SECRET}", **headers}}
        return {"task_type": "document_processing", "kb_id": "kb", "payload": payload, "retry_limit": 0}

    def asked(method: str, path: str, status: int = 200, **more: Any) -> Any:
        response = house.deployment.http.request(method, f"/api/v1{path}", **more)
        assert (response.status_code, SECRET in response.text) == (status, False), response.text
        return response

    task_ids = [house.submit(**document(path)) for path in ("/tea.md", "/locked.md", "/broken.md")]
    task_ids.append(
        asked("POST", "/tasks/batch", 202, json={"tasks": [document("/tea.md?again")]}).json()["tasks"][0]["task_id"]
    )
    asked("POST", "/schedules", 201, json={"cron": "0 4 * * *", "task": document("/tea.md")})
    asked("POST", "/tasks", 422, json=document("", **{SECRET: SECRET, f"{SECRET}:": SECRET}))
    house.called_back_once(*task_ids)
    assert [house.show(task_id)["status"] for task_id in task_ids] == ["completed", "failed", "failed", "completed"]
    asked("POST", f"/tasks/{task_ids[1]}/retry", 202)
    house.ended(task_ids[1])
    assert [said.get("authorization") for _, said in site.requests] == [f"Bearer {SECRET}"] * 5
    site.close()
    for path in ("/tasks", "/audit", "/schedules", "/callbacks", "/kbs/kb/documents", "/stats/errors"):
        asked("GET", path)
    for path in (f"/tasks/{task_id}{more}" for task_id in task_ids for more in ("", "/why", "/events")):
        asked("GET", path)
    for path in ("/metrics", "/tasks", f"/tasks/{task_ids[1]}"):
        assert SECRET not in house.deployment.http.get(path).text
    assert SECRET not in house.deployment.logs()
    assert SECRET not in str([callback.body for callback in receiver.received])
    for (table,) in house.sql("SELECT tablename FROM pg_tables WHERE schemaname = 'public'"):
        assert SECRET not in str(house.sql(f"SELECT to_jsonb({table}) - 'source_headers' FROM {table}")), table
    kept = "SELECT count(*) FROM tasks WHERE source_headers->>'Authorization' LIKE %s"
    assert house.sql(kept, f"%{SECRET}") == [(2,)], "of those that failed, for their retry"


def test_a_cancelled_task_and_a_stop_with_work_in_hand_are_no_errors(house: House) -> None:
    house.open("web")
    worker = house.deployment.start("worker")
    running = [house.submit(task_type="benchmark", payload={"seconds": 30}) for _ in range(3)]
    for task_id in running:
        house.at_work(task_id, "benchmark")
    assert house.deployment.http.delete(f"/api/v1/tasks/{running[0]}").status_code in (200, 202)
    eventually(lambda: "stage_stopped" in worker.log, seconds=20)
    worker.terminate()
    eventually(lambda: not worker.running, seconds=40)
    assert worker.log.count("stage_handed_back") == 2
    assert "Traceback" not in worker.log
    assert '"level":"error"' not in worker.log
    assert '"level":"critical"' not in worker.log


def test_a_queue_that_was_deleted_is_served_again_within_seconds(house: House, rabbitmq: RabbitServer) -> None:
    house.open("web", "worker", "clock")
    house.ended(house.submit(task_type="test"))
    rabbitmq.management("/queues/{vhost}/default", "DELETE")
    house.ended(house.submit(task_type="test"), seconds=30)
    worker = house.deployment.processes[1]
    assert worker.log.count("consumer_cancelled") == 1
    counted = 'queue_consumer_cancelled_total{queue="default"} 1'
    eventually(lambda: counted in house.deployment.http.get("/metrics").text, seconds=10)


def test_a_wrong_message_is_said_and_counted_and_the_others_are_worked_on(house: House, rabbitmq: RabbitServer) -> None:
    house.open("web", "worker")
    house.ended(house.submit(task_type="test"))
    connection = pika.BlockingConnection(pika.URLParameters(rabbitmq.url))
    message = {"queue_name": "default", "actor_name": "test", "kwargs": {}, "options": {}, "message_id": "1"}
    for args in ([], ["x"]):
        body = json.dumps({**message, "args": args, "message_timestamp": 1}).encode()
        connection.channel().basic_publish("", "default", body, pika.BasicProperties(priority=9))
    connection.close()
    house.ended(house.submit(task_type="test"), seconds=15)
    worker = house.deployment.processes[1]
    eventually(lambda: worker.log.count("message_not_understood") == 2, seconds=10)
    counted = 'queue_message_not_understood_total{queue="default"} 2'
    eventually(lambda: counted in house.deployment.http.get("/metrics").text, seconds=10)
    assert len(rabbitmq.messages("default.XQ")) == 2


def test_an_outage_of_rabbitmq_is_said_once_with_its_reason_and_its_end(
    breakable_house: House, rabbit_node: RabbitNode
) -> None:
    house = breakable_house
    house.open("web", "worker", "clock")
    house.ended(house.submit(task_type="test"))
    rabbit_node.stop()
    for process in house.deployment.processes:
        eventually(lambda log=process: '"rabbitmq_unreachable"' in log.log, seconds=60)  # type: ignore[misc]
    rabbit_node.start()
    house.ended(house.submit(task_type="test"), seconds=60)
    for process in house.deployment.processes:
        eventually(lambda log=process: "rabbitmq_unreachable_over" in log.log, seconds=60)  # type: ignore[misc]
        said = [line for line in process.log.splitlines() if '"rabbitmq_unreachable"' in line]
        # One that comes back in pieces may be lost again meanwhile.
        assert 1 <= len(said) <= 3, process.log
        assert "refused" in said[0]
        assert '"level":"critical"' not in process.log


@pytest.mark.parametrize("name", ["web", "worker", "clock"])
def test_a_missing_migration_is_one_sentence_with_the_command(
    empty_database_url: str, rabbitmq: RabbitServer, tmp_path: Path, guard: Guard, name: str
) -> None:
    with Deployment(empty_database_url, rabbitmq.url, tmp_path, guard) as deployment:
        process = deployment.start(name, wait=name == "web")
        if name == "web":
            for _ in range(3):
                answer = deployment.http.get("/api/v1/tasks")
                assert answer.status_code == 503
                assert "alembic upgrade head" in answer.json()["detail"]
        eventually(lambda: "alembic upgrade head" in process.log, seconds=40)
        time.sleep(3)
        process.terminate()
        said = [line for line in process.log.splitlines() if "alembic upgrade head" in line]
        assert len(said) == 1, process.log
        assert "Traceback" not in process.log


def test_an_outage_of_postgresql_is_said_once_with_its_reason_and_its_end(
    rabbitmq: RabbitServer, receiver: Receiver, guard: Guard, tmp_path: Path
) -> None:
    folder = Path(tempfile.mkdtemp(prefix="servers-"))
    guard.remove_later(folder)
    server = OwnPostgres(folder / "postgres", guard)
    with server.database() as url, Deployment(url, rabbitmq.url, tmp_path, guard) as deployment:
        house = House(deployment, receiver)
        house.open("web", "worker", "clock")
        house.ended(house.submit(task_type="test"))
        server.stop()
        assert house.deployment.http.get("/api/v1/tasks").status_code == 503, "and the web process has noticed"
        for process in deployment.processes:
            eventually(lambda log=process: '"database_away"' in log.log, seconds=60)  # type: ignore[misc]
        server.start()
        house.ended(house.submit(task_type="test"), seconds=60)
        for process in deployment.processes:
            said = [line for line in process.log.splitlines() if '"database_away"' in line]
            assert 1 <= len(said) <= 3, process.log
            assert "Traceback" not in process.log
        for process in deployment.processes[1:]:
            eventually(lambda log=process: "database_away_over" in log.log, seconds=60)  # type: ignore[misc]
    server.close()
