"""Wake-ups that were published and are nowhere: lost with a broker's data, or never arrived."""

from __future__ import annotations

from datetime import timedelta

import structlog
from sqlalchemy import text

from models.task import READY
from tasks.unit import Unit

log = structlog.get_logger(__name__)

#: A published task is looked for when this old, and later each time it had to be published again.
LOST_AFTER = timedelta(seconds=10)
LONGEST_LOST_AFTER = timedelta(minutes=10)


def find(unit: Unit, ready: dict[str, int]) -> int:
    """Give back to the dispatch what was published and is nowhere: lost with a broker's data, or never arrived.

    A long queue is no loss: only as many tasks are taken for lost as are in no queue and in no worker's hands.

    Parameters:
      ready: messages of each queue that RabbitMQ holds ready for a worker.

    Returns:
      how many tasks will be published again.
    """
    rows = unit.session.execute(
        _LOST,
        {
            "queues": list(ready),
            "ready": list(ready.values()),
            "after": LOST_AFTER,
            "longest": LONGEST_LOST_AFTER,
        },
    ).all()
    if rows:
        log.warning("lost_wake_ups", tasks=len(rows))
    return len(rows)


_LOST = text(
    f"""
    WITH held AS (
        SELECT pulled.key AS queue, sum(pulled.value::bigint) AS messages
        FROM workers CROSS JOIN LATERAL jsonb_each_text(prefetched) AS pulled
        WHERE heartbeat_at > now() - interval '30 seconds'
        GROUP BY pulled.key
    ), missing AS (
        SELECT seen.queue, count(*) - seen.ready - coalesce(max(held.messages), 0) AS messages
        FROM unnest(CAST(:queues AS text[]), CAST(:ready AS bigint[])) AS seen(queue, ready)
        JOIN tasks ON tasks.queue = seen.queue AND published_at < now() - CAST(:after AS interval) AND {READY}
        LEFT JOIN held ON held.queue = seen.queue
        GROUP BY seen.queue, seen.ready
    ), lost AS (
        SELECT oldest.id
        FROM missing CROSS JOIN LATERAL (
            SELECT id FROM tasks
            WHERE queue = missing.queue AND {READY} AND published_at < now() - least(
                CAST(:after AS interval) * power(2, least(publications - 1, 10)), CAST(:longest AS interval))
            ORDER BY published_at
            LIMIT greatest(0, missing.messages)
            FOR UPDATE SKIP LOCKED
        ) AS oldest
    )
    UPDATE tasks AS t SET published_at = NULL FROM lost WHERE t.id = lost.id RETURNING t.id
    """
)
