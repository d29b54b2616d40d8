"""Whether tasks and batches are of certain KBs, for whoever may see these alone."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from models import Task


def kb_of(session: Session, task_id: UUID) -> str | None:
    """Return the KB of a task; None when it has none, or there is no such task."""
    return session.scalar(select(Task.kb_id).where(Task.id == task_id))


def holds_task(session: Session, task_id: UUID, kb_ids: Collection[str]) -> bool:
    """Return whether there is such a task in one of the KBs."""
    return bool(session.scalar(select(exists().where(Task.id == task_id, Task.kb_id.in_(kb_ids)))))


def holds_batch(session: Session, batch_id: UUID, kb_ids: Collection[str]) -> bool:
    """Return whether there is such a batch, and all of its tasks that are kept are in the KBs."""
    kbs = set(session.scalars(select(Task.kb_id).where(Task.batch_id == batch_id).distinct()))
    return bool(kbs) and kbs <= set(kb_ids)


def foreign(session: Session, task_ids: Collection[UUID], kb_ids: Collection[str]) -> list[UUID]:
    """Return those of the tasks that there are, but in none of the KBs."""
    inside = Task.kb_id.in_(kb_ids) & Task.kb_id.is_not(None)
    return list(session.scalars(select(Task.id).where(Task.id.in_(task_ids), ~inside).order_by(Task.id)))
