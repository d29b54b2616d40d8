"""A COMMIT whose answer is lost is found out about: nothing is done twice, and nothing is denied that was done."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from broker.in_process import InProcessBroker
from errors import TaskError
from models import commit, database
from models.base import new_id
from models.connection import AnswerLost
from models.database import NotCommitted
from tasks.accepting.submission import NewBatch, Submission, submit, submit_batch
from tasks.dispatching import pausing
from tasks.ending import callbacks, ending, retrying
from tasks.ending.callbacks import Delivery
from tasks.transactions.group_commit import GroupCommit
from tasks.transactions.unit import Unit, unit_of_work, use_broker
from tasks.working import claiming, failing, presence, work
from tasks.working.claim import Advance, Wanted
from tasks.working.failing import Failure
from tests.commit_proxy import CommitProxy
from tests.tasks.conftest import Desk

Lose = Callable[[CommitProxy], None]


@pytest.fixture
def proxy(database_url: str) -> Iterator[CommitProxy]:
    with CommitProxy(database_url) as proxy:
        database.connect(proxy.url, pool_size=5, application_name="tests")
        yield proxy
        database.disconnect()


@pytest.fixture
def desk(proxy: CommitProxy) -> Desk:
    broker = InProcessBroker()
    use_broker(broker)
    return Desk(broker)


@pytest.fixture
def commits() -> Iterator[GroupCommit]:
    commits = GroupCommit("test", patience=20)
    yield commits
    commits.close()


@pytest.fixture(params=["answer", "commit"])
def lose(request: pytest.FixtureRequest) -> Lose:
    """Either way the first try is over, and only one of two is to be tried again."""
    return CommitProxy.lose_answers if request.param == "answer" else CommitProxy.lose_commits


def count(desk: Desk, table: str) -> int:
    return int(desk.sql(f"SELECT count(*) FROM {table}")[0][0])


def submission(desk: Desk, commits: GroupCommit, lose: Callable[[], None]) -> None:
    lose()
    accepted = commits.run(submit, Submission(task_type="test"))
    assert desk.sql("SELECT id FROM tasks") == [(accepted.task_id,)]
    assert desk.queued() == 1


def several_at_once(desk: Desk, commits: GroupCommit, lose: Callable[[], None]) -> None:
    gate = threading.Event()
    commits.put(lambda _, items: [gate.wait(5)] * len(items), 0)
    lose()
    futures = [commits.put(submit, Submission(task_type="test")) for _ in range(5)]
    gate.set()
    assert {future.result(20).task_id for future in futures} == {row.id for row in desk.sql("SELECT id FROM tasks")}


def batch(desk: Desk, commits: GroupCommit, lose: Callable[[], None]) -> None:
    first = new_id()
    named = [Submission(task_type="test").named(first), Submission(task_type="test", depends_on=[first])]
    lose()
    accepted = commits.run(submit_batch, NewBatch(submissions=named))
    assert desk.sql("SELECT id FROM batches") == [(accepted.batch_id,)]
    assert count(desk, "tasks") == 2


def claim(desk: Desk, commits: GroupCommit, lose: Callable[[], None]) -> None:
    (task_id,) = desk.submit()
    lose()
    claim = commits.run(claiming.claim, Wanted(task_id, "test"))
    assert claim is not None
    assert desk.row(task_id).attempt == claim.attempt == 1


def advance(desk: Desk, commits: GroupCommit, lose: Callable[[], None]) -> None:
    claim = desk.held(desk.document(), "preprocessing")
    lose()
    assert commits.run(work.advance, Advance(claim, {})) is True
    assert [stage["name"] for stage in desk.row(claim.task_id).stages] == ["preprocessing"]


def prepared(desk: Desk) -> UUID:
    return desk.submit(callback_url="https://example.com/hook")[0]


def end(desk: Desk, commits: GroupCommit, lose: Callable[[], None]) -> None:
    claim = desk.held(prepared(desk))
    lose()
    assert commits.run(work.advance, Advance(claim, {})) is True
    assert desk.row(claim.task_id).status == "completed"
    assert count(desk, "callbacks") == 1
    commits.flush(5)
    assert desk.sql("SELECT sum(count) FROM tallies WHERE metric = 'task_success_total'") == [(1,)]


def failure(desk: Desk, commits: GroupCommit, lose: Callable[[], None]) -> None:
    claim = desk.held(prepared(desk))
    lose()
    assert commits.run(failing.fail, Failure(claim, TaskError("corrupt", "x"))) is True
    assert desk.row(claim.task_id).status == "failed"
    assert count(desk, "callbacks") == 1


def put_off(desk: Desk, commits: GroupCommit, lose: Callable[[], None]) -> None:
    claim = desk.held(prepared(desk))
    lose()
    assert commits.run(failing.fail, Failure(claim, TaskError("fetch_failed", "x"))) is False
    row = desk.row(claim.task_id)
    assert (row.status, row.retries, row.errors) == ("waiting", 1, 1)


def hand_back(desk: Desk, commits: GroupCommit, lose: Callable[[], None]) -> None:
    claim = desk.held(prepared(desk))
    lose()
    assert commits.run(failing.hand_back, claim) is True
    assert (desk.row(claim.task_id).status, desk.row(claim.task_id).stage_attempts) == ("queued", 0)


def report(desk: Desk, commits: GroupCommit, lose: Callable[[], None]) -> None:
    claim = desk.held(prepared(desk))
    lose()
    assert commits.run(work.report, (claim, 3, 10)) is True
    assert desk.row(claim.task_id).units_done == 3


def callback(desk: Desk, commits: GroupCommit, lose: Callable[[], None]) -> None:
    claim = desk.held(prepared(desk))
    assert commits.run(work.advance, Advance(claim, {})) is True
    (callback_id,) = desk.sql("SELECT id FROM callbacks")[0]
    lose()
    (taken,) = commits.run(lambda unit, ids: [callbacks.take(unit, delivery_id) for delivery_id in ids], [callback_id])
    assert taken is not None
    assert taken.attempt == 1
    lose()

    def tell(unit: Unit, deliveries: Sequence[Delivery]) -> Sequence[None]:
        for delivery in deliveries:
            callbacks.delivered(unit, delivery, "HTTP 200")
        return [None] * len(deliveries)

    commits.run(tell, taken)
    assert desk.sql("SELECT status, attempts FROM callbacks") == [("delivered", 1)]
    commits.flush(5)
    assert desk.sql("SELECT count FROM tallies WHERE metric = 'callback_delivery_total'") == [(1,)]


WRITES = [submission, several_at_once, batch, claim, advance, end, failure, put_off, hand_back, report, callback]


@pytest.mark.parametrize("write", WRITES, ids=lambda act: act.__name__)
def test_what_shares_commits_is_done_once(
    desk: Desk,
    proxy: CommitProxy,
    commits: GroupCommit,
    lose: Lose,
    write: Callable[[Desk, GroupCommit, Callable[[], None]], None],
) -> None:
    """Submissions, and all that a worker writes."""
    write(desk, commits, partial(lose, proxy))
    assert proxy.lost >= 1


def test_what_has_a_transaction_of_its_own_is_done_or_not_and_never_in_doubt(desk: Desk, proxy: CommitProxy) -> None:
    (task_id,) = desk.submit()
    for change, status in ((ending.cancel, "cancelled"), (retrying.retry, "queued")):
        proxy.lose_commits()
        with pytest.raises(OperationalError) as caught, unit_of_work() as unit:
            change(unit, [task_id])
        assert isinstance(caught.value.orig, NotCommitted)
        assert desk.row(task_id).status != status
        proxy.lose_answers()
        with unit_of_work() as unit:
            change(unit, [task_id])
        assert desk.row(task_id).status == status
    proxy.lose_answers()
    with unit_of_work() as unit:
        pausing.pause(unit, "default")
    proxy.lose_answers()
    with unit_of_work() as unit:
        presence.leave(unit)
    assert proxy.lost == 6
    assert desk.sql("SELECT queue FROM paused_queues") == [("default",)]


def test_what_became_of_a_commit_is_unknown_only_while_postgresql_is_away(
    desk: Desk, proxy: CommitProxy, commits: GroupCommit
) -> None:
    assert count(desk, "tasks") == 0  # over the connection that will be lost
    proxy.lose_answers()
    proxy.away = True
    waiting = commits.put(submit, Submission(task_type="test"))
    time.sleep(1)
    assert not waiting.done(), "it is not tried again, and nobody is told anything that is not known"
    proxy.away = False
    accepted = waiting.result(20)
    assert desk.sql("SELECT id FROM tasks") == [(accepted.task_id,)]


def test_whoever_cannot_wait_is_told_that_it_is_unknown(desk: Desk, proxy: CommitProxy) -> None:
    hasty = GroupCommit("hasty", patience=0.5)
    assert count(desk, "tasks") == 0  # over the connection that will be lost
    proxy.lose_answers()
    proxy.away = True
    error = hasty.put(submit, Submission(task_type="test")).exception(20)
    assert error is not None
    assert database.is_answer_lost(error)
    proxy.away = False
    assert count(desk, "tasks") == 1
    hasty.close()


def test_a_commit_that_comes_after_somebody_asked_is_void(desk: Desk) -> None:
    """It was on its way, or its server hung, and was taken for lost."""
    with pytest.raises(Exception, match="commits"), database.write() as session:
        session.execute(text("INSERT INTO paused_queues (queue) VALUES ('late')"))
        connection: Any = session.connection().connection.driver_connection
        lost = AnswerLost(connection._writer, connection._number + 1)
        assert not commit.is_committed(database.engine(), lost)
    assert desk.sql("SELECT * FROM paused_queues") == []


def test_a_transaction_that_writes_nothing_leaves_no_mark_and_old_marks_go(desk: Desk) -> None:
    with database.write() as session:
        session.execute(text("SELECT 1"))
    assert count(desk, "commits") == 0
    desk.submit()
    assert count(desk, "commits") == 1
    desk.sql("UPDATE commits SET written_at = now() - interval '2 days'")
    with database.transaction() as session:
        assert commit.forget(session) == 1
    desk.submit()
    assert count(desk, "commits") == 1
