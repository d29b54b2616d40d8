"""Schedules are carried out once for each due time, whoever is killed and however many clocks there are."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg2
import pytest
from sqlalchemy import text

from models import Schedule
from models import database as models_database
from models.audit import Actor
from tasks.accepting.admission import Backlog
from tasks.accepting.schedules import due, keeping
from tasks.accepting.schedules.recurrence import Recurrence
from tasks.transactions.unit import unit_of_work
from tests.processes import Deployment
from tests.servers import eventually
from tests.tasks.conftest import Desk

TASK = {"task_type": "test", "payload": {"message": "again"}, "priority": "high", "metadata": {"by": "schedule"}}


def made(cron: str = "* * * * *", catch_up: str = "one", task: dict[str, Any] = TASK) -> UUID:
    """A schedule that somebody makes."""
    wanted = keeping.Wanted(None, Recurrence(cron), catch_up, task, task.get("kb_id"))
    with unit_of_work() as unit:
        schedule_id = keeping.make(unit, Actor("ops"), wanted, None)
    assert isinstance(schedule_id, UUID)
    return schedule_id


def fallen_due(desk: Desk, schedule_id: UUID, ago: timedelta = timedelta(0)) -> datetime:
    """Let a schedule be due since the minute that began so long ago. Returns that time."""
    moment = (datetime.now(UTC) - ago).replace(second=0, microsecond=0)
    desk.sql("UPDATE schedules SET next_due_at = :moment WHERE id = :id", id=schedule_id, moment=moment)
    return moment


def tick() -> None:
    with unit_of_work() as unit:
        due.submit_due(unit, Backlog(1_000_000))


def row(schedule_id: UUID) -> Schedule:
    with models_database.transaction() as session:
        schedule = session.get(Schedule, schedule_id)
        assert schedule is not None
        session.expunge(schedule)
        return schedule


def tasks(desk: Desk) -> list[Any]:
    return desk.sql("SELECT * FROM tasks ORDER BY id")


def test_what_falls_due_is_submitted_as_it_was_said_and_next_at_the_next_time(desk: Desk) -> None:
    schedule_id = made()
    tick()
    assert tasks(desk) == [], "it is not due yet"
    moment = fallen_due(desk, schedule_id)
    before = datetime.now(UTC)
    tick()
    tick()
    (task,) = tasks(desk)
    assert (task.task_type, task.payload, task.metadata) == ("test", TASK["payload"], TASK["metadata"])
    assert (task.priority, task.submitted_by, task.status) == (6, "ops", "queued")
    schedule = row(schedule_id)
    assert (schedule.last_due_at, schedule.last_task_id) == (moment, task.id)
    assert schedule.next_due_at is not None
    assert before < schedule.next_due_at <= before + timedelta(seconds=61)
    assert desk.queued() == 1, "a worker is woken"


def test_one_run_catches_up_with_all_that_were_missed(desk: Desk) -> None:
    schedule_id = made()
    fallen_due(desk, schedule_id, timedelta(hours=5))
    tick()
    assert len(tasks(desk)) == 1
    last = row(schedule_id).last_due_at
    assert last is not None
    assert datetime.now(UTC) - last < timedelta(seconds=61), "it is the latest that is met"


def test_all_that_were_missed_are_caught_up_with_up_to_the_limit(desk: Desk) -> None:
    schedule_id = made(catch_up="all")
    fallen_due(desk, schedule_id, timedelta(minutes=4))
    tick()
    assert len(tasks(desk)) == 5
    fallen_due(desk, schedule_id, timedelta(hours=5))
    tick()
    assert len(tasks(desk)) == 5 + due.MOST_CAUGHT_UP


def test_a_transaction_begins_no_schedule_after_so_many_tasks_and_holds_no_lock_for_each(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(due, "AT_ONCE", 150)
    for _ in range(3):
        fallen_due(desk, made(catch_up="all"), timedelta(hours=5))
    with unit_of_work() as unit:
        due.submit_due(unit, Backlog(1_000_000))
        held = unit.session.execute(text("SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid()")).scalar_one()
    assert len(tasks(desk)) == 200, "the second passes the limit, and the third waits"
    assert held < 100
    tick()
    assert len(tasks(desk)) == 300


def test_while_too_many_tasks_wait_schedules_stay_due(desk: Desk) -> None:
    schedule_id = made()
    moment = fallen_due(desk, schedule_id)
    waiting = desk.submit(2)
    with unit_of_work() as unit:
        due.submit_due(unit, Backlog(2))
    assert len(tasks(desk)) == 2
    assert row(schedule_id).next_due_at == moment
    desk.sql("DELETE FROM tasks WHERE id = :id", id=waiting[0])
    with unit_of_work() as unit:
        due.submit_due(unit, Backlog(2))
    assert len(tasks(desk)) == 2


def test_a_task_that_is_changed_is_submitted_in_the_name_of_whoever_changed_it(desk: Desk) -> None:
    schedule_id = made()
    for name, values in (("other", {"name": "renamed"}), ("changer", {"task": TASK}), ("other", {"catch_up": "all"})):
        with unit_of_work() as unit:
            schedule = keeping.locked(unit.session, schedule_id)
            assert schedule is not None
            keeping.change(unit, Actor(name), schedule, values)
        assert row(schedule_id).created_by == ("ops" if "name" in values else "changer")
    fallen_due(desk, schedule_id)
    tick()
    assert [task.submitted_by for task in tasks(desk)] == ["changer"]


def test_refused_schedules_keep_no_other_from_its_turn(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(due, "AT_ONCE", 2)
    for _ in range(3):
        fallen_due(desk, made(), timedelta(hours=1))
    desk.sql("""UPDATE schedules SET task = '{"task_type": "gone", "payload": {}}'""")
    fallen_due(desk, made())
    for _ in range(3):
        tick()
    assert len(tasks(desk)) == 1


def test_what_postgresql_refuses_of_one_schedule_undoes_no_other(desk: Desk) -> None:
    refused, others = made(task=TASK | {"kb_id": "refused"}), [made(), made()]
    moment = fallen_due(desk, refused, timedelta(minutes=5))
    for other in others:
        fallen_due(desk, other)
    desk.sql("ALTER TABLE tasks ADD CONSTRAINT refusing CHECK (kb_id <> 'refused')")
    try:
        tick()
        schedule = row(refused)
        assert len(tasks(desk)) == 2
        assert schedule.next_due_at == moment
        assert schedule.last_task_id is None
        assert schedule.last_error is not None
        assert schedule.last_error == "PostgreSQL refused it (CheckViolation); the clock's log says why"
        assert schedule.last_error_zh == "PostgreSQL 拒绝了它（CheckViolation）；原因见时钟进程的日志"
    finally:
        desk.sql("ALTER TABLE tasks DROP CONSTRAINT refusing")
    tick()
    assert len(tasks(desk)) == 3
    assert row(refused).last_error is None


def test_next_times_are_counted_by_the_clock_of_postgresql(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    schedule_id = made()

    class Behind(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime.now(tz) - timedelta(hours=1)

    monkeypatch.setattr(keeping, "datetime", Behind)
    with unit_of_work() as unit:
        schedule = keeping.locked(unit.session, schedule_id)
        assert schedule is not None
        keeping.change(unit, Actor("ops"), schedule, {"cron": "*/1 * * * *"})
    tick()
    assert tasks(desk) == [], "a machine whose clock is behind counts by PostgreSQL's"


def test_two_at_once_submit_for_each_due_time_once(desk: Desk) -> None:
    ids = [made() for _ in range(40)]
    moments = {fallen_due(desk, schedule_id) for schedule_id in ids}
    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(tick) for _ in range(24)]:
            done.result()
    assert len(tasks(desk)) == 40
    assert {row(schedule_id).last_due_at for schedule_id in ids} <= moments | {
        moment + timedelta(minutes=1) for moment in moments
    }


def test_a_task_that_is_refused_waits_and_says_why_without_its_values(desk: Desk) -> None:
    schedule_id, other = made(), made()
    moment = fallen_due(desk, schedule_id)
    fallen_due(desk, other)
    desk.sql("""UPDATE schedules SET task = '{"task_type": "gone", "payload": {"s": "s3cret"}}' WHERE id = :id""",
             id=schedule_id)  # fmt: skip
    tick()
    tick()
    schedule = row(schedule_id)
    assert schedule.next_due_at == moment
    assert schedule.last_error is not None
    assert schedule.last_error.startswith("task.task_type: is not a task type; the task types are benchmark")
    assert schedule.last_error_zh is not None
    assert schedule.last_error_zh.startswith("task.task_type：不是任务类型；任务类型有 benchmark")
    assert "s3cret" not in schedule.last_error + schedule.last_error_zh
    assert [task.id for task in tasks(desk)] == [row(other).last_task_id], "the others go on"
    with unit_of_work() as unit:
        record = keeping.locked(unit.session, schedule_id)
        assert record is not None
        keeping.change(unit, Actor("ops"), record, {"task": TASK})
    tick()
    assert len(tasks(desk)) == 2, "once it is mended, it is done"
    assert row(schedule_id).last_error is row(schedule_id).last_error_zh is None


def test_a_paused_schedule_is_never_due_and_begins_anew_when_it_is_resumed(desk: Desk) -> None:
    schedule_id = made()
    fallen_due(desk, schedule_id, timedelta(hours=1))
    for act in (keeping.pause, keeping.resume):
        with unit_of_work() as unit:
            schedule = keeping.locked(unit.session, schedule_id)
            assert schedule is not None
            act(unit, Actor("ops"), schedule)
        tick()
    assert tasks(desk) == []
    next_due_at = row(schedule_id).next_due_at
    assert next_due_at is not None
    assert next_due_at > datetime.now(UTC)


def test_a_clock_that_is_killed_between_due_time_and_submission_loses_and_doubles_nothing(
    deployment: Deployment, desk: Desk
) -> None:
    schedule_id = made("0 0 1 1 *")
    moment = Recurrence("0 0 1 1 *").after(datetime.now(UTC) - timedelta(days=366))
    blocking = psycopg2.connect(deployment.database_url)
    with blocking.cursor() as cursor:
        # The clock hangs at its INSERT, with the schedule's row locked.
        cursor.execute("LOCK TABLE tasks IN SHARE MODE")
    desk.sql("UPDATE schedules SET next_due_at = :moment WHERE id = :id", id=schedule_id, moment=moment)
    leader = deployment.start("clock")
    hangs = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'tasks'::regclass"
    eventually(lambda: desk.sql(hangs)[0][0] > 0, seconds=30, reason="the clock submits")
    deployment.start("clock")
    leader.kill()
    assert row(schedule_id).next_due_at == moment, "whoever dies has moved nothing"
    blocking.rollback()
    blocking.close()
    eventually(lambda: tasks(desk), seconds=30, reason="the other clock submits")
    assert len(tasks(desk)) == 1
    schedule = row(schedule_id)
    assert schedule.last_due_at == moment
    assert schedule.next_due_at is not None
    assert schedule.next_due_at > datetime.now(UTC)
