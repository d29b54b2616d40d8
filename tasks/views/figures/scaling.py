"""How many workers are wanted: the seconds of work that wait, by what the stages took lately."""

from __future__ import annotations

import math

import metrics
from broker.topology import QUEUES
from models.base import Json, rfc3339
from settings import settings
from tasks.transactions import tallies
from tasks.types import all_types
from tasks.views.figures.statistics import HOUR, Snapshot

#: Seconds that a stage is taken to need of which none has completed yet.
UNMEASURED = 1.0


def scale(snapshot: Snapshot, target_seconds: float) -> Json:
    """Return how many workers would have done what waits within so many seconds.

    No more are wanted than MAX_CONCURRENT_TASKS lets work, nor for a provider that must be waited for.
    """
    means, pool = stage_seconds(snapshot), settings()
    queues: dict[str, Json] = {}
    for name in QUEUES:
        row = snapshot.queues.get(name)
        ready, running = (row.ready, row.running) if row else (0, 0)
        seconds = ready * left(name, means)
        wanted = running + math.ceil(seconds / target_seconds)
        if snapshot.paced and name == "embedding":
            wanted = max(running, min(wanted, 1))
        queues[name] = {
            "waiting": ready,
            "running": running,
            "oldest_age_seconds": round(row.oldest or 0, 3) if row else 0.0,
            "seconds_waiting": round(seconds, 3),
            "wanted_threads": 0 if name in snapshot.pauses else wanted,
        }
    threads = min(sum(queue["wanted_threads"] for queue in queues.values()), pool.max_concurrent_tasks)
    return {
        "as_of": rfc3339(snapshot.as_of),
        "target_seconds": target_seconds,
        "threads_per_worker": pool.worker_pool_size,
        "workers": len(snapshot.alive("worker")),
        "waiting": sum(queue["waiting"] for queue in queues.values()),
        "running": sum(queue["running"] for queue in queues.values()),
        "oldest_age_seconds": max(queue["oldest_age_seconds"] for queue in queues.values()),
        "wanted": math.ceil(threads / pool.worker_pool_size),
        "queues": queues,
    }


def stage_seconds(snapshot: Snapshot) -> dict[str, float]:
    """Return the mean seconds of an attempt at each stage: within an hour, or else of all that were ever counted."""
    noted = snapshot.past[HOUR]
    before = {} if noted is None else noted[1]
    queues = {}
    for key, (count, seconds, _) in tallies.totals(snapshot.tallies).items():
        if key[0] == metrics.PROCESSING.name and count:
            past_count, past_seconds, _ = before.get(key, (0, 0.0, ()))
            lately = count - past_count
            queues[key[1]] = (seconds - past_seconds) / lately if lately > 0 else seconds / count
    return queues


def left(queue: str, means: dict[str, float]) -> float:
    """Return the mean seconds of work that are left to a task that waits in a queue: of its stage and those after.

    A queue of several types is as dear as those of which something was measured.
    """
    ways = [
        kind.stages[position:]
        for kind in all_types().values()
        for position, stage in enumerate(kind.stages)
        if stage.queue == queue
    ]
    considered = [stages for stages in ways if stages[0].name in means] or ways
    seconds = [sum(means.get(stage.name, UNMEASURED) for stage in stages) for stages in considered]
    return sum(seconds) / len(seconds) if seconds else 0.0
