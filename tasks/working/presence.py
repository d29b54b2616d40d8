"""Which processes are alive: heartbeats, and what becomes of the work of those that fell silent."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import structlog
from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from models import Worker
from models.statement import Statement
from settings import settings
from tasks.dispatching import dispatch
from tasks.ending import shard_repair
from tasks.lifecycle import target
from tasks.process import process_id, process_name
from tasks.transactions.unit import Unit
from tasks.transitions.failing import RESCUE
from tasks.working.failing import hand_back_all, requeue

log = structlog.get_logger(__name__)

#: A lease is renewed this many times before it runs out.
BEATS_PER_LEASE = 6
#: A claim that its live worker does not know of, and is older than this at the heartbeat, was lost on its way.
UNKNOWN_AFTER = timedelta(seconds=10)
#: The process that stands for all dead ones in the tallies.
NIL_ID = UUID(int=0)


def beat_seconds() -> float:
    """Return the seconds between heartbeats: some 5 at the default lease of 30."""
    return settings().lease_seconds / BEATS_PER_LEASE


def beat(
    session: Session,
    kind: str,
    *,
    queues: Sequence[str] = (),
    threads: int = 0,
    current: Sequence[UUID] = (),
    prefetched: dict[str, int] | None = None,
    identity: UUID | None = None,
) -> None:
    """Say that this process lives, and what it holds.

    Parameters:
      identity: instead of the process's own, where a clock shares it with a worker.
    """
    values = {
        "current": list(current),
        "prefetched": prefetched or {},
        "heartbeat_at": func.now(),
    }
    row = {
        "id": identity or process_id(),
        "kind": kind,
        "name": process_name(),
        "queues": list(queues),
        "threads": threads,
        **values,
    }
    session.execute(insert(Worker).values(**row).on_conflict_do_update(index_elements=["id"], set_=values))


def leave(unit: Unit) -> None:
    """End in good order: hand back what is held, fold the tallies, delete the row."""
    handed_back = hand_back_all(unit)
    if handed_back:
        log.info("handed_back", tasks=handed_back)
    deregister(unit, process_id())


def deregister(unit: Unit, worker: UUID) -> None:
    """Fold a process's tallies into those of the dead, and delete its row."""
    unit.execute(_FOLD, {"worker": worker, "nil": NIL_ID})
    unit.session.execute(delete(Worker).where(Worker.id == worker))


def sweep(unit: Unit, lease: timedelta | None = None) -> int:
    """Requeue what silent processes held, and claims that no process knows of.

    Parameters:
      lease: how long a process may be silent; LEASE_SECONDS unless given.

    Returns:
      how many tasks were requeued.
    """
    lease = timedelta(seconds=settings().lease_seconds) if lease is None else lease
    # While PostgreSQL was away nobody could be heard: it gives everyone a lease to speak again.
    listening = func.pg_postmaster_start_time() < func.now() - lease
    silent = unit.session.scalars(
        select(Worker.id).where(Worker.heartbeat_at < func.now() - lease, listening).with_for_update(skip_locked=True)
    ).all()
    requeued = 0
    for worker in silent:
        held = requeue(unit, worker)
        requeued += held
        log.warning("worker_died", worker_id=str(worker), tasks=held)
        deregister(unit, worker)
    # Web processes count too, without a heartbeat; theirs are folded as they come.
    unit.execute(_FOLD_OTHERS, {"nil": NIL_ID})
    unknown = unit.execute(RESCUE, {"after": UNKNOWN_AFTER, "lease": lease, "target": target("rescue")})
    if unknown:
        log.warning("claims_without_holder", tasks=[str(row.id) for row in unknown])
        dispatch.announce(unit, {row.queue for row in unknown})
    return requeued + len(unknown) + shard_repair.give_back_unknown(unit, UNKNOWN_AFTER, lease)


_ADD_TO_THE_DEAD = """
    INSERT INTO tallies (worker_id, metric, labels, count, sum, buckets)
    SELECT :nil, metric, labels, sum(count), sum(sum), (
        SELECT coalesce(array_agg(total ORDER BY place), '{}') FROM (
            SELECT place, sum(inside) AS total
            FROM gone AS each CROSS JOIN LATERAL unnest(each.buckets) WITH ORDINALITY AS bucket(inside, place)
            WHERE each.metric = gone.metric AND each.labels = gone.labels
            GROUP BY place
        ) AS totals)
    FROM gone GROUP BY metric, labels ORDER BY metric, labels
    ON CONFLICT (worker_id, metric, labels) DO UPDATE SET
        count = tallies.count + excluded.count,
        sum = tallies.sum + excluded.sum,
        buckets = ARRAY(SELECT a + b FROM unnest(tallies.buckets, excluded.buckets) AS pair(a, b))
"""

_FOLD = Statement(f"WITH gone AS (DELETE FROM tallies WHERE worker_id = :worker RETURNING *) {_ADD_TO_THE_DEAD}")

_FOLD_OTHERS = Statement(
    f"""
    WITH gone AS (
        DELETE FROM tallies WHERE worker_id <> :nil AND worker_id NOT IN (SELECT id FROM workers) RETURNING *
    ) {_ADD_TO_THE_DEAD}
    """
)
