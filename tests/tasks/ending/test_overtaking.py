"""A deletion ends the tasks that were to bring its document in, whatever they are at."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest

from errors import TaskError
from pipeline import STAGES
from tasks.ending import ending, retrying
from tasks.transactions.unit import unit_of_work
from tasks.working import failing, work
from tasks.working.claim import Advance
from tasks.working.failing import Failure
from tests.tasks.conftest import Desk


def delete(kb_id: str = "kb", document_id: str = "d") -> int:
    with unit_of_work() as unit:
        return ending.overtake(unit, kb_id, document_id, "document_processing")


def is_superseded(desk: Desk, task_id: UUID) -> bool:
    row = desk.row(task_id)
    return bool(row.status == "failed" and row.error["code"] == "superseded")


@pytest.mark.parametrize("state", ["queued", "waiting", "running", "between two stages", "put off", "behind another"])
def test_a_deletion_ends_what_was_submitted_before(desk: Desk, state: str) -> None:
    url = "https://example.com/hook"
    run_at = "2999-01-01T00:00:00Z" if state == "waiting" else None
    task_id = desk.document(callback_url=url, run_at=run_at)
    ids = [task_id]
    claim = desk.held(task_id, "preprocessing") if state not in ("queued", "waiting") else None
    if claim and state == "between two stages":
        assert desk.within(work.advance, Advance(claim, {})) == [True]
    if claim and state == "put off":
        desk.within(failing.fail, Failure(claim, TaskError("internal", "x")))
    if state == "behind another":
        ids.append(desk.document(callback_url=url))
        assert desk.claim(ids[1], "preprocessing") is None
    assert delete() == len(ids)
    assert all(is_superseded(desk, task_id) for task_id in ids)
    if claim:
        assert desk.within(work.advance, Advance(claim, {})) == [False], "whoever works on it is fenced off"
    assert desk.sql("SELECT count(*) FROM callbacks") == [(len(ids),)]
    assert desk.sql("SELECT * FROM locks") == []


def test_other_documents_and_what_comes_later_go_on(desk: Desk) -> None:
    payload = {"content": "text", "document_id": "d"}
    (other_kb,) = desk.submit(task_type="document_processing", kb_id="other", payload=payload)
    (other,) = desk.submit(task_type="document_processing", kb_id="kb", payload=payload | {"document_id": "e"})
    (test,) = desk.submit(kb_id="kb")
    ended = desk.document()
    desk.within(ending.cancel, ended)
    assert delete() == 0
    later = desk.document()
    assert [desk.row(task_id).status for task_id in (other_kb, other, test, later)] == ["queued"] * 4
    assert desk.row(ended).status == "cancelled"


def test_what_is_superseded_is_not_retried(desk: Desk) -> None:
    task_id = desk.document()
    delete()
    with unit_of_work() as unit:
        answer = retrying.retry(unit, [task_id])
    assert answer.task_ids == []
    assert "submit it again" in answer.refused[task_id]


def test_many_that_are_completed_and_deleted_at_once_never_wait_for_each_other_in_a_circle(desk: Desk) -> None:
    for _ in range(5):
        claims = []
        for number in range(6):
            payload = {"content": "text", "document_id": f"d{number}"}
            (task_id,) = desk.submit(task_type="document_processing", kb_id="kb", payload=payload)
            for stage in STAGES[:-1]:
                desk.within(work.advance, Advance(desk.held(task_id, stage), {}))
            claims.append(desk.held(task_id, STAGES[-1]))
        advances = [Advance(claim, {}, within=lambda unit: {}) for claim in claims]
        with ThreadPoolExecutor(4) as pool:
            one = pool.submit(desk.within, work.advance, *advances)
            deletions = [pool.submit(delete, "kb", f"d{number}") for number in range(6)]
            advanced, gone = one.result(20), [deletion.result(20) for deletion in deletions]
        assert [bool(outcome) for outcome in gone] == [not outcome for outcome in advanced]
