"""What ends with a task: the callback that is owed, the batch that it belongs to."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

import settings as settings_module
from errors import TaskError
from tasks.accepting.submission import NewBatch, Submission, submit_batch
from tasks.ending import callbacks, ending
from tasks.transactions.unit import unit_of_work
from tasks.working import failing, work
from tasks.working.claim import Advance
from tasks.working.failing import Failure
from tests.tasks.conftest import Desk

URL = "https://kb.example.com/callbacks"


def owed(desk: Desk) -> list[Any]:
    return desk.sql("SELECT * FROM callbacks ORDER BY id")


def test_a_completed_task_owes_one_callback(desk: Desk) -> None:
    (task_id,) = desk.submit(callback_url=URL, metadata={"row": 7}, kb_id="kb")
    claim = desk.held(task_id)
    assert owed(desk) == []
    desk.within(work.advance, Advance(claim, {"echo": "你好"}))
    desk.within(work.advance, Advance(claim, {"echo": "again"}))
    (callback,) = owed(desk)
    assert callback.url == URL
    assert callback.body["type"] == "task.completed"
    assert callback.body["data"] == {
        "kb_id": "kb",
        "task_id": str(task_id),
        "task_type": "test",
        "status": "completed",
        "document_id": None,
        "result": {"echo": "你好"},
        "error": None,
        "retry_count": 0,
        "metadata": {"row": 7},
    }
    assert desk.queued("callback") == 1


def test_a_failed_and_a_cancelled_task_owe_theirs(desk: Desk) -> None:
    failing_id, cancelled_id = desk.submit(2, callback_url=URL)
    desk.within(failing.fail, Failure(desk.held(failing_id), TaskError("corrupt", "x")))
    desk.within(ending.cancel, cancelled_id)
    assert [callback.body["type"] for callback in owed(desk)] == ["task.failed", "task.cancelled"]
    assert owed(desk)[0].body["data"]["error"]["code"] == "corrupt"


def test_without_an_address_nothing_is_owed(desk: Desk) -> None:
    (task_id,) = desk.submit()
    desk.within(work.advance, Advance(desk.held(task_id), {}))
    assert owed(desk) == []


def test_the_address_of_the_deployment_serves_where_a_task_names_none(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KB_CALLBACK_URL", "https://kb.example.com/all")
    settings_module.settings.cache_clear()
    (task_id,) = desk.submit()
    desk.within(work.advance, Advance(desk.held(task_id), {}))
    assert [callback.url for callback in owed(desk)] == ["https://kb.example.com/all"]


def test_an_end_that_is_rolled_back_owes_nothing(desk: Desk) -> None:
    (task_id,) = desk.submit(callback_url=URL)
    claim = desk.held(task_id)
    with pytest.raises(ZeroDivisionError), unit_of_work() as unit:
        work.advance(unit, [Advance(claim, {})])
        raise ZeroDivisionError
    assert owed(desk) == []
    assert desk.queued("callback") == 0
    assert desk.row(task_id).status == "processing"


def batch(desk: Desk, count: int) -> tuple[UUID, list[UUID]]:
    request = NewBatch(submissions=[Submission(task_type="test") for _ in range(count)], callback_url=URL + "/batch")
    (answer,) = desk.within(submit_batch, request)
    return answer.batch_id, [task.task_id for task in answer.tasks]


def test_a_batch_is_called_back_once_whatever_became_of_its_tasks(desk: Desk) -> None:
    batch_id, (good, bad, unwanted) = batch(desk, 3)
    desk.within(work.advance, Advance(desk.held(good), {}))
    desk.within(failing.fail, Failure(desk.held(bad), TaskError("empty", "x")))
    assert owed(desk) == []
    desk.within(ending.cancel, unwanted)
    (callback,) = owed(desk)
    assert callback.batch_id == batch_id
    assert callback.body["type"] == "batch.completed"
    assert callback.body["data"] == {
        "batch_id": str(batch_id),
        "total": 3,
        "completed": 1,
        "failed": 1,
        "cancelled": 1,
    }


def test_tasks_of_a_batch_that_end_in_one_commit_end_it_once(desk: Desk) -> None:
    _, ids = batch(desk, 5)
    claims = [desk.held(task_id) for task_id in ids]
    assert desk.within(work.advance, *(Advance(claim, {}) for claim in claims)) == [True] * 5
    assert len(owed(desk)) == 1


def take(desk: Desk, callback_id: UUID) -> Any:
    return desk.within(callbacks.take, callback_id)[0]


def test_a_callback_is_taken_by_one_at_a_time_and_put_off_by_the_schedule(desk: Desk) -> None:
    (task_id,) = desk.submit(callback_url=URL)
    desk.within(ending.cancel, task_id)
    (callback,) = owed(desk)
    for position, seconds in enumerate(callbacks.SCHEDULE):
        delivery = take(desk, callback.id)
        assert delivery is not None
        assert delivery.attempt == position + 1
        assert take(desk, callback.id) is None
        with unit_of_work() as unit:
            callbacks.put_off(unit, delivery, "HTTP 500", None)
        (row,) = desk.sql("SELECT status, due_at - now() AS wait, published_at FROM callbacks")
        assert row.status == "pending"
        assert row.published_at is None
        assert abs(row.wait.total_seconds() - seconds) < 5
        desk.sql("UPDATE callbacks SET due_at = now()")
    delivery = take(desk, callback.id)
    with unit_of_work() as unit:
        callbacks.put_off(unit, delivery, "HTTP 500", None)
    assert owed(desk)[0].status == "failed"
    assert sum(callbacks.SCHEDULE) <= 3.5 * 86_400


def test_a_receiver_that_asks_for_patience_gets_it(desk: Desk) -> None:
    (task_id,) = desk.submit(callback_url=URL)
    desk.within(ending.cancel, task_id)
    delivery = take(desk, owed(desk)[0].id)
    with unit_of_work() as unit:
        callbacks.put_off(unit, delivery, "HTTP 429", 900)
    (row,) = desk.sql("SELECT due_at - now() AS wait FROM callbacks")
    assert 890 < row.wait.total_seconds() <= 900


def test_the_clock_publishes_what_is_due_and_not_what_is_under_way(desk: Desk) -> None:
    (task_id,) = desk.submit(callback_url=URL)
    desk.within(ending.cancel, task_id)
    with unit_of_work() as unit:
        assert callbacks.publish_due(unit) == 0, "its first wake-up is under way"
    desk.sql("UPDATE callbacks SET published_at = now() - interval '2 minutes'")
    with unit_of_work() as unit:
        assert callbacks.publish_due(unit) == 1
    assert desk.queued("callback") == 2
