"""Limits that hold for the whole deployment: running stages, waiting tasks, and rates."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID, uuid4

import pytest

from errors import TaskError
from models import database, rate_limit
from settings import settings
from tasks.accepting.admission import Backlog
from tasks.dispatching import concurrency
from tasks.dispatching.dispatch import Queues
from tasks.transactions.unit import unit_of_work
from tasks.working import claiming, failing, work
from tasks.working.claim import Advance, Claim, Turn, Wanted
from tasks.working.failing import Failure
from tests.tasks.conftest import Desk


@pytest.fixture
def three_places(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_CONCURRENT_TASKS", "3")
    monkeypatch.setattr(concurrency, "_short", False)
    settings.cache_clear()


def threads(desk: Desk, count: int) -> None:
    """A worker with so many threads."""
    desk.sql(
        "INSERT INTO workers (id, kind, name, queues, threads) VALUES (:id, 'worker', 'w', '{}', :n)",
        id=uuid4(),
        n=count,
    )


@pytest.mark.usefixtures("three_places")
def test_no_more_stages_run_than_may_however_many_threads_ask(desk: Desk) -> None:
    threads(desk, 20)
    ids = desk.submit(20)

    def claim(task_id: UUID) -> bool:
        with unit_of_work() as unit:
            return claiming.claim(unit, [Wanted(task_id, "test")])[0] is not None

    with ThreadPoolExecutor(10) as pool:
        assert sum(pool.map(claim, ids)) == 3
    running = "SELECT count(*) FROM tasks WHERE worker_id IS NOT NULL"
    assert desk.sql(running) == [(3,)]


FREEING: dict[str, Callable[[Desk, Claim], object]] = {
    "done": lambda desk, claim: desk.within(work.advance, Advance(claim, {})),
    "failed": lambda desk, claim: desk.within(failing.fail, Failure(claim, TaskError("internal", "x"))),
    "handed back": lambda desk, claim: desk.within(failing.hand_back, claim),
}


@pytest.mark.usefixtures("three_places")
@pytest.mark.parametrize("free", FREEING.values(), ids=FREEING)
def test_what_found_no_place_runs_when_one_is_free(desk: Desk, free: Callable[[Desk, Claim], object]) -> None:
    threads(desk, 20)
    *first, last = desk.submit(4)
    claims = [desk.held(task_id) for task_id in first]
    assert desk.claim(last) is None
    assert desk.next() == [[]]
    free(desk, claims[0])
    assert desk.claim(last) is not None


@pytest.mark.usefixtures("three_places")
def test_a_place_that_a_worker_frees_and_does_not_take_is_offered_to_others(desk: Desk) -> None:
    threads(desk, 20)
    claims = [desk.held(task_id) for task_id in desk.submit(3)]
    desk.document()
    for queue in desk.broker.queues.values():
        queue.ready.clear()
    # What waits is in a queue that this worker does not serve.
    desk.within(work.turn, Turn([Advance(claims[0], {})], Queues(["default"])))
    assert desk.queued("preprocessing") == 1


@pytest.mark.usefixtures("three_places")
def test_a_deployment_with_fewer_threads_than_places_is_not_limited(desk: Desk) -> None:
    threads(desk, 3)
    assert all(desk.claim(task_id) for task_id in desk.submit(5))


def test_the_backlog_is_full_when_as_many_wait_as_may(desk: Desk) -> None:
    backlog = Backlog(5)
    desk.submit(2)
    desk.submit(2, depends_on=desk.submit())

    def full() -> bool:
        with database.transaction() as session:
            backlog.count(session)
        return backlog.is_full

    assert full()
    desk.sql("UPDATE tasks SET status = 'completed' WHERE depends_on = '{}'")
    assert not full()


def test_the_backlog_is_counted_now_and_then() -> None:
    backlog = Backlog(5)
    assert backlog.is_due()
    assert not backlog.is_due()


def admit(cost: float = 0.2, burst: float = 1.0) -> float:
    with database.transaction() as session:
        return rate_limit.admit(session, "name", cost, burst)


def test_a_rate_lets_a_burst_through_and_then_its_pace(desk: Desk) -> None:
    assert [admit() for _ in range(5)] == [0.0] * 5
    seconds = admit()
    assert 0 < seconds <= 0.2
    time.sleep(seconds)
    assert admit() == 0.0
    assert admit() > 0


def test_what_was_used_already_is_owed(desk: Desk) -> None:
    with database.transaction() as session:
        assert rate_limit.spend(session, "name", 31, 1) == pytest.approx(30, abs=0.5)
        assert rate_limit.spend(session, "name", 0, 1) == pytest.approx(30, abs=0.5)
    assert admit() == pytest.approx(30.2, abs=0.5)


def test_a_provider_that_asks_for_patience_holds_everybody(desk: Desk) -> None:
    with database.transaction() as session:
        rate_limit.hold(session, "name", 60)
        rate_limit.hold(session, "name", 5)
    assert admit() == pytest.approx(60.2, abs=0.5)
