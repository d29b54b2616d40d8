"""Many share one transaction; one bad row spoils it for nobody else."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import ExitStack, suppress
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

import metrics
from models import database
from tasks.accepting.submission import Submission, submit
from tasks.transactions.group_commit import GroupCommit
from tasks.transactions.unit import Unit
from tests.servers import eventually
from tests.tasks.conftest import Desk


def transactions(unit: Unit, items: Sequence[Any]) -> list[int]:
    """Gives each item the id of the transaction it was part of."""
    number = unit.session.execute(text("SELECT txid_current()")).scalar()
    return [int(number or 0)] * len(items)


def test_whoever_waits_shares_a_commit(desk: Desk) -> None:
    commits = GroupCommit("test", patience=1)
    entered, go_on = threading.Event(), threading.Event()

    def slow(unit: Unit, items: Sequence[Any]) -> list[int]:
        entered.set()
        go_on.wait(5)
        return transactions(unit, items)

    first = commits.put(slow, 0)
    assert entered.wait(5)
    others = [commits.put(transactions, number) for number in range(50)]
    go_on.set()
    numbers = {other.result(5) for other in others}
    assert len(numbers) == 1
    assert first.result(5) not in numbers
    commits.close()


def test_a_poisoned_row_fails_alone(desk: Desk) -> None:
    commits = GroupCommit("test", patience=1)
    gate = threading.Event()
    commits.put(lambda _, items: [gate.wait(5)] * len(items), 0)
    good = [Submission(task_type="test") for _ in range(5)]
    # What validation lets through and PostgreSQL refuses: a NUL in JSON.
    poisoned = Submission(task_type="test")
    poisoned.payload = {"message": "a\0b"}
    futures = [commits.put(submit, submission) for submission in (*good[:2], poisoned, *good[2:])]
    gate.set()
    outcomes = [future.exception(10) for future in futures]
    assert [error is None for error in outcomes] == [True, True, False, True, True, True]
    assert isinstance(outcomes[2], (DBAPIError, ValueError))
    assert desk.sql("SELECT count(*) FROM tasks") == [(5,)]
    commits.close()


def test_a_result_that_is_an_error_reaches_the_one_that_asked(desk: Desk) -> None:
    commits = GroupCommit("test", patience=1)
    failed: Future[object] = commits.put(lambda _, items: [ValueError("mine")] * len(items), 0)
    with pytest.raises(ValueError, match="mine"):
        failed.result(5)
    commits.close()


@pytest.mark.parametrize("waits", [False, True], ids=["with what was counted", "with what was handed in"])
def test_a_pool_that_is_spent_for_a_while_costs_only_time(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, waits: bool
) -> None:
    commits = GroupCommit("test", patience=30)
    monkeypatch.setattr(database.engine().pool, "_timeout", 0.1)
    with ExitStack() as all_of_them:

        def count(unit: Unit, items: Sequence[Any]) -> list[int]:
            unit.count(metrics.NOT_UNDERSTOOD, "default")
            return [0] * len(items)

        commits.put(count, 0).result(5)
        with suppress(PoolTimeout):
            while True:
                all_of_them.enter_context(database.engine().connect())
        futures = [commits.put(transactions, number) for number in range(3)] if waits else []
        time.sleep(1)
    assert len({future.result(5) for future in futures}) <= 1
    assert commits.put(transactions, 0).result(5)
    commits.close()


def test_a_database_that_comes_back_in_time_costs_only_time(desk: Desk) -> None:
    """Its connections are cut under the group commit; nobody notices."""
    commits = GroupCommit("test", patience=10)
    commits.run(transactions, 0)

    def cut_once(unit: Unit, items: Sequence[Any], cut: list[int] = []) -> list[int]:  # noqa: B006
        if not cut:
            cut.append(1)
            with database.transaction() as other:
                pid = unit.session.execute(text("SELECT pg_backend_pid()")).scalar()
                other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
        return transactions(unit, items)

    assert commits.run(cut_once, 0) > 0
    commits.close()


def test_quick_tasks_of_commits_that_follow_closely_share_a_message(desk: Desk) -> None:
    commits = GroupCommit("test", patience=1, wakes_every=0.3)

    commits.run(submit, Submission(task_type="test"))
    at_once = desk.queued()
    for _ in range(3):
        commits.run(submit, Submission(task_type="test"))
    held = desk.queued()
    commits.run(submit, Submission(task_type="test", priority="urgent"))
    urgent = desk.queued()
    eventually(lambda: desk.queued() == 3, seconds=5)

    assert (at_once, held, urgent) == (1, 1, 2)
    commits.close()


def test_a_closed_one_wakes_for_what_it_held(desk: Desk) -> None:
    commits = GroupCommit("test", patience=1, wakes_every=60)

    for _ in range(3):
        commits.run(submit, Submission(task_type="test"))
    commits.close()

    assert desk.queued() == 2


def test_for_a_stage_that_may_be_slow_each_commit_wakes(desk: Desk) -> None:
    commits = GroupCommit("test", patience=1, wakes_every=60)
    fields: dict[str, Any] = {"task_type": "document_processing", "kb_id": "kb"}

    for name in ("a", "b"):
        commits.run(submit, Submission(**fields, payload={"document_id": name, "content": "a"}))

    assert desk.queued("preprocessing") == 2
    commits.close()
