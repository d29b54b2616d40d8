"""Shards that nobody works on any more: given back, offered to others, and forgotten when their task is over."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select, text
from sqlalchemy.orm import Session

from models import Shard
from models.shard import TAKEN
from models.task import DEATHS
from tasks.dispatching import dispatch
from tasks.process import process_id
from tasks.transactions.unit import Unit
from tasks.transitions.sharing import REOFFER_SHARDS


def hand_back_all(unit: Unit) -> int:
    """Give back every shard that this process still holds. Returns how many."""
    return len(_take_from(unit, process_id(), "deaths"))


def died(unit: Unit, worker: UUID) -> Sequence[Any]:
    """Give back the shards that a dead process held. Each is next run alone in a process.

    Returns:
      rows with the task_id, stage and deaths of each.
    """
    return _take_from(unit, worker, DEATHS)


def _take_from(unit: Unit, worker: UUID, deaths: str) -> Sequence[Any]:
    ids = unit.session.execute(_TASKS_OF, {"worker": worker}).scalars().all()
    if not ids:
        return []
    unit.session.execute(_LOCK, {"ids": ids})
    rows = unit.session.execute(text(_TAKE_FROM.format(deaths=deaths)), {"worker": worker}).all()
    offer(unit)
    return rows


def release(unit: Unit, task_ids: Sequence[UUID]) -> None:
    """Take the shards of tasks that have ended from whoever works on them. What is done stays for a retry."""
    unit.session.execute(_RELEASE, {"ids": list(task_ids)})


def offer(unit: Unit) -> int:
    """Offer what has become free: put off until now, or left by a worker. Returns how many tasks are ready again."""
    rows = unit.session.execute(REOFFER_SHARDS, {"nobody": TAKEN}).all()
    if rows:
        dispatch.announce(unit, {row.queue for row in rows})
    return len(rows)


def give_back_unknown(unit: Unit, after: timedelta, lease: timedelta) -> int:
    """Give back shards that no process knows of; see `tasks.working.presence.sweep`. Returns how many."""
    return len(unit.session.execute(_UNKNOWN, {"after": after, "lease": lease}).all())


def task_ids(session: Session, limit: int, after: UUID | None = None) -> list[UUID]:
    """Return the tasks of which there are shards, in the order of their age."""
    query = select(Shard.task_id).distinct().order_by(Shard.task_id).limit(limit)
    return list(session.scalars(query if after is None else query.where(Shard.task_id > after)))


def forget(session: Session, task_ids: Sequence[UUID]) -> None:
    """Delete the shards of tasks that begin anew, or need none any more."""
    session.execute(delete(Shard).where(Shard.task_id.in_(task_ids)))


_LOCK = text("SELECT id FROM tasks WHERE id = ANY(CAST(:ids AS uuid[])) ORDER BY id FOR UPDATE")

_TASKS_OF = text("SELECT DISTINCT task_id FROM shards WHERE worker_id = :worker")

_TAKE_FROM = """
    UPDATE shards SET worker_id = NULL, claimed_at = NULL, deaths = {deaths} WHERE worker_id = :worker
    RETURNING task_id, stage, deaths
"""

_RELEASE = text("UPDATE shards SET worker_id = NULL, claimed_at = NULL WHERE task_id = ANY(CAST(:ids AS uuid[]))")

_UNKNOWN = text(
    """
    UPDATE shards SET worker_id = NULL, claimed_at = NULL
    WHERE (task_id, stage, index) IN (
        SELECT s.task_id, s.stage, s.index FROM shards AS s LEFT JOIN workers AS w ON w.id = s.worker_id
        WHERE s.worker_id IS NOT NULL AND CASE WHEN w.id IS NULL
            THEN s.claimed_at < now() - CAST(:lease AS interval)
            ELSE s.claimed_at < w.heartbeat_at - CAST(:after AS interval) AND NOT s.task_id = ANY(w.current) END
        FOR UPDATE OF s SKIP LOCKED
    )
    RETURNING index
    """
)
