"""Each attempt of a task is told: by which worker, when, and how it ended."""

from __future__ import annotations

import time
from datetime import timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

from errors import TaskError
from models import database
from models.base import rfc3339
from pipeline import STAGES
from tasks.ending import ending, retrying
from tasks.process import process_id
from tasks.transactions.unit import unit_of_work
from tasks.transitions.attempts import MOST
from tasks.views import reading
from tasks.working import failing, presence, work
from tasks.working.claim import Advance, Claim, Passed
from tasks.working.failing import Failure
from tests.tasks.conftest import Desk


def attempts(task_id: UUID, *fields: str) -> list[Any]:
    """Of each attempt these fields, one without a tuple around it."""
    with database.transaction() as session:
        task = reading.show(session, task_id)
    assert task is not None
    rows = [tuple(attempt[name] for name in fields) for attempt in task["attempts"]]
    return [row[0] for row in rows] if len(fields) == 1 else rows


def fail(desk: Desk, claim: Claim, code: str, message: str = "x") -> None:
    desk.within(failing.fail, Failure(claim, TaskError(code, message)))


def make_due(desk: Desk) -> None:
    desk.sql("UPDATE tasks SET due_at = now(), status = 'queued' WHERE status = 'waiting'")


def test_a_task_that_fails_twice_shows_three_attempts(desk: Desk) -> None:
    (task_id,) = desk.submit()
    for message in ("first", "second"):
        claim = desk.held(task_id)
        desk.sql("UPDATE tasks SET claimed_at = claimed_at - interval '5 s', due_at = due_at - interval '7 s'")
        fail(desk, claim, "fetch_failed", message)
        make_due(desk)
    desk.within(work.advance, Advance(desk.held(task_id)))
    assert attempts(task_id, "stage", "number", "outcome", "worker") == [
        ("test", 1, "put_off", str(process_id())),
        ("test", 2, "put_off", str(process_id())),
        ("test", 3, "completed", str(process_id())),
    ]
    errors = attempts(task_id, "error")
    assert errors == [
        {"code": "fetch_failed", "message": "first", "retryable": True},
        {"code": "fetch_failed", "message": "second", "retryable": True},
        None,
    ]
    times = attempts(task_id, "started_at", "finished_at")
    assert all(began < ended for began, ended in times[:2])
    assert all(earlier[0] < later[0] for earlier, later in pairwise(times))
    assert all(waited >= 2 for waited in attempts(task_id, "waited_seconds")[:2])


def test_what_succeeds_at_once_writes_nothing_besides(desk: Desk) -> None:
    task_id = desk.document()
    for stage in STAGES:
        claim = desk.held(task_id, stage)
        assert attempts(task_id, "stage", "outcome", "finished_at")[-1] == (stage, "running", None)
        desk.within(work.advance, Advance(claim))
    assert desk.row(task_id).attempts is None
    assert attempts(task_id, "stage", "outcome", "number") == [(stage, "completed", 1) for stage in STAGES]


def test_the_stages_of_a_single_pass_are_an_attempt_each(desk: Desk) -> None:
    task_id = desk.document()
    claim = desk.held(task_id, "preprocessing")
    now = time.monotonic()
    passed = [Passed(stage, 1, now, now) for stage in STAGES[:-1]]
    desk.within(work.advance, Advance(claim, {}, passed=passed))
    assert attempts(task_id, "stage", "outcome") == [(stage, "completed") for stage in STAGES]
    assert set(attempts(task_id, "worker")) == {str(process_id())}


def test_a_dead_worker_is_told_until_it_was_last_heard_of(desk: Desk) -> None:
    (task_id,) = desk.submit()
    with database.transaction() as session:
        presence.beat(session, "worker")
    desk.held(task_id)
    desk.sql("UPDATE tasks SET claimed_at = claimed_at - interval '900 s'")
    desk.sql("UPDATE workers SET heartbeat_at = now() - interval '800 s'")
    heard = desk.sql("SELECT heartbeat_at FROM workers")[0].heartbeat_at
    with unit_of_work() as unit:
        presence.sweep(unit, timedelta(seconds=1))
    assert attempts(task_id, "outcome", "finished_at", "error") == [("worker_died", rfc3339(heard), None)]


def test_who_loses_too_many_workers_fails_without_another_attempt(desk: Desk) -> None:
    (task_id,) = desk.submit()
    for _ in range(failing.DEATH_BUDGET):
        assert desk.row(task_id).status == "queued"
        desk.held(task_id)
        desk.sql("UPDATE tasks SET begun = attempt")
        with unit_of_work() as unit:
            failing.requeue(unit, process_id())
    assert desk.row(task_id).status == "failed"
    assert attempts(task_id, "outcome") == ["worker_died"] * failing.DEATH_BUDGET


def test_what_was_handed_back_does_not_count_and_is_told(desk: Desk) -> None:
    (task_id,) = desk.submit()
    desk.within(failing.hand_back, desk.held(task_id))
    desk.held(task_id)
    with unit_of_work() as unit:
        failing.hand_back_all(unit)
    desk.within(work.advance, Advance(desk.held(task_id)))
    assert attempts(task_id, "number", "outcome") == [(1, "handed_back"), (1, "handed_back"), (1, "completed")]


def test_a_claim_that_nobody_knows_of_is_told_as_lost(desk: Desk) -> None:
    (task_id,) = desk.submit()
    desk.held(task_id)
    desk.sql("UPDATE tasks SET claimed_at = claimed_at - interval '1 hour'")
    with unit_of_work() as unit:
        presence.sweep(unit)
    assert attempts(task_id, "outcome") == ["lost"]


def test_a_cancelled_task_tells_the_attempt_that_was_stopped(desk: Desk) -> None:
    running, waiting = desk.submit(2)
    desk.held(running)
    fail(desk, desk.held(waiting), "fetch_failed")
    desk.within(ending.cancel, running, waiting)
    assert attempts(running, "outcome") == ["cancelled"]
    assert attempts(waiting, "outcome") == ["put_off"], "nobody was at work on it"


def test_going_back_keeps_the_attempts_of_the_stages_that_are_done_again(desk: Desk) -> None:
    task_id = desk.document()
    for stage in ("preprocessing", "chunking"):
        desk.within(work.advance, Advance(desk.held(task_id, stage)))
    claim = desk.held(task_id, STAGES[2])
    error = TaskError("internal", "its drafts are gone", resume_at="chunking")
    desk.within(failing.fail, Failure(claim, error))
    desk.within(work.advance, Advance(desk.held(task_id, "chunking")))
    assert attempts(task_id, "stage", "outcome") == [
        ("preprocessing", "completed"),
        ("chunking", "completed"),
        (STAGES[2], "went_back"),
        ("chunking", "completed"),
    ]
    assert attempts(task_id, "error")[2]["message"] == "its drafts are gone"


def test_another_run_keeps_the_attempts_of_the_one_before(desk: Desk) -> None:
    task_id = desk.document()
    desk.within(work.advance, Advance(desk.held(task_id, "preprocessing")))
    fail(desk, desk.held(task_id, "chunking"), "empty", "there is no text in it")
    desk.within(retrying.retry, task_id)
    desk.within(work.advance, Advance(desk.held(task_id, "chunking")))
    expected = [
        (1, "preprocessing", 1, "completed"),
        (1, "chunking", 1, "failed"),
        (2, "chunking", 1, "completed"),
    ]
    assert attempts(task_id, "run", "stage", "number", "outcome") == expected
    assert attempts(task_id, "error")[1]["message"] == "there is no text in it"
    desk.within(ending.cancel, task_id)
    desk.sql("UPDATE tasks SET finished_at = finished_at - interval '1 year'")
    desk.within(retrying.retry, task_id)
    assert attempts(task_id, "run", "stage", "number", "outcome") == expected, "also where nothing of it is used again"


def test_only_the_newest_are_kept(desk: Desk) -> None:
    (task_id,) = desk.submit()
    for _ in range(MOST + 3):
        desk.within(failing.hand_back, desk.held(task_id))
    fail(desk, desk.held(task_id), "empty")
    outcomes = attempts(task_id, "outcome")
    assert (len(outcomes), outcomes[-1]) == (MOST, "failed")


def test_a_divided_stage_is_one_attempt(desk: Desk) -> None:
    task_id = desk.document()
    desk.within(work.advance, Advance(desk.held(task_id, "preprocessing"), shards=[(0, 2), (2, 4)]))
    for _ in range(2):
        shard = desk.held(task_id, "preprocessing")
        assert attempts(task_id, "stage", "outcome") == [("preprocessing", "running")]
        (whole,) = desk.within(work.advance, Advance(shard))
    desk.within(work.advance, Advance(whole))
    assert attempts(task_id, "stage", "outcome", "worker") == [("preprocessing", "completed", str(process_id()))]


def test_what_an_earlier_release_wrote_is_told_as_far_as_it_goes(desk: Desk) -> None:
    (task_id,) = desk.submit()
    desk.within(work.advance, Advance(desk.held(task_id)))
    desk.sql("UPDATE tasks SET stages = jsonb_build_array(stages->0 #- '{worker}' #- '{waited}' #- '{seconds}')")
    assert attempts(task_id, "number", "worker", "waited_seconds", "outcome") == [(1, None, None, "completed")]
