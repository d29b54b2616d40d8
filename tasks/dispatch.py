"""What is published when: a short window of wake-ups for each queue and priority, refilled as they are claimed.

Knowledge bases share a window by max-min fairness (Bertsekas and Gallager, Data Networks, 6.5.2): the next place goes
to the KB that has the fewest, among equals to the one whose oldest task is the oldest. So none starves, and the
backlog of one costs another no more than KB_WINDOW tasks. No priority starves either: what others kept in RabbitMQ for
AGEING goes before them, once in ONE_IN claims.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from dramatiq import Message
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from broker.topology import PRIORITIES
from models import database
from models.connection import prepared
from models.task import KB, READY
from tasks.lifecycle import sources, target
from tasks.types import all_stages, known
from tasks.unit import Unit
from tasks.wake_up import message_for

log = structlog.get_logger(__name__)

#: Wake-ups of one queue and priority that may be published and not yet claimed. RabbitMQ's queues stay this
#: short, so that order is decided here; long enough that workers never wait for a refill.
WINDOW = 400
#: Of these, at most so many of one KB. RabbitMQ's queues are first in, first out: this is what a KB's only document
#: can find before it.
KB_WINDOW = 32
#: KBs that one refill looks at; where more wait, the next refill goes on behind them.
KBS_AT_ONCE = 200
#: A wake-up that nobody took for so long, since higher priorities came before it, is sent again above all of them.
AGEING = timedelta(seconds=60)
#: How many claims of a queue there are for one such wake-up at least: those that are urgent stay the most.
ONE_IN = 10
#: Seconds between two looks of a process for such wake-ups.
LOOK_EVERY = 1.0


def queues() -> tuple[str, ...]:
    """Every queue that a task can wait in."""
    return tuple(sorted({stage.queue for stage in all_stages().values()}))


class Room:
    """Places that new tasks may take at once: none for a KB of which older tasks still wait.

    Parameters:
      wanted: queue, priority and KB of each new task; at least one.
    """

    at: datetime
    """PostgreSQL's time."""

    def __init__(self, unit: Unit, wanted: Iterable[tuple[str, int, str | None]]) -> None:
        places = sorted({(queue, priority, kb_id or "") for queue, priority, kb_id in wanted})
        rows = unit.session.execute(
            _ROOM,
            {
                "queues": [queue for queue, _, _ in places],
                "priorities": [priority for _, priority, _ in places],
                "kbs": [kb for _, _, kb in places],
                "window": WINDOW,
                "kb_window": KB_WINDOW,
                "known": known(),
            },
        ).all()
        self.at = rows[0].at
        self._of_kb: dict[tuple[str, int, str], int] = {(row.queue, row.priority, row.kb): row.kb_room for row in rows}
        self._of_queue: dict[tuple[str, int], int] = {(row.queue, row.priority): row.room for row in rows}

    def take(self, queue: str, priority: int, kb_id: str | None) -> bool:
        """Whether a task may be published at once; if so, its place is taken."""
        place, share = (queue, priority), (queue, priority, kb_id or "")
        fits = self._of_queue[place] > 0 and self._of_kb[share] > 0
        self._of_queue[place] -= fits
        self._of_kb[share] -= fits
        return fits


#: The KB behind which the next refill of a queue goes on, where more wait than one refill looks at.
_resume_after: dict[str, str] = {}


def refill(unit: Unit, queues: Iterable[str], any_waits: bool | None = None) -> int:
    """Publish tasks that wait, by priority and fairly between KBs, as far as the windows of these queues have room.

    Parameters:
      any_waits: whether there are such tasks, where that is known.

    Returns:
      how many will be published after the commit.
    """
    wanted = sorted(set(queues))
    # While workers keep up nothing waits, and to ask costs a fifteenth of what follows.
    if any_waits is None:
        any_waits = unit.session.execute(_ANY_WAITS, {"queues": wanted, "known": known()}).scalar_one()
    if not any_waits:
        for queue in wanted:
            _resume_after.pop(queue, None)
        return 0
    rows = unit.session.execute(
        _REFILL,
        {
            "queues": wanted,
            "after": [_resume_after.get(queue, "") for queue in wanted],
            "window": WINDOW,
            "kb_window": KB_WINDOW,
            "kbs_at_once": KBS_AT_ONCE,
            "known": known(),
        },
    ).all()
    for queue in wanted:
        _resume_after.pop(queue, None)
    _resume_after.update({row.queue: row.resume_after for row in rows})
    publish(unit, sorted(rows, key=lambda row: row.rank))
    return len(rows)


#: Claims of each queue since this process last looked for what has aged, and when that was.
_claims: Counter[str] = Counter()
_looked_at = -LOOK_EVERY


def age(unit: Unit, claimed: Iterable[str]) -> int:
    """Send again, above all others, what higher priorities have kept waiting for long.

    Parameters:
      claimed: the queue of each claim of this unit.

    Returns:
      how many will be published after the commit.
    """
    global _looked_at
    _claims.update(claimed)
    places = {queue: count // ONE_IN for queue, count in _claims.items() if count >= ONE_IN}
    if not places or time.monotonic() - _looked_at < LOOK_EVERY:
        return 0
    _looked_at = time.monotonic()
    for queue in places:
        del _claims[queue]
    rows = unit.session.execute(
        _AGED,
        {
            "queues": list(places),
            "places": list(places.values()),
            "after": AGEING,
            "highest": max(PRIORITIES.values()),
            "known": known(),
        },
    ).all()
    publish(unit, rows)
    return len(rows)


def wake(unit: Unit) -> int:
    """Make ready what was put off until now."""
    result = unit.session.execute(_WAKE, {"sources": list(sources("wake")), "target": target("wake")})
    return int(result.rowcount)  # type: ignore[attr-defined]


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
        log.warning("not_given_back", tasks=len(expected), reason=database.reason(error))


#: Whether this release knows a task's type and stage; a later one may run beside it. PostgreSQL takes it for a coin's
#: toss: were it taken for rare, every other index would seem better than the one that is in the right order.
KNOWN = "coalesce(task_type || ' ' || stage = ANY(CAST(:known AS text[])), false)"

#: Places of a KB: without one, as many as the window has.
_SHARE = "CASE WHEN {kb} = '' THEN :window ELSE :kb_window END"

_ROOM = prepared(
    f"""
    SELECT wanted.*, now() AS at, :window - (
        SELECT count(*) FROM (
            SELECT FROM tasks
            WHERE queue = wanted.queue AND priority = wanted.priority AND published_at IS NOT NULL AND {READY}
            LIMIT :window
        ) AS published
    ) AS room, CASE
        WHEN EXISTS (SELECT FROM paused_queues AS paused WHERE paused.queue = wanted.queue) THEN 0
        WHEN EXISTS (
            SELECT FROM tasks
            WHERE queue = wanted.queue AND priority = wanted.priority AND {KB} = wanted.kb
                AND published_at IS NULL AND {READY} AND {KNOWN}
        ) THEN 0
        ELSE {_SHARE.format(kb="wanted.kb")} - (
            SELECT count(*) FROM (
                SELECT FROM tasks
                WHERE queue = wanted.queue AND priority = wanted.priority AND {KB} = wanted.kb
                    AND published_at IS NOT NULL AND {READY}
                LIMIT {_SHARE.format(kb="wanted.kb")}
            ) AS published
        )
    END AS kb_room
    FROM unnest(
        CAST(:queues AS text[]), CAST(:priorities AS smallint[]), CAST(:kbs AS text[])
    ) AS wanted(queue, priority, kb)
    """
)

#: Whether anything of `:queues` waits to be published.
ANY_WAITS = f"""
    EXISTS (
        SELECT FROM unnest(CAST(:queues AS text[])) AS wanted(queue) CROSS JOIN LATERAL (
            SELECT FROM tasks WHERE queue = wanted.queue AND published_at IS NULL AND {READY} AND {KNOWN}
            ORDER BY queue, priority, {KB} LIMIT 1
        ) AS waiting
    )
"""
_ANY_WAITS = prepared(f"SELECT {ANY_WAITS}")

#: `kbs` walks the index from one KB to the next, which costs one probe for each, however many tasks wait. Where only
#: the first row is asked for, the order keeps PostgreSQL on that index when most of the table's rows would do.
_REFILL = prepared(
    f"""
    WITH RECURSIVE level AS MATERIALIZED (
        SELECT wanted.queue, wanted.after, level.priority, :window - (
            SELECT count(*) FROM (
                SELECT FROM tasks
                WHERE queue = wanted.queue AND priority = level.priority AND published_at IS NOT NULL AND {READY}
                LIMIT :window
            ) AS published
        ) AS room
        FROM unnest(CAST(:queues AS text[]), CAST(:after AS text[])) AS wanted(queue, after)
        CROSS JOIN (VALUES (9), (6), (4), (1)) AS level(priority)
        CROSS JOIN LATERAL (
            SELECT FROM tasks
            WHERE queue = wanted.queue AND priority = level.priority AND published_at IS NULL AND {READY} AND {KNOWN}
            ORDER BY queue, priority, {KB} LIMIT 1
        ) AS waiting
        WHERE NOT EXISTS (SELECT FROM paused_queues AS paused WHERE paused.queue = wanted.queue)
    ), kbs(queue, priority, place, kb) AS (
        SELECT level.queue, level.priority, 1, first.kb
        FROM level CROSS JOIN LATERAL (
            SELECT {KB} AS kb FROM tasks
            WHERE queue = level.queue AND priority = level.priority AND {KB} >= level.after
                AND published_at IS NULL AND {READY} AND {KNOWN}
            ORDER BY queue, priority, {KB} LIMIT 1
        ) AS first
        WHERE level.room > 0
        UNION ALL
        SELECT kbs.queue, kbs.priority, kbs.place + 1, next.kb
        FROM kbs CROSS JOIN LATERAL (
            SELECT {KB} AS kb FROM tasks
            WHERE queue = kbs.queue AND priority = kbs.priority AND {KB} > kbs.kb
                AND published_at IS NULL AND {READY} AND {KNOWN}
            ORDER BY queue, priority, {KB} LIMIT 1
        ) AS next
        WHERE kbs.place < :kbs_at_once
    ), share AS MATERIALIZED (
        SELECT kbs.*, {_SHARE.format(kb="kbs.kb")} AS places, (
            SELECT count(*) FROM (
                SELECT FROM tasks
                WHERE queue = kbs.queue AND priority = kbs.priority AND {KB} = kbs.kb
                    AND published_at IS NOT NULL AND {READY}
                LIMIT {_SHARE.format(kb="kbs.kb")}
            ) AS published
        ) AS taken
        FROM kbs
    ), ranked AS (
        SELECT next.id, share.queue, share.priority, row_number() OVER (
            PARTITION BY share.queue, share.priority ORDER BY share.taken + next.turn, next.id) AS rank
        FROM share JOIN level USING (queue, priority) CROSS JOIN LATERAL (
            SELECT id, row_number() OVER (ORDER BY id) AS turn FROM (
                SELECT id FROM tasks
                WHERE queue = share.queue AND priority = share.priority AND {KB} = share.kb
                    AND published_at IS NULL AND {READY} AND {KNOWN}
                ORDER BY id
                LIMIT greatest(0, least(level.room, share.places - share.taken))
            ) AS oldest
        ) AS next
    ), resume AS MATERIALIZED (
        SELECT queue, CASE WHEN max(place) < :kbs_at_once THEN '' ELSE max(kb) END AS after FROM kbs GROUP BY queue
    ), picked AS MATERIALIZED (
        -- num_nulls and not IS NULL: to each of these rows PostgreSQL could otherwise walk through all that wait.
        SELECT own.id, ranked.rank
        FROM ranked JOIN level ON
            level.queue = ranked.queue AND level.priority = ranked.priority AND ranked.rank <= level.room
        CROSS JOIN LATERAL (
            SELECT t.id FROM tasks AS t
            WHERE t.id = ranked.id AND num_nulls(published_at) = 1 AND {READY}
            FOR UPDATE SKIP LOCKED
        ) AS own
    )
    UPDATE tasks AS t SET published_at = now(), publications = publications + 1
    FROM picked WHERE t.id = picked.id
    RETURNING t.id, t.task_type, t.stage, t.queue, t.priority, t.attempt, t.timeout, picked.rank,
        (SELECT after FROM resume WHERE resume.queue = t.queue) AS resume_after
    """
)

#: The row keeps its priority; only the new message has another. The old one is let go by the claim that comes second.
_AGED = text(
    f"""
    UPDATE tasks AS t SET published_at = now()
    FROM unnest(CAST(:queues AS text[]), CAST(:places AS integer[])) AS owed(queue, places) CROSS JOIN LATERAL (
        SELECT id FROM tasks
        WHERE queue = owed.queue AND priority < :highest AND {READY}
            AND published_at < now() - CAST(:after AS interval) AND {KNOWN}
        ORDER BY published_at LIMIT owed.places FOR UPDATE SKIP LOCKED
    ) AS oldest
    WHERE t.id = oldest.id
    RETURNING t.id, t.task_type, t.stage, :highest AS priority, t.attempt, t.timeout
    """
)

_WAKE = text(
    """
    UPDATE tasks SET status = :target
    WHERE id IN (
        SELECT id FROM tasks
        WHERE status = ANY(CAST(:sources AS text[])) AND status = 'waiting' AND waiting_for = '{}' AND due_at <= now()
        ORDER BY due_at LIMIT 5000 FOR UPDATE SKIP LOCKED
    )
    """
)

_GIVE_BACK = text(
    f"""
    UPDATE tasks AS t SET published_at = NULL, publications = greatest(publications - 1, 0)
    FROM (
        SELECT own.id FROM unnest(CAST(:ids AS uuid[]), CAST(:attempts AS integer[])) AS expected(id, attempt)
        JOIN tasks AS own
            ON own.id = expected.id AND own.attempt = expected.attempt AND {READY.replace("worker_id", "own.worker_id")}
        ORDER BY own.id FOR UPDATE OF own
    ) AS unclaimed
    WHERE t.id = unclaimed.id
    """
)
