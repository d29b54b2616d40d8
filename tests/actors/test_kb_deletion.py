"""A KB is taken away with all that was submitted to it before, and with nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from actors import kb_deletion
from documents.files import originals
from documents.files.storage import storage
from documents.storing import dead_versions, kb_removal
from errors import TaskError
from models import Base, database
from models.audit import Actor
from models.kb import change
from settings import settings
from tasks.accepting.submission import Accepted, Member, Submission, submit
from tasks.ending import ending, retention, retrying
from tasks.transactions.unit import unit_of_work
from tasks.working import failing
from tasks.working.claim import Claim
from tasks.working.failing import Failure
from tests.actors.conftest import TEXT, Bench
from worker.holding import HandBack

#: Tables that name a KB or a version and are no part of one: what was done and by whom, and the mark of the deletion.
HISTORY = {"audit", "deletions", "tasks"}


def rows_of(bench: Bench, kb_id: str) -> dict[str, int]:
    """How many rows of each table belong to a KB, and how many files its tasks have left, where there are any."""
    counts: dict[str, int] = {}
    for table in Base.metadata.tables.values():
        by = {"kb_id": "kb_id = :kb_id", "version_id": "version_id IN (SELECT id FROM versions WHERE kb_id = :kb_id)"}
        conditions = [sql for name, sql in by.items() if name in table.columns and table.name not in HISTORY]
        if table.name in ("blobs", "originals", "orphans"):
            conditions = ["id IN (SELECT id FROM tasks WHERE kb_id = :kb_id)"]
        for condition in conditions:
            with database.transaction() as session:
                count = session.execute(text(f"SELECT count(*) FROM {table.name} WHERE {condition}"), {"kb_id": kb_id})
                counts[table.name] = counts.get(table.name, 0) + count.scalar_one()
    return {name: count for name, count in counts.items() if count}


def take_in(bench: Bench, document_id: str, content: str = TEXT, kb_id: str = "kb", **more: Any) -> UUID:
    payload = {"content": content, "document_id": document_id, "content_type": "text/markdown", "chunk_size": 200}
    return bench.submit(task_type="document_processing", kb_id=kb_id, payload=payload, **more)[0]


def deletion(bench: Bench) -> Claim:
    """A deletion that is about to begin."""
    (task_id,) = bench.submit(task_type="kb_deletion", kb_id="kb")
    return bench.held(task_id, "kb_deletion")


@pytest.fixture
def full(bench: Bench, tmp_path: Path) -> Bench:
    """A KB with a bit of everything: documents, versions in the making, tasks in every state, files, settings."""
    for name in ("a", "b"):
        bench.finish_all(take_in(bench, name, f"{TEXT}\n\nThis is {name}."))
    bench.finish_all(take_in(bench, "a", "A version in place of the first."))
    bench.finish_all(take_in(bench, "c"), until="storing")
    bench.finish_all(take_in(bench, "d"), until="indexing")
    failed = take_in(bench, "e")
    bench.within(failing.fail, Failure(bench.held(failed, "preprocessing"), TaskError("corrupt", "x")))
    queued = take_in(bench, "f")
    bench.held(take_in(bench, "g"), "preprocessing")
    for task_id in (failed, queued):
        upload = storage(settings()).writer(task_id, 1000)
        upload.write(b"bytes")
        upload.finish()
    path = tmp_path / "document"
    path.write_bytes(b"bytes of which no version came")
    originals.keep(path, settings(), failed, database.write)
    with database.write() as session:
        change(session, "kb", {"callback_secret": "whsec_c2VjcmV0"})
        session.execute(
            text("""
                INSERT INTO vector_indexes (name, kb_id, embedder, dimension, after, up_to, chunks)
                SELECT 'ix_chunks_near_x', 'kb', embedder, 8, version_id, version_id, 1 FROM documents LIMIT 1
            """)
        )
    bench.finish_all(take_in(bench, "of another", kb_id="other"))
    assert set(rows_of(bench, "kb")) == {
        *("documents", "versions", "chunks", "drafts", "draft_vectors", "locks", "vector_indexes", "kbs"),
        *("blobs", "originals", "orphans"),
    }
    return bench


def test_nothing_of_the_kb_is_left_and_all_of_another(full: Bench) -> None:
    other = rows_of(full, "other")
    claim = deletion(full)
    assert full.perform(claim)
    assert rows_of(full, "kb") == {}
    assert rows_of(full, "other") == other
    row = full.row(claim.task_id)
    assert (row.status, row.progress, row.result) == ("completed", 100, {"kb_id": "kb", "documents_left": 0})
    assert row.stages[0]["units"] > 0
    open_tasks = "SELECT count(*) FROM tasks WHERE kb_id = 'kb' AND status IN ('waiting', 'queued', 'processing')"
    assert full.sql(open_tasks) == [(0,)]
    codes = full.sql("SELECT DISTINCT error->>'code' FROM tasks WHERE kb_id = 'kb' AND status = 'failed'")
    assert sorted(codes) == [("corrupt",), ("superseded",)]


def stop_after(monkeypatch: pytest.MonkeyPatch, module: Any, name: str, calls: int) -> None:
    """Have a worker die in a call of a function, after so many that went well."""
    made: Callable[..., Any] = getattr(module, name)
    left = calls

    def call(*args: Any, **more: Any) -> Any:
        nonlocal left
        left -= 1
        if left < 0:
            raise RuntimeError("died")
        return made(*args, **more)

    monkeypatch.setattr(module, name, call)


@pytest.mark.parametrize(
    ("module", "name", "calls"),
    [
        (ending, "overtake_kb", 0),
        (retention, "lately_ended", 0),
        (kb_removal, "remove", 0),
        (dead_versions, "delete_versions", 1),
        (kb_removal, "finish", 0),
    ],
)
def test_a_worker_that_dies_leaves_the_rest_to_the_next(
    full: Bench, monkeypatch: pytest.MonkeyPatch, module: Any, name: str, calls: int
) -> None:
    monkeypatch.setattr(kb_deletion, "AT_ONCE", 1)
    claim = deletion(full)
    with monkeypatch.context() as dying, pytest.raises(RuntimeError, match="died"):
        stop_after(dying, module, name, calls)
        full.perform(claim)
    assert rows_of(full, "kb") != {}
    assert full.perform(claim)
    assert rows_of(full, "kb") == {}


def test_what_is_submitted_after_the_deletion_stays(full: Bench) -> None:
    claim = deletion(full)
    shown, made, queued = take_in(full, "b", "Shown. " + TEXT), take_in(full, "made"), take_in(full, "queued")
    full.finish_all(shown)
    full.finish_all(made, until="storing")
    assert full.perform(claim)
    assert full.sql("SELECT document_id, version_id FROM documents WHERE kb_id = 'kb'") == [("b", shown)]
    assert full.row(claim.task_id).result["documents_left"] == 1
    full.finish(made, "storing")
    full.finish(made, "indexing")
    full.finish_all(queued)
    names = full.sql("SELECT document_id FROM documents WHERE kb_id = 'kb' ORDER BY 1")
    assert names == [("b",), ("made",), ("queued",)]
    assert full.sql(
        "SELECT count(*) FROM chunks WHERE kb_id = 'kb' AND version_id NOT IN (SELECT version_id FROM documents)"
    ) == [(0,)]


def test_a_task_that_failed_before_brings_nothing_back_when_it_is_retried(bench: Bench) -> None:
    old = take_in(bench, "d")
    bench.within(failing.fail, Failure(bench.held(old, "preprocessing"), TaskError("corrupt", "x")))
    assert bench.perform(deletion(bench))
    with unit_of_work() as unit:
        assert retrying.retry(unit, [old]).task_ids == [old]
    bench.finish_all(old, until="indexing")
    with pytest.raises(TaskError) as overtaken:
        bench.finish(old, "indexing")
    assert overtaken.value.code == "superseded"


def test_what_a_url_was_fetched_with_is_forgotten(bench: Bench) -> None:
    payload = {"url": "https://wiki.example/a.md", "headers": {"Authorization": "Bearer s3cr3t"}}
    failed, waiting = (
        bench.submit(task_type="document_processing", kb_id="kb", payload={**payload, "document_id": name})[0]
        for name in ("failed", "waiting")
    )
    error = TaskError("fetch_failed", "x", retryable=False)
    bench.within(failing.fail, Failure(bench.held(failed, "preprocessing"), error))
    assert bench.perform(deletion(bench))
    assert [bench.row(task_id).source_headers for task_id in (failed, waiting)] == [None, None]


def test_the_members_of_an_archive_are_as_old_as_it_is(bench: Bench) -> None:
    from tasks.accepting import submission

    archive = take_in(bench, "archive")
    claim = deletion(bench)
    with unit_of_work() as unit:
        payload = {"content": "A member.", "document_id": "member"}
        submission.submit_members(unit, archive, [Member(UUID(int=7), payload)])
    assert bench.perform(claim)
    assert bench.row(UUID(int=7)).error["code"] == "superseded"


def test_a_timeout_that_is_near_only_makes_it_wait_for_its_turn(full: Bench) -> None:
    claim = deletion(full)
    claim.timeout = 0.001
    with pytest.raises((HandBack, TaskError)):
        full.perform(claim)


def test_a_second_deletion_of_the_same_kb_finds_nothing_left(full: Bench) -> None:
    first, second = deletion(full), deletion(full)
    assert full.perform(second)
    assert full.perform(first)
    assert rows_of(full, "kb") == {}
    assert {full.row(claim.task_id).status for claim in (first, second)} == {"completed"}


def test_who_asked_for_it_is_told_in_the_log_of_acts(bench: Bench) -> None:
    take_in(bench, "a")
    submission = Submission(task_type="kb_deletion", kb_id="kb").by(Actor("ops"))
    with unit_of_work() as unit:
        (accepted,) = submit(unit, [submission])
    assert isinstance(accepted, Accepted)
    bench.finish(accepted.task_id, "kb_deletion")
    (entry,) = bench.sql("SELECT name, action, target_id, kb_id, detail FROM audit")
    assert entry == ("ops", "kb.delete", "kb", "kb", {"task_id": str(accepted.task_id)})
