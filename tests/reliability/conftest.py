"""A whole deployment, and the looks at it that every test of this folder takes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg2
import pytest

from tests.cohere_server import KEY, CohereServer, cohere_server
from tests.processes import Deployment
from tests.receiver import Receiver
from tests.servers import eventually

#: Seconds: a dead worker is noticed quickly, so that a test need not wait for half a minute.
LEASE = "3"


#: Whoever inserts waits for a lock that the test holds.
HOLD = """
    CREATE OR REPLACE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN PERFORM pg_advisory_xact_lock(hashtext(TG_TABLE_NAME)); RETURN NULL; END';
    CREATE TRIGGER hold BEFORE INSERT ON {table} FOR EACH STATEMENT EXECUTE FUNCTION hold()
"""


#: A text that is too long for a single pass: its stages are met one by one.
LONG = "# A heading\n\n" + "The quick brown fox jumps over the lazy dog. 敏捷的棕色狐狸跳过了懒狗。\n\n" * 1200


class House:
    """A deployment whose callbacks go to a receiver."""

    def __init__(self, deployment: Deployment, receiver: Receiver) -> None:
        self.deployment = deployment
        self.receiver = receiver
        deployment.environment.update(receiver.environment, LEASE_SECONDS=LEASE)

    def open(self, *names: str) -> None:
        """Start processes that are restarted whenever they die, one beside the other."""
        for process in [self.deployment.start(name, restart=True, wait=False) for name in names]:
            self.deployment.wait_until_ready(process)

    def submit(self, **fields: Any) -> str:
        """Submit a task that must be accepted. Returns its id."""
        answer = self.deployment.http.post("/api/v1/tasks", json=fields)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["task_id"])

    def document(self, text: str, document_id: str, **fields: Any) -> str:
        """Submit a document by its text."""
        payload = {"content": text, "document_id": document_id}
        return self.submit(task_type="document_processing", kb_id="kb", payload=payload, **fields)

    def show(self, task_id: str) -> dict[str, Any]:
        """The task as REST shows it."""
        shown: dict[str, Any] = self.deployment.http.get(f"/api/v1/tasks/{task_id}").json()
        return shown

    def ended(self, task_id: str, seconds: float = 60) -> dict[str, Any]:
        """The task when it has ended."""

        def ask() -> dict[str, Any]:
            shown = self.show(task_id)
            return shown if shown["status"] in ("completed", "failed", "cancelled") else {}

        try:
            return eventually(ask, seconds=seconds, every=0.1, reason=f"{task_id} ends")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.show(task_id)}\n{self.deployment.logs()}") from None

    def sql(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """What a statement returns."""
        connection = psycopg2.connect(self.deployment.database_url)
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(statement, values)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def at_work(self, task_id: str, stage: str) -> None:
        """Wait until a worker holds the task at this stage."""
        held = "SELECT stage FROM tasks WHERE id = %s AND worker_id IS NOT NULL"
        eventually(lambda: self.sql(held, task_id) == [(stage,)], seconds=20, reason=f"{stage} is at work")

    @contextmanager
    def locked(self, table: str) -> Iterator[None]:
        """Hold back whoever inserts into a table: a way to meet a stage at its work."""
        self.sql(HOLD.format(table=table))
        connection = psycopg2.connect(self.deployment.database_url)
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_lock(hashtext(%s))", [table])
                yield
        finally:
            connection.close()
            self.sql(f"DROP TRIGGER hold ON {table}")

    def called_back_once(self, *subjects: str, seconds: float = 90) -> None:
        """Each of these tasks and batches has told the receiver of its end, under one id, with a right signature."""
        ids_by_subject = self.receiver.ids_by_subject
        eventually(lambda: set(subjects) <= set(ids_by_subject()), seconds=seconds, reason="callbacks arrive")
        assert [callback.problem for callback in self.receiver.received if callback.problem] == []
        for callback in self.receiver.received:
            self.deployment.described.callback(callback.body)
        counts = {subject: len(ids) for subject, ids in ids_by_subject().items()}
        assert counts == dict.fromkeys(counts, 1)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def house(deployment: Deployment, receiver: Receiver) -> House:
    return House(deployment, receiver)


@pytest.fixture
def breakable_house(breakable_deployment: Deployment, receiver: Receiver) -> House:
    return House(breakable_deployment, receiver)


@pytest.fixture
def cohere(house: House) -> Iterator[CohereServer]:
    """Cohere's wire format, spoken by a server that the house embeds with."""
    with cohere_server() as server:
        house.deployment.environment.update(EMBEDDER="cohere", COHERE_API_KEY=KEY, COHERE_BASE_URL=server.url)
        yield server
