"""What waits and what runs in each queue."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy.orm import Session

from models import database
from models.shard import TAKEN
from models.statement import Statement
from models.task import READY


class OfQueue(NamedTuple):
    """The tasks of a queue that have not ended.

    Parameters:
      delayed, queued, processing: by status.
      oldest: seconds that the first of the ready has waited.
      suspects: tasks whose worker died while it held them.
    """

    queue: str
    ready: int
    delayed: int
    queued: int
    processing: int
    running: int
    oldest: float | None
    suspects: int
    suspected_at: datetime | None


def by_queue(session: Session) -> dict[str, OfQueue]:
    """Count the tasks that have not ended, by queue."""
    return {row.queue: row for row in database.rows(session, _QUEUES)}


_QUEUES = Statement(
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
    """,
    OfQueue,
)
