"""The deployment at a glance: the few figures that say whether all is well, from one snapshot."""

from __future__ import annotations

from datetime import timedelta

import metrics
from models.base import Json, rfc3339
from tasks.transactions import tallies
from tasks.types import all_types
from tasks.views.figures.attention import attention
from tasks.views.figures.statistics import HOUR, MINUTE, Snapshot, workers
from tasks.views.selection import MOST_COUNTED


def overview(snapshot: Snapshot, publishing: str) -> Json:
    """Return the figures, and what needs attention.

    Parameters:
      publishing: the state of RabbitMQ, `up` or another.
    """
    rows, pool, owed = snapshot.queues.values(), workers(snapshot), snapshot.owed
    return {
        "as_of": rfc3339(snapshot.as_of),
        "waiting": sum(row.ready for row in rows),
        "delayed": sum(row.delayed for row in rows),
        "oldest_age_seconds": round(max((row.oldest or 0 for row in rows), default=0), 3),
        "running": sum(row.running for row in rows),
        "workers": len(snapshot.alive("worker")),
        "threads": pool["active"] + pool["idle"],
        "completed": {"last_minute": completed(snapshot, MINUTE), "last_hour": completed(snapshot, HOUR)},
        "failed_last_hour": {
            "count": min(sum(snapshot.failed.values()), MOST_COUNTED),
            "capped": sum(snapshot.failed.values()) > MOST_COUNTED,
            "by_code": dict(sorted(snapshot.failed.items())),
        },
        "callbacks_owed": {
            "count": min(owed.owed, MOST_COUNTED),
            "capped": owed.owed > MOST_COUNTED,
            "failing": owed.failing,
            "since": rfc3339(owed.since),
        },
        "attention": attention(snapshot, publishing),
    }


def completed(snapshot: Snapshot, past: timedelta) -> int | None:
    """Return how many tasks have completed in so much time; None while the clock has noted nothing since."""
    noted = snapshot.past[past]
    if noted is None:
        return None
    now = tallies.totals(snapshot.tallies)
    return sum(
        max(0, count - noted[1].get((metric, labels), (0,))[0])
        for (metric, labels), (count, _, _) in now.items()
        if metric == metrics.SUCCESS.name and labels in all_types()
    )
