"""What runs next, and the messages that wake a worker for it."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import Future
from typing import Any
from uuid import UUID

import hypothesis
import pytest
from dramatiq import Message
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from broker.publisher import Unpublished
from errors import TaskError
from models import database, kb
from settings import settings
from tasks.dispatching import dispatch, pausing
from tasks.dispatching.dispatch import AGEING, BUSY, KBS_AT_ONCE, ONE_IN, WAKES, Queues
from tasks.process import process_id
from tasks.transactions.unit import unit_of_work, use_broker
from tasks.transactions.waking import MOST_MESSAGES
from tasks.working import claiming, failing, presence, work
from tasks.working.claim import Advance, Claim, Turn, Wanted
from tasks.working.failing import Failure
from tests.servers import eventually
from tests.tasks.conftest import Desk


def quick(width: int = 100) -> Queues:
    """The queues of a worker that has learnt that `test` tasks are quick."""
    return Queues(dispatch.queues(), widths={"test": width})


def ids(claims: list[list[Claim]]) -> list[UUID]:
    return [claim.task_id for bundle in claims for claim in bundle]


def messages(desk: Desk, queue: str = "default") -> list[Message[Any]]:
    """What a queue holds, in the order in which it is delivered."""
    return [Message.decode(body) for _, _, body in sorted(desk.broker.queues[queue].ready)]


# What runs next.


def test_the_oldest_runs_first(desk: Desk) -> None:
    submitted = desk.submit(5)
    assert ids(desk.next(threads=3)) == submitted[:3]
    assert ids(desk.next(threads=3)) == submitted[3:]
    assert ids(desk.next()) == []


def test_the_highest_priority_runs_first(desk: Desk) -> None:
    submitted = {priority: desk.submit(priority=priority)[0] for priority in ("normal", "low", "urgent", "high")}
    order = [ids(desk.next())[0] for _ in submitted]
    assert order == [submitted[priority] for priority in ("urgent", "high", "normal", "low")]


def test_what_was_begun_ends_before_another_begins(desk: Desk) -> None:
    begun = desk.document()
    desk.submit(task_type="document_processing", kb_id="kb", payload={"content": "x", "document_id": "other"})
    desk.within(work.advance, Advance(desk.held(begun, "preprocessing")))
    assert ids(desk.next()) == [begun]


def test_a_worker_takes_from_its_own_queues_only(desk: Desk) -> None:
    desk.document()
    assert ids(desk.next(queues=Queues(["embedding"]))) == []


def test_a_thread_takes_a_bundle_of_what_is_quick(desk: Desk) -> None:
    submitted = desk.submit(25)
    claims = desk.next(threads=2, queues=quick(10))
    assert [len(bundle) for bundle in claims] == [10, 10]
    assert ids(claims) == submitted[:20]


def test_what_is_not_known_to_be_quick_goes_one_to_each_thread(desk: Desk) -> None:
    desk.submit(25)
    assert [len(bundle) for bundle in desk.next(threads=4)] == [1, 1, 1, 1]


def test_a_thread_gets_either_a_bundle_or_one_slow_task(desk: Desk) -> None:
    document = desk.document()
    submitted = desk.submit(3)
    claims = desk.next(threads=2, queues=quick())
    assert sorted([[claim.task_id for claim in bundle] for bundle in claims]) == sorted([[document], submitted])


def test_what_a_thread_ended_and_what_it_runs_next_is_one_transaction(desk: Desk) -> None:
    first, second = desk.submit(2)
    claim = desk.held(first)
    (answer,) = desk.within(work.turn, Turn([Advance(claim, {})], Queues(dispatch.queues())))
    assert answer.over == [True]
    assert [next_claim.task_id for next_claim in answer.claims] == [second]
    ended, begun = desk.row(first), desk.row(second)
    assert ended.finished_at == begun.claimed_at, "both are the transaction's time"


def test_the_thread_that_ended_a_stage_goes_on_with_the_next(desk: Desk) -> None:
    task_id = desk.document()
    claim = desk.held(task_id, "preprocessing")
    (answer,) = desk.within(work.turn, Turn([Advance(claim)], Queues(dispatch.queues())))
    assert [(next_claim.task_id, next_claim.stage) for next_claim in answer.claims] == [(task_id, "chunking")]
    assert desk.queued("chunking") == 0, "nobody need be woken for it"


def test_a_thread_that_takes_no_more_wakes_another_for_the_next_stage(desk: Desk) -> None:
    task_id = desk.document()
    desk.within(work.turn, Turn([Advance(desk.held(task_id, "preprocessing"))]))
    (message,) = messages(desk, "chunking")
    assert (message.actor_name, message.args) == ("chunking", (str(task_id),))


def test_the_backlog_of_one_kb_holds_up_no_other(desk: Desk) -> None:
    desk.submit(50, kb_id="large")
    (small,) = desk.submit(kb_id="small")
    assert small in ids(desk.next(threads=2))


def test_kbs_take_turns_whoever_came_first(desk: Desk) -> None:
    for name in ("a", "b", "c"):
        desk.submit(10, kb_id=name)
    desk.submit(10)
    queues = Queues(dispatch.queues())
    served = [desk.next(queues=queues)[0][0] for _ in range(12)]
    assert [sum(claim.kb_id == name for claim in served) for name in ("a", "b", "c", None)] == [3, 3, 3, 3]


def test_the_kb_that_runs_the_fewest_goes_first(desk: Desk) -> None:
    desk.submit(10, kb_id="a", task_type="document_deletion", payload={"document_id": "x"})
    running = desk.submit(3, kb_id="b")
    for task_id in running:
        desk.held(task_id)
    desk.submit(3, kb_id="b")
    (waits,) = desk.submit(kb_id="c")
    assert desk.next(queues=Queues(["default"], after={"default": "a"}))[0][0].task_id == waits


def test_a_bundle_is_shared_between_kbs(desk: Desk) -> None:
    for name in ("a", "b"):
        desk.submit(100, kb_id=name)
    (claims,) = desk.next(queues=quick(40))
    assert [sum(claim.kb_id == name for claim in claims) for name in ("a", "b")] == [20, 20]


def weigh(**weights: int) -> None:
    """Set the weights of KBs."""
    with database.write() as session:
        for kb_id, weight in weights.items():
            kb.change(session, kb_id, {"weight": weight})


def served(desk: Desk, looks: int, threads: int = 1, queues: Queues | None = None) -> list[str]:
    """The KBs of what so many looks take, in their order; all of it has ended by the next one."""
    queues, kbs = queues or Queues(dispatch.queues()), []
    for _ in range(looks):
        claims = [claim for bundle in desk.next(threads=threads, queues=queues) for claim in bundle]
        kbs += [claim.kb_id or "" for claim in claims]
        desk.within(work.advance, *(Advance(claim, {}) for claim in claims))
    return kbs


@pytest.mark.parametrize(("threads", "width"), [(1, 1), (2, 1), (4, 1), (1, 4), (1, 7), (2, 10)])
def test_a_kb_of_weight_3_gets_three_turns_where_another_gets_one(desk: Desk, threads: int, width: int) -> None:
    weigh(b=3, c=2)
    for name in ("a", "b", "c"):
        desk.submit(150, kb_id=name)
    looks = 120 // (threads * width)
    kbs = served(desk, looks, threads, quick(width))
    taken = len(kbs) // 6 * 6
    assert taken >= 100
    counts = Counter(kbs[:taken])
    assert counts == {"a": taken / 6, "b": taken / 2, "c": taken / 3}


def test_a_weight_holds_within_a_priority_and_for_what_runs(desk: Desk) -> None:
    weigh(a=3)
    for number in range(40):
        for name in ("a", "b"):
            desk.submit(kb_id=name, task_type="document_deletion", payload={"document_id": str(number)})
    (urgent,) = desk.submit(kb_id="b", priority="urgent", task_type="document_deletion", payload={"document_id": "x"})
    queues = Queues(dispatch.queues())
    first, *claims = (claim for _ in range(17) for bundle in desk.next(queues=queues) for claim in bundle)
    assert first.task_id == urgent
    # None of them has ended: of what runs, three in four are of the one.
    assert Counter(claim.kb_id for claim in (first, *claims)) in ({"a": 12, "b": 5}, {"a": 13, "b": 4})


@given(st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 5), min_size=1), st.integers(1, 3), st.integers(1, 8))
@hypothesis.settings(max_examples=10, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture])
def test_each_kb_has_all_its_turns_in_every_round(
    desk: Desk, weights: dict[str, int], threads: int, width: int
) -> None:
    desk.sql("DELETE FROM tasks")
    weigh(**{name: weights.get(name, 1) for name in "abcdef"})
    rounds, total = 3, sum(weights.values())
    for name, weight in weights.items():
        desk.submit(weight * (rounds + 1), kb_id=name)
    looks = -(-total * rounds // (threads * width))
    kbs = served(desk, looks, threads, quick(width))[: total * rounds]
    for start in range(0, len(kbs) - total + 1, total):
        assert Counter(kbs[start : start + total]) == weights


def test_weight_1_is_no_weight(desk: Desk) -> None:
    for name in ("a", "b", "c"):
        desk.submit(12, kb_id=name)
    weigh(a=1)
    assert served(desk, 9) == ["a", "b", "c"] * 3
    weigh(a=2)
    assert served(desk, 8) == ["a", "a", "b", "c"] * 2
    weigh(a=1)
    assert served(desk, 6) == ["a", "b", "c"] * 2


def test_no_kb_starves_where_more_wait_than_one_look_walks_through(desk: Desk) -> None:
    kbs = KBS_AT_ONCE * 3
    for number in range(kbs):
        desk.submit(2, kb_id=f"kb{number:04}")
    queues, served = Queues(dispatch.queues()), set()
    for _ in range(12):
        claims = desk.next(threads=20, queues=queues)
        served |= {claim.kb_id for bundle in claims for claim in bundle}
        desk.within(work.advance, *(Advance(claim, {}) for bundle in claims for claim in bundle))
    assert len(served) == kbs


def test_a_look_reads_few_rows_though_postgresql_knows_nothing_yet_of_a_backlog_of_many_kbs(desk: Desk) -> None:
    kbs, each_has = 100, 20
    for number in range(kbs):
        desk.submit(each_has, kb_id=f"kb{number:04}")
    fetched = text("SELECT idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'tasks'")
    with unit_of_work() as unit:
        before = unit.session.execute(fetched).scalar_one()
        assert len(ids(claiming.take(unit, Queues(dispatch.queues()), 10, woken=0))) == 10
        # The rest of the backlog is some 2,000 rows.
        assert unit.session.execute(fetched).scalar_one() - before < 6 * KBS_AT_ONCE


def test_a_claim_and_an_end_read_their_own_rows_though_their_plans_were_made_for_an_empty_table(desk: Desk) -> None:
    (first,) = desk.submit()
    desk.within(work.turn, Turn([Advance(desk.held(first), {})]))
    many = desk.submit(2000)
    looked_at = text("SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'tasks'")
    with unit_of_work() as unit:
        before = unit.session.execute(looked_at).scalar_one()
        claims = claiming.claim(unit, [Wanted(task_id, "test") for task_id in many[:10]])
        work.advance(unit, [Advance(claim, {}) for claim in claims if claim is not None])
        assert unit.session.execute(looked_at).scalar_one() - before < 200


def test_a_look_knows_whether_it_took_all_that_waited(desk: Desk) -> None:
    first, second, third = desk.submit(3)
    queues = quick(width=2)
    assert (ids(desk.next(queues=queues)), queues.saw_all) == ([first, second], False)
    assert (ids(desk.next(queues=queues)), queues.saw_all) == ([third], True)


def test_no_priority_starves_while_more_urgent_tasks_come_all_the_time(desk: Desk) -> None:
    (low,) = desk.submit(priority="low")
    age(desk, AGEING.total_seconds() + 1)
    queues, started = Queues(dispatch.queues()), []
    while low not in started:
        desk.submit(priority="urgent")
        started += ids(desk.next(queues=queues))
        assert len(started) <= ONE_IN
    assert len(started) == ONE_IN, "the others were urgent"


def test_what_is_only_just_ready_does_not_go_before_the_more_urgent(desk: Desk) -> None:
    (low,) = desk.submit(priority="low")
    urgent = desk.submit(2 * ONE_IN, priority="urgent")
    queues = Queues(dispatch.queues())
    assert [ids(desk.next(queues=queues))[0] for _ in urgent] == urgent
    assert ids(desk.next(queues=queues)) == [low]


def test_nothing_of_a_paused_queue_runs(desk: Desk) -> None:
    submitted = desk.submit(2)
    pause()
    assert ids(desk.next()) == []
    with unit_of_work() as unit:
        pausing.resume(unit, "default")
    assert ids(desk.next(threads=2)) == submitted


def test_nothing_runs_that_has_expired(desk: Desk) -> None:
    (task_id,) = desk.submit()
    desk.sql("UPDATE tasks SET expires_at = now() - interval '1 s' WHERE id = :id", id=task_id)
    assert ids(desk.next()) == []


def test_what_has_expired_holds_up_no_other(desk: Desk) -> None:
    (expired,) = desk.submit(priority="urgent")
    desk.sql("UPDATE tasks SET expires_at = now() - interval '1 s' WHERE id = :id", id=expired)
    (waits,) = desk.submit()
    assert ids(desk.next()) == [waits]


def test_of_two_priorities_that_have_waited_for_long_neither_starves(desk: Desk) -> None:
    desk.submit(10, priority="low")
    (normal,) = desk.submit()
    age(desk, AGEING.total_seconds() + 1)
    queues, started = Queues(dispatch.queues()), []
    while normal not in started:
        desk.submit(priority="urgent")
        started += ids(desk.next(queues=queues))
        assert len(started) <= 2 * ONE_IN


def test_what_is_only_just_ready_keeps_nothing_from_its_turn_that_has_waited_for_long(desk: Desk) -> None:
    (normal,) = desk.submit()
    age(desk, AGEING.total_seconds() + 1)
    desk.submit(10, priority="low")
    queues, started = Queues(dispatch.queues()), []
    while normal not in started:
        desk.submit(priority="urgent")
        started += ids(desk.next(queues=queues))
        assert len(started) <= 2 * ONE_IN


def test_two_workers_do_not_wait_for_each_other(desk: Desk) -> None:
    submitted = desk.submit(2)
    with unit_of_work() as one, unit_of_work() as other:
        first = claiming.take(one, Queues(dispatch.queues()), 1, woken=0)
        second = claiming.take(other, Queues(dispatch.queues()), 1, woken=0)
    assert ids(first) + ids(second) == submitted


# The messages.


def test_a_message_carries_ids(desk: Desk) -> None:
    task_id = desk.document(priority="urgent", timeout=20)
    (message,) = messages(desk, "preprocessing")
    assert (message.queue_name, message.actor_name, message.args) == ("preprocessing", "preprocessing", (str(task_id),))
    assert message.options["attempt"] == 1
    assert message.options["broker_priority"] == 9
    assert message.options["time_limit"] == 30_000


def test_quick_tasks_of_one_commit_share_a_message(desk: Desk) -> None:
    submitted = desk.submit(150)
    named = [message.options["tasks"] for message in messages(desk)]
    assert [len(part) for part in named] == [100, 50]
    # In whatever order: PostgreSQL decides what runs first.
    assert sorted(UUID(task_id) for part in named for task_id in part) == sorted(submitted)


def test_the_most_urgent_is_published_first(desk: Desk) -> None:
    for priority in ("low", "urgent", "normal"):
        desk.submit(priority=priority)
    broker = AwayBroker()
    use_broker(broker)
    with unit_of_work() as unit:
        assert dispatch.announce(unit, ["default"]) == 3
    assert [message.options["broker_priority"] for message in broker.offered] == [9, 4, 1]


def test_few_messages_wake_for_many_slow_tasks(desk: Desk) -> None:
    desk.submit(100, kb_id="kb", task_type="document_deletion", payload={"document_id": "d"})
    assert desk.queued() == MOST_MESSAGES


def test_whoever_is_woken_and_sees_more_wakes_others(desk: Desk) -> None:
    for number in range(10):
        desk.submit(kb_id="kb", task_type="document_deletion", payload={"document_id": f"d{number}"})
    before = desk.queued()
    desk.next(woken=True)
    assert desk.queued() == before + WAKES
    desk.next()
    assert desk.queued() == before + WAKES, "one that was at work wakes nobody"


def test_whoever_is_woken_and_finds_nothing_to_take_wakes_nobody(desk: Desk) -> None:
    desk.submit(10, kb_id="kb", task_type="document_deletion", payload={"document_id": "d"})
    before = desk.queued()
    with unit_of_work() as other:
        # A transaction that takes its time, such as that of a worker which is stopped in it.
        other.session.execute(text("SELECT id FROM tasks FOR UPDATE"))
        assert ids(desk.next(woken=True)) == []
    assert desk.queued() == before


def test_a_thread_that_gets_nothing_though_more_waits_leaves_a_message(desk: Desk) -> None:
    first, second = desk.submit(2, kb_id="kb", task_type="document_deletion", payload={"document_id": "d"})
    (other,) = desk.submit(kb_id="kb", task_type="document_deletion", payload={"document_id": "e"})
    desk.held(first, "document_deletion")
    before = desk.queued()
    # It is offered one that has to wait for the first, which is of the same document.
    assert ids(desk.next()) == []
    assert desk.row(second).status == "waiting"
    assert desk.queued() == before + 1
    assert ids(desk.next()) == [other]


def test_where_many_wait_already_a_new_task_needs_no_message(desk: Desk) -> None:
    desk.submit(BUSY + 1)
    before = desk.queued()
    desk.submit()
    assert desk.queued() == before


class AwayBroker:
    """RabbitMQ that takes nothing."""

    publishing = "down"

    def __init__(self) -> None:
        self.offered: list[Message[Any]] = []

    def publish(self, messages: list[Message[Any]]) -> Future[None]:
        self.offered += messages
        done: Future[None] = Future()
        done.set_exception(Unpublished("RabbitMQ is down"))
        return done

    def counts(self) -> None:
        """Nobody can be asked."""


def age(desk: Desk, seconds: float) -> None:
    desk.sql("UPDATE tasks SET due_at = due_at - make_interval(secs => :s)", s=seconds)


def pause() -> None:
    with unit_of_work() as unit:
        pausing.pause(unit, "default")


def find_lost(ready: int) -> int:
    with unit_of_work() as unit:
        return dispatch.find_lost(unit, {"default": ready})


def test_what_rabbitmq_did_not_take_is_published_by_the_clock(desk: Desk) -> None:
    use_broker(AwayBroker())
    desk.submit(3)
    use_broker(desk.broker)
    assert find_lost(ready=0) == 0, "it is given a moment"
    age(desk, 3)
    assert find_lost(ready=0) == 1
    assert desk.queued() == 1


def test_a_queue_that_holds_a_message_has_lost_none(desk: Desk) -> None:
    desk.submit(50)
    age(desk, 3600)
    assert find_lost(ready=1) == 0


def test_a_queue_in_which_nothing_waits_has_lost_none(desk: Desk) -> None:
    desk.held(desk.submit()[0])
    age(desk, 3600)
    assert find_lost(ready=0) == 0


def test_a_paused_queue_has_lost_none(desk: Desk) -> None:
    desk.submit()
    age(desk, 3600)
    pause()
    assert find_lost(ready=0) == 0


def test_what_is_put_off_wakes_a_worker_when_it_is_due(desk: Desk) -> None:
    (task_id,) = desk.submit()
    desk.within(failing.fail, Failure(desk.held(task_id), TaskError("internal", "x")))
    before = desk.queued()
    with unit_of_work() as unit:
        assert dispatch.wake(unit) == 0
    desk.sql("UPDATE tasks SET due_at = now()")
    with unit_of_work() as unit:
        assert dispatch.wake(unit) == 1
    assert desk.queued() == before + 1
    assert desk.claim(task_id) is not None


def test_a_task_that_fails_becomes_a_dead_letter_that_tells_why(desk: Desk) -> None:
    task_id = desk.document()
    desk.within(failing.fail, Failure(desk.held(task_id, "preprocessing"), TaskError("empty", "no text")))
    (body,) = desk.broker.queues["preprocessing"].dead
    message = Message.decode(body)
    assert (message.actor_name, message.args) == ("preprocessing", (str(task_id),))
    assert message.options["dead_letter"] == {"code": "empty", "kb_id": "kb", "document_id": "d"}


@pytest.mark.parametrize("known", [False, True])
def test_a_claim_that_its_worker_does_not_know_of_is_requeued(desk: Desk, known: bool) -> None:
    (task_id,) = desk.submit()
    desk.held(task_id)
    desk.sql("UPDATE tasks SET claimed_at = now() - interval '1 minute'")
    with database.transaction() as session:
        presence.beat(session, "worker", threads=1, current=[task_id] if known else [])
    before = desk.queued()
    with unit_of_work() as unit:
        assert presence.sweep(unit) == (0 if known else 1)
    assert desk.queued() == before + (0 if known else 1), "a worker is woken for it"
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
    with unit_of_work() as unit:
        assert presence.sweep(unit) == 1
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
    with unit_of_work() as unit:
        assert presence.sweep(unit) == 0, "this server was started less than a lease ago"
    assert desk.row(task_id).status == "processing"
