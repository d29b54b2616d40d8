"""The life of a task, transition by transition, as the rows tell it."""

from __future__ import annotations

from typing import Any

import pytest

from errors import CODES, TaskError
from pipeline import STAGES
from tasks.ending import ending
from tasks.lifecycle import ENDED, MEANING, TRANSITIONS, Status
from tasks.process import process_id
from tasks.transactions.unit import Unit, unit_of_work
from tasks.views import reading
from tasks.working import claiming, failing, fence, work
from tasks.working.claim import Advance, Wanted
from tasks.working.failing import CRASH_BUDGET, DEATH_BUDGET, Failure
from tests.tasks.conftest import Desk


def test_every_state_and_transition_has_a_sentence() -> None:
    assert set(MEANING) == set(Status)
    assert all(sentence.endswith(".") for sentence in MEANING.values())
    assert all(transition.when.endswith(".") for transition in TRANSITIONS)
    assert len({transition.name for transition in TRANSITIONS}) == len(TRANSITIONS)


def test_only_a_retry_by_hand_leaves_an_ended_state() -> None:
    leaving = [t for t in TRANSITIONS if set(t.sources) & set(ENDED)]
    assert {t.name for t in leaving} == {"retry", "retry_later"}
    assert not [t for t in leaving if Status.COMPLETED in t.sources]


def test_every_code_has_its_hints() -> None:
    for name, code in CODES.items():
        assert code.meaning.endswith("."), name
        assert code.hint.endswith("."), name
        assert code.hint_zh.endswith("。"), name


def test_a_document_goes_through_its_stages_in_order(desk: Desk) -> None:
    task_id = desk.document()
    progress = [0.0]
    for stage in STAGES:
        claim = desk.held(task_id, stage)
        last = stage == STAGES[-1]
        assert desk.within(work.advance, Advance(claim, {"chunks": 3} if last else {}, units=2)) == [True]
        progress.append(desk.row(task_id).progress)
    row = desk.row(task_id)
    assert (row.status, row.progress, row.result) == ("completed", 100, {"chunks": 3})
    assert [entry["name"] for entry in row.stages] == list(STAGES)
    assert all(entry["status"] == "completed" and entry["attempts"] == 1 for entry in row.stages)
    assert progress == sorted(progress)


def test_a_claim_is_given_once(desk: Desk) -> None:
    (task_id,) = desk.submit()
    assert desk.claim(task_id) is not None
    assert desk.claim(task_id) is None


def test_two_wishes_of_one_group_commit_get_one_claim(desk: Desk) -> None:
    (task_id,) = desk.submit()
    claims = desk.within(claiming.claim, Wanted(task_id, "test"), Wanted(task_id, "test"))
    assert [claim is not None for claim in claims] == [True, False]


def test_a_stage_that_is_past_is_not_claimed_again(desk: Desk) -> None:
    task_id = desk.document()
    desk.within(work.advance, Advance(desk.held(task_id, "preprocessing")))
    assert desk.claim(task_id, "preprocessing") is None
    assert desk.claim(task_id, "storing") is None
    assert desk.claim(task_id, "chunking") is not None


def test_whoever_was_given_up_for_dead_can_no_longer_write(desk: Desk) -> None:
    (task_id,) = desk.submit()
    old = desk.held(task_id)
    with unit_of_work() as unit:
        failing.requeue(unit, process_id())
    new = desk.held(task_id)
    assert desk.within(work.advance, Advance(old, {"from": "the dead"})) == [False]
    assert desk.within(failing.fail, Failure(old, TaskError("corrupt", "x"))) == [False]
    assert desk.within(work.report, (old, 1, 1)) == [False]
    assert desk.row(task_id).status == "processing"
    assert desk.within(work.advance, Advance(new, {"from": "the living"})) == [True]
    assert desk.row(task_id).result == {"from": "the living"}


def test_what_belongs_to_an_advance_is_not_written_by_a_fenced_one(desk: Desk) -> None:
    (task_id,) = desk.submit()
    claim = desk.held(task_id)
    desk.within(ending.cancel, task_id)
    written: list[int] = []

    def write(_: Unit) -> dict[str, Any]:
        written.append(1)
        return {"written": True}

    assert desk.within(work.advance, Advance(claim, {}, within=write)) == [False]
    assert written == []
    (task_id,) = desk.submit()
    assert desk.within(work.advance, Advance(desk.held(task_id), {}, within=write)) == [True]
    assert desk.row(task_id).result == {"written": True}


def test_an_error_that_a_retry_may_mend_is_put_off_with_growing_delay(desk: Desk) -> None:
    (task_id,) = desk.submit(retry_limit=2)
    delays = []
    for attempt in (1, 2):
        claim = desk.held(task_id)
        assert desk.within(failing.fail, Failure(claim, TaskError("internal", "x"))) == [False]
        row = desk.row(task_id)
        assert (row.status, row.errors, row.retries) == ("waiting", attempt, attempt)
        delays.append((row.due_at - row.created_at).total_seconds())
        assert desk.claim(task_id) is None, "a waiting task is not claimed before it is due"
        desk.sql("UPDATE tasks SET status = 'queued' WHERE id = :id", id=task_id)
    claim = desk.held(task_id)
    assert desk.within(failing.fail, Failure(claim, TaskError("internal", "x"))) == [True]
    assert desk.row(task_id).status == "failed"
    assert 0.5 <= delays[0] <= 1.6
    assert 1.0 <= delays[1] <= 3.1


def test_an_error_that_no_retry_mends_ends_the_task_at_once(desk: Desk) -> None:
    task_id = desk.document()
    claim = desk.held(task_id, "preprocessing")
    assert desk.within(failing.fail, Failure(claim, TaskError("encrypted", "a password"))) == [True]
    row = desk.row(task_id)
    assert (row.status, row.errors, row.retries) == ("failed", 0, 0)
    assert row.error["code"] == "encrypted"
    assert row.error["stage"] == "preprocessing"
    assert row.error["retryable"] is False
    assert row.error["hint"] == CODES["encrypted"].hint


def test_a_provider_that_asks_for_patience_gets_it(desk: Desk) -> None:
    (task_id,) = desk.submit()
    error = TaskError("rate_limited", "slow down", retry_after=120)
    desk.within(failing.fail, Failure(desk.held(task_id), error))
    row = desk.row(task_id)
    assert 119 <= (row.due_at - row.created_at).total_seconds() <= 125


@pytest.mark.parametrize("seconds", [31_000_000_000.0, 300_000_000_000.0, 99_999_999_999_999.0, float("inf")])
def test_no_server_puts_a_task_off_for_more_than_an_hour(desk: Desk, seconds: float) -> None:
    (task_id,) = desk.submit()
    error = TaskError("rate_limited", "slow down", retry_after=seconds)
    desk.within(failing.fail, Failure(desk.held(task_id), error))
    row = desk.row(task_id)
    assert (row.status, row.errors) == ("waiting", 1)
    assert (row.due_at - row.created_at).total_seconds() == pytest.approx(3600, abs=10)


def test_a_stage_that_is_done_clears_its_errors_and_the_next_starts_afresh(desk: Desk) -> None:
    task_id = desk.document()
    desk.within(failing.fail, Failure(desk.held(task_id, "preprocessing"), TaskError("internal", "x")))
    desk.sql("UPDATE tasks SET status = 'queued' WHERE id = :id", id=task_id)
    desk.within(work.advance, Advance(desk.held(task_id, "preprocessing")))
    row = desk.row(task_id)
    assert (row.errors, row.crashes, row.deaths, row.error) == (0, 0, 0, None)
    assert row.retries == 1
    assert row.stages[0]["attempts"] == 2


def test_a_crash_of_its_own_child_is_counted_apart_from_errors(desk: Desk) -> None:
    (task_id,) = desk.submit(retry_limit=0)
    for count in range(1, CRASH_BUDGET + 1):
        ended = desk.within(failing.fail, Failure(desk.held(task_id), TaskError("worker_crashed", "x")))
        assert ended == [count == CRASH_BUDGET]
        desk.sql("UPDATE tasks SET status = 'queued' WHERE id = :id AND status = 'waiting'", id=task_id)
    row = desk.row(task_id)
    assert (row.status, row.error["code"], row.errors) == ("failed", "worker_crashed", 0)


def test_the_death_of_a_worker_makes_suspects_and_convicts_nobody(desk: Desk) -> None:
    ids = desk.submit(3)
    for task_id in ids:
        desk.held(task_id)
    with unit_of_work() as unit:
        assert failing.requeue(unit, process_id()) == 3
    for task_id in ids:
        row = desk.row(task_id)
        assert (row.status, row.deaths, row.crashes, row.errors) == ("queued", 1, 0, 0)
        assert desk.held(task_id).deaths == 1


def test_a_task_whose_workers_die_one_after_the_other_is_given_up(desk: Desk) -> None:
    (task_id,) = desk.submit()
    for _ in range(DEATH_BUDGET):
        claim = desk.held(task_id)
        with unit_of_work() as unit:
            assert fence.begin(unit.session, claim)
        with unit_of_work() as unit:
            failing.requeue(unit, process_id())
    row = desk.row(task_id)
    assert (row.status, row.error["code"]) == ("failed", "worker_crashed")


def test_a_death_counts_against_no_suspect_whose_work_had_not_begun(desk: Desk) -> None:
    (task_id,) = desk.submit()
    for _ in range(DEATH_BUDGET + 1):
        claim = desk.held(task_id)
        with unit_of_work() as unit:
            failing.requeue(unit, process_id())
    assert (desk.row(task_id).status, desk.row(task_id).deaths) == ("queued", 1)
    with unit_of_work() as unit:
        assert not fence.begin(unit.session, claim), "it is in other hands"


def test_a_deploy_hands_work_back_and_spends_nothing(desk: Desk) -> None:
    (task_id,) = desk.submit()
    assert desk.within(failing.hand_back, desk.held(task_id)) == [True]
    row = desk.row(task_id)
    assert (row.status, row.errors, row.crashes, row.deaths) == ("queued", 0, 0, 0)
    assert desk.claim(task_id) is not None


@pytest.mark.parametrize("claimed", [False, True])
def test_cancelling_ends_a_task_and_fences_whoever_runs_it(desk: Desk, claimed: bool) -> None:
    task_id = desk.document()
    claim = desk.held(task_id, "preprocessing") if claimed else None
    assert desk.within(ending.cancel, task_id) == {task_id}
    assert desk.row(task_id).status == "cancelled"
    assert desk.within(ending.cancel, task_id) == set(), "it ends once"
    if claim is not None:
        assert desk.within(work.advance, Advance(claim)) == [False]


def test_progress_never_falls(desk: Desk) -> None:
    task_id = desk.document()
    claim = desk.held(task_id, "preprocessing")
    desk.within(work.report, (claim, 9, 10))
    high = desk.row(task_id).progress
    desk.within(work.report, (claim, 2, 10))
    assert desk.row(task_id).progress == high > 0


def test_a_task_is_shown_with_its_stages(desk: Desk) -> None:
    task_id = desk.document(metadata={"yours": "数据"})
    desk.within(work.advance, Advance(desk.held(task_id, "preprocessing"), units=4))
    desk.held(task_id, "chunking")
    with unit_of_work() as unit:
        shown = reading.show(unit.session, task_id)
    assert shown is not None
    assert (shown["status"], shown["stage"], shown["attempt"]) == ("processing", "chunking", 1)
    pending = ["pending"] * (len(STAGES) - 2)
    assert [stage["status"] for stage in shown["stages"]] == ["completed", "processing", *pending]
    assert shown["stages"][0]["units"] == 4
    assert shown["metadata"] == {"yours": "数据"}
    assert shown["created_at"].endswith("Z")
    assert shown["stages"][0]["finished_at"].endswith("Z")
    assert "content" not in shown["payload"]
