"""A worker's threads: what they take at once, and that nothing stays in hands that do nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import dramatiq
import pytest
from dramatiq import Worker
from dramatiq.broker import Broker
from dramatiq.middleware import Middleware
from dramatiq.middleware.time_limit import TimeLimitExceeded
from sqlalchemy import text

from broker.in_process import InProcessBroker
from broker.messages import wake_up
from models import database
from tasks.dispatching import dispatch
from tasks.transactions.group_commit import Operation
from tasks.working.claim import Turn
from tests.actors.conftest import Bench
from tests.servers import eventually
from worker import boot, stage
from worker.bundle import Bundle
from worker.loop import Loop
from worker.middleware import worker_middleware
from worker.process import PROCESS


class SlowToStart(Middleware):
    """Something else of the worker that has a while to do before the rest is told that it runs."""

    def after_worker_boot(self, broker: Broker, worker: Worker) -> None:
        time.sleep(0.5)


@pytest.fixture
def at_work(bench: Bench) -> Iterator[Callable[[], None]]:
    """Starts a worker in this process, whose queues are those of the bench. No clock runs beside it."""
    with _worker(bench) as start:
        yield start


@contextmanager
def _worker(bench: Bench) -> Iterator[Callable[[], None]]:
    before = dramatiq.get_broker()
    broker = InProcessBroker([*worker_middleware(), SlowToStart()])
    broker.queues.update(bench.broker.queues)
    boot.assemble(broker)
    for middleware in broker.middleware:
        middleware.after_process_boot(broker)
    stage.LOOP.serve([], 1)
    working = Worker(broker, worker_threads=2)
    for name in broker.queues:
        broker.emit_after("declare_queue", name)
    try:
        yield working.start
    finally:
        working.stop(timeout=5000)
        PROCESS.claims.resume()
        dramatiq.set_broker(before)


def completed(bench: Bench, count: int) -> bool:
    return bench.sql("SELECT count(*) FROM tasks WHERE status = 'completed'") == [(count,)]


def test_a_message_that_waits_when_a_worker_starts_leads_to_its_task(bench: Bench, at_work: Callable[[], None]) -> None:
    bench.submit()
    at_work()
    eventually(lambda: completed(bench, 1), seconds=10, reason="the task has ended without another message")


def test_a_thread_that_waited_for_postgresql_keeps_what_it_claims(bench: Bench, at_work: Callable[[], None]) -> None:
    bench.submit()
    bench.broker.queues["default"].ready.clear()
    (task_id,) = [row.id for row in bench.sql("SELECT id FROM tasks")]
    bench.broker.enqueue(wake_up([str(task_id)], "test", "default", priority=4, attempt=1, time_limit=0.5))
    with database.transaction() as session:
        session.execute(text("LOCK TABLE tasks"))
        at_work()
        waits = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'tasks'::regclass"
        eventually(lambda: bench.sql(waits) != [(0,)], seconds=10, reason="its thread waits for PostgreSQL")
        time.sleep(1)  # twice its time limit
    eventually(lambda: completed(bench, 1), seconds=10, reason="the task has ended without another message")


def test_a_time_limit_that_comes_between_two_claims_leaves_none_in_hand(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.submit(3)

    def interrupted(self: Bundle, _: object) -> None:
        raise TimeLimitExceeded

    monkeypatch.setattr(Bundle, "done", interrupted)
    loop = Loop(stage.perform)
    loop.serve(dispatch.queues(), 1)
    loop.queues.widths["test"] = 100
    loop.work_off(None)
    assert PROCESS.claims.held() == []
    assert not loop.are_busy("default")


def test_what_a_submission_has_locked_when_its_message_comes_is_looked_at_again(bench: Bench) -> None:
    """A task that depends on another keeps its row as it is until it is submitted, and no message follows then."""
    (task_id,) = bench.submit()
    loop = Loop(stage.perform)
    loop.serve(dispatch.queues(), 1)
    thread = threading.Thread(target=loop.work_off, args=[None])
    with database.transaction() as session:
        session.execute(text("SELECT FROM tasks WHERE id = :id FOR SHARE"), {"id": task_id})
        thread.start()
        eventually(lambda: loop.queues.met_locks, seconds=10, reason="it has found the lock")
    thread.join(10)
    PROCESS.commits.flush(5)
    assert bench.row(task_id).status == "completed"


def test_the_end_of_a_task_that_is_alone_is_committed_before_its_thread_looks_for_more(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, turns = PROCESS.commits.run, []

    def noted(operation: Operation[Turn, Any], turn: Turn) -> Any:
        turns.append((len(turn.done), turn.wanted is not None))
        return run(operation, turn)

    monkeypatch.setattr(PROCESS.commits, "run", noted)
    loop = Loop(stage.perform)
    loop.serve(dispatch.queues(), 1)
    bench.submit(2)
    loop.work_off(None)
    assert turns == [(0, True), (1, True), (1, False), (0, True)], "the first knows that another waits"
    assert completed(bench, 2)
