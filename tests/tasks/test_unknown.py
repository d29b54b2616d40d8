"""A task of a later release, whose type or stage is not known here, stops nothing and is not lost."""

from __future__ import annotations

from uuid import UUID

import pytest
from structlog.testing import capture_logs

import clock
from tasks import dispatch, presence, retention, statistics, unknown
from tasks.unit import Unit, unit_of_work
from tests.tasks.conftest import Desk


def of_a_later_release(desk: Desk, column: str, *, published: bool = False) -> UUID:
    """A task whose type, or stage, only a later release knows."""
    (task_id,) = desk.submit()
    desk.sql(
        f"UPDATE tasks SET {column} = 'new', published_at = CASE WHEN :published THEN now() END WHERE id = :id",
        id=task_id,
        published=published,
    )
    return task_id


@pytest.fixture(params=["task_type", "stage"])
def column(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_a_neighbour_is_claimed_and_published(desk: Desk, column: str) -> None:
    (first,) = desk.submit()
    strange = of_a_later_release(desk, column)
    (second,) = desk.submit()
    assert desk.row(second).published_at is not None, "it waits for nobody of another release"
    desk.sql("UPDATE tasks SET published_at = NULL WHERE id = :id", id=second)
    assert desk.claim(first) is not None
    assert desk.row(second).published_at is not None
    assert (desk.row(strange).status, desk.row(strange).published_at) == ("queued", None)


def test_many_of_them_take_no_room_from_others(desk: Desk, column: str) -> None:
    desk.submit(dispatch.WINDOW)
    desk.sql(f"UPDATE tasks SET {column} = 'new', published_at = NULL")
    (known,) = desk.submit()
    desk.sql("UPDATE tasks SET published_at = NULL")
    with unit_of_work() as unit:
        assert dispatch.refill(unit, ["default"]) == 1
    assert desk.row(known).published_at is not None


def test_the_clock_does_its_duties_beside_them(desk: Desk, column: str) -> None:
    strange = of_a_later_release(desk, column)
    put_off = of_a_later_release(desk, column)
    desk.sql("UPDATE tasks SET status = 'waiting', due_at = now() WHERE id = :id", id=put_off)
    (due,) = desk.submit()
    desk.sql("UPDATE tasks SET status = 'waiting', due_at = now(), published_at = NULL WHERE id = :id", id=due)
    for entry in clock.TIMETABLE:
        clock.tick(entry)
    row = desk.row(due)
    assert (row.status, row.published_at is not None) == ("queued", True)
    assert [desk.row(each).status for each in (strange, put_off)] == ["queued", "queued"]
    assert desk.sql("SELECT count(*) FROM tallies WHERE metric = 'clock_duty_failure_total'") == [(0,)]


def test_a_wake_up_that_only_a_later_release_understands_goes_back(desk: Desk) -> None:
    """The stage has an actor here, but belongs to another type."""
    strange = of_a_later_release(desk, "task_type", published=True)
    (known,) = desk.submit()
    assert desk.claim(strange) is None
    row = desk.row(strange)
    assert (row.status, row.published_at, row.worker_id) == ("queued", None, None)
    assert desk.claim(known) is not None


def test_it_is_said_once_and_shown(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unknown, "_said", set())
    of_a_later_release(desk, "task_type")
    with capture_logs() as logs, unit_of_work() as unit:
        unknown.look(unit)
        unknown.look(unit)
    assert [each["what"] for each in logs if each["event"] == "unknown_to_this_release"] == ["new"]
    with unit_of_work() as unit:
        assert b'task_type_unknown{task_type="new"} 1.0' in statistics.exposition(statistics.look(unit.session))


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
