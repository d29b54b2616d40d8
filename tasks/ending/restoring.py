"""The undoing of a retry: tasks that have not ended since get back the end that they had before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from models.statement import Statement
from tasks.dispatching import dispatch
from tasks.ending import callbacks, dependencies, ending, shard_repair
from tasks.lifecycle import sources, target
from tasks.transactions.unit import Unit
from tasks.transitions.restoring import END_OF, RESTORE, Restored


def note(unit: Unit, bulk_id: UUID, task_ids: Sequence[UUID]) -> None:
    """Note in the items of a bulk how its tasks have ended, before it retries them."""
    unit.execute(_NOTE, {"bulk": bulk_id, "ids": list(task_ids)})


def restore(unit: Unit, bulk_id: UUID, task_ids: Sequence[UUID]) -> set[UUID]:
    """Give tasks that a bulk has retried the end back that it noted; whoever works on one is fenced off.

    That end was told when it came about: it owes no callback, and is counted by no metric again. What depends on such a
    task ends, or runs, as after any end.

    Returns:
      the ids of those that had not ended, and whose end was noted.
    """
    values = {
        "retried_by": bulk_id,
        "ids": list(task_ids),
        "sources": list(sources("restore")),
        "targets": [target("restore"), target("restore_cancelled")],
    }
    rows = unit.execute(RESTORE, values)
    if divided := [row.id for row in rows if row.shards]:
        shard_repair.release(unit, divided)
    _count_down_batches(unit, rows)
    ready, orphans = dependencies.release(unit, {row.id: row.status for row in rows})
    if orphans:
        ending.orphan(unit, orphans)
    if ready:
        dispatch.announce(unit, ready)
    return {row.id for row in rows}


def _count_down_batches(unit: Unit, rows: Sequence[Restored]) -> None:
    """End batches whose last open task this was. One of which nothing has ended anew has been told of already."""
    counts = Counter(row.batch_id for row in rows if row.batch_id is not None)
    for batch_id, count in sorted(counts.items()):
        (batch,) = unit.execute(_COUNT_DOWN, {"id": batch_id, "count": count})
        if batch.pending == 0 and not batch.is_told:
            callbacks.owe_for_batch(unit, batch_id, batch.run, batch.callback_url)


class Batch(NamedTuple):
    """A batch with fewer open tasks; `is_told`: nothing of it has ended since its last callback."""

    pending: int
    run: int
    callback_url: str | None
    is_told: bool


_NOTE = Statement(
    f"""
    UPDATE bulk_items SET ended = {END_OF} FROM tasks AS t
    WHERE bulk_items.bulk_id = :bulk AND bulk_items.item_id = t.id AND t.id = ANY(CAST(:ids AS uuid[]))
    """
)

_COUNT_DOWN = Statement(
    """
    UPDATE batches SET
        pending = pending - :count,
        run = run - CAST(pending = :count AND is_told AS integer),
        finished_at = CASE WHEN pending > :count THEN NULL WHEN is_told THEN last_at ELSE now() END
    FROM (
        SELECT last.last_at, EXISTS (
            SELECT FROM callbacks JOIN batches ON batches.id = callbacks.batch_id
            WHERE callbacks.batch_id = :id AND callbacks.run = batches.run - 1
                AND callbacks.created_at >= last.last_at
        ) AS is_told
        FROM (SELECT max(finished_at) AS last_at FROM tasks WHERE batch_id = :id) AS last
    ) AS earlier
    WHERE id = :id
    RETURNING pending, run, callback_url, is_told
    """,
    Batch,
)
