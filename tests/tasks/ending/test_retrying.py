"""Retries by hand, idempotency keys and paused queues, as the rows tell it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import clock
from errors import TaskError
from pipeline import STAGES
from tasks.accepting.idempotency import Key, Reused, forget
from tasks.accepting.submission import Accepted, NewBatch, Submission, submit, submit_batch
from tasks.dispatching import pausing
from tasks.ending import callbacks, retention, retrying
from tasks.transactions.unit import unit_of_work
from tasks.views import callbacks as shown
from tasks.working import failing, work
from tasks.working.claim import Advance
from tasks.working.failing import Failure
from tests.tasks.conftest import Desk

URL = "http://203.0.113.1/callback"


def retry(*task_ids: UUID) -> retrying.Retried:
    with unit_of_work() as unit:
        return retrying.retry(unit, task_ids)


def fail(desk: Desk, task_id: UUID, stage: str = "test", code: str = "empty") -> None:
    assert desk.within(failing.fail, Failure(desk.held(task_id, stage), TaskError(code, "x"))) == [True]


def complete(desk: Desk, task_id: UUID) -> None:
    assert desk.within(work.advance, Advance(desk.held(task_id), {})) == [True]


def test_a_retry_resumes_at_the_stage_that_failed(desk: Desk) -> None:
    task_id = desk.document(callback_url=URL)
    desk.within(work.advance, Advance(desk.held(task_id, "preprocessing")))
    progress = desk.row(task_id).progress
    fail(desk, task_id, "chunking")
    assert retry(task_id).task_ids == [task_id]
    row = desk.row(task_id)
    assert (row.status, row.stage, row.run, row.error, row.finished_at) == ("queued", "chunking", 2, None, None)
    assert [entry["name"] for entry in row.stages] == ["preprocessing"]
    assert row.progress == progress
    for stage in STAGES[STAGES.index("chunking") :]:
        desk.within(work.advance, Advance(desk.held(task_id, stage)))
    assert desk.row(task_id).status == "completed"
    ends = desk.sql("SELECT run, body->>'type' FROM callbacks ORDER BY run")
    assert [tuple(end) for end in ends] == [(1, "task.failed"), (2, "task.completed")]


def test_what_a_retry_needs_is_kept_for_a_day(desk: Desk) -> None:
    failed, done = desk.document(), desk.submit()[0]
    fail(desk, failed, "preprocessing")
    complete(desk, done)

    def over() -> list[UUID]:
        with unit_of_work() as unit:
            return retention.over(unit.session, [failed, done])

    assert over() == [done]
    desk.sql("UPDATE tasks SET finished_at = now() - interval '25 hours'")
    assert over() == [failed, done]


def test_a_retry_begins_anew_when_what_the_stages_made_is_gone(desk: Desk) -> None:
    task_id = desk.document()
    desk.within(work.advance, Advance(desk.held(task_id, "preprocessing")))
    fail(desk, task_id, "chunking")
    desk.sql("UPDATE tasks SET finished_at = now() - interval '25 hours'")
    retry(task_id)
    assert (desk.row(task_id).stage, desk.row(task_id).stages) == ("preprocessing", [])


def test_only_what_did_not_complete_is_retried(desk: Desk) -> None:
    done, running, waiting = desk.submit(3)
    complete(desk, done)
    desk.held(running)
    assert retry(done, running, waiting).task_ids == []


def test_a_batch_that_is_retried_ends_again(desk: Desk) -> None:
    request = NewBatch(submissions=[Submission(task_type="test") for _ in range(2)], callback_url=URL)
    (answer,) = desk.within(submit_batch, request)
    good, bad = [task.task_id for task in answer.tasks]
    complete(desk, good)
    fail(desk, bad)
    retry(bad)
    assert desk.sql("SELECT pending, run, finished_at FROM batches") == [(1, 2, None)]
    complete(desk, bad)
    rows = desk.sql("SELECT run, body->'data'->>'completed' FROM callbacks WHERE batch_id IS NOT NULL ORDER BY run")
    assert [tuple(end) for end in rows] == [(1, "1"), (2, "2")]


def test_a_task_whose_dependency_failed_runs_only_after_it(desk: Desk) -> None:
    (first,) = desk.submit()
    (second,) = desk.submit(depends_on=[first])
    fail(desk, first)
    refused = retry(second)
    assert (refused.task_ids, list(refused.refused)) == ([], [second])
    assert str(first) in refused.refused[second]
    assert retry(first, second).task_ids == [first, second]
    assert desk.row(second).status == "waiting"
    complete(desk, first)
    complete(desk, second)


def keyed(desk: Desk, key: str, body: bytes) -> Any:
    (answer,) = desk.within(submit, Submission(task_type="test").under(Key.of("caller", key, body)))
    return answer


def test_the_same_key_and_request_give_the_same_task(desk: Desk) -> None:
    first = keyed(desk, "k", b"body")
    complete(desk, first.task_id)
    assert keyed(desk, "k", b"body") == first
    assert keyed(desk, "other", b"body").task_id != first.task_id
    assert isinstance(keyed(desk, "k", b"another body"), Reused)
    assert desk.sql("SELECT count(*) FROM tasks") == [(2,)]


def test_two_requests_of_one_key_in_one_commit_make_one_task(desk: Desk) -> None:
    key = Key.of("caller", "k", b"body")
    plain = Submission(task_type="test")
    answers = desk.within(
        submit, Submission(task_type="test").under(key), plain, Submission(task_type="test").under(key)
    )
    ids = [answer.task_id for answer in answers if isinstance(answer, Accepted)]
    assert ids[0] == ids[2] != ids[1]
    assert desk.sql("SELECT count(*) FROM tasks") == [(2,)]


def test_a_batch_has_a_key_too(desk: Desk) -> None:
    def batch() -> Any:
        request = NewBatch(submissions=[Submission(task_type="test")] * 3).under(Key.of("", "k", b"body"))
        (answer,) = desk.within(submit_batch, request)
        return answer

    assert batch() == batch()
    assert desk.sql("SELECT count(*) FROM batches") == [(1,)]


def test_a_key_is_forgotten_after_a_day(desk: Desk) -> None:
    first = keyed(desk, "k", b"body")
    with unit_of_work() as unit:
        assert forget(unit) == 0
    desk.sql("UPDATE idempotency_keys SET created_at = now() - interval '25 hours'")
    with unit_of_work() as unit:
        assert forget(unit) == 1
    assert keyed(desk, "k", b"another body").task_id != first.task_id


def test_a_paused_queue_gives_nothing_to_anybody(desk: Desk) -> None:
    (before,) = desk.submit()
    with unit_of_work() as unit:
        pausing.pause(unit, "default")
        assert pausing.paused(unit.session) == {"default"}
    (after,) = desk.submit()
    assert (desk.claim(before), desk.claim(after)) == (None, None)
    clock.tick(clock.WAKE)
    assert desk.next() == [[]]
    with unit_of_work() as unit:
        pausing.resume(unit, "default")
    assert desk.claim(before) is not None
    assert desk.claim(after) is not None


def test_a_pause_leaves_what_runs_alone(desk: Desk) -> None:
    (task_id,) = desk.submit()
    claim = desk.held(task_id)
    with unit_of_work() as unit:
        pausing.pause(unit, "default")
    assert desk.within(work.advance, Advance(claim, {})) == [True]


def test_callbacks_are_paused_and_delivered_again_like_work(desk: Desk) -> None:
    (task_id,) = desk.submit(callback_url=URL)
    complete(desk, task_id)
    with unit_of_work() as unit:
        pausing.pause(unit, "callback")
        (listed,) = shown.of_task(unit.session, task_id)
    callback_id = UUID(listed["callback_id"])
    assert (listed["status"], listed["attempts"], listed["log"]) == ("pending", 0, [])
    assert desk.within(callbacks.take, callback_id) == [None]
    with unit_of_work() as unit:
        assert callbacks.publish_due(unit) == 0
        pausing.resume(unit, "callback")
        assert callbacks.publish_due(unit) == 1, "its message came while it was paused"
    (delivery,) = desk.within(callbacks.take, callback_id)
    with unit_of_work() as unit:
        callbacks.put_off(unit, delivery, "500", None)
    desk.sql("UPDATE callbacks SET due_at = now()")
    (delivery,) = desk.within(callbacks.take, callback_id)
    with unit_of_work() as unit:
        callbacks.delivered(unit, delivery, "204")
        (listed,) = shown.of_task(unit.session, task_id)
    assert listed["status"] == "delivered"
    assert [entry["answer"] for entry in listed["log"]] == ["500", "204"]
    with unit_of_work() as unit:
        assert callbacks.redeliver(unit, callback_id, task_id=task_id)
    (delivery,) = desk.within(callbacks.take, callback_id)
    assert (delivery.id, delivery.attempt) == (callback_id, 1)


def test_the_log_of_a_callback_stays_short(desk: Desk) -> None:
    (task_id,) = desk.submit(callback_url=URL)
    complete(desk, task_id)
    ((callback_id,),) = desk.sql("SELECT id FROM callbacks")
    for turn in range(callbacks.LOGGED + 5):
        desk.sql("UPDATE callbacks SET due_at = now(), attempts = 0")
        (delivery,) = desk.within(callbacks.take, callback_id)
        with unit_of_work() as unit:
            callbacks.put_off(unit, delivery, str(turn), None)
    ((log,),) = desk.sql("SELECT log FROM callbacks")
    assert [entry["answer"] for entry in log] == [str(turn) for turn in range(5, callbacks.LOGGED + 5)]
