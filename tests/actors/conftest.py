"""A worker's thread in slow motion: a stage is claimed, worked and advanced by hand, and may die in between."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine

from broker.in_process import InProcessBroker
from pipeline import STAGES
from settings import settings
from tasks.transactions import unit
from tasks.working import work
from tasks.working.claim import Claim
from tests.cohere_server import KEY, CohereServer, cohere_server
from tests.tasks.conftest import Desk
from worker import boot
from worker import stage as stages
from worker.middleware import worker_middleware

PIPELINE = list(STAGES)

TEXT = "\n\n".join(
    f"# Part {part}\n\n" + " ".join(f"Sentence {number} of part {part} is here." for number in range(30))
    for part in range(1, 4)
)


class Bench(Desk):
    """Documents that are worked on stage by stage."""

    def take_in(self, content: str = TEXT, document_id: str = "d", priority: str = "normal", **payload: Any) -> UUID:
        """Submit a document by its text, in Markdown."""
        payload = {"content": content, "document_id": document_id, "content_type": "text/markdown", **payload}
        return self.submit(task_type="document_processing", kb_id="kb", priority=priority, payload=payload)[0]

    def finish(self, task_id: UUID, stage: str) -> None:
        """Claim a stage, do it, and advance."""
        assert self.perform(self.held(task_id, stage))

    def finish_twice(self, task_id: UUID, stage: str) -> None:
        """Do a stage in a worker that dies before it can advance, and again in the next one."""
        claim = self.held(task_id, stage)
        self.die_after(claim)
        assert self.perform(claim)

    def die_after(self, claim: Claim) -> None:
        """Do what a claim is for, in a worker that dies before it can advance."""
        stages.FUNCTIONS[claim.stage](stages.Work(claim))

    def perform(self, claim: Claim) -> bool:
        """Do what a claim is for, and advance. Returns whether the claim still held."""
        advance = stages.FUNCTIONS[claim.stage](stages.Work(claim))
        return bool(self.within(work.advance, advance)[0])

    def finish_all(self, task_id: UUID, *, until: str | None = None) -> None:
        """Do every stage before `until`, or all."""
        for stage in PIPELINE[: PIPELINE.index(until) if until else None]:
            self.finish(task_id, stage)


@pytest.fixture(scope="session", autouse=True)
def _actors_are_known() -> None:
    boot.assemble(InProcessBroker(worker_middleware()))


@pytest.fixture
def cohere(monkeypatch: pytest.MonkeyPatch) -> Iterator[CohereServer]:
    """The embedder that documents are taken in with: Cohere's SDK, and a server that counts what it is given."""
    monkeypatch.setattr("documents.embedding.provider.sleep", lambda seconds: None)
    with cohere_server() as server:
        for name, value in {"EMBEDDER": "cohere", "COHERE_API_KEY": KEY, "COHERE_BASE_URL": server.url}.items():
            monkeypatch.setenv(name, value)
        settings.cache_clear()
        yield server
    settings.cache_clear()


@pytest.fixture
def bench(database: Engine) -> Bench:
    """A database, and a broker that nobody consumes."""
    broker = InProcessBroker()
    unit.use_broker(broker)
    return Bench(broker)
