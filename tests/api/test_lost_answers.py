"""PostgreSQL's answer to a COMMIT is lost: each request is answered as it went, and done once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import psycopg2
import pytest

from tests.commit_proxy import CommitProxy
from tests.guard import Guard
from tests.postgres import Postgres
from tests.processes import Deployment
from tests.rabbitmq import RabbitServer

TEST = {"task_type": "test"}


class Desk:
    """A web process behind the proxy, and the database beside it."""

    def __init__(self, url: str, proxy: CommitProxy, http: httpx2.Client) -> None:
        self.url, self.proxy, self.http = url, proxy, http

    def sql(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        connection = psycopg2.connect(self.url)
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(statement, values)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def tasks(self) -> set[str]:
        return {str(task_id) for (task_id,) in self.sql("SELECT id FROM tasks")}

    def post(self, path: str, **more: Any) -> dict[str, Any]:
        answer = self.http.post(f"/api/v1{path}", **more)
        assert answer.status_code in (200, 202), answer.text
        said: dict[str, Any] = answer.json()
        return said

    def made(self) -> str:
        return str(self.post("/tasks", json=TEST)["task_id"])


@pytest.fixture(scope="module")
def desk(
    postgres: Postgres,
    rabbitmq_server_of_the_run: RabbitServer,
    tmp_path_factory: pytest.TempPathFactory,
    guard: Guard,
) -> Iterator[Desk]:
    with (
        postgres.database() as url,
        CommitProxy(url) as proxy,
        rabbitmq_server_of_the_run.fresh() as rabbitmq,
        Deployment(proxy.url, rabbitmq.url, tmp_path_factory.mktemp("lost"), guard) as deployment,
    ):
        deployment.start("web")
        yield Desk(url, proxy, deployment.http)


def submission(desk: Desk) -> None:
    before = desk.tasks()
    desk.proxy.lose_answers()
    assert {desk.made()} == desk.tasks() - before


def batch(desk: Desk) -> None:
    before = desk.tasks()
    desk.proxy.lose_answers()
    said = desk.post("/tasks/batch", json={"tasks": [TEST, TEST]})
    assert {task["task_id"] for task in said["tasks"]} == desk.tasks() - before
    assert desk.sql("SELECT total FROM batches WHERE id = %s", said["batch_id"]) == [(2,)]


def batch_with_names(desk: Desk) -> None:
    before = desk.tasks()
    desk.proxy.lose_answers()
    tasks = [TEST | {"name": "a"}, TEST | {"depends_on": ["a"]}]
    said = desk.post("/tasks/batch", json={"tasks": tasks})
    assert {task["task_id"] for task in said["tasks"]} == desk.tasks() - before


def upload(desk: Desk) -> None:
    before = desk.tasks()
    desk.proxy.lose_answers(2)  # of its page, and of its task
    said = desk.post("/kbs/kb/documents", files={"file": ("a.txt", b"text")})
    assert {said["task_id"]} == desk.tasks() - before
    assert desk.sql("SELECT convert_from(data, 'utf8') FROM blobs WHERE id = %s", said["task_id"]) == [("text",)]


def cancel(desk: Desk) -> None:
    task_id = desk.made()
    desk.proxy.lose_answers()
    answer = desk.http.delete(f"/api/v1/tasks/{task_id}")
    assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")


def cancel_by_filter(desk: Desk) -> None:
    before = desk.tasks()
    desk.proxy.lose_answers()
    said = desk.post("/tasks/cancel", json={"filter": {"kb_id": "lost"}})
    assert {said["task_id"]} == desk.tasks() - before


def cancel_batch(desk: Desk) -> None:
    said = desk.post("/tasks/batch", json={"tasks": [TEST, TEST]})
    desk.proxy.lose_answers()
    answer = desk.http.delete(f"/api/v1/batches/{said['batch_id']}")
    assert (answer.status_code, answer.json()["counts"]["cancelled"]) == (200, 2)


def retry(desk: Desk) -> None:
    task_id = desk.made()
    assert desk.http.delete(f"/api/v1/tasks/{task_id}").status_code == 200
    desk.proxy.lose_answers()
    assert desk.post(f"/tasks/{task_id}/retry")["status"] == "queued"
    assert desk.sql("SELECT run FROM tasks WHERE id = %s", task_id) == [(2,)]


def pause(desk: Desk) -> None:
    for verb, paused in (("pause", True), ("resume", False)):
        desk.proxy.lose_answers()
        assert desk.post(f"/queues/storing/{verb}")["paused"] is paused
        assert (desk.sql("SELECT queue FROM paused_queues") == [("storing",)]) is paused


def redelivery(desk: Desk) -> None:
    said = desk.post("/tasks", json=TEST | {"callback_url": "https://example.com/hook"})
    desk.http.delete(f"/api/v1/tasks/{said['task_id']}")
    ((callback_id,),) = desk.sql("SELECT id FROM callbacks WHERE task_id = %s", said["task_id"])
    desk.proxy.lose_answers()
    desk.post(f"/tasks/{said['task_id']}/callbacks/{callback_id}/redeliver")


def deletion(desk: Desk) -> None:
    payload = {"content": "text", "document_id": "d"}
    said = desk.post("/tasks", json={"task_type": "document_processing", "kb_id": "lost", "payload": payload})
    desk.proxy.lose_answers()
    assert desk.http.delete("/api/v1/kbs/lost/documents/d").status_code == 204
    shown = desk.http.get(f"/api/v1/tasks/{said['task_id']}").json()
    assert (shown["status"], shown["error"]["code"]) == ("failed", "superseded")


WRITES = [
    submission,
    batch,
    batch_with_names,
    upload,
    cancel,
    cancel_by_filter,
    cancel_batch,
    retry,
    pause,
    redelivery,
    deletion,
]


@pytest.mark.parametrize("write", WRITES, ids=lambda act: act.__name__)
def test_every_write_is_done_once_and_answered_as_it_went(desk: Desk, write: Callable[[Desk], None]) -> None:
    before = desk.proxy.lost
    write(desk)
    assert desk.proxy.lost > before


def test_what_is_not_known_is_not_denied(desk: Desk) -> None:
    desk.made()
    before = desk.tasks()
    desk.proxy.lose_answers()
    desk.proxy.away = True
    key = {"Idempotency-Key": "unknown"}
    answer = desk.http.post("/api/v1/tasks", json=TEST, headers=key)
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
    assert "is unknown" in answer.json()["detail"]
    assert "nothing was accepted" not in answer.text
    desk.proxy.away = False
    answer = desk.http.post("/api/v1/tasks", json=TEST, headers=key)
    assert (answer.status_code, {answer.json()["task_id"]}) == (202, desk.tasks() - before)
