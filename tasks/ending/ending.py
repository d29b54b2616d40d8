"""Everything that ends a task, in one transaction: its row, its batch's count, the callback that is owed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

import metrics
from broker import messages
from broker.messages import Message
from errors import CODES, TaskError
from logs import TaskEnded, milliseconds
from models.base import Json, json_of, trace_id_of
from models.statement import Statement, prepared
from tasks.dispatching import dispatch
from tasks.ending import callbacks, dependencies, shard_repair
from tasks.ending.dependencies import Orphan
from tasks.lifecycle import Status, sources, target
from tasks.transactions.unit import Unit
from tasks.transitions.ending import END, Ended


@dataclass(frozen=True, slots=True)
class End:
    """A task that is to end.

    Parameters:
      attempt: of the claim that ends it; None: whoever holds it is fenced off.
      worker: the process that holds the claim; None where nobody needs to.
      units: of the stage that ends with it.
    """

    task_id: UUID
    attempt: int | None = None
    worker: UUID | None = None
    result: Json | None = None
    error: Json | None = None
    units: int = 0


def error_fields(error: TaskError, stage: str) -> Json:
    """Return an error as a task shows it."""
    code = CODES[error.code]
    return {
        "code": error.code,
        "message": error.message,
        "stage": stage,
        "retryable": error.retryable,
        "hint": code.hint,
        "hint_zh": code.hint_zh,
    }


def complete(unit: Unit, ends: Sequence[End]) -> set[UUID]:
    """End tasks with a result. Returns the ids of those whose row was still the claim's own."""
    return _end(unit, "complete", ends)


def fail(unit: Unit, ends: Sequence[End]) -> set[UUID]:
    """End tasks with an error. Returns the ids of those whose row was still the claim's own."""
    return _end(unit, "fail", ends)


def cancel(unit: Unit, task_ids: Sequence[UUID]) -> set[UUID]:
    """Stop tasks on request, whoever works on them. Returns the ids of those that had not ended yet."""
    return _end(unit, "cancel", [End(task_id) for task_id in task_ids])


def cancel_batch(unit: Unit, batch_id: UUID) -> tuple[set[UUID], bool]:
    """Stop every task of a batch that has not ended.

    Returns:
      the ids of those, and whether somebody was at work on one.
    """
    rows = unit.execute(_OPEN_OF_BATCH, {"batch": batch_id, "sources": list(sources("cancel"))})
    return cancel(unit, [row.id for row in rows]), any(row.is_held for row in rows)


def expire(unit: Unit, limit: int = 1000) -> int:
    """End tasks that nobody has started by their `expires_at`. Returns how many."""
    rows = unit.execute(_EXPIRED, {"limit": limit, "sources": list(sources("expire"))})
    error = TaskError("expired", "no worker had started this task by its expires_at")
    return len(_end(unit, "expire", [End(row.id, error=error_fields(error, row.stage)) for row in rows]))


def orphan(unit: Unit, orphans: Sequence[Orphan]) -> set[UUID]:
    """End tasks that cannot run, since one that they depend on did not complete. Returns their ids."""
    return _end(unit, "orphan", list(map(_orphan_end, orphans)))


def overtake(unit: Unit, kb_id: str, subject: str, task_type: str, *, by: UUID | None = None) -> int:
    """End the tasks of a type that were to work on something which a later request has decided on.

    Whoever works on one is fenced off; one that is just being completed is waited for.

    Parameters:
      by: the task that overtakes those that were submitted before it; None: a request of now, and so all.

    Returns:
      how many.
    """
    values = {"kb_id": kb_id, "subject": subject, "task_type": task_type, "by": by}
    rows = unit.execute(_OVERTAKEN, values | {"sources": list(sources("supersede"))})
    error = TaskError("superseded", f"a later request deleted {subject!r}")
    return len(_end(unit, "supersede", [End(row.id, error=error_fields(error, row.stage)) for row in rows]))


def overtake_kb(unit: Unit, kb_id: str, by: UUID, limit: int) -> int:
    """End tasks of a KB, of any type, that were submitted before the one that deletes it. Returns how many.

    Another deletion of the KB is left alone.
    """
    values = {"kb_id": kb_id, "by": by, "limit": limit, "sources": list(sources("supersede"))}
    rows = unit.execute(_OF_KB, values)
    error = TaskError("superseded", "a later request deleted the KB")
    return len(_end(unit, "supersede", [End(row.id, error=error_fields(error, row.stage)) for row in rows]))


def _orphan_end(orphan: Orphan) -> End:
    message = f"task {orphan.cause}, which this one depends on, is {orphan.cause_status}"
    return End(orphan.task_id, error=error_fields(TaskError("dependency_failed", message), orphan.stage))


def _end(unit: Unit, transition: str, ends: Sequence[End]) -> set[UUID]:
    """End tasks, and those that cannot run without them; wake those that waited for them."""
    rows = _write(unit, transition, ends)
    ready, orphans = dependencies.release(unit, {row.id: row.status for row in rows})
    while orphans:
        gone = _write(unit, "orphan", list(map(_orphan_end, orphans)))
        more, orphans = dependencies.release(unit, {row.id: row.status for row in gone})
        ready |= more
    if ready:
        dispatch.announce(unit, ready)
    return {row.id for row in rows}


def _write(unit: Unit, transition: str, ends: Sequence[End]) -> Sequence[Ended]:
    if not ends:
        return []
    rows = unit.execute(
        END,
        {
            "ends": json_of([_fields(end) for end in ends]),
            "sources": list(sources(transition)),
            "target": target(transition),
        },
    )
    unit.tell(_told(row) for row in rows)
    for row in rows:
        _count(unit, row)
    if transition == "fail":
        unit.publish([_dead_letter(row) for row in rows])
    if divided := [row.id for row in rows if row.shards]:
        shard_repair.release(unit, divided)
    _count_down_batches(unit, rows)
    callbacks.owe_for_tasks(unit, rows)
    return rows


def _told(row: Ended) -> TaskEnded:
    return TaskEnded(
        task_id=row.id,
        task_type=row.task_type,
        status=row.status,
        stage=row.stage,
        total_ms=milliseconds(row.age),
        waited_ms=milliseconds(row.waited),
        worked_ms=milliseconds(row.worked),
        units=row.units,
        tokens=(row.result or {}).get("tokens_embedded"),
        code=(row.error or {}).get("code"),
        kb_id=row.kb_id,
        batch_id=row.batch_id,
        request_id=row.request_id,
        trace_id=trace_id_of(row.traceparent),
    )


def _dead_letter(row: Ended) -> Message:
    """Return the message that tells whoever looks at RabbitMQ that a task has failed."""
    fields = {
        "code": _code(row),
        "kb_id": row.kb_id,
        "document_id": str(row.document_id) if row.document_id is not None else None,
        "request_id": row.request_id,
        "traceparent": row.traceparent,
    }
    return messages.dead_letter(str(row.id), row.stage, row.queue, row.attempt, fields)


def _code(row: Ended) -> str:
    """Return the code of the error with which a task has failed."""
    assert row.error is not None
    return str(row.error["code"])


def _fields(end: End) -> Json:
    return {
        "task_id": end.task_id,
        "attempt": end.attempt,
        "worker": end.worker,
        "result": end.result,
        "error": end.error,
        "units": end.units,
    }


def _count(unit: Unit, row: Ended) -> None:
    unit.observe(metrics.END_TO_END, row.task_type, value=row.age)
    if row.status == Status.COMPLETED:
        unit.count(metrics.SUCCESS, row.stage)
        if row.seconds is not None:
            unit.observe(metrics.PROCESSING, row.stage, value=row.seconds)
        if row.task_type != row.stage:
            unit.count(metrics.SUCCESS, row.task_type)
    elif row.status == Status.FAILED:
        for label in {row.stage, row.task_type}:
            unit.count(metrics.FAILURE, label, _code(row))


def _count_down_batches(unit: Unit, rows: Sequence[Ended]) -> None:
    """End batches whose last task ends here, whatever became of their tasks."""
    ended = Counter(row.batch_id for row in rows if row.batch_id is not None)
    # In the order of their ids, so that two transactions never wait for each other.
    for batch_id, count in sorted(ended.items()):
        (batch,) = unit.execute(_COUNT_DOWN, {"id": batch_id, "count": count})
        if batch.pending == 0:
            callbacks.owe_for_batch(unit, batch_id, batch.run, batch.callback_url)


class Stopped(NamedTuple):
    """A task that is to end, and its stage."""

    id: UUID
    stage: str


class OpenOfBatch(NamedTuple):
    """A task of a batch that has not ended; `is_held`: somebody is at work on it."""

    id: UUID
    is_held: bool


class Countdown(NamedTuple):
    """A batch and how many of its tasks have not ended."""

    pending: int
    run: int
    callback_url: str | None


_EXPIRED = Statement(
    """
    SELECT id, stage FROM tasks
    WHERE expires_at <= now() AND started_at IS NULL AND status IN ('waiting', 'queued')
        AND status = ANY(CAST(:sources AS text[]))
    ORDER BY expires_at LIMIT :limit FOR UPDATE SKIP LOCKED
    """,
    Stopped,
)

_OPEN_OF_BATCH = Statement(
    """
    SELECT id, worker_id IS NOT NULL OR shards > 0 AS is_held FROM tasks
    WHERE batch_id = :batch AND status = ANY(CAST(:sources AS text[])) ORDER BY id FOR UPDATE
    """,
    OpenOfBatch,
)

_OVERTAKEN = Statement(
    """
    SELECT id, stage FROM tasks
    WHERE kb_id = :kb_id AND subject = :subject AND status IN ('waiting', 'queued', 'processing')
        AND status = ANY(CAST(:sources AS text[])) AND task_type = :task_type
        AND created_at < coalesce((SELECT created_at FROM tasks WHERE id = CAST(:by AS uuid)), 'infinity')
    ORDER BY id FOR UPDATE
    """,
    Stopped,
)

_OF_KB = Statement(
    """
    SELECT id, stage FROM tasks
    WHERE kb_id = :kb_id AND status = ANY(CAST(:sources AS text[])) AND task_type <> 'kb_deletion'
        AND created_at < (SELECT created_at FROM tasks WHERE id = CAST(:by AS uuid))
    ORDER BY id LIMIT :limit FOR UPDATE
    """,
    Stopped,
)

_COUNT_DOWN = prepared(
    """
    UPDATE batches SET
        pending = pending - :count,
        finished_at = CASE WHEN pending = :count THEN now() END
    WHERE id = :id
    RETURNING pending, run, callback_url
    """,
    Countdown,
)
