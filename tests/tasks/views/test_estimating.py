"""When tasks will have ended, by what others took and what waits ahead; and how long they waited."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import event

from models import Task, database, kb
from pipeline import STAGES
from tasks.accepting.submission import NewBatch, Submission, submit_batch
from tasks.dispatching import pausing
from tasks.ending import ending
from tasks.input.fields import Filter
from tasks.transactions.unit import unit_of_work
from tasks.views import batches, estimating, reading
from tasks.views.look import Look
from tasks.working import presence
from tasks.working.claim import Advance
from tasks.working.work import advance
from tests.tasks.conftest import Desk

#: Of each ten seconds that a document takes; any other stage takes none.
SHARES = dict.fromkeys(STAGES, 0) | {"preprocessing": 1, "chunking": 1, "embedding": 4, "storing": 3, "indexing": 1}


@pytest.fixture(autouse=True)
def _nothing_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimating, "FRESH", 0.0)


def work(threads: int) -> None:
    """A worker that lives."""
    with database.transaction() as session:
        presence.beat(session, "worker", queues=["default"], threads=threads)


def document(desk: Desk, **fields: Any) -> UUID:
    """Submit a document of its own."""
    payload = {"content": "text", "document_id": str(uuid4())}
    (task_id,) = desk.submit(task_type="document_processing", kb_id="kb", payload=payload, **fields)
    return task_id


def took(desk: Desk, seconds: float, chunks: int = 10, ago: float = 0.0) -> UUID:
    """A document that was completed, and took so many seconds."""
    task_id = document(desk)
    for stage in SHARES:
        desk.within(advance, Advance(desk.held(task_id, stage), {"characters": chunks * 100}, units=chunks))
    ended = datetime.now(UTC) - timedelta(seconds=ago)
    started = since = ended - timedelta(seconds=seconds)
    stages = []
    for stage, share in SHARES.items():
        until = since + timedelta(seconds=seconds * share / 10)
        times = {"started_at": since.isoformat(), "finished_at": until.isoformat()}
        stages.append(
            {"name": stage, "status": "completed", "units": chunks, "units_done": chunks, "attempts": 1} | times
        )
        since = until
    desk.sql(
        "UPDATE tasks SET stages = CAST(:stages AS jsonb), started_at = :started, finished_at = :ended WHERE id = :id",
        id=task_id,
        stages=json.dumps(stages),
        started=started,
        ended=ended,
    )
    return task_id


def shown(task_id: UUID) -> dict[str, Any]:
    with database.transaction() as session:
        task = reading.show(session, task_id)
    assert task is not None
    return task


def left(task_id: UUID) -> float | None:
    """Seconds until the estimated end."""
    end = shown(task_id)["estimated_completion"]
    return None if end is None else (datetime.fromisoformat(end) - datetime.now(UTC)).total_seconds()


def test_nothing_is_said_before_anything_was_measured_nor_without_a_worker(desk: Desk) -> None:
    task_id = document(desk)
    work(threads=2)
    assert left(task_id) is None
    took(desk, 10)
    assert left(task_id) == pytest.approx(10, abs=0.5)
    desk.sql("DELETE FROM workers")
    assert left(task_id) is None


def test_nothing_is_said_of_what_waits_for_another_or_is_paused(desk: Desk) -> None:
    ended = took(desk, 10)
    work(threads=2)
    first = document(desk)
    second = document(desk, depends_on=[first])
    assert left(first) is not None
    assert left(second) is None
    with unit_of_work() as unit:
        pausing.pause(unit, "preprocessing")
    assert left(first) is None
    assert left(ended) is None


def test_what_is_scheduled_ends_after_its_time(desk: Desk) -> None:
    took(desk, 10)
    work(threads=2)
    task_id = document(desk, run_at=datetime.now(UTC) + timedelta(minutes=5))
    assert left(task_id) == pytest.approx(310, abs=1)


def test_what_an_earlier_release_put_off_beyond_all_bounds_is_shown_without_its_end_and_cancelled(desk: Desk) -> None:
    took(desk, 10)
    work(threads=2)
    task_id = document(desk)
    desk.sql("UPDATE tasks SET status = 'waiting', due_at = '11533-01-01' WHERE id = :id", id=task_id)
    seen = shown(task_id)
    assert (seen["status"], seen["due_at"][:4], seen["estimated_completion"]) == ("waiting", "9999", None)
    assert desk.within(ending.cancel, task_id) == {task_id}
    assert shown(task_id)["status"] == "cancelled"


def test_a_document_is_estimated_by_its_units_as_far_as_they_are_known(desk: Desk) -> None:
    for chunks in (10, 20, 30):
        took(desk, chunks, chunks)
    work(threads=2)
    small, large = document(desk), document(desk)
    for task_id, chunks in ((small, 10), (large, 40)):
        for stage in STAGES[: STAGES.index("embedding")]:
            desk.within(advance, Advance(desk.held(task_id, stage), units=chunks))
    assert left(small) == pytest.approx(8, abs=0.5)
    assert left(large) == pytest.approx(32, abs=0.5)
    desk.held(large, "embedding")
    running = (
        "UPDATE tasks SET stage_started_at = now() - interval '6 seconds', units = 40, units_done = 20 WHERE id = :id"
    )
    desk.sql(running, id=large)
    assert left(large) == pytest.approx((6 + 10) / 2 + 12 + 4, abs=0.5), "half by its own pace, half by that of others"


def test_a_text_is_estimated_by_its_length(desk: Desk) -> None:
    for chunks in (10, 20, 30):
        took(desk, chunks, chunks)
    work(threads=2)
    (task_id,) = desk.submit(task_type="document_processing", kb_id="kb", payload={"content": "x" * 6000})
    assert left(task_id) == pytest.approx(60, abs=1)


def test_the_queue_ahead_counts_as_far_as_no_thread_is_free(desk: Desk) -> None:
    for number in range(10):
        took(desk, 10, ago=100 - 10 * number)
    work(threads=2)
    queued = [document(desk) for _ in range(6)]
    assert [left(task_id) for task_id in queued] == [
        pytest.approx(expected, abs=0.5) for expected in (10, 10, 20, 30, 40, 50)
    ]


def test_a_list_estimates_nothing_and_costs_one_statement(desk: Desk) -> None:
    took(desk, 10)
    work(threads=2)
    queued = [document(desk) for _ in range(6)]
    statements: list[str] = []

    def note(_: Any, cursor: Any, statement: str, *more: Any) -> None:
        statements.append(statement)

    with database.transaction() as session:
        event.listen(database.engine(), "before_cursor_execute", note)
        listed = reading.page(session, Filter(), limit=50)
        event.remove(database.engine(), "before_cursor_execute", note)
    assert {str(task_id) for task_id in queued} < {task["task_id"] for task in listed}
    assert all(task["estimated_completion"] is None for task in listed)
    assert listed[0].keys() | {"attempts"} == shown(queued[-1]).keys()
    assert len(statements) == 1, statements


def test_a_kb_waits_for_its_turn_only_and_the_urgent_for_nobody_less(desk: Desk) -> None:
    for number in range(10):
        took(desk, 10, ago=100 - 10 * number)
    work(threads=0)
    payload = {"content": "x" * 1000}
    fields: dict[str, Any] = {"task_type": "document_processing", "payload": payload}
    many = desk.submit(50, kb_id="many", **fields)
    (lone,) = desk.submit(kb_id="lone", **fields)
    (urgent,) = desk.submit(kb_id="many", priority="urgent", **fields)
    assert left(urgent) == pytest.approx(20, abs=1)
    assert left(lone) == pytest.approx(40, abs=1)
    assert left(many[-1]) == pytest.approx(10 * 53, abs=5)


def test_the_weight_of_a_kb_counts_for_its_turns_and_those_of_others(desk: Desk) -> None:
    for number in range(10):
        took(desk, 10, ago=100 - 10 * number)
    work(threads=0)
    with database.write() as session:
        kb.change(session, "heavy", {"weight": 3})
    fields: dict[str, Any] = {"task_type": "document_processing", "payload": {"content": "x" * 1000}}
    heavy = desk.submit(30, kb_id="heavy", **fields)
    light = desk.submit(3, kb_id="light", **fields)
    # In front of a task: those of its KB, and of the other what has its turn in as many rounds; and itself.
    assert left(light[1]) == pytest.approx(10 * (1 + 6 + 2), abs=1)
    assert left(heavy[7]) == pytest.approx(10 * (7 + 3 + 2), abs=1)
    with database.transaction() as session:
        tasks = [session.get_one(Task, task_id) for task_id in (light[1], heavy[7])]
        ahead = [Look(session, task, "up", datetime.now(UTC)).ahead for task in tasks]
    assert ahead == [1 + 6, 7 + 3]


def test_how_fast_the_queue_has_moved_since_a_task_waits_outweighs_how_fast_it_did_before(desk: Desk) -> None:
    for number in range(10):
        took(desk, 10, ago=1000 - 10 * number)
    work(threads=0)
    for _ in range(20):
        document(desk)
    desk.sql("UPDATE tasks SET due_at = now() - interval '60 seconds' WHERE status = 'queued'")
    last = document(desk)
    desk.sql("UPDATE tasks SET due_at = now() - interval '60 seconds' WHERE id = :id", id=last)
    slow = left(last)
    for number in range(30):
        took(desk, 1, ago=60 - 2 * number)
    fast = left(last)
    assert slow is not None
    assert fast is not None
    # The thirty took a minute, and as long besides as this test has been at it.
    assert fast < 120 < 200 < slow


def test_a_batch_is_estimated_by_its_last_task(desk: Desk) -> None:
    for number in range(10):
        took(desk, 10, ago=100 - 10 * number)
    work(threads=1)
    payload = {"content": "x" * 1000}
    submissions = [Submission(task_type="document_processing", kb_id="kb", payload=payload) for _ in range(5)]
    with unit_of_work() as unit:
        (accepted,) = submit_batch(unit, [NewBatch(submissions=submissions)])
    assert not isinstance(accepted, Exception)
    assert accepted.batch_id is not None
    with database.transaction() as session:
        batch = batches.show(session, accepted.batch_id)
    assert batch is not None
    end = datetime.fromisoformat(batch["estimated_completion"])
    assert (end - datetime.now(UTC)).total_seconds() == pytest.approx(50, abs=1)


def test_waiting_is_told_apart_from_working(desk: Desk) -> None:
    task_id = document(desk)
    desk.sql("UPDATE tasks SET created_at = now() - interval '9 seconds', due_at = now() - interval '9 seconds'")
    waiting = shown(task_id)
    assert waiting["queue_wait_seconds"] == waiting["stages"][0]["queue_wait_seconds"] == pytest.approx(9, abs=1)
    assert reading.version(waiting) == reading.version(shown(task_id)), "time alone does not change a task"
    claim = desk.held(task_id, "preprocessing")
    assert reading.version(waiting) != reading.version(shown(task_id))
    desk.sql("UPDATE tasks SET claimed_at = claimed_at - interval '4 seconds'")
    desk.within(advance, Advance(claim, units=1))
    desk.sql("UPDATE tasks SET due_at = due_at - interval '2 seconds'")
    first, second, third = shown(task_id)["stages"][:3]
    assert first["queue_wait_seconds"] == pytest.approx(9, abs=1)
    assert second["queue_wait_seconds"] == pytest.approx(2, abs=1)
    assert third["queue_wait_seconds"] is None
