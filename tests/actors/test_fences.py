"""Whoever was given up for dead writes nothing any more; and what a stage finds missing is made."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from actors.document.embedding import UNDIVIDED
from documents.storing import index, vectors
from errors import TaskError
from models.base import new_id
from settings import settings
from tasks import process
from tasks.ending import retrying
from tasks.transactions.unit import unit_of_work
from tasks.working import failing
from tasks.working.claim import Claim
from tasks.working.failing import MOST_RETURNS, Failure
from tests.actors.conftest import PIPELINE, Bench
from tests.cohere_server import CohereServer
from tests.documents.long_pdf import long_pdf
from worker import holding

TABLES = ("versions", "drafts", "draft_vectors", "chunks", "documents", "blobs", "shards")


def all_rows(bench: Bench) -> dict[str, list[Any]]:
    """Everything that stages write."""
    return {table: bench.sql(f"SELECT every::text FROM {table} AS every ORDER BY 1") for table in TABLES}


def give_to_another(bench: Bench, claim: Claim) -> Claim:
    """The same stage in the hands of another worker, who has it since the first fell silent."""
    bench.within(lambda unit, _: [failing.requeue(unit, process.process_id())])
    process.adopt(new_id())
    return bench.held(claim.task_id, claim.stage)


@pytest.fixture(autouse=True)
def _own_name() -> Any:
    own = process.process_id()
    yield
    process.adopt(own)


@pytest.mark.parametrize("stage", PIPELINE)
def test_a_stage_of_the_dead_writes_nothing(bench: Bench, stage: str) -> None:
    task_id = bench.take_in(chunk_size=300, chunk_overlap=50)
    bench.finish_all(task_id, until=stage)
    old, own = bench.held(task_id, stage), process.process_id()
    new = give_to_another(bench, old)
    assert bench.perform(new)
    made = all_rows(bench)
    process.adopt(own)
    with suppress(holding.Lost):
        assert not bench.perform(old)
    assert all_rows(bench) == made


#: A function that writes, and where it is used.
WRITES: dict[str, tuple[Any, str]] = {
    "preprocessing": (index, "write_version"),
    "chunking": (index, "write_drafts"),
    "embedding": (vectors, "write"),
    "storing": (index, "store"),
}


@pytest.mark.parametrize("stage", WRITES)
def test_what_a_worker_is_about_to_commit_is_dropped_when_it_is_given_up(
    bench: Bench, stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    task_id = bench.take_in(chunk_size=300, chunk_overlap=50)
    bench.finish_all(task_id, until=stage)
    old = bench.held(task_id, stage)
    module, name = WRITES[stage]
    write: Callable[..., Any] = getattr(module, name)

    def write_and_die(*arguments: Any, **more: Any) -> Any:
        done = write(*arguments, **more)
        bench.within(lambda unit, _: [failing.requeue(unit, process.process_id())])
        return done

    before = all_rows(bench)
    monkeypatch.setattr(module, name, write_and_die)
    with pytest.raises(holding.Lost):
        bench.perform(old)
    after = all_rows(bench)
    before["versions"] = after["versions"] if stage == "embedding" else before["versions"]  # which names the embedder
    assert after == before


def test_the_copy_of_the_dead_is_not_put_in_place_of_its_successors(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "long.pdf"
    path.write_bytes(long_pdf(250))
    monkeypatch.setenv("UPLOAD_ROOTS", str(tmp_path))
    settings.cache_clear()
    payload = {"file_path": str(path), "document_id": "d"}
    (task_id,) = bench.submit(task_type="document_processing", kb_id="kb", payload=payload)
    old, own = bench.held(task_id, "preprocessing"), process.process_id()
    new = give_to_another(bench, old)
    bench.perform(new)
    made = all_rows(bench)
    assert made["blobs"]
    assert made["shards"]
    path.write_bytes(long_pdf(260))
    process.adopt(own)
    with pytest.raises(holding.Lost):
        bench.perform(old)
    assert all_rows(bench) == made
    settings.cache_clear()


def test_a_shard_of_the_dead_writes_nothing(bench: Bench) -> None:
    text = "\n\n".join(f"Paragraph {number} is about {number * 7919}." for number in range(2 * UNDIVIDED))
    task_id = bench.take_in(text, chunk_size=60, chunk_overlap=0)
    bench.finish_all(task_id, until="embedding")
    bench.perform(bench.held(task_id, "embedding"))
    old, own = bench.held(task_id, "embedding"), process.process_id()
    assert old.shard
    give_to_another(bench, old)
    process.adopt(own)
    before = all_rows(bench)
    with pytest.raises(holding.Lost):
        bench.perform(old)
    assert all_rows(bench) == before


def test_a_shadow_version_of_the_dead_is_not_written(bench: Bench, cohere: CohereServer) -> None:
    bench.finish_all(bench.take_in(embedder="local"))
    payload = {"embedder": "cohere"}
    (task_id,) = bench.submit(task_type="kb_reindex", kb_id="kb", payload=payload)
    old, own = bench.held(task_id, "kb_reindex"), process.process_id()
    give_to_another(bench, old)
    process.adopt(own)
    before = all_rows(bench)
    with pytest.raises(holding.Lost):
        bench.perform(old)
    assert all_rows(bench) == before


def fail(bench: Bench, task_id: UUID, stage: str) -> bool:
    """Let a stage fail as a worker does that cannot go on; whether its task ended by it."""
    claim = bench.held(task_id, stage)
    with pytest.raises(TaskError) as failed:
        bench.perform(claim)
    return bool(bench.within(failing.fail, Failure(claim, failed.value))[0])


@pytest.mark.parametrize(
    ("stage", "loss", "resumes"),
    [
        ("storing", "DELETE FROM draft_vectors", "embedding"),
        ("storing", "UPDATE versions SET embedder = NULL", "embedding"),
        ("indexing", "DELETE FROM chunks WHERE index = 0", "storing"),
        ("indexing", "DELETE FROM versions", "preprocessing"),
        ("chunking", "DELETE FROM versions", "preprocessing"),
        ("embedding", "DELETE FROM versions", "preprocessing"),
    ],
)
def test_a_stage_that_finds_something_missing_goes_back_to_where_it_is_made(
    bench: Bench, stage: str, loss: str, resumes: str
) -> None:
    task_id = bench.take_in(chunk_size=300, chunk_overlap=50, embedder="local")
    bench.finish_all(task_id, until=stage)
    bench.sql(loss)
    assert not fail(bench, task_id, stage)
    row = bench.row(task_id)
    assert (row.status, row.stage, row.errors) == ("queued", resumes, 0)
    assert [entry["name"] for entry in row.stages] == PIPELINE[: PIPELINE.index(resumes)]
    for name in PIPELINE[PIPELINE.index(resumes) :]:
        bench.finish(task_id, name)
    row = bench.row(task_id)
    assert row.status == "completed"
    assert row.result["chunks"] > 9
    assert [entry["name"] for entry in row.stages] == PIPELINE


def test_a_task_that_had_failed_of_it_completes_when_it_is_retried(bench: Bench) -> None:
    task_id = bench.take_in(chunk_size=300, chunk_overlap=50, embedder="local")
    bench.finish_all(task_id, until="storing")
    bench.sql("DELETE FROM draft_vectors")
    claim = bench.held(task_id, "storing")
    assert bench.within(failing.fail, Failure(claim, TaskError("internal", "no vectors", retryable=False))) == [True]
    with unit_of_work() as unit:
        assert retrying.retry(unit, [task_id]).task_ids == [task_id]
    assert not fail(bench, task_id, "storing")
    for name in ("embedding", "storing", "indexing"):
        bench.finish(task_id, name)
    assert bench.row(task_id).status == "completed"


def test_what_stays_missing_is_an_error_in_the_end(bench: Bench) -> None:
    task_id = bench.take_in(chunk_size=300, chunk_overlap=50, embedder="local")
    bench.finish_all(task_id, until="embedding")
    for _ in range(MOST_RETURNS):
        bench.finish(task_id, "embedding")
        bench.sql("DELETE FROM draft_vectors")
        assert not fail(bench, task_id, "storing")
        assert bench.row(task_id).stage == "embedding"
    bench.finish(task_id, "embedding")
    bench.sql("DELETE FROM draft_vectors")
    assert not fail(bench, task_id, "storing")
    assert (bench.row(task_id).stage, bench.row(task_id).errors) == ("storing", 1)
