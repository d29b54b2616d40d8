"""What waits and what runs in each queue."""

from __future__ import annotations

from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from models.shard import TAKEN
from models.task import READY


def by_queue(session: Session) -> dict[str, Any]:
    """Count the tasks that have not ended, by queue.

    Returns:
      rows with `ready`, `delayed`, `queued` and `processing` (by status), `running`, `oldest` (seconds that the first
      of the ready has waited) and `suspects` (tasks that held a worker which died), with `suspected_at`.
    """
    return {row.queue: row for row in session.execute(_QUEUES)}


_QUEUES = text(
    f"""
    SELECT queue,
        count(*) FILTER (WHERE {READY}) AS ready,
        count(*) FILTER (WHERE status = 'waiting') AS delayed,
        count(*) FILTER (WHERE status = 'queued') AS queued,
        count(*) FILTER (WHERE status = 'processing') AS processing,
        count(*) FILTER (WHERE worker_id <> '{TAKEN}') + coalesce(sum(
            (SELECT count(*) FROM shards WHERE task_id = tasks.id AND shards.worker_id IS NOT NULL)
        ) FILTER (WHERE shards > 0), 0)::bigint AS running,
        extract(epoch FROM now() - min(due_at) FILTER (WHERE {READY}))::float AS oldest,
        count(*) FILTER (WHERE deaths > 0) AS suspects,
        min(due_at) FILTER (WHERE deaths > 0) AS suspected_at
    FROM tasks WHERE status IN ('waiting', 'queued', 'processing')
    GROUP BY queue
    """
)
