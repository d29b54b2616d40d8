"""Batches as they are shown, one at a time or by the page."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from contextlib import nullcontext
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from models import Batch, Task
from models.base import LAST_ID, Json, id_at, rfc3339
from tasks.input.batch_filter import BatchFilter
from tasks.lifecycle import ENDED, OPEN, Status
from tasks.views import estimating
from tasks.views.selection import EARLIER, LATER, hurried


def show(session: Session, batch_id: UUID) -> Json | None:
    """Return a batch with its counts, or None when there is none of that id."""
    batch = session.get(Batch, batch_id)
    if batch is None:
        return None
    end = None if batch.finished_at else estimating.of_batch(session, batch_id)
    (shown,) = _views(session, [batch])
    return shown | {"estimated_completion": rfc3339(end)}


def page(
    session: Session, chosen: BatchFilter, kb_ids: Collection[str] | None, *, limit: int, before: UUID | None = None
) -> list[Json]:
    """Return batches with their counts, newest first, without `estimated_completion`, which is costly.

    Parameters:
      kb_ids: those of which all of their tasks are; None: of any.
      before: the id that the page before ended with; ids sort by time.

    Raises:
      tasks.views.selection.TooMany: it took too long.
    """
    conditions = _conditions(chosen, kb_ids)
    query = select(Batch).where(Batch.id < (before or LAST_ID), *conditions)
    with hurried(session, "find") if conditions else nullcontext():
        return _views(session, session.scalars(query.order_by(Batch.id.desc()).limit(limit)).all())


def tasks_of(
    session: Session, chosen: BatchFilter, statuses: Sequence[str], *, limit: int, before: UUID | None = None
) -> list[UUID]:
    """Return the ids of those tasks of batches that have one of these statuses, newest first.

    Parameters:
      before: the id that the page before ended with.
    """
    conditions = _conditions(chosen, None if chosen.kb_id is None else [chosen.kb_id])
    if set(statuses) <= set(OPEN):
        conditions.append(Batch.finished_at.is_(None))
    of_statuses = select(Task.id).where(Task.status.in_(statuses), Task.batch_id.is_not(None))
    # OFFSET has a batch looked at once, and not for each of its tasks; and keeps PostgreSQL from looking for these in
    # the order of all ids.
    batches = select(Batch.id).where(of_statuses.where(Task.batch_id == Batch.id).exists(), *conditions).offset(0)
    tasks = of_statuses.where(Task.batch_id.in_(batches)).offset(0).subquery()
    query = select(tasks.c.id).where(tasks.c.id < (before or LAST_ID)).order_by(tasks.c.id.desc()).limit(limit)
    return list(session.scalars(query))


def _conditions(chosen: BatchFilter, kb_ids: Collection[str] | None) -> list[ColumnElement[bool]]:
    """Return what holds for the batches that are meant; `kb_ids` as in `page`."""
    of_it = select(Task.id).where(Task.batch_id == Batch.id)
    conditions: list[ColumnElement[bool]] = []
    if chosen.status is not None:
        has_ended = Batch.finished_at.is_not(None)
        conditions.append(has_ended if chosen.status == "completed" else ~has_ended)
    if chosen.created_after is not None:
        conditions += [Batch.created_at > chosen.created_after, Batch.id > id_at(chosen.created_after - EARLIER)]
    if chosen.created_before is not None:
        conditions += [Batch.created_at < chosen.created_before, Batch.id < id_at(chosen.created_before + LATER)]
    if chosen.task_status is not None:
        conditions.append(of_it.where(Task.status == chosen.task_status).exists())
    if kb_ids is not None:
        foreign = of_it.where(func.coalesce(Task.kb_id.not_in(kb_ids), True))
        conditions += [of_it.exists(), ~foreign.exists()]
    return conditions


def _views(session: Session, batches: Sequence[Batch]) -> list[Json]:
    counted = (
        select(Task.batch_id, Task.status, func.count(), func.sum(Task.progress))
        .where(Task.batch_id.in_([batch.id for batch in batches]))
        .group_by(Task.batch_id, Task.status)
    )
    by_batch = defaultdict(list)
    for batch_id, *counts in session.execute(counted):
        by_batch[batch_id].append(counts)
    return [_view(batch, by_batch[batch.id]) for batch in batches]


def _view(batch: Batch, rows: Sequence[Any]) -> Json:
    """Return a batch, by the number of its tasks of each status and the sum of their progress."""
    counts = dict.fromkeys(map(str, Status), 0) | {status: count for status, count, _ in rows}
    deleted = batch.total - sum(counts.values())
    done = deleted * 100 + sum(count * 100 if status in ENDED else progress for status, count, progress in rows)
    return {
        "batch_id": str(batch.id),
        "status": "completed" if batch.finished_at else "processing",
        "total": batch.total,
        "counts": counts,
        "deleted": deleted,
        "progress": round(done / batch.total, 1) if batch.total else 100.0,
        "created_at": rfc3339(batch.created_at),
        "finished_at": rfc3339(batch.finished_at),
    }
