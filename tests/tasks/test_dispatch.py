"""The window of published wake-ups: kept short, refilled, and repaired when a broker loses it."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import Future
from itertools import islice
from typing import Any
from uuid import UUID

import pytest
from dramatiq import Message
from sqlalchemy import text

from broker.publisher import Unpublished
from errors import TaskError
from models import database
from settings import settings
from tasks import dispatch, failing, lost_wake_ups, pausing, presence, unit, work
from tasks.claim import Advance
from tasks.dispatch import AGEING, KB_WINDOW, KBS_AT_ONCE, ONE_IN, WINDOW
from tasks.failing import Failure
from tasks.process import process_id
from tasks.unit import unit_of_work
from tests.servers import eventually
from tests.tasks.conftest import Desk


def published(desk: Desk) -> int:
    return int(desk.sql("SELECT count(*) FROM tasks WHERE published_at IS NOT NULL")[0][0])


def test_a_submission_is_published_as_far_as_its_window_has_room(desk: Desk) -> None:
    desk.submit(WINDOW - 1)
    desk.submit(10)
    assert desk.queued() == published(desk) == WINDOW


def test_a_higher_priority_has_a_window_of_its_own(desk: Desk) -> None:
    desk.submit(WINDOW + 50)
    desk.submit(1, priority="high")
    first = next(iter(desk.broker.consume("default", prefetch=1, timeout=10)))
    assert first is not None and first.options["broker_priority"] == 6


def test_each_claim_makes_room_for_the_oldest_that_waits(desk: Desk) -> None:
    ids = desk.submit(WINDOW + 2)
    assert desk.row(ids[WINDOW]).published_at is None
    desk.held(ids[0])
    assert desk.row(ids[WINDOW]).published_at is not None
    assert desk.row(ids[WINDOW + 1]).published_at is None
    assert desk.queued() == WINDOW + 1


def test_a_backlog_is_served_in_the_order_of_submission(desk: Desk) -> None:
    desk.submit(WINDOW)
    (waiting,) = desk.submit(1)
    desk.sql("UPDATE tasks SET published_at = NULL WHERE id IN (SELECT id FROM tasks ORDER BY id LIMIT 5)")
    (newest,) = desk.submit(1)
    assert desk.row(newest).published_at is None, "the older ones come first, though there is room"
    with unit_of_work() as each:
        assert dispatch.refill(each, ["default"]) == 5
    assert desk.row(waiting).published_at is None


def shares(desk: Desk) -> dict[str, int]:
    """Published tasks of each KB."""
    return dict(desk.sql("SELECT kb_id, count(*) FROM tasks WHERE published_at IS NOT NULL GROUP BY 1"))


def refill() -> int:
    with unit_of_work() as each:
        return dispatch.refill(each, ["default"])


def test_the_backlog_of_one_kb_holds_up_no_other(desk: Desk) -> None:
    desk.submit(KB_WINDOW * 10, kb_id="large")
    (small,) = desk.submit(kb_id="small")
    assert shares(desk) == {"large": KB_WINDOW, "small": 1}
    assert desk.row(small).published_at is not None


def test_kbs_share_a_window_evenly_whoever_came_first(desk: Desk) -> None:
    for name in ("a", "b", "c"):
        desk.submit(100, kb_id=name)
    desk.submit(WINDOW)
    desk.sql("UPDATE tasks SET published_at = NULL")
    refill()
    assert shares(desk) == {"a": KB_WINDOW, "b": KB_WINDOW, "c": KB_WINDOW, None: WINDOW - 3 * KB_WINDOW}


def test_no_kb_starves_where_more_wait_than_a_window_holds(desk: Desk) -> None:
    for number in range(KBS_AT_ONCE * 2):
        desk.submit(2, kb_id=f"kb{number:04}")
    served: set[str] = set()
    for _ in range(20):
        refill()
        served |= shares(desk).keys()
        desk.sql("UPDATE tasks SET status = 'completed' WHERE published_at IS NOT NULL")
    assert len(served) == KBS_AT_ONCE * 2


def test_a_refill_reads_few_rows_though_postgresql_knows_nothing_yet_of_a_backlog_of_many_kbs(desk: Desk) -> None:
    kbs, each_has = 100, 20
    for number in range(kbs):
        desk.submit(each_has, kb_id=f"kb{number:04}")
    desk.sql("UPDATE tasks SET published_at = NULL")
    fetched = text("SELECT idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'tasks'")
    with unit_of_work() as each:
        before = each.session.execute(fetched).scalar_one()
        assert dispatch.refill(each, ["default"]) == WINDOW
        # For each that it takes, all that wait: that would be 400,000 and more.
        assert each.session.execute(fetched).scalar_one() - before < 5 * kbs * each_has


def test_no_priority_starves_while_more_urgent_tasks_come_all_the_time(desk: Desk) -> None:
    (low,) = desk.submit(priority="low")
    desk.submit(WINDOW, priority="urgent")
    age(desk, AGEING.total_seconds() + 1)
    messages = iter(desk.broker.consume("default", prefetch=1000, timeout=10))
    started: set[UUID] = set()
    while low not in started:
        desk.submit(ONE_IN, priority="urgent")
        wishes = [work.Wanted(UUID(message.args[0]), "test") for message in islice(messages, ONE_IN) if message]
        claims = [claim for claim in desk.within(work.claim, *wishes) if claim]
        desk.within(work.advance, *(Advance(claim, {}) for claim in claims))
        started |= {claim.task_id for claim in claims}
        assert len(started) < 2 * WINDOW
        time.sleep(0.1)
    assert len(started) > WINDOW, "the urgent ones that were in RabbitMQ go first"


def test_few_of_the_aged_go_first(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "_claims", Counter())
    desk.submit(WINDOW, priority="low")
    ids = desk.submit(10 * ONE_IN, priority="urgent")
    age(desk, AGEING.total_seconds() + 1)
    eventually(lambda: desk.held(ids.pop()) and lifted(desk), seconds=5, every=0.01, reason="some are sent again")
    assert lifted(desk) <= (10 * ONE_IN - len(ids)) // ONE_IN


def lifted(desk: Desk) -> int:
    """Messages of low tasks that go before others."""
    bodies = [Message.decode(body) for _, _, body in desk.broker.queues["default"].ready]
    urgent = [UUID(each.args[0]) for each in bodies if each.options["broker_priority"] == 9]
    return int(desk.sql("SELECT count(*) FROM tasks WHERE id = ANY(:ids) AND priority = 1", ids=urgent)[0][0])


def test_what_is_published_together_goes_highest_priority_first_and_then_in_the_order_of_submission(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    with unit_of_work() as each:
        pausing.pause(each, "default")
    names = ("low", "normal", "high", "urgent")
    ids = {name: desk.submit(3, priority=name) for name in names}
    sent: list[UUID] = []
    take = desk.broker.publish

    def publish(messages: list[Message[Any]]) -> Future[None]:
        sent.extend(UUID(each.args[0]) for each in messages)
        return take(messages)

    monkeypatch.setattr(desk.broker, "publish", publish)
    with unit_of_work() as each:
        pausing.resume(each, "default")
    assert sent == [task_id for name in reversed(names) for task_id in ids[name]]


class AwayBroker:
    """RabbitMQ that takes nothing."""

    publishing = "down"

    def publish(self, messages: list[Message[Any]]) -> Future[None]:
        done: Future[None] = Future()
        done.set_exception(Unpublished("RabbitMQ is down"))
        return done


def test_what_rabbitmq_does_not_take_goes_back_to_the_dispatch(desk: Desk) -> None:
    unit.use_broker(AwayBroker())
    ids = desk.submit(3)
    assert published(desk) == 0
    unit.use_broker(desk.broker)
    with unit_of_work() as each:
        assert dispatch.refill(each, dispatch.queues()) == 3
    assert desk.queued() == 3
    assert desk.claim(ids[0]) is not None


def test_what_is_put_off_is_published_when_it_is_due(desk: Desk) -> None:
    (task_id,) = desk.submit()
    desk.within(failing.failed, Failure(desk.held(task_id), TaskError("internal", "x")))
    with unit_of_work() as each:
        assert (dispatch.wake(each), dispatch.refill(each, ["default"])) == (0, 0)
    desk.sql("UPDATE tasks SET due_at = now()")
    with unit_of_work() as each:
        assert (dispatch.wake(each), dispatch.refill(each, ["default"])) == (1, 1)
    assert desk.claim(task_id) is not None


def age(desk: Desk, seconds: float) -> None:
    desk.sql("UPDATE tasks SET published_at = published_at - make_interval(secs => :s)", s=seconds)


def find_lost(ready: int) -> int:
    with unit_of_work() as each:
        return lost_wake_ups.find(each, {"default": ready})


def test_a_long_queue_is_no_loss(desk: Desk) -> None:
    desk.submit(50)
    age(desk, 3600)
    assert find_lost(ready=50) == 0


def test_a_wiped_queue_is_published_again_once(desk: Desk) -> None:
    desk.submit(50)
    age(desk, 30)
    assert find_lost(ready=0) == 50
    with unit_of_work() as each:
        assert dispatch.refill(each, ["default"]) == 50
    assert find_lost(ready=50) == 0
    assert desk.sql("SELECT DISTINCT publications FROM tasks") == [(2,)]


def test_only_as_many_are_lost_as_are_nowhere(desk: Desk) -> None:
    ids = desk.submit(50)
    age(desk, 30)
    with database.transaction() as session:
        presence.beat(session, "worker", threads=10, prefetched={"default": 10})
    assert find_lost(ready=37) == 3
    lost = [row.id for row in desk.sql("SELECT id FROM tasks WHERE published_at IS NULL ORDER BY id")]
    assert lost == ids[:3], "the oldest"


def test_a_wake_up_that_was_only_just_sent_is_given_time(desk: Desk) -> None:
    desk.submit(5)
    assert find_lost(ready=0) == 0


def test_each_time_it_is_given_more_time(desk: Desk) -> None:
    desk.submit(1)
    for seconds in (10, 20, 40):
        age(desk, seconds - 1)
        assert find_lost(ready=0) == 0
        age(desk, 2)
        assert find_lost(ready=0) == 1
        with unit_of_work() as each:
            dispatch.refill(each, ["default"])


def test_what_rabbitmq_refuses_is_not_given_more_time(desk: Desk) -> None:
    unit.use_broker(AwayBroker())
    desk.submit(1)
    for _ in range(20):
        with unit_of_work() as each:
            assert dispatch.refill(each, ["default"]) == 1
        assert published(desk) == 0
    unit.use_broker(desk.broker)
    with unit_of_work() as each:
        assert dispatch.refill(each, ["default"]) == 1
    age(desk, 11)
    assert find_lost(ready=0) == 1


def test_what_arrived_and_was_handed_back_is_not_given_more_time(desk: Desk) -> None:
    (task_id,) = desk.submit(1)
    for _ in range(5):
        desk.within(failing.hand_back, desk.held(task_id))
        with unit_of_work() as each:
            assert dispatch.refill(each, ["default"]) == 1
    age(desk, 11)
    assert find_lost(ready=0) == 1


def test_a_forward_that_was_lost_is_repaired(desk: Desk) -> None:
    task_id = desk.document()
    desk.within(work.advance, Advance(desk.held(task_id, "preprocessing")))
    assert desk.row(task_id).published_at is not None, "Dramatiq's pipeline is expected to forward"
    age(desk, 30)
    with unit_of_work() as each:
        assert lost_wake_ups.find(each, {"chunking": 0}) == 1
        assert dispatch.refill(each, ["chunking"]) == 1
    assert desk.queued("chunking") == 1


def test_a_message_carries_ids_and_the_stages_that_follow(desk: Desk) -> None:
    task_id = desk.document(priority="urgent", timeout=20)
    message = next(iter(desk.broker.consume("preprocessing", prefetch=1, timeout=10)))
    assert message is not None
    assert message.args == (str(task_id),)
    assert message.options["attempt"] == 1
    assert message.options["broker_priority"] == 9
    assert message.options["time_limit"] == 30_000
    names = []
    while message is not None:
        names.append((message.queue_name, message.actor_name))
        target = message.options.get("pipe_target")
        message = Message(**target) if target else None  # type: ignore[assignment]
        assert message is None or message.options["pipe_ignore"] is True
    assert [queue for queue, _ in names] == [actor for _, actor in names]
    assert [actor for _, actor in names] == ["preprocessing", "chunking", "embedding", "storing", "indexing"]


@pytest.mark.parametrize("known", [False, True])
def test_a_claim_that_its_worker_does_not_know_of_is_requeued(desk: Desk, known: bool) -> None:
    (task_id,) = desk.submit()
    desk.held(task_id)
    desk.sql("UPDATE tasks SET claimed_at = now() - interval '1 minute'")
    with database.transaction() as session:
        presence.beat(session, "worker", threads=1, current=[task_id] if known else [])
    with unit_of_work() as each:
        assert presence.sweep(each) == (0 if known else 1)
    row = desk.row(task_id)
    assert row.deaths == 0
    assert row.status == ("processing" if known else "queued")


def test_the_work_of_a_silent_worker_is_requeued_and_its_counts_are_kept(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEASE_SECONDS", "3")
    settings.cache_clear()
    eventually(lambda: desk.sql("SELECT 1 WHERE pg_postmaster_start_time() < now() - interval '3 s'"))
    first, second = desk.submit(2)
    desk.within(work.advance, Advance(desk.held(first), {}))
    desk.held(second)
    with database.transaction() as session:
        presence.beat(session, "worker", threads=1, current=[second])
    desk.sql("UPDATE workers SET heartbeat_at = now() - interval '1 minute'")
    with unit_of_work() as each:
        assert presence.sweep(each) == 1
    assert desk.sql("SELECT count(*) FROM workers WHERE id = :id", id=process_id()) == [(0,)]
    assert desk.row(second).deaths == 1
    tally = "SELECT worker_id, count FROM tallies WHERE metric = 'task_success_total' AND labels = 'test'"
    assert desk.sql(tally) == [(presence.NIL_ID, 1)]


def test_nobody_is_dead_whom_postgresql_could_not_hear_while_it_was_away(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEASE_SECONDS", "86400")
    settings.cache_clear()
    (task_id,) = desk.submit()
    desk.held(task_id)
    with database.transaction() as session:
        presence.beat(session, "worker", threads=1, current=[task_id])
    desk.sql("UPDATE workers SET heartbeat_at = now() - interval '2 days'")
    with unit_of_work() as each:
        assert presence.sweep(each) == 0, "this server was started less than a lease ago"
    assert desk.row(task_id).status == "processing"
