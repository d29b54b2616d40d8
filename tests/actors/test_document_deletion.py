"""A document is taken out of its KB."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from errors import TaskError
from tasks.ending import retrying
from tasks.transactions.unit import unit_of_work
from tasks.working import failing
from tasks.working.failing import Failure
from tests.actors.conftest import Bench


def test_a_deleted_document_is_shown_no_more(bench: Bench) -> None:
    bench.finish_all(bench.take_in())
    (task_id,) = bench.submit(task_type="document_deletion", kb_id="kb", payload={"document_id": "d"})
    bench.finish(task_id, "document_deletion")
    assert bench.sql("SELECT count(*) FROM documents") == [(0,)]
    assert bench.row(task_id).result == {"document_id": "d", "superseded": 0}


def deletion(bench: Bench, **fields: Any) -> UUID:
    return bench.submit(task_type="document_deletion", kb_id="kb", payload={"document_id": "d"}, **fields)[0]


def test_it_ends_what_was_submitted_before_and_leaves_what_comes_later(bench: Bench) -> None:
    bench.finish_all(bench.take_in())
    before, task_id, later = bench.take_in("# Before\n\nnews"), deletion(bench), bench.take_in("# Later\n\nnews")
    bench.finish(task_id, "document_deletion")
    assert bench.row(task_id).result == {"document_id": "d", "superseded": 1}
    assert (bench.row(before).status, bench.row(before).error["code"]) == ("failed", "superseded")
    assert bench.sql("SELECT count(*) FROM documents") == [(0,)]
    bench.finish_all(later)
    assert bench.sql("SELECT version_id FROM documents") == [(later,)]


def test_a_first_document_that_is_still_to_come_can_be_deleted(bench: Bench) -> None:
    before, task_id = bench.take_in(), deletion(bench)
    bench.finish(task_id, "document_deletion")
    assert (bench.row(before).error["code"], bench.row(task_id).status) == ("superseded", "completed")


def test_a_deletion_does_not_take_what_was_submitted_after_it(bench: Bench) -> None:
    task_id, later = deletion(bench), bench.take_in()
    bench.finish_all(later)
    with pytest.raises(TaskError) as overtaken:
        bench.finish(task_id, "document_deletion")
    assert overtaken.value.code == "superseded"
    assert bench.sql("SELECT version_id FROM documents") == [(later,)]


def test_a_task_that_failed_before_does_not_bring_the_document_back_when_it_is_retried(bench: Bench) -> None:
    bench.finish_all(bench.take_in())
    old = bench.take_in("# Old\n\nnews")
    bench.within(failing.fail, Failure(bench.held(old, "preprocessing"), TaskError("corrupt", "x")))
    bench.finish(deletion(bench), "document_deletion")
    with unit_of_work() as unit:
        assert retrying.retry(unit, [old]).task_ids == [old]
    bench.finish_all(old, until="indexing")
    with pytest.raises(TaskError) as overtaken:
        bench.finish(old, "indexing")
    assert overtaken.value.code == "superseded"
    assert bench.sql("SELECT count(*) FROM documents") == [(0,)]


def test_an_older_submission_that_ends_later_is_superseded(bench: Bench) -> None:
    old = bench.take_in()
    bench.finish_all(bench.take_in("# New\n\nnews", priority="high"))
    bench.finish_all(old, until="indexing")
    with pytest.raises(TaskError) as overtaken:
        bench.finish(old, "indexing")
    assert overtaken.value.code == "superseded"


def test_a_document_that_does_not_exist_cannot_be_deleted(bench: Bench) -> None:
    (task_id,) = bench.submit(task_type="document_deletion", kb_id="kb", payload={"document_id": "d"})
    with pytest.raises(TaskError) as refused:
        bench.finish(task_id, "document_deletion")
    assert refused.value.code == "not_found"
