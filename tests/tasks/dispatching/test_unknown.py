"""A task of a later release, whose type or stage is not known here, stops nothing and is not lost."""

from __future__ import annotations

from uuid import UUID

import pytest
from structlog.testing import capture_logs

import clock
from tasks.dispatching import dispatch, unknown
from tasks.ending import retention
from tasks.transactions.unit import Unit, unit_of_work
from tasks.views.figures import exposition, statistics
from tasks.views.figures.exposition import Besides
from tasks.working import presence
from tests.tasks.conftest import Desk


def of_a_later_release(desk: Desk, column: str) -> UUID:
    """A task whose type, or stage, only a later release knows."""
    (task_id,) = desk.submit()
    desk.sql(f"UPDATE tasks SET {column} = 'new' WHERE id = :id", id=task_id)
    return task_id


@pytest.fixture(params=["task_type", "stage"])
def column(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_its_neighbours_run(desk: Desk, column: str) -> None:
    (first,) = desk.submit()
    strange = of_a_later_release(desk, column)
    (second,) = desk.submit()
    assert [claim.task_id for bundle in desk.next(threads=3) for claim in bundle] == [first, second]
    assert desk.row(strange).status == "queued"


def test_many_of_them_hold_up_no_other(desk: Desk, column: str) -> None:
    desk.submit(dispatch.BUSY)
    desk.sql(f"UPDATE tasks SET {column} = 'new'")
    (known,) = desk.submit()
    assert [claim.task_id for bundle in desk.next() for claim in bundle] == [known]


@pytest.mark.parametrize("queue", ["default", "preprocessing"])
def test_one_that_is_more_urgent_holds_up_no_other(desk: Desk, column: str, queue: str) -> None:
    (strange,) = desk.submit(priority="urgent")
    desk.sql(f"UPDATE tasks SET {column} = 'new', queue = :queue WHERE id = :id", id=strange, queue=queue)
    (known,) = desk.submit()
    assert [claim.task_id for bundle in desk.next() for claim in bundle] == [known]


def test_those_of_many_kbs_hold_up_no_other(desk: Desk, column: str) -> None:
    for number in range(dispatch.KBS_AT_ONCE + 1):
        desk.submit(kb_id=f"a{number:03}")
    desk.sql(f"UPDATE tasks SET {column} = 'new'")
    (known,) = desk.submit(kb_id="b")
    assert [claim.task_id for bundle in desk.next() for claim in bundle] == [known]


def test_a_worker_of_the_later_release_is_woken_for_it(desk: Desk, column: str) -> None:
    strange = of_a_later_release(desk, column)
    desk.sql("UPDATE tasks SET due_at = now() - interval '1 minute'")
    before = desk.queued()
    with unit_of_work() as unit:
        assert dispatch.find_lost(unit, {"default": 0}) == 1
    assert desk.queued() == before + 1
    assert desk.claim(strange) is None, "it is not this release's"


def test_the_clock_does_its_duties_beside_them(desk: Desk, column: str) -> None:
    strange = of_a_later_release(desk, column)
    put_off = of_a_later_release(desk, column)
    desk.sql("UPDATE tasks SET status = 'waiting', due_at = now() WHERE id = :id", id=put_off)
    (due,) = desk.submit()
    desk.sql("UPDATE tasks SET status = 'waiting', due_at = now() WHERE id = :id", id=due)
    for entry in clock.TIMETABLE:
        clock.tick(entry)
    assert desk.row(due).status == "queued"
    assert [desk.row(task_id).status for task_id in (strange, put_off)] == ["queued", "queued"]
    assert desk.sql("SELECT count(*) FROM tallies WHERE metric = 'clock_duty_failure_total'") == [(0,)]


def test_it_is_said_once_and_shown(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unknown, "_said", set())
    of_a_later_release(desk, "task_type")
    with capture_logs() as logs, unit_of_work() as unit:
        unknown.look(unit)
        unknown.look(unit)
    assert [entry["what"] for entry in logs if entry["event"] == "unknown_to_this_release"] == ["new"]
    with unit_of_work() as unit:
        assert b'task_type_unknown{task_type="new"} 1.0' in exposition.exposition(
            statistics.look(unit.session), Besides({})
        )


@pytest.mark.parametrize("error", [ValueError("mine"), None], ids=["of the code", "of PostgreSQL"])
def test_a_duty_that_fails_takes_nothing_from_the_others(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, error: Exception | None
) -> None:
    done: list[str] = []

    def first(unit: Unit) -> None:
        presence.beat(unit.session, "clock")

    def wrong(unit: Unit) -> None:
        if error is not None:
            raise error
        desk.sql("SELECT 1")
        unit.session.connection().exec_driver_sql("SELECT 1 / 0")

    def last(unit: Unit) -> None:
        retention.prune(unit)
        done.append("last")

    clock.tick(clock.Entry("test", 1, (first, wrong, last)))
    assert done == ["last"]
    assert desk.sql("SELECT kind FROM workers") == [("clock",)]
    assert desk.sql("SELECT labels, count FROM tallies WHERE metric = 'clock_duty_failure_total'") == [("wrong", 1)]
