"""What a task says of its times: a wait counts from when it was ready, and work only while somebody did it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from errors import TaskError
from models import database
from tasks.ending.ending import cancel
from tasks.ending.retrying import retry
from tasks.transactions.unit import unit_of_work
from tasks.views import reading
from tasks.working import presence, work
from tasks.working.claim import Advance, Claim
from tasks.working.failing import Failure, fail, hand_back
from tests.tasks.conftest import Desk


def shown(task_id: UUID) -> dict[str, Any]:
    with database.transaction() as session:
        task = reading.show(session, task_id)
    assert task is not None
    return task


def timings(claim: Claim) -> dict[str, float]:
    with database.transaction() as session:
        return work.timings(session, claim)


def pass_by(desk: Desk, seconds: float, *columns: str) -> None:
    """Let time pass since what these columns say."""
    for column in columns:
        desk.sql(f"UPDATE tasks SET {column} = {column} - :time", time=timedelta(seconds=seconds))


def near(seconds: float) -> Any:
    """So many, however slow the machine is on which the test runs."""
    return pytest.approx(seconds, abs=9)


def test_a_run_at_in_the_past_is_no_wait(desk: Desk) -> None:
    (task_id,) = desk.submit(run_at=datetime.now(UTC) - timedelta(hours=1))
    assert shown(task_id)["queue_wait_seconds"] == near(0)
    desk.within(work.advance, Advance(desk.held(task_id)))
    assert shown(task_id)["queue_wait_seconds"] == near(0)


def test_a_stage_that_was_handed_back_took_what_was_worked_on_it(desk: Desk) -> None:
    task_id = desk.document()
    claim = desk.held(task_id, "preprocessing")
    pass_by(desk, 30, "claimed_at", "stage_started_at")
    desk.within(hand_back, claim)
    pass_by(desk, 500, "due_at", "stage_started_at")
    assert shown(task_id)["queue_wait_seconds"] == near(500)
    claim = desk.held(task_id, "preprocessing")
    pass_by(desk, 20, "claimed_at", "stage_started_at")
    assert timings(claim) == {"preprocessing": near(50)}
    desk.within(work.advance, Advance(claim))
    assert timings(desk.held(task_id, "chunking")) == {"preprocessing": near(50), "chunking": near(0)}
    first = shown(task_id)["stages"][0]
    assert first["queue_wait_seconds"] == near(500)


def test_what_a_dead_worker_did_counts_until_it_was_last_heard_of(desk: Desk) -> None:
    (task_id,) = desk.submit()
    with database.transaction() as session:
        presence.beat(session, "worker")
    desk.held(task_id)
    pass_by(desk, 900, "claimed_at", "stage_started_at")
    desk.sql("UPDATE workers SET heartbeat_at = now() - interval '800 seconds'")
    with unit_of_work() as unit:
        assert presence.sweep(unit, timedelta(seconds=1)) == 1
    assert shown(task_id)["queue_wait_seconds"] == near(0), "it was not ready while its worker was not known to be dead"
    claim = desk.held(task_id)
    assert timings(claim) == {"test": near(100)}


def test_a_retry_by_hand_begins_to_wait_anew(desk: Desk) -> None:
    (task_id,) = desk.submit()
    pass_by(desk, 6000, "created_at", "due_at")
    desk.within(cancel, task_id)
    desk.within(retry, task_id)
    pass_by(desk, 40, "due_at")
    assert shown(task_id)["queue_wait_seconds"] == near(40)
    desk.within(work.advance, Advance(desk.held(task_id)))
    assert shown(task_id)["queue_wait_seconds"] == near(40)


def test_the_pause_before_a_retry_is_neither_wait_nor_work(desk: Desk) -> None:
    (task_id,) = desk.submit()
    claim = desk.held(task_id)
    pass_by(desk, 30, "claimed_at")
    desk.within(fail, Failure(claim, TaskError("fetch_failed", "it answered 500")))
    desk.sql("UPDATE tasks SET due_at = now(), status = 'queued'")
    claim = desk.held(task_id)
    assert timings(claim) == {"test": near(30)}
    assert shown(task_id)["queue_wait_seconds"] == near(0)
