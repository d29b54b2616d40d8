"""Random lives of many tasks at once, on the real functions and PostgreSQL: whatever happens, the promises hold."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import hypothesis
import pytest
from dramatiq import Message
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from sqlalchemy import select, text

import clock
from broker.topology import QUEUES
from errors import TaskError
from models import BulkItem, Task, database, rate_limit
from models.base import new_id
from models.shard import TAKEN
from settings import settings
from tasks import process
from tasks.accepting.idempotency import Key, Reused
from tasks.accepting.submission import Accepted, AcceptedBatch, NewBatch, Submission, submit, submit_batch
from tasks.bulk import actions, items
from tasks.dispatching import concurrency, pausing
from tasks.dispatching.dispatch import Queues
from tasks.ending import ending, retrying
from tasks.lifecycle import ENDED, OPEN, TRANSITIONS
from tasks.transactions.unit import Unit, unit_of_work
from tasks.types.bulk import Bulk
from tasks.views.attempts import attempts
from tasks.views.why import why
from tasks.working import failing, presence, work
from tasks.working.claim import Advance, Claim
from tasks.working.failing import Failure
from tests.servers import eventually
from tests.tasks.conftest import Desk

URL = "http://203.0.113.1/callback"
#: What the life cycle knows, and the steps that leave a status as it is.
ALLOWED = {(source, t.target) for t in TRANSITIONS for source in t.sources or (None,)}
#: Every change of a task's status, in order, as PostgreSQL saw it.
HISTORY = """
    CREATE TABLE steps (number bigserial PRIMARY KEY, id uuid, was text, became text);
    CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO steps (id, was, became) VALUES (
            NEW.id, CASE WHEN TG_OP = 'UPDATE' THEN OLD.status END, NEW.status);
        RETURN NULL;
    END $$;
    CREATE TRIGGER note_new AFTER INSERT ON tasks FOR EACH ROW EXECUTE FUNCTION note();
    CREATE TRIGGER note_change AFTER UPDATE ON tasks FOR EACH ROW
        WHEN (OLD.status IS DISTINCT FROM NEW.status) EXECUTE FUNCTION note();
"""
EMPTY = """
    TRUNCATE steps, tasks, batches, bulk_items, callbacks, locks, shards, idempotency_keys, paused_queues, workers,
        tallies, paces, versions
    RESTART IDENTITY CASCADE
"""
#: The times within a column of stages or of attempts, so much earlier.
TOLD_LATER = """(
    SELECT jsonb_agg(each || jsonb_build_object(
        'started_at', CAST(each->>'started_at' AS timestamptz) - :time,
        'finished_at', CAST(each->>'finished_at' AS timestamptz) - :time) ORDER BY number)
    FROM jsonb_array_elements({column}) WITH ORDINALITY AS told(each, number))"""
#: An hour passes for everything but the heartbeats of those who live.
LATER = (
    f"""
    UPDATE tasks SET due_at = due_at - :time, run_at = run_at - :time, expires_at = expires_at - :time,
        claimed_at = claimed_at - :time, finished_at = finished_at - :time, stage_started_at = stage_started_at - :time,
        stages = coalesce({TOLD_LATER.format(column="stages")}, '[]'),
        attempts = {TOLD_LATER.format(column="attempts")}
    """,
    "UPDATE shards SET due_at = due_at - :time, claimed_at = claimed_at - :time",
    "UPDATE callbacks SET created_at = created_at - :time",
    """
    UPDATE bulk_items SET ended = jsonb_set(
        ended, '{finished_at}', to_jsonb(CAST(ended->>'finished_at' AS timestamptz) - :time))
    """,
)

#: What both workers say that they serve, so that there is a queue without any.
SERVED = [queue for queue in QUEUES if queue != "chunking"]

#: MAX_CONCURRENT_TASKS, as it is unless it is 1.
MOST_AT_ONCE = 50
#: What the first stage of a document writes of the provider that embeds it.
VERSIONS = """
    INSERT INTO versions (id, kb_id, document_id, format, sha256, size, characters, text, anchors, embedder)
    SELECT id, kb_id, subject, 'text', '', 4, 4, 'text', '[]', 'cohere:embed-v4.0:1024'
    FROM tasks WHERE task_type = 'document_processing' ON CONFLICT DO NOTHING
"""

#: Tasks of one life that are enough to get in each other's way.
MOST = 6
TYPES = st.sampled_from(["test", "document_processing", "document_deletion"])
ERRORS = st.sampled_from(["empty", "internal", "rate_limited", "worker_crashed"])
HOURS = st.sampled_from([1, 25])


@dataclass(eq=False)
class Worker:
    """A process that works, and the claims that it believes to have."""

    id: UUID = field(default_factory=new_id)
    claims: list[Claim] = field(default_factory=list)


@dataclass(frozen=True)
class Crew:
    """The workers together: whether one lives, one that lives has nothing to do, and as many stages run as may."""

    lives: bool
    idle: bool
    is_full: bool


class Lives(RuleBasedStateMachine):
    """Web, workers and clock, one step of one of them at a time."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self.desk = desk
        desk.sql(EMPTY)
        for queue in desk.broker.queues.values():
            queue.ready.clear()
        self.own = process.process_id()
        self.workers = [Worker(), Worker()]
        self.delivered: list[Message[Any]] = []
        self.fenced: list[tuple[Worker, Claim]] = []
        self.accepted: list[UUID] = []
        self.keys: dict[str, tuple[bytes, UUID]] = {}
        self.progress: dict[UUID, float] = {}
        self.divided: set[UUID] = set()
        self.stopped: set[str] = set()
        self.put_off: set[UUID] = set()
        self.begun: set[UUID] = set()
        self.bulks: dict[UUID, dict[UUID, Any]] = {}
        self.restored: Counter[UUID] = Counter()
        self.busy: dict[UUID, int] = {}
        self.broker = "up"
        self.is_paced = False
        self.limit(MOST_AT_ONCE)
        # Of the process, which has had other lives.
        concurrency._short = False
        self.beat()

    # --- web

    @precondition(lambda self: len(self.accepted) < MOST)
    @rule(
        data=st.data(),
        kind=TYPES,
        delay=st.sampled_from([None, None, -1, 1]),
        patience=st.sampled_from([None, None, 2]),
        key=st.sampled_from([None, None, "a", "b"]),
        retry_limit=st.integers(0, 2),
    )
    def submit(
        self, data: Any, kind: str, delay: int | None, patience: int | None, key: str | None, **more: Any
    ) -> None:
        submission = self.submission(data, kind, delay, patience, **more)
        body = submission.model_dump_json().encode()
        (answer,) = self.desk.within(submit, submission.under(Key.of("caller", key, body) if key else None))
        known, task_id = self.keys.get(key or "", (body, None))
        if known != body:
            assert isinstance(answer, Reused)
            return
        assert isinstance(answer, Accepted)
        assert task_id in (None, answer.task_id), "the same key and body give the same task"
        if task_id is None:
            self.accepted.append(answer.task_id)
        if key:
            self.keys[key] = (body, answer.task_id)

    @precondition(lambda self: len(self.accepted) < MOST)
    @rule(data=st.data(), kinds=st.lists(TYPES, min_size=1, max_size=4), chained=st.booleans())
    def submit_batch(self, data: Any, kinds: list[str], chained: bool) -> None:
        submissions: list[Submission] = []
        for kind in kinds:
            submission = self.submission(data, kind, None, None).named(new_id())
            if chained and submissions and submissions[-1].task_id:
                submission.depends_on.append(submissions[-1].task_id)
            submissions.append(submission)
        (answer,) = self.desk.within(submit_batch, NewBatch(submissions=submissions, callback_url=URL))
        assert isinstance(answer, AcceptedBatch)
        self.accepted += [task.task_id for task in answer.tasks if isinstance(task, Accepted)]

    def submission(
        self, data: Any, kind: str, delay: int | None, patience: int | None, retry_limit: int = 0
    ) -> Submission:
        """A submission that depends on up to two others."""
        others = data.draw(st.lists(st.sampled_from(self.accepted), max_size=2)) if self.accepted else []
        document = {"document_id": data.draw(st.sampled_from("ab"))} if kind != "test" else {}
        content = {"content": "text"} if kind == "document_processing" else {}
        now = datetime.now(UTC).replace(microsecond=0, second=0)
        return Submission(
            task_type=kind,
            kb_id="kb",
            payload=document | content,
            priority=data.draw(st.sampled_from(["low", "urgent"])),
            retry_limit=retry_limit,
            run_at=now + timedelta(hours=delay) if delay else None,
            expires_at=now + timedelta(hours=patience) if patience else None,
            depends_on=others,
            on_dependency_failure=data.draw(st.sampled_from(["fail", "run"])),
            callback_url=URL,
        )

    @precondition(lambda self: self.accepted)
    @rule(data=st.data())
    def cancel(self, data: Any) -> None:
        task_id = data.draw(st.sampled_from(self.accepted))
        was_open = self.desk.row(task_id).status in OPEN
        assert self.desk.within(ending.cancel, task_id) == ({task_id} if was_open else set())

    @precondition(lambda self: self.accepted)
    @rule(data=st.data())
    def retry(self, data: Any) -> None:
        ids = data.draw(st.lists(st.sampled_from(self.accepted), min_size=1, max_size=4, unique=True))
        with unit_of_work() as unit:
            retried = retrying.retry(unit, ids)
        assert not set(retried.task_ids) & set(retried.refused)

    @precondition(lambda self: self.accepted)
    @rule(data=st.data())
    def retry_in_a_bulk(self, data: Any) -> None:
        ids = sorted(data.draw(st.lists(st.sampled_from(self.accepted), min_size=1, max_size=4, unique=True)))
        before = {task_id: self.desk.row(task_id) for task_id in ids}
        bulk_id, wanted = new_id(), Bulk(action="retry", include_permanent=True)
        if changed := self.bulk(bulk_id, wanted, ids):
            self.bulks[bulk_id] = {task_id: before[task_id] for task_id in changed}

    @precondition(lambda self: self.bulks)
    @rule(data=st.data())
    def undo_a_bulk(self, data: Any) -> None:
        bulk_id = data.draw(st.sampled_from(sorted(self.bulks)))
        retried = self.bulks.pop(bulk_id)
        wanted = actions.undoing(bulk_id, Bulk(action="retry"))
        assert wanted is not None
        left = {
            task_id
            for task_id in retried
            if (row := self.desk.row(task_id)).status in ENDED or row.run > retried[task_id].run + 1
        }
        restored = self.bulk(new_id(), wanted, sorted(retried, reverse=True))
        # What depends on one that is met first may end by that.
        assert restored <= retried.keys() - left
        for task_id in restored:
            row, before = self.desk.row(task_id), retried[task_id]
            assert (row.status, row.stage, row.error) == (before.status, before.stage, before.error)
            assert row.run == before.run + 1
            self.restored[task_id] += 1

    def bulk(self, bulk_id: UUID, wanted: Bulk, ids: list[UUID]) -> set[UUID]:
        """Do a bulk to tasks. Returns those that it has changed."""
        with unit_of_work() as unit:
            unit.session.add_all(BulkItem(bulk_id=bulk_id, item_id=task_id) for task_id in ids)
            unit.session.flush()
            outcomes = actions.act(unit, bulk_id, wanted, ids)
            items.record(unit.session, bulk_id, outcomes)
        return {outcome.item_id for outcome in outcomes if outcome.changed}

    @rule(queue=st.sampled_from(["default", "preprocessing"]), paused=st.booleans())
    def pause(self, queue: str, paused: bool) -> None:
        with unit_of_work() as unit:
            (pausing.pause if paused else pausing.resume)(unit, queue)
        self.stopped = self.stopped | {queue} if paused else self.stopped - {queue}

    @rule(most=st.sampled_from([1, MOST_AT_ONCE]))
    def limit(self, most: int) -> None:
        """Another MAX_CONCURRENT_TASKS is set."""
        self.most = most
        os.environ["MAX_CONCURRENT_TASKS"] = str(most)
        settings.cache_clear()

    @rule(is_paced=st.booleans())
    def pace(self, is_paced: bool) -> None:
        """The provider of all documents asks to be left alone for an hour, or no longer does."""
        self.is_paced = is_paced
        with database.transaction() as session:
            rate_limit.hold(session, "cohere requests", 3600)
        if not is_paced:
            self.desk.sql("UPDATE paces SET free_at = now() - interval '1 hour'")

    # --- RabbitMQ

    @rule(state=st.sampled_from(["up", "down"]))
    def reach(self, state: str) -> None:
        """RabbitMQ goes away, as far as web sees, or comes back."""
        self.broker = state

    def next_message(self, queue: str) -> Message[Any] | None:
        body = self.desk.broker.queues[queue].get(0)
        return Message.decode(body) if body else None

    def waiting(self) -> list[str]:
        """The queues of tasks in which there are messages."""
        return [name for name in QUEUES if name != "callback" and self.desk.broker.queues[name].ready]

    @precondition(lambda self: self.waiting())
    @rule(which=st.integers(0, 1), data=st.data(), count=st.integers(1, 3))
    def deliver(self, which: int, data: Any, count: int) -> None:
        queue = data.draw(st.sampled_from(self.waiting()))
        for _ in range(count):
            if (message := self.next_message(queue)) is not None:
                self.delivered.append(message)
                self.claim(self.workers[which], UUID(message.args[0]), message.actor_name)

    @precondition(lambda self: self.delivered)
    @rule(data=st.data(), which=st.integers(0, 1))
    def deliver_again(self, data: Any, which: int) -> None:
        message = data.draw(st.sampled_from(self.delivered))
        self.claim(self.workers[which], UUID(message.args[0]), message.actor_name)

    @rule()
    def wipe(self) -> None:
        for queue in self.desk.broker.queues.values():
            queue.ready.clear()

    # --- workers

    @precondition(lambda self: len(self.accepted) < MOST)
    @rule(which=st.integers(0, 1))
    def embed(self, which: int) -> None:
        """A document is submitted and gets as far as its embedding at once, where nothing stands in its way."""
        payload = {"content": "text", "document_id": "c"}
        submission = Submission(task_type="document_processing", kb_id="kb", payload=payload, callback_url=URL)
        (answer,) = self.desk.within(submit, submission)
        assert isinstance(answer, Accepted)
        self.accepted.append(answer.task_id)
        worker = self.workers[which]
        for stage in ("preprocessing", "chunking", "embedding"):
            claim = self.claim(worker, answer.task_id, stage)
            if claim is None or stage == "embedding":
                return
            worker.claims.remove(claim)
            self.over(worker, claim, own=True)

    def claim(self, worker: Worker, task_id: UUID, stage: str) -> Claim | None:
        process.adopt(worker.id)
        before = self.desk.row(task_id)
        claim = self.desk.claim(task_id, stage)
        if claim is not None:
            assert before.worker_id is None, "one holds it at a time"
            assert (before.status in OPEN, before.waiting_for, before.stage) == (True, [], stage)
            assert before.queue not in self.paused()
            worker.claims.append(claim)
            self.begun.add(claim.task_id)
            self.put_off.discard(claim.task_id)
        return claim

    def paused(self) -> set[str]:
        with database.transaction() as session:
            return pausing.paused(session)

    def held(self, data: Any) -> tuple[Worker, Claim]:
        """One of the claims that a living worker believes to have; the rows may have been taken from it since."""
        worker = data.draw(st.sampled_from([holder for holder in self.workers if holder.claims]))
        claim = data.draw(st.sampled_from(worker.claims))
        process.adopt(worker.id)
        return worker, claim

    def is_own(self, worker: Worker, claim: Claim) -> bool:
        if claim.shard:
            place = {"id": claim.task_id, "stage": claim.stage, "index": claim.shard.index}
            shard = "SELECT worker_id, attempt FROM shards WHERE task_id = :id AND stage = :stage AND index = :index"
            return self.desk.sql(shard, **place) == [(worker.id, claim.attempt)]
        row = self.desk.row(claim.task_id)
        return bool((row.worker_id, row.attempt, row.status) == (worker.id, claim.attempt, "processing"))

    def let_go(self, worker: Worker, claim: Claim) -> None:
        worker.claims.remove(claim)
        self.fenced.append((worker, claim))

    @precondition(lambda self: any(worker.claims for worker in self.workers))
    @rule(data=st.data())
    def advance(self, data: Any) -> None:
        worker, claim = self.held(data)
        own = self.is_own(worker, claim)
        self.let_go(worker, claim)
        self.over(worker, claim, own)

    def over(self, worker: Worker, claim: Claim, own: bool) -> None:
        """Say that a claim's work is done."""
        (answer,) = self.desk.within(work.advance, Advance(claim, {"by": str(worker.id)}, units=2))
        if isinstance(answer, Claim):
            assert own
            assert claim.shard
            assert answer.joins, "who does the last shard goes on with the whole"
            worker.claims.append(answer)
        else:
            assert answer == (own and not claim.shard)

    @precondition(lambda self: any(worker.claims for worker in self.workers))
    @rule(data=st.data(), anew=st.booleans())
    def divide(self, data: Any, anew: bool) -> None:
        worker, claim = self.held(data)
        if claim.shard is None and not claim.joins:
            shards = [(0, 2), (2, 3), (3, 4)]
            assert self.desk.within(work.advance, Advance(claim, shards=shards, anew=anew)) == [False]
            self.divided.add(claim.task_id)
            self.let_go(worker, claim)

    @precondition(lambda self: any(worker.claims for worker in self.workers))
    @rule(data=st.data(), done=st.integers(0, 4))
    def report(self, data: Any, done: int) -> None:
        worker, claim = self.held(data)
        units = len(claim.shard.units) if claim.shard else 4
        assert self.desk.within(work.report, (claim, min(done, units), units)) == [self.is_own(worker, claim)]

    @precondition(lambda self: any(worker.claims for worker in self.workers))
    @rule(data=st.data(), code=ERRORS)
    def fail(self, data: Any, code: str) -> None:
        worker, claim = self.held(data)
        own = self.is_own(worker, claim)
        (ended,) = self.desk.within(failing.fail, Failure(claim, TaskError(code, "x")))
        assert own or not ended
        if code == "empty":
            assert ended == own
        if own and not ended:
            self.put_off.add(claim.task_id)
        self.let_go(worker, claim)

    @precondition(lambda self: any(worker.claims for worker in self.workers))
    @rule(data=st.data())
    def hand_back(self, data: Any) -> None:
        worker, claim = self.held(data)
        before, own = self.desk.row(claim.task_id), self.is_own(worker, claim)
        assert self.desk.within(failing.hand_back, claim) == [own]
        self.let_go(worker, claim)
        if own and not claim.shard:
            after = self.desk.row(claim.task_id)
            spent = [(row.errors, row.crashes, row.deaths, row.retries) for row in (before, after)]
            assert spent[0] == spent[1]
            assert after.stage_attempts == before.stage_attempts - 1

    @rule(which=st.integers(0, 1))
    def deploy(self, which: int) -> None:
        worker = self.replaced(which)
        process.adopt(worker.id)
        with unit_of_work() as unit:
            presence.leave(unit)

    @precondition(lambda self: any(worker.claims for worker in self.workers))
    @rule(which=st.integers(0, 1), noticed=st.booleans())
    def crash(self, which: int, noticed: bool) -> None:
        worker = self.replaced(which)
        self.desk.sql("UPDATE workers SET heartbeat_at = now() - interval '1 hour' WHERE id = :id", id=worker.id)
        if noticed:
            self.tick()

    def replaced(self, which: int) -> Worker:
        """Another worker takes its place; what it held, it may yet try to write."""
        gone, self.workers[which] = self.workers[which], Worker()
        self.beat()
        self.fenced += [(gone, claim) for claim in gone.claims]
        return gone

    @precondition(lambda self: self.fenced)
    @rule(data=st.data(), how=st.sampled_from(["advance", "report", "fail", "hand_back"]))
    def write_though_fenced_off(self, data: Any, how: str) -> None:
        worker, claim = data.draw(st.sampled_from(self.fenced))
        if self.is_own(worker, claim):
            return  # its worker was killed, and nobody has noticed yet
        process.adopt(worker.id)
        before = self.everything()

        def write(_: Unit) -> dict[str, Any]:
            raise AssertionError("what belongs to an advance is not written by a fenced one")

        if how == "advance":
            assert self.desk.within(work.advance, Advance(claim, {}, within=write)) == [False]
        elif how == "report":
            assert self.desk.within(work.report, (claim, 4, 4)) == [False]
        elif how == "fail":
            assert self.desk.within(failing.fail, Failure(claim, TaskError("internal", "x"))) == [False]
        else:
            assert self.desk.within(failing.hand_back, claim) == [False]
        assert self.everything() == before

    def everything(self) -> list[Any]:
        tables = ("tasks", "batches", "shards", "callbacks", "locks")
        return [sorted(map(repr, self.desk.sql(f"SELECT * FROM {table}"))) for table in tables]

    # --- clock

    def beat(self) -> None:
        for worker in self.workers:
            process.adopt(worker.id)
            with database.transaction() as session:
                current = [claim.task_id for claim in worker.claims]
                self.busy[worker.id] = len(current)
                presence.beat(session, "worker", queues=SERVED, threads=1, current=current)
        process.adopt(self.own)

    @rule(hours=HOURS)
    def time_passes(self, hours: int) -> None:
        for statement in LATER:
            self.desk.sql(statement, time=timedelta(hours=hours))
        self.beat()

    @rule()
    def tick(self) -> None:
        process.adopt(self.own)
        for entry in (clock.WAKE, clock.REPAIR):
            with unit_of_work() as unit:
                for duty in entry.duties:
                    duty(unit)

    # --- what always holds

    @invariant()
    def promises_hold(self) -> None:
        rows = {row.id: row for row in self.desk.sql("SELECT * FROM tasks")}
        assert set(rows) == set(self.accepted), "what was accepted is there"
        self.check_transitions(rows)
        self.check_waiting(rows)
        self.check_batches(rows)
        self.check_holders(rows)
        self.check_attempts()
        self.check_reasons(rows)

    def check_transitions(self, rows: dict[UUID, Any]) -> None:
        ends: Counter[UUID] = Counter()
        again: Counter[UUID] = Counter()
        for step in self.desk.sql("SELECT * FROM steps"):
            assert (step.was, step.became) in ALLOWED, (step.was, step.became)
            ends[step.id] += step.became in ENDED
            again[step.id] += step.was in ENDED
        owed = Counter(row.task_id for row in self.desk.sql("SELECT task_id FROM callbacks WHERE task_id IS NOT NULL"))
        for task_id, row in rows.items():
            assert row.run == 1 + again[task_id]
            assert ends[task_id] == (row.run if row.status in ENDED else row.run - 1), "it ends once in each run"
            assert owed[task_id] == ends[task_id] - self.restored[task_id], "each end has one callback, and none again"
            assert row.progress >= self.progress.get(task_id, 0), "progress never falls"
            assert row.progress <= 99 or row.status == "completed"
            self.progress[task_id] = row.progress

    def check_waiting(self, rows: dict[UUID, Any]) -> None:
        holders = {(row.kb_id, row.subject): row.task_id for row in self.desk.sql("SELECT * FROM locks")}
        for row in rows.values():
            if row.status != "waiting":
                assert row.waiting_for == [], row.status
            for other in row.waiting_for:
                assert rows[other].status in OPEN, "nobody waits for what has ended"
                assert other in row.depends_on or other == holders.get((row.kb_id, row.subject))
        for (kb_id, subject), task_id in holders.items():
            holder = rows[task_id]
            assert (holder.kb_id, holder.subject, holder.status in OPEN) == (kb_id, subject, True)

    def check_batches(self, rows: dict[UUID, Any]) -> None:
        members: dict[UUID, list[str]] = defaultdict(list)
        for row in rows.values():
            members[row.batch_id].append(row.status)
        owed = Counter(row.batch_id for row in self.desk.sql("SELECT batch_id FROM callbacks WHERE task_id IS NULL"))
        for batch in self.desk.sql("SELECT * FROM batches"):
            statuses = members[batch.id]
            assert batch.total == len(statuses)
            assert batch.pending == sum(status in OPEN for status in statuses)
            assert (batch.finished_at is not None) == (batch.pending == 0)
            assert owed[batch.id] == (batch.run if batch.finished_at else batch.run - 1), "one callback for each end"

    def check_holders(self, rows: dict[UUID, Any]) -> None:
        begun: Counter[tuple[str, str]] = Counter()
        for row in rows.values():
            assert (row.worker_id is None) or row.status == "processing"
            if row.worker_id and row.subject:
                begun[row.kb_id, row.subject] += 1
        assert all(count == 1 for count in begun.values()), "one at a time works on a document"
        for shard in self.desk.sql("SELECT * FROM shards WHERE worker_id IS NOT NULL"):
            task = rows[shard.task_id]
            assert (task.status, task.stage) == ("processing", shard.stage), "nobody holds a part of what has ended"

    def check_attempts(self) -> None:
        with database.transaction() as session:
            for task in session.scalars(select(Task)):
                shown = attempts(task)
                running = [entry for entry in shown if entry["outcome"] == "running"]
                assert [entry["worker"] for entry in running if not task.shards] == [
                    str(worker_id) for worker_id in [task.worker_id] if worker_id and not task.shards
                ]
                assert shown[len(shown) - len(running) :] == running, "the present one is the last"
                if task.id not in self.divided:
                    assert len(shown) == task.attempt, "each claim was an attempt, and each is told once"
                    assert all(entry["worker"] for entry in shown)

    def check_reasons(self, rows: dict[UUID, Any]) -> None:
        self.begun -= {task_id for task_id in self.begun if rows[task_id].status in ENDED}
        self.desk.sql(VERSIONS)
        with database.transaction(repeatable=True) as session:
            workers = session.execute(
                text("SELECT id, heartbeat_at > now() - interval '2 s' AS lives FROM workers")
            ).all()
            answers = {task_id: why(session, task_id, self.broker) for task_id in rows}
            held = set(session.execute(text("SELECT task_id, index, worker_id, attempt FROM shards")).all())
        crew = Crew(
            lives=any(worker.lives for worker in workers),
            idle=any(worker.lives and self.busy[worker.id] < 1 for worker in workers),
            is_full=len(workers) > self.most <= self.running(rows, held),
        )
        for task_id, row in rows.items():
            answer = answers[task_id]
            assert answer is not None
            assert answer["reason"] == self.reason(row, rows, held, crew), (answer, row)
            assert answer["since"] is None or datetime.fromisoformat(answer["since"]) <= datetime.now(UTC)

    def running(self, rows: dict[UUID, Any], held: set[Any]) -> int:
        """Count the stages, and shards of stages, that somebody has."""
        whole = [row for row in rows.values() if row.worker_id not in (None, TAKEN)]
        return len(whole) + sum(shard.worker_id is not None for shard in held)

    def reason(self, row: Any, rows: dict[UUID, Any], held: set[Any], crew: Crew) -> str:
        """Say why a task does not run, by what was done to it."""
        if row.status in ENDED:
            return "ended"
        claims = [(worker.id, claim) for worker in self.workers for claim in worker.claims]
        claims += [(worker.id, claim) for worker, claim in self.fenced]
        for worker, claim in claims:
            has_shard = claim.shard and (row.id, claim.shard.index, worker, claim.attempt) in held
            has_whole = (row.id, None, row.worker_id, row.attempt) == (
                claim.task_id,
                claim.shard,
                worker,
                claim.attempt,
            )
            if has_whole and row.deaths:
                return "isolation"
            if has_whole or (has_shard and row.stage == claim.stage):
                return "provider_pace" if self.is_paced and row.stage == "embedding" else "running"
        if row.status == "waiting" or row.id not in self.put_off or not row.shards:
            return self.reason_of_none(row, rows, crew)
        return "retry"

    def reason_of_none(self, row: Any, rows: dict[UUID, Any], crew: Crew) -> str:
        """Say why nobody has claimed a task."""
        now = datetime.now(UTC)

        def is_ready(other: Any) -> bool:
            expired = other.started_at is None and other.expires_at and other.expires_at <= now
            return other.worker_id is None and other.status in ("queued", "processing") and not expired

        ready = [other for other in rows.values() if is_ready(other) and other.queue == row.queue]
        same = [
            other for other in rows.values() if other.subject and other.subject == row.subject and other.id != row.id
        ]
        if not row.started_at and row.expires_at and row.expires_at <= now:
            return "scheduled"
        if row.status == "waiting":
            if row.waiting_for:
                return "depends" if set(row.waiting_for) & set(row.depends_on) else "locked"
            return "retry" if row.id in self.put_off else "scheduled"
        if row.queue in self.stopped:
            return "paused"
        if not crew.lives or row.queue not in SERVED:
            return "no_worker"
        if crew.is_full:
            return "limit"
        earlier = [other for other in same if other in ready and other.id < row.id and other.priority >= row.priority]
        if earlier or any(other.id in self.begun for other in same):
            return "locked"
        if self.broker != "up" and crew.idle:
            return "broker_away"
        ahead = [other for other in ready if (-other.priority, other.id) < (-row.priority, row.id)]
        return "isolation" if row.deaths and not ahead else "behind"

    # --- and in the end

    def teardown(self) -> None:
        """Nothing more goes wrong: all that was accepted ends, woken by nothing but messages and the clock."""
        self.limit(MOST_AT_ONCE)
        for queue in self.paused():
            self.pause(queue, False)
        for worker in self.workers:
            worker.claims.clear()
        for _ in range(60):
            self.time_passes(1)
            self.tick()
            if not self.desk.sql("SELECT FROM tasks WHERE status = ANY(:open)", open=list(OPEN)):
                break
            self.work_off()
        else:
            raise AssertionError(f"stuck: {self.desk.sql('SELECT * FROM tasks WHERE finished_at IS NULL')}")
        self.promises_hold()
        process.adopt(self.own)

    def work_off(self) -> None:
        """Do what waits in a queue for each of its messages, as a thread that it has woken does, and what follows."""
        worker = self.workers[0]
        for queue in QUEUES:
            while queue in self.waiting() and self.next_message(queue) is not None:
                process.adopt(worker.id)
                while claims := self.desk.next(queues=Queues([queue]))[0]:
                    worker.claims += claims
                    while worker.claims:
                        self.over(worker, worker.claims.pop(), own=True)


@pytest.fixture
def lives(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setenv("LEASE_SECONDS", "2")
    monkeypatch.setenv("MAX_CONCURRENT_TASKS", str(MOST_AT_ONCE))
    settings.cache_clear()
    desk.sql(HISTORY)
    # The sweep calls nobody dead before PostgreSQL has listened for a lease.
    eventually(lambda: desk.sql("SELECT 1 WHERE pg_postmaster_start_time() < now() - interval '2 s'"))
    own = process.process_id()
    yield desk
    process.adopt(own)


def test_whatever_happens_the_promises_hold(lives: Desk) -> None:
    class Machine(Lives):
        def __init__(self) -> None:
            super().__init__(lives)

    examples = 30 if hypothesis.settings().derandomize else 400
    run_state_machine_as_test(Machine, settings=hypothesis.settings(max_examples=examples, stateful_step_count=50))
