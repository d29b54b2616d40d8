"""Batches as they are shown, one at a time or by the page."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from models import Batch, Task
from models.base import LAST_ID, Json, id_at, rfc3339
from tasks.lifecycle import ENDED, Status
from tasks.views import estimating
from tasks.views.selection import EARLIER, LATER, hurried


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which batches are meant; what is None does not count.

    Parameters:
      status: whether all of a batch has ended.
      task_status: of one of its tasks at least.
      kb_ids: those of which all of its tasks are.
    """

    status: Literal["processing", "completed"] | None = None
    task_status: str | None = None
    kb_ids: Collection[str] | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """Return what holds for them."""
        of_it = select(Task.id).where(Task.batch_id == Batch.id)
        conditions: list[ColumnElement[bool]] = []
        if self.status is not None:
            conditions.append(
                Batch.finished_at.is_(None) if self.status == "processing" else Batch.finished_at.is_not(None)
            )
        if self.created_after is not None:
            conditions += [Batch.created_at > self.created_after, Batch.id > id_at(self.created_after - EARLIER)]
        if self.created_before is not None:
            conditions += [Batch.created_at < self.created_before, Batch.id < id_at(self.created_before + LATER)]
        if self.task_status is not None:
            conditions.append(of_it.where(Task.status == self.task_status).exists())
        if self.kb_ids is not None:
            foreign = of_it.where(func.coalesce(Task.kb_id.not_in(self.kb_ids), True))
            conditions += [of_it.exists(), ~foreign.exists()]
        return conditions


def show(session: Session, batch_id: UUID) -> Json | None:
    """Return a batch with its counts, or None when there is none of that id."""
    batch = session.get(Batch, batch_id)
    if batch is None:
        return None
    end = None if batch.finished_at else estimating.of_batch(session, batch_id)
    (shown,) = _views(session, [batch])
    return shown | {"estimated_completion": rfc3339(end)}


def page(session: Session, chosen: Chosen, *, limit: int, before: UUID | None = None) -> list[Json]:
    """Return batches with their counts, newest first, without `estimated_completion`, which is costly.

    Parameters:
      before: the id that the page before ended with; ids sort by time.

    Raises:
      tasks.views.selection.TooMany: it took too long.
    """
    conditions = chosen.conditions()
    query = select(Batch).where(Batch.id < (before or LAST_ID), *conditions)
    with hurried(session, "find") if conditions else nullcontext():
        return _views(session, session.scalars(query.order_by(Batch.id.desc()).limit(limit)).all())


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
