"""Bulks, done by hand: what they are for, in which order, what a dead worker leaves, and their undoing."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from broker.topology import PRIORITIES
from errors import TaskError
from models import database
from models.audit import Actor
from tasks.accepting.submission import Accepted, AcceptedBatch, NewBatch, Submission, submit, submit_batch
from tasks.bulk import actions, items, scope
from tasks.bulk.items import Outcome
from tasks.ending import ending, retrying
from tasks.transactions.unit import Unit, unit_of_work
from tasks.types.bulk import Bulk
from tasks.views import reading
from tasks.working import failing, work
from tasks.working.claim import Advance
from tasks.working.failing import Failure
from tests.actors.conftest import PIPELINE, Bench
from worker import holding

URL = "http://203.0.113.1/callback"


def ask(bench: Bench, action: str, filter: dict[str, Any] | None = None, **more: Any) -> UUID:
    """Submit a bulk. Returns the id of its task."""
    wanted = Bulk(action=action, filter=filter or {}, **more)
    payload = wanted.model_dump(mode="json", exclude_none=True)
    with unit_of_work() as unit:
        (accepted,) = submit(unit, [Submission(task_type="bulk", payload=payload, priority="urgent")])
    assert not isinstance(accepted, Exception)
    return accepted.task_id


def undo(bench: Bench, bulk_id: UUID) -> UUID:
    """Undo a bulk. Returns the id of the task that does it."""
    wanted = actions.undoing(bulk_id, Bulk.model_validate(bench.row(bulk_id).payload))
    assert wanted is not None
    undoing = ask(bench, wanted.action, undoes=bulk_id)
    bench.finish(undoing, "bulk")
    return undoing


def done(bench: Bench, action: str, filter: dict[str, Any] | None = None, **more: Any) -> UUID:
    """Do a bulk. Returns the id of its task."""
    bulk_id = ask(bench, action, filter, **more)
    bench.finish(bulk_id, "bulk")
    return bulk_id


def result(bench: Bench, bulk_id: UUID) -> tuple[int, int]:
    """How many items a bulk has changed, and how many not."""
    row = bench.row(bulk_id)
    assert row.status == "completed"
    return row.result["changed"], row.result["refused"]


def reasons(bench: Bench, bulk_id: UUID) -> dict[UUID, str]:
    """Why a bulk left what it left."""
    with database.transaction() as session:
        return {
            item.item_id: item.refused for item in items.page(session, bulk_id, limit=100, before=None) if item.refused
        }


def statuses(bench: Bench, *task_ids: UUID) -> list[str]:
    return [bench.row(task_id).status for task_id in task_ids]


def fail(bench: Bench, task_id: UUID, code: str = "internal") -> None:
    error = TaskError(code, "x", retryable=False)
    assert bench.within(failing.fail, Failure(bench.held(task_id), error)) == [True]


def test_a_bulk_is_for_what_its_filter_names_and_no_bulk(bench: Bench) -> None:
    mine, (other,) = bench.submit(3, kb_id="mine"), bench.submit(kb_id="other")
    running = bench.held(mine[0])
    bulk_id = ask(bench, "cancel", {"kb_id": "mine", "status": ["waiting", "queued", "processing"]})
    bench.sql("UPDATE tasks SET kb_id = 'mine' WHERE id = :id", id=bulk_id)
    (later,) = bench.submit(kb_id="mine")
    bench.finish(bulk_id, "bulk")
    assert result(bench, bulk_id) == (3, 0)
    assert statuses(bench, *mine) == ["cancelled"] * 3
    assert statuses(bench, other, later) == ["queued", "queued"], "what came after the request is not meant"
    assert bench.within(work.advance, Advance(running, {})) == [False]


def test_no_bulk_goes_on_with_the_deletion_of_a_kb(bench: Bench) -> None:
    (deletion,) = bench.submit(task_type="kb_deletion", kb_id="kb")
    with unit_of_work() as unit:
        ending.cancel(unit, [deletion])
    assert result(bench, done(bench, "retry", {"kb_id": "kb", "status": ["cancelled"]})) == (0, 0)
    assert statuses(bench, deletion) == ["cancelled"]


def collected(bench: Bench, bulk_id: UUID) -> None:
    """Have a bulk collect what it is for, and do nothing to it yet."""
    row = bench.row(bulk_id)
    with database.transaction() as session:
        items.collect(session, bulk_id, Bulk.model_validate(row.payload), row.created_at, None)


def test_what_has_begun_since_it_was_collected_is_left_where_what_waits_was_meant(bench: Bench) -> None:
    first, second = bench.submit(2, kb_id="kb")
    bulk_id = ask(bench, "cancel", {"kb_id": "kb", "status": ["queued"]})
    collected(bench, bulk_id)
    bench.held(first)
    bench.finish(bulk_id, "bulk")
    assert result(bench, bulk_id) == (1, 1)
    assert statuses(bench, first, second) == ["processing", "cancelled"]


def test_what_was_changed_since_an_undoing_collected_it_is_left(bench: Bench) -> None:
    (task_id,) = bench.submit(kb_id="kb")
    undoing = ask(bench, "retry", undoes=done(bench, "cancel", {"kb_id": "kb"}))
    collected(bench, undoing)
    with unit_of_work() as unit:
        assert retrying.retry(unit, [task_id]).task_ids == [task_id]
    with unit_of_work() as unit:
        assert ending.cancel(unit, [task_id]) == {task_id}
    bench.finish(undoing, "bulk")
    assert result(bench, undoing) == (0, 1)
    assert statuses(bench, task_id) == ["cancelled"]


def test_a_bulk_for_nothing_changes_nothing(bench: Bench) -> None:
    assert result(bench, done(bench, "cancel", {"kb_id": "none"})) == (0, 0)


def test_a_bulk_may_name_its_tasks(bench: Bench) -> None:
    first, second, third = bench.submit(3)
    bulk_id = done(bench, "cancel", {"ids": [str(third), str(first)]})
    assert result(bench, bulk_id) == (2, 0)
    assert statuses(bench, first, second, third) == ["cancelled", "queued", "cancelled"]


@pytest.mark.usefixtures("small_steps")
def test_a_retry_begins_with_what_others_depend_on(bench: Bench) -> None:
    (first,) = bench.submit(kb_id="kb")
    (second,) = bench.submit(kb_id="kb", depends_on=[first])
    (third,) = bench.submit(kb_id="kb", depends_on=[second])
    fail(bench, first)
    assert statuses(bench, first, second, third) == ["failed"] * 3
    assert result(bench, done(bench, "retry", {"kb_id": "kb", "status": ["failed"]})) == (3, 0)
    assert statuses(bench, first, second, third) == ["queued", "waiting", "waiting"]


@pytest.mark.usefixtures("small_steps")
def test_a_cancellation_reaches_those_that_depend_on_others_before_they_fail(bench: Bench) -> None:
    (first,) = bench.submit(kb_id="kb")
    (second,) = bench.submit(kb_id="kb", depends_on=[first])
    bulk_id = done(bench, "cancel", {"kb_id": "kb"})
    assert statuses(bench, first, second) == ["cancelled", "cancelled"]
    undo(bench, bulk_id)
    assert statuses(bench, first, second) == ["queued", "waiting"]


def test_what_no_retry_can_mend_is_left_unless_it_is_meant(bench: Bench) -> None:
    mended, corrupt, encrypted = bench.submit(3, kb_id="kb")
    fail(bench, mended)
    fail(bench, corrupt, "corrupt")
    fail(bench, encrypted, "encrypted")
    failed = {"kb_id": "kb", "status": ["failed"]}
    assert result(bench, done(bench, "retry", failed)) == (1, 0)
    assert statuses(bench, mended, corrupt, encrypted) == ["queued", "failed", "failed"]
    assert result(bench, done(bench, "retry", failed, include_permanent=True)) == (2, 0)


def test_what_cannot_run_again_is_named_with_its_reason(bench: Bench) -> None:
    (gone,) = bench.submit(kb_id="kb")
    fail(bench, gone, "superseded")
    bulk_id = done(bench, "retry", {"ids": [str(gone)]}, include_permanent=True)
    assert result(bench, bulk_id) == (0, 1)
    with database.transaction() as session:
        (item,) = items.page(session, bulk_id, limit=10, before=None)
    assert (item.changed, item.item_id) == (False, gone)
    assert item.refused is not None
    assert "overtook" in item.refused


def test_what_waits_gets_another_priority_and_its_own_back(bench: Bench) -> None:
    low, normal = bench.submit(1, priority="low")[0], bench.submit()[0]
    (scheduled,) = bench.submit(run_at="2990-01-01T00:00:00Z")
    (running,) = bench.submit()
    bench.held(running)
    bulk_id = done(bench, "prioritise", priority="high")
    assert result(bench, bulk_id) == (3, 0)
    assert [bench.row(task_id).priority for task_id in (low, normal, scheduled)] == [PRIORITIES["high"]] * 3
    assert bench.row(running).priority == PRIORITIES["normal"]
    # Somebody has decided anew on one of them.
    done(bench, "prioritise", {"ids": [str(normal)]}, priority="urgent")
    undoing = undo(bench, bulk_id)
    assert result(bench, undoing) == (2, 1)
    priorities = [bench.row(task_id).priority for task_id in (low, normal, scheduled)]
    assert priorities == [PRIORITIES["low"], PRIORITIES["urgent"], PRIORITIES["normal"]]
    undo(bench, undoing)
    assert [bench.row(task_id).priority for task_id in (low, scheduled)] == [PRIORITIES["high"]] * 2, (
        "an undo is undone"
    )


def test_the_dispatch_follows_a_priority_that_was_changed(bench: Bench) -> None:
    first, last = bench.submit(2, kb_id="kb")
    done(bench, "prioritise", {"ids": [str(last)]}, priority="urgent")
    assert [claim.task_id for (claim,) in (bench.next()[0], bench.next()[0])] == [last, first]


def test_an_undo_leaves_what_was_changed_since(bench: Bench) -> None:
    kept, retried, again = bench.submit(3, kb_id="kb")
    bulk_id = done(bench, "cancel", {"kb_id": "kb"})
    done(bench, "retry", {"ids": [str(retried), str(again)]})
    done(bench, "cancel", {"ids": [str(again)]})
    undoing = undo(bench, bulk_id)
    assert result(bench, undoing) == (1, 2)
    assert statuses(bench, kept, retried, again) == ["queued", "queued", "cancelled"]
    assert reasons(bench, undoing) == {retried: "it is queued", again: "it was changed again since"}


def test_what_was_scheduled_waits_again_when_its_cancellation_is_undone(bench: Bench) -> None:
    (scheduled,) = bench.submit(kb_id="kb", run_at="2990-01-01T00:00:00Z", expires_at="2990-01-02T00:00:00Z")
    before = bench.row(scheduled)
    bulk_id = done(bench, "cancel", {"kb_id": "kb"})
    undo(bench, bulk_id)
    after = bench.row(scheduled)
    assert (after.status, after.due_at, after.run_at, after.expires_at) == (
        "waiting",
        before.run_at,
        before.run_at,
        before.expires_at,
    )


def shown(bench: Bench, task_id: UUID) -> dict[str, Any]:
    """A task as it is shown, without what tells of all its runs together."""
    with database.transaction() as session:
        task = reading.show(session, task_id, estimated=False)
    assert task is not None
    return {name: value for name, value in task.items() if name not in ("progress", "attempts")}


def test_the_undo_of_a_retry_gives_each_task_the_end_back_that_it_had(bench: Bench) -> None:
    ended, waiting, running, expired, scheduled, new = bench.submit(6, kb_id="kb", callback_url=URL)
    for task_id, code in ((ended, "internal"), (waiting, "empty"), (running, "timeout")):
        fail(bench, task_id, code)
    bench.sql("UPDATE tasks SET expires_at = now() - interval '1 hour' WHERE id = :id", id=expired)
    bench.sql("UPDATE tasks SET run_at = now() + interval '1 day' WHERE id = :id", id=scheduled)
    with unit_of_work() as unit:
        assert ending.expire(unit) == 1
        ending.cancel(unit, [scheduled])
    retried = [waiting, running, expired, scheduled]
    before = [shown(bench, task_id) for task_id in retried]
    assert [task["error"] and task["error"]["code"] for task in before] == ["empty", "timeout", "expired", None]
    callbacks = bench.sql("SELECT task_id, run FROM callbacks")
    everything = {"kb_id": "kb", "status": ["failed", "cancelled"]}
    bulk_id = done(bench, "retry", everything, include_permanent=True)
    assert bench.within(work.advance, Advance(bench.held(ended), {})) == [True]
    held = bench.held(running)

    undoing = undo(bench, bulk_id)
    assert result(bench, undoing) == (4, 1)
    assert reasons(bench, undoing) == {ended: "it is completed"}
    assert [shown(bench, task_id) for task_id in retried] == before
    assert statuses(bench, ended, new) == ["completed", "queued"]
    assert bench.within(work.advance, Advance(held, {})) == [False], "whoever worked on one is fenced off"
    others = bench.sql("SELECT task_id, run FROM callbacks WHERE (task_id, run) <> (:ended, 2)", ended=ended)
    assert sorted(others) == sorted(callbacks), "what was told is not told again"


def test_the_undo_of_a_retry_can_be_undone_and_so_on(bench: Bench) -> None:
    (task_id,) = bench.submit(kb_id="kb")
    bench.sql("UPDATE tasks SET expires_at = now() - interval '1 hour' WHERE id = :id", id=task_id)
    with unit_of_work() as unit:
        assert ending.expire(unit) == 1
    before = shown(bench, task_id)
    bulk_id = done(bench, "retry", {"kb_id": "kb", "status": ["failed"]})
    for _ in range(2):
        undoing = undo(bench, bulk_id)
        assert shown(bench, task_id) == before
        again = undo(bench, undoing)
        assert statuses(bench, task_id) == ["queued"]
        assert result(bench, undo(bench, bulk_id)) == (0, 1), "it was retried anew since"
        bulk_id = again


def test_a_stage_that_was_resumed_is_resumed_again_after_the_undo(bench: Bench) -> None:
    payload = {"content": "A text.", "document_id": "d", "content_type": "text/markdown"}
    (task_id,) = bench.submit(task_type="document_processing", kb_id="kb", payload=payload)
    bench.finish(task_id, "preprocessing")
    error = TaskError("internal", "x", retryable=False)
    assert bench.within(failing.fail, Failure(bench.held(task_id, "chunking"), error)) == [True]
    before = shown(bench, task_id)
    bulk_id = done(bench, "retry", {"kb_id": "kb", "status": ["failed"]})
    bench.finish(task_id, "chunking")
    assert bench.row(task_id).stage != "chunking"
    undo(bench, bulk_id)
    assert shown(bench, task_id) == before
    assert before["stage"] == "chunking"
    with database.transaction() as session:
        task = reading.show(session, task_id, estimated=False)
    assert task is not None
    stages = [(attempt["run"], attempt["stage"], attempt["outcome"]) for attempt in task["attempts"]]
    assert stages == [(1, "preprocessing", "completed"), (1, "chunking", "failed"), (2, "chunking", "completed")]
    done(bench, "retry", {"kb_id": "kb", "status": ["failed"]})
    for stage in PIPELINE[1:]:
        bench.finish(task_id, stage)
    assert statuses(bench, task_id) == ["completed"]


def test_what_depends_on_a_task_whose_retry_is_undone_fails_as_after_any_end(bench: Bench) -> None:
    (first,) = bench.submit(kb_id="kb")
    fail(bench, first)
    bulk_id = done(bench, "retry", {"kb_id": "kb", "status": ["failed"]})
    (second,) = bench.submit(kb_id="kb", depends_on=[first])
    assert statuses(bench, first, second) == ["queued", "waiting"]
    undo(bench, bulk_id)
    assert statuses(bench, first, second) == ["failed", "failed"]
    assert bench.row(second).error["code"] == "dependency_failed"


@pytest.mark.parametrize("one_completes", [False, True])
def test_a_batch_is_told_of_again_only_if_something_of_it_has_ended_anew(bench: Bench, one_completes: bool) -> None:
    with unit_of_work() as unit:
        batch = NewBatch(submissions=[Submission(task_type="test")] * 2, callback_url=URL)
        (accepted,) = submit_batch(unit, [batch])
    assert isinstance(accepted, AcceptedBatch)
    batch_id, tasks = accepted.batch_id, [task.task_id for task in accepted.tasks if isinstance(task, Accepted)]
    for task_id in tasks:
        fail(bench, task_id)
    before = bench.sql("SELECT * FROM batches")
    bulk_id = done(bench, "retry", {"batch_id": str(batch_id), "status": ["failed"]})
    assert bench.sql("SELECT pending, finished_at FROM batches") == [(2, None)]
    if one_completes:
        assert bench.within(work.advance, Advance(bench.held(tasks[0]), {})) == [True]
    undo(bench, bulk_id)
    rows = bench.sql("SELECT body->'data'->'failed', run FROM callbacks WHERE batch_id = :id ORDER BY run", id=batch_id)
    if one_completes:
        assert rows == [(2, 1), (1, 2)]
    else:
        assert rows == [(2, 1)]
        assert bench.sql("SELECT * FROM batches") == before


def test_what_an_earlier_release_has_retried_is_cancelled_by_the_undo(bench: Bench) -> None:
    (task_id,) = bench.submit(kb_id="kb")
    fail(bench, task_id)
    bulk_id = done(bench, "retry", {"kb_id": "kb", "status": ["failed"]})
    bench.sql("UPDATE bulk_items SET ended = NULL")
    assert result(bench, undo(bench, bulk_id)) == (1, 0)
    assert statuses(bench, task_id) == ["cancelled"]


def test_a_redelivery_cannot_be_undone(bench: Bench) -> None:
    assert actions.undoing(UUID(int=1), Bulk(action="redeliver")) is None


def test_callbacks_are_delivered_again_by_a_filter(bench: Bench) -> None:
    (mine,) = bench.submit(kb_id="mine", callback_url="http://One.example:8080/hook?to=two.example")
    (other,) = bench.submit(kb_id="other", callback_url="http://two.example/hook")
    done(bench, "cancel", {"ids": [str(mine), str(other)]})
    bench.sql("UPDATE callbacks SET status = 'failed', attempts = 9, due_at = now() + interval '1 day'")
    bulk_id = done(bench, "redeliver", {"state": "failed", "host": "one.example", "kb_id": "mine"})
    assert result(bench, bulk_id) == (1, 0)
    rows = bench.sql("SELECT status, attempts, due_at <= now() FROM callbacks ORDER BY task_id")
    assert [tuple(row) for row in rows] == [("pending", 0, True), ("failed", 9, False)]


@pytest.fixture
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(items, "COLLECTED_AT_ONCE", 2)
    monkeypatch.setattr(items, "CHANGED_AT_ONCE", 1)


@pytest.mark.usefixtures("small_steps")
@pytest.mark.parametrize("step", range(1, 6))
def test_a_bulk_whose_worker_dies_goes_on_behind_what_it_has_done(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    tasks = bench.submit(5, kb_id="kb")
    for task_id in tasks:
        fail(bench, task_id)
    bulk_id = ask(bench, "retry", {"kb_id": "kb", "status": ["failed"]})
    calls = 0
    act = actions.act

    def dying(unit: Unit, bulk_id: UUID, wanted: Bulk, ids: list[UUID]) -> list[Outcome]:
        nonlocal calls
        calls += 1
        outcomes = act(unit, bulk_id, wanted, ids)
        if calls == step:
            raise KeyboardInterrupt
        return outcomes

    monkeypatch.setattr(actions, "act", dying)
    with pytest.raises(KeyboardInterrupt):
        bench.die_after(claim := bench.held(bulk_id, "bulk"))
    assert [bench.row(task_id).run for task_id in tasks] == [2] * (step - 1) + [1] * (6 - step), "oldest first"
    assert bench.perform(claim)
    assert [bench.row(task_id).run for task_id in tasks] == [2] * 5, "none is retried twice"
    assert result(bench, bulk_id) == (5, 0)


def test_a_bulk_that_was_cancelled_midway_can_be_undone(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    tasks = bench.submit(4, kb_id="kb")
    monkeypatch.setattr(items, "CHANGED_AT_ONCE", 2)
    bulk_id = ask(bench, "cancel", {"kb_id": "kb"})
    claim = bench.held(bulk_id, "bulk")
    act = actions.act

    def cancelling(unit: Unit, bulk_id: UUID, wanted: Bulk, ids: list[UUID]) -> list[Outcome]:
        claim.lost = True
        return act(unit, bulk_id, wanted, ids)

    monkeypatch.setattr(actions, "act", cancelling)
    with pytest.raises(holding.Lost):
        bench.die_after(claim)
    monkeypatch.setattr(actions, "act", act)
    assert statuses(bench, *tasks) == ["queued", "queued", "cancelled", "cancelled"]
    undo(bench, bulk_id)
    assert statuses(bench, *tasks) == ["queued"] * 4


def taken_in(bench: Bench, document_id: str, content: str, **more: Any) -> UUID:
    """A document that is taken in."""
    payload = {"content": content, "document_id": document_id, "content_type": "text/markdown"}
    (task_id,) = bench.submit(task_type="document_processing", kb_id="kb", payload=payload, **more)
    bench.finish_all(task_id)
    return task_id


def test_what_is_reingested_keeps_its_callback_and_is_submitted_by_whoever_asks(bench: Bench) -> None:
    taken_in(bench, "d", "A text.", callback_url=URL, priority="high")
    trace = f"00-{'a' * 32}-{'b' * 16}-01"
    payload = {"action": "reingest", "filter": {"kb_id": "kb"}}
    with unit_of_work() as unit:
        (accepted,) = submit(unit, [Submission(task_type="bulk", payload=payload).by(Actor("ops", "request", trace))])
    assert not isinstance(accepted, Exception)
    bench.finish(accepted.task_id, "bulk")
    (again,) = bench.sql("SELECT * FROM tasks WHERE payload->>'force' = 'true'")
    assert (again.callback_url, again.priority) == (URL, PRIORITIES["high"])
    assert (again.submitted_by, again.request_id, again.traceparent) == ("ops", "request", trace)


def test_documents_are_reingested_by_their_size(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    newest_first = [taken_in(bench, name, name * size) for name, size in (("a", 1000), ("b", 3000), ("c", 3000))][::-1]
    monkeypatch.setattr(items, "PAYLOADS_AT_ONCE", 5500)
    bulk_id = ask(bench, "reingest", {"kb_id": "kb"})
    collected(bench, bulk_id)
    wanted = Bulk(action="reingest", filter={"kb_id": "kb"})
    with database.transaction() as session:
        assert items.following(session, bulk_id, wanted, None) == newest_first[:1]
        assert items.following(session, bulk_id, wanted, newest_first[0]) == newest_first[1:]
        monkeypatch.setattr(items, "PAYLOADS_AT_ONCE", 5)
        assert items.following(session, bulk_id, wanted, None) == newest_first[:1], "one alone may have more"
    bench.finish(bulk_id, "bulk")
    assert result(bench, bulk_id) == (3, 0)


def test_a_preview_counts_and_shows_what_a_bulk_would_be_for(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    tasks = bench.submit(12, kb_id="kb")
    wanted = Bulk(action="cancel", filter={"kb_id": "kb"})
    with database.transaction() as session:
        shown = scope.preview(session, wanted)
    assert (shown.count.count, shown.count.capped) == (12, False)
    assert [task["task_id"] for task in shown.examples] == [str(task_id) for task_id in reversed(tasks[2:])]
    monkeypatch.setattr(scope, "MOST_COUNTED", 11)
    with database.transaction() as session:
        shown = scope.preview(session, wanted)
    assert (shown.count.count, shown.count.capped) == (11, True)
    assert statuses(bench, *tasks) == ["queued"] * 12
