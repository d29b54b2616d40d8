"""MAX_CONCURRENT_TASKS: how many stages may run at once in the whole deployment."""

from __future__ import annotations

import time

from sqlalchemy import text

from models.shard import TAKEN
from settings import settings
from tasks.unit import Unit

#: Seconds for which this process remembers that places were short.
REMEMBERED = 5.0

#: Whether all threads of the deployment together are at most `:most`.
ENOUGH = "(SELECT coalesce(sum(threads), 0) FROM workers WHERE kind = 'worker') <= :most"

_short_at = -REMEMBERED


def places(unit: Unit) -> int | None:
    """How many stages may start now; None where the deployment has no more threads than places.

    Where it has more, claims come one after the other until this transaction ends.
    """
    global _short_at
    most = settings().max_concurrent_tasks
    if unit.session.execute(_ENOUGH, {"most": most}).scalar_one():
        return None
    _short_at = time.monotonic()
    # A statement of its own: only one that begins after the lock sees what was claimed before it.
    unit.session.execute(text("SELECT pg_advisory_xact_lock(hashtext('concurrency'))"))
    running: int = unit.session.execute(_RUNNING, {"nobody": TAKEN}).scalar_one()
    return max(0, most - running)


def is_short() -> bool:
    """Whether places were short for this process a moment ago: then whoever ends makes room for one that waits."""
    return time.monotonic() - _short_at < REMEMBERED


_RUNNING = text(
    """
    SELECT (SELECT count(*) FROM tasks WHERE worker_id IS NOT NULL AND worker_id <> :nobody)
        + (SELECT count(*) FROM shards WHERE worker_id IS NOT NULL)
    """
)

_ENOUGH = text(f"SELECT {ENOUGH}")
