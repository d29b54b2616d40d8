"""How long a task outlives its end, and what it needed or made with it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models import Task, database
from models.base import FIRST_ID, id_at
from models.statement import OfId, Statement
from models.task import PARTS
from settings import settings
from tasks.lifecycle import ENDED, OPEN, Status, sources
from tasks.transactions.unit import Unit
from tasks.transitions.ending import FORGET_HEADERS, FORGET_HEADERS_OF

#: A task that did not complete can be retried by hand from the stage that failed for this long: until then what it
#: was submitted with and what its stages made is kept. After it, a retry begins anew.
RESUMABLE = timedelta(hours=24)
#: Tasks that are deleted in one transaction: it is short, and the clock makes one every second.
AT_ONCE = 2000


def over(session: Session, task_ids: Sequence[UUID]) -> list[UUID]:
    """Return those of these tasks that need nothing any more: completed, ended too long ago, or deleted."""
    if not task_ids:
        return []
    resumable = Task.status.in_(sources("retry")) & (Task.finished_at > func.now() - RESUMABLE)
    needed = select(Task.id).where(Task.id.in_(task_ids), Task.status.in_(OPEN) | resumable)
    kept = set(session.scalars(needed))
    return [task_id for task_id in task_ids if task_id not in kept]


def lately_ended(session: Session, kb_id: str, before: UUID, limit: int, after: UUID | None = None) -> list[UUID]:
    """Return tasks of a KB that ended so lately that what they were submitted with may still be kept, by their ids.

    Parameters:
      before: a task of the KB; those that were submitted after it are left out.
      after: the id that the page before ended with.
    """
    values: dict[str, object] = {
        "kb_id": kb_id,
        "before": before,
        "kept": RESUMABLE + timedelta(hours=1),
        "after": after or FIRST_ID,
    }
    rows = database.rows(session, _LATELY, values | {"limit": limit, "statuses": list(map(str, ENDED))})
    return [row.id for row in rows]


def forget_headers(unit: Unit) -> None:
    """Forget what the URLs of tasks were to be fetched with that ended too long ago to be resumed, AT_ONCE at most.

    Those of a task that completed, or was overtaken, have gone with its end.
    """
    unit.execute(FORGET_HEADERS, {"kept": RESUMABLE, "limit": AT_ONCE})


def forget_headers_of(session: Session, task_ids: Sequence[UUID]) -> None:
    """Forget those of tasks that have ended, however lately."""
    database.rows(session, FORGET_HEADERS_OF, {"ids": sorted(task_ids)})


def prune(unit: Unit, now: datetime | None = None) -> int:
    """Delete tasks whose end is longer ago than their status is kept, with their callbacks; with its last task a batch.

    With a bulk goes what it remembers, so it can no longer be undone. A task whose callback, or whose batch's, is still
    to be delivered stays until it is. No count falls by it: metrics have rows of their own, and a batch knows its
    total.

    Parameters:
      now: from when ages are counted; this moment unless it is given.

    Returns:
      how many were deleted, AT_ONCE at most.
    """
    now = now or datetime.now(UTC)
    ended_by = {str(status): now - timedelta(days=_days(status)) for status in ENDED}
    rows = unit.execute(
        _PRUNE,
        {
            "statuses": list(ended_by),
            "ended_by": list(ended_by.values()),
            "before": [id_at(moment) for moment in ended_by.values()],
            "first": FIRST_ID,
            "limit": AT_ONCE,
        },
    )
    batches = sorted({row.batch_id for row in rows if row.batch_id is not None})
    if batches:
        unit.execute(_PRUNE_BATCHES, {"ids": batches})
    return len(rows)


def _days(status: Status) -> float:
    configuration = settings()
    return configuration.retention_completed_days if status == Status.COMPLETED else configuration.retention_failed_days


class OfBatch(NamedTuple):
    """The batch of a task that was deleted."""

    batch_id: UUID | None


_LATELY = Statement(
    """
    SELECT id FROM tasks
    WHERE kb_id = :kb_id AND status = ANY(CAST(:statuses AS text[])) AND id > CAST(:after AS uuid)
        AND finished_at > now() - CAST(:kept AS interval)
        AND created_at <= (SELECT created_at FROM tasks WHERE id = CAST(:before AS uuid))
    ORDER BY id LIMIT :limit
    """,
    OfId,
)

#: The oldest of each part of an index that holds ended tasks; ids bound it to those that can have ended by then. Rows
#: are compared as the index orders them: that keeps PostgreSQL from filtering the whole table by the order of its ids.
_PRUNE = Statement(
    f"""
    WITH old AS (
        SELECT oldest.id
        FROM ({PARTS.format(of_kb="")}) AS part
        JOIN unnest(
            CAST(:statuses AS text[]), CAST(:ended_by AS timestamptz[]), CAST(:before AS uuid[])
        ) AS kept(status, ended_by, before) USING (status)
        CROSS JOIN LATERAL (
            SELECT id FROM tasks
            WHERE (status, task_type, id) >= (part.status, part.task_type, CAST(:first AS uuid))
                AND (status, task_type, id) < (part.status, part.task_type, kept.before)
                AND finished_at < kept.ended_by
                AND NOT EXISTS (SELECT FROM callbacks AS c WHERE c.task_id = tasks.id AND c.status = 'pending')
                AND NOT EXISTS (SELECT FROM callbacks AS c WHERE c.batch_id = tasks.batch_id AND c.status = 'pending')
            ORDER BY status, task_type, id LIMIT :limit FOR UPDATE SKIP LOCKED
        ) AS oldest
        LIMIT :limit
    ), silenced AS (
        DELETE FROM callbacks USING old WHERE callbacks.task_id = old.id
    ), forgotten AS (
        DELETE FROM bulk_items USING old WHERE bulk_items.bulk_id = old.id
    )
    DELETE FROM tasks USING old WHERE tasks.id = old.id RETURNING tasks.batch_id
    """,
    OfBatch,
)

_PRUNE_BATCHES = Statement(
    """
    WITH gone AS (
        DELETE FROM batches WHERE id = ANY(CAST(:ids AS uuid[])) AND finished_at IS NOT NULL
            AND NOT EXISTS (SELECT FROM tasks WHERE tasks.batch_id = batches.id)
        RETURNING id
    )
    DELETE FROM callbacks USING gone WHERE callbacks.batch_id = gone.id
    """
)
