"""A thread takes the stage that it runs next: what it may have, what it may not, and who is woken besides."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from models import database
from tasks.process import process_id
from tasks.transactions.unit import unit_of_work
from tasks.working import claiming
from tasks.working.claim import Wanted
from tests.tasks.conftest import Desk


def test_a_claim_says_what_was_submitted_and_counts_the_attempt(desk: Desk) -> None:
    (task_id,) = desk.submit(payload={"message": "hello"}, metadata={"a": 1}, timeout=7, retry_limit=2, kb_id="kb")
    claim = desk.held(task_id)
    assert (claim.task_type, claim.stage, claim.attempt, claim.kb_id) == ("test", "test", 1, "kb")
    assert (claim.payload, claim.metadata) == ({"message": "hello"}, {"a": 1})
    assert (claim.timeout, claim.retry_limit, claim.errors, claim.deaths) == (7, 2, 0, 0)
    row = desk.row(task_id)
    assert (row.status, row.attempt, row.worker_id) == ("processing", 1, process_id())


def test_what_is_claimed_is_claimed_by_nobody_else(desk: Desk) -> None:
    (task_id,) = desk.submit()
    desk.held(task_id)
    assert desk.claim(task_id) is None
    assert desk.row(task_id).attempt == 1, "and no attempt is counted"


def test_wishes_are_answered_in_their_order_and_each_task_once(desk: Desk) -> None:
    first, second = desk.submit(2)
    wanted = [Wanted(second, "test"), Wanted(uuid.uuid4(), "test"), Wanted(first, "test"), Wanted(second, "test")]
    with unit_of_work() as unit:
        claims = claiming.claim(unit, wanted)
    assert [claim and claim.task_id for claim in claims] == [second, None, first, None]


@pytest.mark.parametrize(
    ("fields", "stage"),
    [
        ({}, "benchmark"),
        ({"run_at": datetime.now(UTC) + timedelta(hours=1)}, "test"),
    ],
    ids=["at another stage", "not due"],
)
def test_a_row_that_says_otherwise_is_not_claimed(desk: Desk, fields: dict[str, Any], stage: str) -> None:
    (task_id,) = desk.submit(**fields)
    assert desk.claim(task_id, stage) is None
    assert desk.row(task_id).attempt == 0


def test_a_task_of_a_paused_queue_is_not_claimed(desk: Desk) -> None:
    (task_id,) = desk.submit()
    desk.sql("INSERT INTO paused_queues (queue) VALUES ('default')")
    assert desk.claim(task_id) is None
    desk.sql("DELETE FROM paused_queues")
    assert desk.claim(task_id) is not None


def test_a_document_is_worked_on_by_one_task_at_a_time(desk: Desk) -> None:
    first, second = desk.document(), desk.document()
    assert desk.claim(first, "preprocessing") is not None
    assert desk.claim(second, "preprocessing") is None
    assert desk.row(second).status == "waiting", "it waits for the end of the first"


def test_what_this_process_holds_is_told_by_the_rows(desk: Desk) -> None:
    first, _ = desk.submit(2)
    claim = desk.held(first)
    with database.transaction() as session:
        assert claiming.still_held(session) == {claim.key}
    desk.sql("UPDATE tasks SET worker_id = gen_random_uuid() WHERE id = :id", id=first)
    with database.transaction() as session:
        assert claiming.still_held(session) == set()


def test_threads_share_what_waits(desk: Desk) -> None:
    desk.submit(3, task_type="benchmark", payload={"seconds": 1})
    shared = desk.next(threads=2)
    taken = [claim.task_id for claims in shared for claim in claims]
    assert len(taken) == len(set(taken)) >= 2
    assert all(shared), "each thread has something"


def test_a_thread_that_was_woken_wakes_others_for_what_it_leaves(desk: Desk) -> None:
    desk.submit(20, task_type="benchmark", payload={"seconds": 1})
    desk.broker.queues["default"].ready.clear()
    desk.next(threads=1, woken=True)
    assert desk.queued() > 0


@pytest.mark.parametrize(
    ("woken", "threads", "taken", "idle", "wakes"),
    [
        (1, 1, True, False, True),
        (0, 2, True, True, True),
        (0, 1, True, False, False),
        (1, 1, False, True, False),
        (0, 1, False, True, True),
    ],
)
def test_others_are_woken_where_more_waits_and_not_where_nothing_is_to_be_had(
    woken: int, threads: int, taken: bool, idle: bool, wakes: bool
) -> None:
    assert claiming._wake_others(woken, threads, taken=taken, idle=idle) is wakes
