"""The service over HTTP: one deployment for all the tests of this folder, which keep apart by the names they use."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import httpx2
import psycopg2
import pytest

from tests.guard import Guard
from tests.postgres import Postgres
from tests.processes import Deployment
from tests.rabbitmq import RabbitServer
from tests.servers import eventually

#: Bytes: small, so that a document which is too large is soon made.
MAX_DOCUMENT_BYTES = 2 * 1024 * 1024


class Client:
    """What a KB service does over and over again."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self.http = deployment.http

    def submit(self, **fields: Any) -> str:
        """Submit a task that must be accepted, a `test` task unless told otherwise. Returns its id."""
        answer = self.http.post("/api/v1/tasks", json={"task_type": "test", **fields})
        assert answer.status_code == 202, answer.text
        return str(answer.json()["task_id"])

    def upload(self, kb_id: str, data: bytes, name: str, **fields: str) -> httpx2.Response:
        """Upload a document as a form."""
        return self.http.post(f"/api/v1/kbs/{kb_id}/documents", files={"file": (name, data)}, data=fields)

    def sql(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """What a statement returns."""
        connection = psycopg2.connect(self.deployment.database_url)
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(statement, values)
                rows: list[tuple[Any, ...]] = cursor.fetchall()
                return rows
        finally:
            connection.close()

    def execute(self, statement: str) -> None:
        """Run a statement that returns nothing."""
        connection = psycopg2.connect(self.deployment.database_url)
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(statement)
        finally:
            connection.close()

    def ended(self, task_id: str) -> dict[str, Any]:
        """The task when it has ended."""

        def ask() -> dict[str, Any]:
            shown: dict[str, Any] = self.http.get(f"/api/v1/tasks/{task_id}", params={"wait": 20}).json()
            return shown if shown["status"] in ("completed", "failed", "cancelled") else {}

        return eventually(ask, seconds=60, reason=f"{task_id} ends")

    def take_in(self, kb_id: str, content: str, document_id: str, **payload: Any) -> dict[str, Any]:
        """Submit a document by its text, and wait until it is searchable. Returns its task."""
        payload = {"content": content, "document_id": document_id, **payload}
        task = self.ended(self.submit(task_type="document_processing", kb_id=kb_id, payload=payload))
        assert task["status"] == "completed", task
        return task


def is_problem(answer: httpx2.Response, status: int) -> dict[str, Any]:
    """The problem that an answer must be: its status, its media type, and every member that RFC 9457 and we promise."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert problem["type"] == f"/docs/errors#{problem['code']}"
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    assert problem["instance"] == answer.request.url.path
    assert problem["request_id"] == answer.headers["x-request-id"]
    return problem


def bad_fields(answer: httpx2.Response) -> set[str]:
    """The fields that a 422 names, each with a message."""
    problem = is_problem(answer, 422)
    assert all(error["message"] for error in problem["errors"])
    return {error["field"] for error in problem["errors"]}


@pytest.fixture(scope="package")
def running(
    postgres: Postgres,
    rabbitmq_server_of_the_run: RabbitServer,
    tmp_path_factory: pytest.TempPathFactory,
    guard: Guard,
) -> Iterator[Deployment]:
    """Web and worker."""
    with (
        postgres.database() as database_url,
        rabbitmq_server_of_the_run.fresh() as rabbitmq,
        Deployment(
            database_url,
            rabbitmq.url,
            tmp_path_factory.mktemp("running"),
            guard,
            MAX_DOCUMENT_BYTES=str(MAX_DOCUMENT_BYTES),
        ) as deployment,
    ):
        deployment.start("web")
        deployment.start("worker")
        yield deployment


@pytest.fixture(scope="package")
def idle(
    postgres: Postgres,
    rabbitmq_server_of_the_run: RabbitServer,
    tmp_path_factory: pytest.TempPathFactory,
    guard: Guard,
) -> Iterator[Deployment]:
    """Web alone: what is submitted stays queued."""
    with (
        postgres.database() as database_url,
        rabbitmq_server_of_the_run.fresh() as rabbitmq,
        Deployment(database_url, rabbitmq.url, tmp_path_factory.mktemp("idle"), guard) as deployment,
    ):
        deployment.start("web")
        yield deployment


@pytest.fixture
def client(running: Deployment) -> Client:
    """Of a service whose tasks are worked on."""
    return Client(running)


@pytest.fixture
def idle_client(idle: Deployment) -> Client:
    """Of a service whose tasks stay queued."""
    return Client(idle)


@pytest.fixture
def kb_id() -> str:
    """A KB of the test's own."""
    return f"kb-{uuid.uuid4()}"
