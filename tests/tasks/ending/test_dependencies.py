"""Tasks that wait for others, for a time, or not too long."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from errors import TaskError
from tasks.accepting.submission import AcceptedBatch, NewBatch, Submission, submit, submit_batch
from tasks.dispatching import dispatch
from tasks.ending import dependencies, ending
from tasks.ending.dependencies import Misnamed, Unknown, by_name
from tasks.transactions.unit import unit_of_work
from tasks.working import failing, work
from tasks.working.claim import Advance
from tasks.working.failing import Failure
from tests.tasks.conftest import Desk


def complete(desk: Desk, task_id: UUID) -> None:
    assert desk.within(work.advance, Advance(desk.held(task_id), {})) == [True]


def fail(desk: Desk, task_id: UUID) -> None:
    assert desk.within(failing.fail, Failure(desk.held(task_id), TaskError("empty", "x"))) == [True]


def after(desk: Desk, *depends_on: UUID, **fields: Any) -> UUID:
    return desk.submit(depends_on=list(depends_on), **fields)[0]


def test_a_task_waits_for_all_that_it_depends_on(desk: Desk) -> None:
    first, second = desk.submit(2)
    task_id = after(desk, first, second)
    assert desk.row(task_id).status == "waiting"
    assert desk.claim(task_id) is None
    complete(desk, first)
    assert (desk.row(task_id).status, desk.row(task_id).waiting_for) == ("waiting", [second])
    complete(desk, second)
    assert desk.row(task_id).status == "queued"
    assert desk.claim(task_id) is not None


def test_what_ended_before_is_not_waited_for(desk: Desk) -> None:
    (first,) = desk.submit()
    complete(desk, first)
    assert desk.row(after(desk, first)).status == "queued"


def test_a_chain_breaks_at_the_first_that_fails(desk: Desk) -> None:
    items = [{"name": str(turn), "depends_on": [str(turn - 1)] if turn else []} for turn in range(1000)]
    chain = [task.task_id for task in batch(desk, *items).tasks]  # type: ignore[union-attr]
    fail(desk, chain[0])
    codes = desk.sql("SELECT error->>'code', count(*) FROM tasks WHERE status = 'failed' GROUP BY 1 ORDER BY 2")
    assert [tuple(row) for row in codes] == [("empty", 1), ("dependency_failed", 999)]
    assert str(chain[-2]) in desk.row(chain[-1]).error["message"]


def test_one_that_is_to_run_nevertheless_runs(desk: Desk) -> None:
    first, second = desk.submit(2)
    task_id = after(desk, first, second, on_dependency_failure="run")
    fail(desk, first)
    assert desk.row(task_id).status == "waiting"
    desk.within(ending.cancel, second)
    assert desk.row(task_id).status == "queued"


def test_a_task_that_depends_on_a_failed_one_fails_at_once_with_its_callback(desk: Desk) -> None:
    (first,) = desk.submit()
    fail(desk, first)
    row = desk.row(after(desk, first, callback_url="http://203.0.113.1/"))
    assert (row.status, row.error["code"]) == ("failed", "dependency_failed")
    assert desk.sql("SELECT body->>'type' FROM callbacks WHERE task_id = :id", id=row.id) == [("task.failed",)]


def test_a_task_that_does_not_exist_cannot_be_depended_on(desk: Desk) -> None:
    missing = uuid4()
    with unit_of_work() as unit:
        bad, good = submit(unit, [Submission(task_type="test", depends_on=[missing]), Submission(task_type="test")])
    assert isinstance(bad, Unknown)
    assert bad.task_ids == [missing]
    assert not isinstance(good, Exception)


def batch(desk: Desk, *items: dict[str, Any], atomic: bool = False) -> AcceptedBatch:
    resolved, names = by_name(items)
    ids = {name: task_id for task_id, name in names.items()}
    submissions = []
    for original, item in zip(items, resolved, strict=True):
        assert isinstance(item, dict)
        submission = Submission(task_type="test", **item)
        submissions.append(submission.named(ids[original["name"]]) if "name" in original else submission)
    (answer,) = desk.within(submit_batch, NewBatch(submissions=submissions, atomic=atomic))
    assert isinstance(answer, AcceptedBatch)
    return answer


def test_items_of_a_batch_depend_on_each_other_by_name_in_any_order(desk: Desk) -> None:
    answer = batch(desk, {"depends_on": ["a", "b"]}, {"name": "a"}, {"name": "b", "depends_on": ["a"]})
    last, first, middle = [task.task_id for task in answer.tasks]  # type: ignore[union-attr]
    assert [desk.row(task_id).status for task_id in (first, middle, last)] == ["queued", "waiting", "waiting"]
    for task_id in (first, middle, last):
        complete(desk, task_id)
    assert desk.sql("SELECT pending, finished_at IS NOT NULL FROM batches") == [(0, True)]


def test_an_item_that_depends_on_a_refused_one_is_refused_with_it(desk: Desk) -> None:
    items: list[dict[str, Any]] = [
        {"name": "a", "depends_on": [str(uuid4())]},
        {"name": "b", "depends_on": ["a"]},
        {"name": "c"},
    ]
    answer = batch(desk, *items)
    assert [hasattr(task, "unknown") for task in answer.tasks] == [True, True, False]
    assert desk.sql("SELECT total, pending FROM batches") == [(1, 1)]
    assert batch(desk, *items, atomic=True).batch_id is None
    assert desk.sql("SELECT count(*) FROM batches") == [(1,)]


def test_a_circle_is_refused_and_named() -> None:
    items = [{"name": name, "depends_on": [other]} for name, other in ("ab", "bc", "ca")]
    with pytest.raises(Misnamed) as refused:
        by_name(items)
    names = refused.value.message.partition(": ")[2].split(" → ")
    assert names[0] == names[-1]
    assert sorted(names[1:]) == ["a", "b", "c"]


def test_a_name_that_comes_twice_is_refused() -> None:
    with pytest.raises(Misnamed, match=r"tasks\.1\.name"):
        by_name([{"name": "a"}, {"name": "a"}])


def soon(seconds: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


def tick() -> None:
    with unit_of_work() as unit:
        dispatch.wake(unit)
        ending.expire(unit)


def test_a_task_is_not_started_before_its_time(desk: Desk) -> None:
    (task_id,) = desk.submit(run_at=soon(3600))
    tick()
    assert (desk.row(task_id).status, desk.claim(task_id)) == ("waiting", None)
    desk.sql("UPDATE tasks SET due_at = now()")
    tick()
    assert desk.row(task_id).status == "queued"
    assert desk.claim(task_id) is not None


def test_a_task_with_a_time_and_a_dependency_waits_for_both(desk: Desk) -> None:
    (first,) = desk.submit()
    task_id = after(desk, first, run_at=soon(3600))
    complete(desk, first)
    tick()
    assert (desk.row(task_id).status, desk.row(task_id).waiting_for) == ("waiting", [])
    desk.sql("UPDATE tasks SET due_at = now()")
    tick()
    assert desk.row(task_id).status == "queued"


def test_a_task_that_nobody_started_in_time_expires_and_one_that_runs_does_not(desk: Desk) -> None:
    late, running = desk.submit(2, expires_at=soon(3600))
    claim = desk.held(running)
    desk.sql("UPDATE tasks SET expires_at = now() - interval '1 second'")
    assert desk.claim(late) is None, "a worker that comes too late does not start it"
    tick()
    assert (desk.row(late).status, desk.row(late).error["code"]) == ("failed", "expired")
    assert desk.within(work.advance, Advance(claim, {})) == [True]


def test_the_release_locks_only_those_that_wait(desk: Desk) -> None:
    first, second = desk.submit(2)
    after(desk, second)
    with unit_of_work() as unit:
        assert dependencies.release(unit, {first: "completed"}) == (set(), [])
