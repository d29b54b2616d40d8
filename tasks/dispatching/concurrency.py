"""MAX_CONCURRENT_TASKS: how many stages may run at once in the whole deployment."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.orm import Session

from models.shard import TAKEN
from settings import settings
from tasks.dispatching import dispatch
from tasks.transactions.unit import Unit
from tasks.transitions.claiming import ENOUGH

_short = False


def places(unit: Unit) -> int | None:
    """Return how many stages may start now; None where the deployment has no more threads than places.

    Where it has more, claims come one after the other until this transaction ends.
    """
    global _short
    most = settings().max_concurrent_tasks
    _short = not is_enough(unit.session)
    if not _short:
        return None
    # A statement of its own: only one that begins after the lock sees what was claimed before it.
    unit.session.execute(text("SELECT pg_advisory_xact_lock(hashtext('concurrency'))"))
    return max(0, most - running(unit.session))


def is_enough(session: Session) -> bool:
    """Whether the deployment has no more threads than places."""
    return bool(session.execute(_ENOUGH, {"most": settings().max_concurrent_tasks}).scalar_one())


def running(session: Session) -> int:
    """Return how many stages run now, and shards of stages."""
    return int(session.execute(_RUNNING, {"nobody": TAKEN}).scalar_one())


def is_short() -> bool:
    """Return whether places were short at the last claim of this process: a hint, since others end meanwhile."""
    return _short


def hand_on(unit: Unit) -> None:
    """Wake a worker for the places that this transaction frees, where they are short."""
    if _short:
        dispatch.announce(unit, dispatch.queues())


_RUNNING = text(
    """
    SELECT (SELECT count(*) FROM tasks WHERE worker_id IS NOT NULL AND worker_id <> :nobody)
        + (SELECT count(*) FROM shards WHERE worker_id IS NOT NULL)
    """
)

_ENOUGH = text(f"SELECT {ENOUGH}")
