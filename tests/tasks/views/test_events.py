"""The log of what happens: nothing is missing from it, and nothing comes later between what was read."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from errors import TaskError
from models import database
from pipeline import LABELS
from tasks.accepting.submission import NewBatch, Submission, submit_batch
from tasks.ending import ending
from tasks.transactions.unit import unit_of_work
from tasks.views import events
from tasks.working import failing
from tasks.working.claim import Advance
from tasks.working.failing import Failure
from tasks.working.work import advance, report
from tests.tasks.conftest import Desk

NUMBER = text("INSERT INTO events (status, progress) VALUES ('queued', 0) RETURNING id")


def log(**chosen: Any) -> list[dict[str, Any]]:
    """All of it."""
    with database.transaction() as session:
        return events.page(session, after=0, **chosen)


def test_every_transition_is_in_the_log_once(desk: Desk) -> None:
    task_id = desk.document()
    for stage in LABELS:
        claim = desk.held(task_id, stage)
        desk.within(report, (claim, 1, 2))
        desk.within(report, (claim, 1, 2))
        desk.within(advance, Advance(claim, units=2))
    seen = [(event["status"], event["stage"], event["progress"]) for event in log(task_id=task_id)]
    expected: list[tuple[str, str, float]] = [("queued", "preprocessing", 0)]
    done = 0.0
    for stage, label in LABELS.items():
        expected.append(("processing", stage, done))
        if label.weight:
            expected.append(("processing", stage, round(done + label.weight / 2, 1)))
        done += label.weight
    assert seen == [*expected, ("completed", "indexing", 100)]


def test_what_is_put_off_fails_and_is_cancelled_is_in_the_log(desk: Desk) -> None:
    failing_one, cancelled = desk.submit(2, retry_limit=1)
    desk.within(failing.fail, Failure(desk.held(failing_one), TaskError("internal", "x")))
    desk.sql("UPDATE tasks SET status = 'queued' WHERE id = :id", id=failing_one)
    desk.within(failing.fail, Failure(desk.held(failing_one), TaskError("corrupt", "x")))
    desk.within(ending.cancel, cancelled)
    statuses = [event["status"] for event in log(task_id=failing_one)]
    assert statuses == ["queued", "processing", "waiting", "queued", "processing", "failed"]
    assert [event["type"] for event in log(task_id=cancelled)] == ["task.queued", "task.cancelled"]
    assert len(log()) == 8


def test_the_end_of_a_batch_follows_that_of_its_tasks(desk: Desk) -> None:
    with unit_of_work() as unit:
        (accepted,) = submit_batch(unit, [NewBatch(submissions=[Submission(task_type="test")] * 2)])
    assert not isinstance(accepted, Exception)
    first, second = (row.id for row in desk.sql("SELECT id FROM tasks ORDER BY id"))
    desk.within(advance, Advance(desk.held(first)))
    desk.within(ending.cancel, second)
    types = [event["type"] for event in log(batch_id=accepted.batch_id)]
    assert types[:2] == ["task.queued"] * 2
    assert types[-2:] == ["task.cancelled", "batch.completed"]


def test_nothing_is_read_beyond_an_event_that_is_not_committed_yet(database: Engine) -> None:
    horizon = events.Horizon()
    with database.connect() as early, database.connect() as late, database.connect() as reader:

        def look() -> int | None:
            with Session(reader) as session:
                horizon.look(session)
            return horizon.settled

        number: int = early.execute(NUMBER).scalar_one()
        late.execute(NUMBER)
        late.commit()
        assert look() is None, "at the first look nobody knows what the other one has written"
        assert look() is None
        late.execute(NUMBER)
        late.commit()
        early.commit()
        assert look() == number + 2, "nobody writes: all that was numbered is committed"
        early.execute(NUMBER)
        late.execute(NUMBER)
        assert look() == number + 2
        late.commit()
        early.rollback()
        late.execute(NUMBER)
        assert look() == number + 4, "what the look before had seen is settled, the last one is not"
        late.commit()


def test_a_transaction_without_end_is_not_waited_for(database: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "LONGEST_TRANSACTION", 0.0)
    horizon = events.Horizon()
    with database.connect() as endless, database.connect() as reader:
        endless.execute(text("CREATE TABLE of_another (a int)"))
        number: int = reader.execute(NUMBER).scalar_one()
        reader.commit()
        for _ in range(2):
            horizon.look(Session(reader))
        assert horizon.settled == number


def test_a_transaction_without_end_is_waited_for_once(database: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "LONGEST_TRANSACTION", 0.0)
    horizon = events.Horizon()
    with database.connect() as endless, database.connect() as ours, database.connect() as reader:

        def look() -> int | None:
            with Session(reader) as session:
                horizon.look(session)
            return horizon.settled

        endless.execute(text("CREATE TABLE of_another (a int)"))
        number: int = reader.execute(NUMBER).scalar_one()
        reader.commit()
        assert [look(), look()] == [None, number]
        monkeypatch.setattr(events, "LONGEST_TRANSACTION", 60.0)
        ours.execute(NUMBER)
        assert look() == number, "one that began later is waited for"
        ours.commit()
        assert look() == number + 1


def test_the_log_is_kept_short(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "KEPT", 10)
    monkeypatch.setattr(events, "DELETED_AT_ONCE", 25)
    desk.submit(50)
    with unit_of_work() as unit:
        events.prune(unit)
    assert [event["id"] for event in log()] == list(range(26, 51))
    for _ in range(2):
        with unit_of_work() as unit:
            events.prune(unit)
    assert [event["id"] for event in log()] == list(range(40, 51))
    with database.transaction() as session:
        assert [events.holds(session, after) for after in (38, 39, 50, 51)] == [False, True, True, False]
