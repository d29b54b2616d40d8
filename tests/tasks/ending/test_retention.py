"""What becomes of tasks that ended long ago, and how pages of the list are found among many."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

import clock
from errors import TaskError
from models import database
from models.base import id_at, new_id
from settings import settings
from tasks.accepting.submission import Accepted, NewBatch, Submission, submit, submit_batch
from tasks.ending import ending, retention
from tasks.input.fields import Filter
from tasks.transactions.unit import unit_of_work
from tasks.views import batches, reading
from tasks.working import failing
from tasks.working.claim import Advance
from tasks.working.failing import Failure
from tasks.working.work import advance
from tests.tasks.conftest import Desk

ADDRESS = "https://kb.example.com/callbacks"


def old_id(days: float) -> UUID:
    """An id as it was made so many days ago."""
    return UUID(int=id_at(datetime.now(UTC) - timedelta(days=days)).int | new_id().int & (1 << 64) - 1)


def submission(days: float, **fields: Any) -> Submission:
    """Of a task that was submitted so many days ago."""
    return Submission(**{"task_type": "test", "callback_url": ADDRESS, **fields}).named(old_id(days))


def submitted(days: float, **fields: Any) -> UUID:
    """A task that was submitted so many days ago."""
    with unit_of_work() as unit:
        (accepted,) = submit(unit, [submission(days, **fields)])
    assert isinstance(accepted, Accepted)
    return accepted.task_id


def end(desk: Desk, task_id: UUID, status: str, days: float) -> UUID:
    """End a task as so many days ago, and deliver its callback."""
    if status == "completed":
        desk.within(advance, Advance(desk.held(task_id)))
    elif status == "failed":
        desk.within(failing.fail, Failure(desk.held(task_id), TaskError("corrupt", "x")))
    else:
        desk.within(ending.cancel, task_id)
    desk.sql("UPDATE tasks SET finished_at = now() - :age WHERE id = :id", id=task_id, age=timedelta(days=days))
    desk.sql("UPDATE callbacks SET status = 'delivered' WHERE task_id = :id", id=task_id)
    assert desk.row(task_id).status == status
    return task_id


def left(desk: Desk) -> set[UUID]:
    """The tasks there are."""
    return {row.id for row in desk.sql("SELECT id FROM tasks")}


def test_a_task_is_kept_by_its_status_and_then_goes_with_its_callbacks(desk: Desk) -> None:
    completed, failed = settings().retention_completed_days, settings().retention_failed_days
    going = {
        end(desk, submitted(completed + 2), "completed", completed + 1),
        end(desk, submitted(failed + 2), "failed", failed + 1),
        end(desk, submitted(failed + 2), "cancelled", failed + 1),
    }
    staying = {
        end(desk, submitted(completed + 2), "completed", completed - 1),
        end(desk, submitted(failed + 2), "failed", completed + 1),
        end(desk, submitted(failed + 2), "cancelled", completed + 1),
        submitted(failed + 2),
    }
    with unit_of_work() as unit:
        assert retention.prune(unit) == len(going)
    assert left(desk) == staying
    assert {row.task_id for row in desk.sql("SELECT task_id FROM callbacks")} < staying


def test_an_owed_callback_keeps_its_task(desk: Desk) -> None:
    task_id = end(desk, submitted(400), "completed", 399)
    desk.sql("UPDATE callbacks SET status = 'pending'")
    with unit_of_work() as unit:
        assert retention.prune(unit) == 0
    desk.sql("UPDATE callbacks SET status = 'failed'")
    with unit_of_work() as unit:
        assert retention.prune(unit) == 1
    assert task_id not in left(desk)


def test_a_batch_goes_with_its_last_task_and_is_done_all_the_while(desk: Desk) -> None:
    with unit_of_work() as unit:
        batch = NewBatch(submissions=[submission(60), submission(60)], callback_url=ADDRESS)
        (accepted,) = submit_batch(unit, [batch])
    assert not isinstance(accepted, Exception)
    assert accepted.batch_id is not None
    first, second = (task.task_id for task in accepted.tasks if isinstance(task, Accepted))
    end(desk, first, "completed", 50)
    end(desk, second, "failed", 50)
    with unit_of_work() as unit:
        assert retention.prune(unit) == 0, "the batch's own callback is owed"
    desk.sql("UPDATE callbacks SET status = 'delivered'")
    with unit_of_work() as unit:
        assert retention.prune(unit) == 1
    with database.transaction() as session:
        shown = batches.show(session, accepted.batch_id)
    assert shown is not None
    assert (shown["total"], shown["counts"]["failed"], shown["deleted"], shown["progress"]) == (2, 1, 1, 100)
    desk.sql("UPDATE tasks SET finished_at = now() - interval '100 days', id = :id", id=old_id(110))
    desk.sql("UPDATE callbacks SET task_id = (SELECT id FROM tasks) WHERE task_id IS NOT NULL")
    with unit_of_work() as unit:
        assert retention.prune(unit) == 1
    assert desk.sql("SELECT id FROM batches") == desk.sql("SELECT id FROM callbacks WHERE batch_id IS NOT NULL") == []


def test_what_a_bulk_remembers_goes_with_it(desk: Desk) -> None:
    kept, gone = end(desk, submitted(2), "completed", 1), end(desk, submitted(100), "completed", 99)
    for bulk_id in (kept, gone):
        desk.sql("INSERT INTO bulk_items (bulk_id, item_id) VALUES (:bulk, gen_random_uuid())", bulk=bulk_id)
    with unit_of_work() as unit:
        assert retention.prune(unit) == 1
    assert [row.bulk_id for row in desk.sql("SELECT bulk_id FROM bulk_items")] == [kept]


def test_it_goes_on_where_one_transaction_does_not_do(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "AT_ONCE", 2)
    for days in (41, 42, 43, 44, 45):
        end(desk, submitted(days), "completed", days - 1)
    counts = desk.sql("SELECT sum(count) AS n FROM tallies WHERE metric = 'task_success_total'")
    for expected in (3, 1, 0):
        clock.tick(clock.PRUNE)
        assert len(left(desk)) == expected
    assert desk.sql("SELECT sum(count) AS n FROM tallies WHERE metric = 'task_success_total'") == counts


#: Filters of the list, by themselves and together.
ASKED: tuple[dict[str, Any], ...] = (
    {},
    {"kb_id": "a"},
    {"status": "failed"},
    {"task_type": "benchmark"},
    {"kb_id": "b", "status": "queued"},
    {"kb_id": "b", "task_type": "test"},
    {"status": "cancelled", "task_type": "test"},
    {"kb_id": "a", "status": "completed", "task_type": "test"},
    {"kb_id": "c"},
)


def test_pages_of_any_filter_follow_each_other(desk: Desk) -> None:
    tasks = of_every_kind(desk)
    for asked in ASKED:
        expected = [task["task_id"] for task in tasks if all(task[name] == value for name, value in asked.items())]
        ids: list[str] = []
        before = None
        with database.transaction() as session:
            while page := reading.page(session, Filter(**asked), limit=3, before=before):
                ids += [task["task_id"] for task in page]
                before = UUID(page[-1]["task_id"])
        assert ids == expected == sorted(expected, reverse=True), asked
    since = datetime.now(UTC) - timedelta(days=2, hours=12)
    expected = [task["task_id"] for task in tasks if datetime.fromisoformat(task["created_at"]) > since]
    with database.transaction() as session:
        assert [task["task_id"] for task in reading.page(session, Filter(created_after=since), limit=100)] == expected
    assert 0 < len(expected) < len(tasks) == 42


def of_every_kind(desk: Desk) -> list[dict[str, Any]]:
    """Tasks of each status, of two types, of two KBs and of none, newest first."""
    for kb_id in ("a", "b", None):
        for task_type in ("test", "benchmark"):
            for status in ("completed", "failed", "cancelled"):
                for days in (1, 3):
                    task_id = submitted(days, kb_id=kb_id, task_type=task_type)
                    made = "UPDATE tasks SET status = :status, created_at = now() - :age WHERE id = :id"
                    desk.sql(made, id=task_id, status=status, age=timedelta(days=days))
            submitted(2, kb_id=kb_id, task_type=task_type)
    with database.transaction() as session:
        return reading.page(session, Filter(), limit=1000)
