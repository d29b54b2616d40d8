"""A database with tasks in it, and a broker whose queues can be read."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine, text

from broker.in_process import InProcessBroker
from models import database as models_database
from tasks.accepting.submission import Accepted, Submission, submit
from tasks.dispatching import dispatch
from tasks.dispatching.dispatch import Queues
from tasks.transactions.unit import Unit, unit_of_work, use_broker
from tasks.working import claiming
from tasks.working.claim import Claim, Wanted


class Desk:
    """What the tests of this folder do again and again."""

    def __init__(self, broker: InProcessBroker) -> None:
        self.broker = broker

    def submit(self, count: int = 1, **fields: Any) -> list[UUID]:
        """Submit tasks in one transaction; `test` tasks unless told otherwise."""
        submissions = [Submission(**{"task_type": "test", **fields}) for _ in range(count)]
        with unit_of_work() as unit:
            return [accepted.task_id for accepted in submit(unit, submissions) if isinstance(accepted, Accepted)]

    def document(self, **fields: Any) -> UUID:
        """Submit a document."""
        payload = {"content": "text", "document_id": "d"}
        return self.submit(task_type="document_processing", kb_id="kb", payload=payload, **fields)[0]

    def claim(self, task_id: UUID, stage: str = "test") -> Claim | None:
        """Claim a stage as a worker's thread does."""
        with unit_of_work() as unit:
            return claiming.claim(unit, [Wanted(task_id, stage)])[0]

    def held(self, task_id: UUID, stage: str = "test") -> Claim:
        """Claim a stage that can be claimed."""
        claim = self.claim(task_id, stage)
        assert claim is not None
        return claim

    def next(self, threads: int = 1, queues: Queues | None = None, *, woken: bool = False) -> list[list[Claim]]:
        """What so many threads of a worker are given to run."""
        with unit_of_work() as unit:
            return claiming.take(unit, queues or Queues(dispatch.queues()), threads, woken=woken)

    def within(self, operation: Any, *items: Any) -> Any:
        """Run an operation of a group commit on these items."""
        with unit_of_work() as unit:
            return operation(unit, items)

    def row(self, task_id: UUID) -> Any:
        """A task's row."""
        with models_database.transaction() as session:
            return session.execute(text("SELECT * FROM tasks WHERE id = :id"), {"id": task_id}).one()

    def sql(self, statement: str, **values: Any) -> list[Any]:
        """What a statement returns."""
        with models_database.transaction() as session:
            result: Any = session.execute(text(statement), values)
            return list(result.all()) if result.returns_rows else []

    def queued(self, queue: str = "default") -> int:
        """Messages in a queue of the broker."""
        counts = self.broker.counts()
        assert counts is not None
        return counts[queue].ready


@pytest.fixture
def desk(database: Engine) -> Desk:
    """A broker that nobody consumes, and tasks to be handled by hand."""
    broker = InProcessBroker()
    use_broker(broker)
    return Desk(broker)


__all__ = ["Desk", "Unit"]
