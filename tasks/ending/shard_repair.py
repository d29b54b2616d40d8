"""Shards that nobody works on any more: given back, offered to others, and forgotten when their task is over."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from models import Shard
from models.shard import TAKEN
from models.statement import Statement
from tasks.dispatching import dispatch
from tasks.process import process_id
from tasks.transactions.unit import Unit
from tasks.transitions.shards import DIED, HAND_BACK_ALL, LOCK, RELEASE, RESCUE, TASKS_OF, Lost
from tasks.transitions.sharing import REOFFER_SHARDS


def hand_back_all(unit: Unit) -> int:
    """Give back every shard that this process still holds. Returns how many."""
    return len(_take_from(unit, process_id(), HAND_BACK_ALL))


def requeue(unit: Unit, worker: UUID) -> list[Lost]:
    """Give back the shards that a dead process held. Each is next run alone in a process."""
    return _take_from(unit, worker, DIED)


def _take_from(unit: Unit, worker: UUID, statement: Statement[Lost]) -> list[Lost]:
    ids = [row.id for row in unit.execute(TASKS_OF, {"worker": worker})]
    if not ids:
        return []
    unit.execute(LOCK, {"ids": ids})
    rows = unit.execute(statement, {"worker": worker})
    offer(unit)
    return rows


def release(unit: Unit, task_ids: Sequence[UUID]) -> None:
    """Take the shards of tasks that have ended from whoever works on them. What is done stays for a retry."""
    unit.execute(RELEASE, {"ids": list(task_ids)})


def offer(unit: Unit) -> int:
    """Offer what has become free: put off until now, or left by a worker. Returns how many tasks are ready again."""
    rows = unit.execute(REOFFER_SHARDS, {"nobody": TAKEN})
    if rows:
        dispatch.announce(unit, {row.queue for row in rows})
    return len(rows)


def give_back_unknown(unit: Unit, after: timedelta, lease: timedelta) -> int:
    """Give back shards that no process knows of; see `tasks.working.presence.sweep`. Returns how many."""
    return len(unit.execute(RESCUE, {"after": after, "lease": lease}))


def task_ids(session: Session, limit: int, after: UUID | None = None) -> list[UUID]:
    """Return the tasks of which there are shards, in the order of their age."""
    query = select(Shard.task_id).distinct().order_by(Shard.task_id).limit(limit)
    return list(session.scalars(query if after is None else query.where(Shard.task_id > after)))


def forget(session: Session, task_ids: Sequence[UUID]) -> None:
    """Delete the shards of tasks that begin anew, or need none any more."""
    session.execute(delete(Shard).where(Shard.task_id.in_(task_ids)))
