"""What runs next. PostgreSQL decides it; a message in RabbitMQ only wakes a worker that has nothing to do.

A worker's thread that is woken, or that has ended its work, asks for the next: of the highest priority, what was begun
before what was not, and round robin between knowledge bases, of which the one that runs the fewest goes first. So none
starves, and the backlog of one costs another no more than its turn. A KB of weight 3 has three turns in each round, and
is compared by a third of what it runs. No priority starves either: once in ONE_IN, what
has waited for AGEING goes before the more urgent, one priority after the other.

Losing a message costs time only: the clock finds a queue in which tasks wait and no message does.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

from broker.topology import PRIORITIES
from models.kb import WEIGHT
from models.statement import Statement, prepared
from models.task import KB, READY
from tasks.lifecycle import sources, target
from tasks.transactions.unit import Unit
from tasks.transactions.waking import MOST_MESSAGES
from tasks.transitions.claiming import RUNS, WAKE
from tasks.transitions.pieces import WAITING, Waiting
from tasks.types import all_stages, all_types, stages_left

#: Messages that a woken thread publishes while more waits: with two, as many threads as there are wake within moments.
WAKES = 2
#: Tasks of one queue and priority that wait while a new one needs no message: everybody is at work.
BUSY = 100
#: KBs that one look walks through; the next goes on behind the last that was served.
KBS_AT_ONCE = 50
#: What has waited so long goes before higher priorities, once in ONE_IN looks.
AGEING = timedelta(seconds=60)
ONE_IN = 10
#: Seconds that tasks may wait in a queue without a message before the clock publishes one.
LOST_AFTER = timedelta(seconds=2)
#: Above each of these the lowest priority is looked for in turn, when what has waited for long goes first.
FLOORS = (-1, *sorted(PRIORITIES.values())[:-2])
#: The share of a thread that a task takes is counted in whole numbers.
WHOLE = 1_000_000


def queues() -> tuple[str, ...]:
    """Return every queue that a task can wait in; those of last stages first, so that what was begun ends."""
    left: dict[str, int] = {}
    for stage in all_stages().values():
        left[stage.queue] = min(left.get(stage.queue, 99), stages_left(stage.name))
    return tuple(sorted(left, key=lambda queue: (left[queue], queue)))


class Candidate(NamedTuple):
    """A task that may run, in its order; `picked`: it is among those that were asked for."""

    id: UUID
    task_type: str
    stage: str
    queue: str
    kb: str
    priority: int
    attempt: int
    timeout: float
    request_id: str | None
    traceparent: str | None
    share: int
    place: int
    weight: int
    picked: bool


@dataclass
class Queues:
    """The queues that a worker takes work from, and where it goes on.

    Parameters:
      names: in the order in which they are served.
    """

    names: Sequence[str]
    after: dict[str, str] = field(default_factory=dict)
    """The KB that was served last in each."""
    used: dict[str, int] = field(default_factory=dict)
    """The turns that it has had of those that its weight gives it in a round; 0: all."""
    widths: dict[str, int] = field(default_factory=dict)
    """Tasks that one thread is to take of a stage at once, where that was learnt."""
    met_locks: bool = False
    """Whether the last look found nothing but what somebody had locked."""
    saw_all: bool = False
    """Whether the last look took all that waited."""
    looks: int = 0
    """So many were made; one in ONE_IN begins with what has waited for long."""


def next_tasks(unit: Unit, wanted: Queues, threads: int, most: int | None) -> list[Candidate]:
    """Return what so many threads are to run next, and a few of those that come behind it.

    Parameters:
      most: tasks that may be picked; None: as many as fit.
    """
    wanted.looks += 1
    rows: list[Candidate] = []
    if wanted.looks % ONE_IN == 0:
        for floor in dict.fromkeys((FLOORS[wanted.looks // ONE_IN % len(FLOORS)], FLOORS[0])):
            if not any(row.picked for row in rows):
                rows = _look(unit, _LOWEST, wanted, threads, most, floor)
    if not any(row.picked for row in rows):
        rows = _look(unit, _HIGHEST, wanted, threads, most)
    wanted.met_locks = bool(rows) and not any(row.picked for row in rows)
    wanted.saw_all = all(row.picked for row in rows)
    for queue in {row.queue for row in rows if row.picked}:
        _go_on_behind(wanted, queue, [row for row in rows if row.queue == queue])
    return rows


def _go_on_behind(wanted: Queues, queue: str, rows: Sequence[Candidate]) -> None:
    """Note which KB of a queue was served last, and how many turns it has had.

    Where there are more KBs than one look walks through, the next look begins behind those that this one served.
    """
    picked = [row for row in rows if row.picked]
    saw_all_kbs = max(row.place for row in rows) < KBS_AT_ONCE
    last = picked[-1] if saw_all_kbs else max(picked, key=lambda row: row.place)
    had = wanted.used.get(queue, 0) if wanted.after.get(queue) == last.kb else 0
    wanted.after[queue] = last.kb
    wanted.used[queue] = (had + sum(row.kb == last.kb for row in picked)) % last.weight


def _look(
    unit: Unit, statement: Statement[Candidate], wanted: Queues, threads: int, most: int | None, floor: int = -1
) -> list[Candidate]:
    shares: dict[str, int] = {}
    widest: dict[str, int] = {}
    for kind in all_types().values():
        for stage in kind.stages:
            width = min(stage.bundle, wanted.widths.get(stage.name, 1)) if most is None else 1
            shares[f"{kind.name} {stage.name}"] = WHOLE // width
            widest[stage.queue] = max(widest.get(stage.queue, 1), width)
    return unit.execute(
        statement,
        {
            "queues": list(wanted.names),
            "after": [wanted.after.get(queue, "") for queue in wanted.names],
            "used": [wanted.used.get(queue, 0) for queue in wanted.names],
            "widest": [widest.get(queue, 1) for queue in wanted.names],
            "known": list(shares),
            "shares": list(shares.values()),
            "threads": threads,
            "most": most if most is not None else threads * max(widest.values()),
            "kbs_at_once": KBS_AT_ONCE,
            "wakes": WAKES,
            "ageing": AGEING,
            "floor": floor,
        },
    )


def announce(unit: Unit, queues: Iterable[str]) -> int:
    """Wake workers for what is ready in these queues.

    Returns:
      how many tasks the messages name.
    """
    rows = unit.execute(_READY, {"queues": sorted(set(queues)), "limit": MOST_MESSAGES})
    unit.ready(rows)
    return len(rows)


def wake(unit: Unit) -> int:
    """Make ready what was put off until now."""
    rows = unit.execute(WAKE, {"sources": list(sources("wake")), "target": target("wake")})
    if rows:
        announce(unit, {row.queue for row in rows})
    return len(rows)


def find_lost(unit: Unit, ready: dict[str, int]) -> int:
    """Wake a worker for each queue in which tasks wait and of which RabbitMQ holds no message.

    Parameters:
      ready: messages of each queue that RabbitMQ holds ready for a worker.

    Returns:
      how many queues there were.
    """
    empty = [queue for queue, count in ready.items() if count == 0]
    rows = unit.execute(_LOST, {"queues": empty, "after": LOST_AFTER})
    unit.ready(rows)
    return len(rows)


_NOT_PAUSED = "NOT EXISTS (SELECT FROM paused_queues AS paused WHERE paused.queue = {queue})"

#: The KB behind `at` in a level's queue and priority; behind the last one the first.
_BEHIND = """coalesce((
                SELECT {kb} FROM tasks
                WHERE queue = {level}.queue AND priority = {level}.priority AND {kb} > {at} AND {runs}
                ORDER BY queue, priority, {kb} LIMIT 1
            ), (
                SELECT {kb} FROM tasks WHERE queue = {level}.queue AND priority = {level}.priority AND {runs}
                ORDER BY queue, priority, {kb} LIMIT 1
            ))"""

#: The KB that was served last, where turns of its are left and tasks of its wait; else NULL.
_SAME = """(
                SELECT {kb} FROM tasks
                WHERE level.used > 0 AND queue = level.queue AND priority = level.priority AND {kb} = level.after
                    AND {runs}
                ORDER BY queue, priority, {kb} LIMIT 1
            )"""

#: `walked` goes through the index from one KB to the next, which costs one probe for each, however many tasks wait, and
#: begins again at its first KB behind its last. Where only the first row is asked for, the order keeps PostgreSQL on
#: that index when most of the table's rows would do. OFFSET 0 has it look for a KB once, and not again wherever `kb` is
#: named. `round` is the one in which a task has its turn: in front of it is what its KB runs, or has had of this round.
_NEXT = """
    WITH RECURSIVE level AS MATERIALIZED (
        SELECT asked.*, first.priority
        FROM unnest(
            CAST(:queues AS text[]), CAST(:after AS text[]), CAST(:used AS integer[]), CAST(:widest AS integer[])
        ) WITH ORDINALITY AS asked(queue, after, used, widest, turn)
        CROSS JOIN LATERAL (
            SELECT priority FROM tasks WHERE queue = asked.queue {above} AND {runs}
            ORDER BY queue {way}, priority {way}, {kb} {way}, id {way} LIMIT 1
        ) AS first
        WHERE {not_paused}
    ), walked(queue, priority, turn, widest, place, kb, start, used) AS (
        SELECT level.queue, level.priority, level.turn, level.widest, 1, first.kb, first.kb,
            CASE WHEN first.kb = level.after THEN level.used ELSE 0 END
        FROM level CROSS JOIN LATERAL (
            SELECT coalesce({same}, {behind_level}) AS kb OFFSET 0
        ) AS first
        WHERE level.priority = (SELECT {best}(priority) FROM level)
        UNION ALL
        SELECT walked.queue, walked.priority, walked.turn, walked.widest, walked.place + 1, next.kb, walked.start, 0
        FROM walked CROSS JOIN LATERAL (
            SELECT {behind_walked} AS kb OFFSET 0
        ) AS next
        WHERE walked.place < :kbs_at_once AND next.kb <> walked.start
    ), weighed AS MATERIALIZED (
        SELECT walked.*, {weight} AS weight FROM walked
    ), width AS MATERIALIZED (
        SELECT queue, sum(weight) AS turns FROM weighed GROUP BY queue
    ), candidate AS (
        SELECT oldest.*, kb.queue, kb.kb, kb.priority, kb.place, kb.turn, kb.weight,
            (greatest(kb.used, CASE WHEN kb.widest > 1 THEN 0 ELSE (
                SELECT count(*) FROM tasks WHERE queue = kb.queue AND {kb} = kb.kb AND worker_id IS NOT NULL
            ) END) + row_number() OVER (PARTITION BY kb.queue, kb.place ORDER BY oldest.id) - 1) / kb.weight AS round
        FROM weighed AS kb JOIN width ON width.queue = kb.queue CROSS JOIN LATERAL (
            SELECT id, task_type, stage, attempt, timeout, request_id, traceparent,
                (CAST(:shares AS integer[]))[array_position(CAST(:known AS text[]), task_type || ' ' || stage)] AS share
            FROM tasks
            WHERE queue = kb.queue AND priority = kb.priority AND {kb} = kb.kb AND {runs} {only}
            ORDER BY id
            LIMIT CAST(:threads AS integer) * kb.widest * kb.weight / width.turns
                + greatest(CAST(:wakes AS integer), least(kb.weight, CAST(:threads AS integer) * kb.widest))
        ) AS oldest
    ), ranked AS MATERIALIZED (
        SELECT candidate.*, row_number() OVER (ORDER BY turn, round, place, id) AS rank,
            sum(share) OVER (ORDER BY turn, round, place, id ROWS UNBOUNDED PRECEDING) - share
                < CAST(:threads AS bigint) * {whole} AS fits
        FROM candidate
    ), own AS MATERIALIZED (
        -- As many as fit. What another worker is claiming in this moment is left to it, and the next ones are taken.
        SELECT free.id FROM (SELECT id FROM ranked ORDER BY rank) AS given CROSS JOIN LATERAL (
            -- num_nulls and not IS NULL: to each of these rows PostgreSQL could otherwise walk through all that wait.
            SELECT t.id FROM tasks AS t WHERE t.id = given.id AND num_nulls(t.worker_id) = 1
                AND t.status IN ('queued', 'processing')
            FOR UPDATE SKIP LOCKED
        ) AS free
        LIMIT (SELECT least(count(*), CAST(:most AS integer)) FROM ranked WHERE fits)
    )
    SELECT ranked.id, task_type, stage, queue, kb, priority, attempt, timeout, request_id, traceparent, share,
        place::integer, weight::integer,
        own.id IS NOT NULL AS picked
    FROM ranked LEFT JOIN own ON own.id = ranked.id ORDER BY rank
"""


def _next(way: str, best: str, above: str = "", only: str = "") -> Statement[Candidate]:
    values = {
        "runs": RUNS,
        "kb": KB,
        "not_paused": _NOT_PAUSED.format(queue="asked.queue"),
        "whole": WHOLE,
        "behind_level": _BEHIND.format(level="level", at="level.after", kb=KB, runs=RUNS),
        "behind_walked": _BEHIND.format(level="walked", at="walked.kb", kb=KB, runs=RUNS),
        "same": _SAME.format(kb=KB, runs=RUNS),
        "weight": WEIGHT.format(kb="walked.kb"),
    }
    return prepared(_NEXT.format(way=way, best=best, above=above, only=only, **values), Candidate)


_HIGHEST = _next("DESC", "max")
_LOWEST = _next(
    "ASC",
    "min",
    above="AND priority > CAST(:floor AS integer)",
    only="AND due_at < now() - CAST(:ageing AS interval)",
)


_READY = prepared(
    f"""
    SELECT next.* FROM unnest(CAST(:queues AS text[])) AS asked(queue) CROSS JOIN LATERAL (
        SELECT {WAITING} FROM tasks WHERE queue = asked.queue AND {READY}
        ORDER BY queue DESC, priority DESC, {KB} DESC, id DESC LIMIT :limit
    ) AS next
    WHERE {_NOT_PAUSED.format(queue="asked.queue")}
    """,
    Waiting,
)

_LOST = Statement(
    f"""
    SELECT next.* FROM unnest(CAST(:queues AS text[])) AS asked(queue) CROSS JOIN LATERAL (
        SELECT {WAITING} FROM tasks
        WHERE queue = asked.queue AND {READY} AND due_at < now() - CAST(:after AS interval)
        ORDER BY queue DESC, priority DESC, {KB} DESC, id DESC LIMIT 1
    ) AS next
    WHERE {_NOT_PAUSED.format(queue="asked.queue")}
    """,
    Waiting,
)
