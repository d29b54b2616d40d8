"""What is published when: a short window of wake-ups for each queue and priority, refilled as they are claimed."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog
from dramatiq import Message
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from models import database
from models.task import READY
from tasks.lifecycle import sources, target
from tasks.types import all_stages
from tasks.unit import Unit
from tasks.wake_up import message_for

log = structlog.get_logger(__name__)

#: Wake-ups of one queue and priority that may be published and not yet claimed. RabbitMQ's queues stay this
#: short, so that order is decided here; long enough that workers never wait for a refill.
WINDOW = 200
#: A published task is looked for when this old, and later each time it had to be published again.
LOST_AFTER = timedelta(seconds=10)
LONGEST_LOST_AFTER = timedelta(minutes=10)


def queues() -> tuple[str, ...]:
    """Every queue that a task can wait in."""
    return tuple(sorted({stage.queue for stage in all_stages().values()}))


def room(unit: Unit, wanted: Iterable[tuple[str, int]]) -> dict[tuple[str, int], int]:
    """How many new tasks of each (queue, priority) may be published at once; none where older ones still wait."""
    pairs = sorted(set(wanted))
    rows = unit.session.execute(
        _ROOM,
        {
            "queues": [queue for queue, _ in pairs],
            "priorities": [each for _, each in pairs],
            "window": WINDOW,
        },
    )
    return {(row.queue, row.priority): max(0, row.room) for row in rows}


def refill(unit: Unit, queues: Iterable[str]) -> int:
    """Publish tasks that wait, by priority and age, as far as the windows of these queues have room.

    Returns:
      how many will be published after the commit.
    """
    rows = unit.session.execute(_REFILL, {"queues": sorted(set(queues)), "window": WINDOW}).all()
    publish(unit, rows)
    return len(rows)


def wake(unit: Unit) -> int:
    """Make ready what was put off until now."""
    result = unit.session.execute(_WAKE, {"sources": list(sources("wake")), "target": target("wake")})
    return int(result.rowcount)  # type: ignore[attr-defined]


def find_lost(unit: Unit, ready: dict[str, int]) -> int:
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


def publish(unit: Unit, rows: Iterable[Any]) -> None:
    """Publish wake-ups after the commit; what RabbitMQ does not take goes back to the dispatch.

    Parameters:
      rows: tasks with their id, task_type, stage, priority, attempt and timeout.
    """
    tasks = list(rows)
    if not tasks:
        return
    messages: list[Message[Any]] = [
        message_for(row.id, row.task_type, row.stage, priority=row.priority, attempt=row.attempt, timeout=row.timeout)
        for row in tasks
    ]
    expected = [(row.id, row.attempt) for row in tasks]
    unit.publish(messages, lambda: _give_back(expected))


def _give_back(expected: list[tuple[UUID, int]]) -> None:
    """Note that nothing was published for these tasks, unless a worker has claimed them since."""
    try:
        with database.transaction() as session:
            session.execute(
                _GIVE_BACK,
                {"ids": [each for each, _ in expected], "attempts": [attempt for _, attempt in expected]},
            )
    except DBAPIError as error:
        # Both servers are away. The clock finds the tasks published but in no queue.
        log.warning("not_given_back", tasks=len(expected), reason=type(error.orig).__name__)


_COLUMNS = "t.id, t.task_type, t.stage, t.priority, t.attempt, t.timeout"

_ROOM = text(
    f"""
    SELECT wanted.queue, wanted.priority,
        CASE WHEN EXISTS (
            SELECT FROM tasks
            WHERE queue = wanted.queue AND priority = wanted.priority AND published_at IS NULL AND {READY}
        ) THEN 0 ELSE :window - (
            SELECT count(*) FROM (
                SELECT FROM tasks
                WHERE queue = wanted.queue AND priority = wanted.priority
                    AND published_at IS NOT NULL AND {READY}
                LIMIT :window
            ) AS published
        ) END AS room
    FROM unnest(CAST(:queues AS text[]), CAST(:priorities AS smallint[])) AS wanted(queue, priority)
    """
)

_REFILL = text(
    f"""
    WITH picked AS MATERIALIZED (
        SELECT next.id
        FROM unnest(CAST(:queues AS text[])) AS wanted(queue)
        CROSS JOIN (VALUES (9), (6), (4), (1)) AS level(priority)
        CROSS JOIN LATERAL (
            SELECT id FROM tasks
            WHERE queue = wanted.queue AND priority = level.priority AND published_at IS NULL AND {READY}
            ORDER BY id
            LIMIT greatest(0, :window - (
                SELECT count(*) FROM (
                    SELECT FROM tasks
                    WHERE queue = wanted.queue AND priority = level.priority
                        AND published_at IS NOT NULL AND {READY}
                    LIMIT :window
                ) AS published
            ))
            FOR UPDATE SKIP LOCKED
        ) AS next
    )
    UPDATE tasks AS t SET published_at = now(), publications = publications + 1
    FROM picked WHERE t.id = picked.id
    RETURNING {_COLUMNS}
    """
)

_WAKE = text(
    """
    UPDATE tasks SET status = :target
    WHERE id IN (
        SELECT id FROM tasks
        WHERE status = ANY(CAST(:sources AS text[])) AND status = 'waiting' AND due_at <= now()
        ORDER BY due_at LIMIT 5000 FOR UPDATE SKIP LOCKED
    )
    """
)

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

_GIVE_BACK = text(
    f"""
    UPDATE tasks AS t SET published_at = NULL
    FROM unnest(CAST(:ids AS uuid[]), CAST(:attempts AS integer[])) AS expected(id, attempt)
    WHERE t.id = expected.id AND t.attempt = expected.attempt AND {READY.replace("worker_id", "t.worker_id")}
    """
)
