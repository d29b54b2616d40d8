"""What the deployment did over time: its counters, noted every 10 seconds by the clock, so that no other server need.

Each row is a total and not an increase: a look that is missed, made twice or made by two clocks loses and doubles
nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

import metrics
from models import History, Tally, database
from models.base import Json, rfc3339
from models.statement import Statement
from tasks.transactions import tallies
from tasks.transactions.tallies import Key, Total
from tasks.transactions.unit import Unit
from tasks.types import all_types
from tasks.views.figures import backlog

#: Seconds between two notes of the counters, and of what the queues hold, which is dearer to count.
STEP, STEP_OF_QUEUES = 10, 60
NOTED = (metrics.SUCCESS, metrics.FAILURE, metrics.RETRY, metrics.PROCESSING, metrics.END_TO_END)
NOTED_BESIDES = (metrics.CALLBACK, metrics.EMBEDDING_TOKENS)
#: What is noted of queues, by the field of `backlog.by_queue`.
OF_QUEUES = {"ready": "queue waiting", "running": "queue running", "oldest": "queue oldest_age_seconds"}


@dataclass(frozen=True, slots=True)
class Window:
    """How far back a look goes, and the seconds between its points."""

    length: timedelta
    step: int


WINDOWS = {
    "1h": Window(timedelta(hours=1), STEP),
    "24h": Window(timedelta(hours=24), 60),
    "90d": Window(timedelta(days=90), 3600),
}

#: When totals were noted, and these.
Noted = tuple[datetime, Mapping[Key, Total]]
#: The values of a series at a point, from its total there and at the point before.
Value = Callable[[Total, Total], float | None]


@dataclass(frozen=True, slots=True)
class Measure:
    """What can be asked for: a metric, which of its labels names a series, and how a value comes of it."""

    help: str
    unit: str
    metric: str
    value: Value
    label: int = 0
    of_types: bool = False
    """Whether the first label must be a task type; else a stage counts as well."""


def _increase(now: Total, before: Total) -> float:
    return max(0, now[0] - before[0])


def _level(now: Total, _: Total) -> float:
    return now[1]


def _quantile(share: float) -> Value:
    def value(now: Total, before: Total) -> float | None:
        inside = [
            max(0, later - earlier) for later, earlier in zip(now[2], before[2] or [0] * len(now[2]), strict=True)
        ]
        return quantile(inside, share)

    return value


def quantile(inside: Sequence[int], share: float) -> float | None:
    """Estimate below which value a share of observations lies, as Prometheus' `histogram_quantile` does.

    Parameters:
      inside: observations in each bucket of `metrics.BUCKETS`, and beyond the last.

    Returns:
      seconds; None where nothing was observed.
    """
    rank, below, bound = share * sum(inside), 0, 0.0
    if not rank:
        return None
    for upper, count in zip(metrics.BUCKETS, inside, strict=False):
        if below + count >= rank:
            return bound + (upper - bound) * (rank - below) / count
        below, bound = below + count, upper
    return bound


MEASURES = {
    "completed": Measure("Tasks that completed, by type.", "tasks", metrics.SUCCESS.name, _increase, of_types=True),
    "failed": Measure("Tasks that failed, by error code.", "tasks", metrics.FAILURE.name, _increase, 1, of_types=True),
    "retries": Measure(
        "Attempts that were put off after an error, by stage.", "attempts", metrics.RETRY.name, _increase
    ),
    "stage_seconds_p50": Measure(
        "Seconds within which half of the attempts at a stage ended.",
        "seconds",
        metrics.PROCESSING.name,
        _quantile(0.5),
    ),
    "stage_seconds_p95": Measure(
        "Seconds within which 95 % of the attempts at a stage ended.",
        "seconds",
        metrics.PROCESSING.name,
        _quantile(0.95),
    ),
    "task_seconds_p50": Measure(
        "Seconds from submission within which half of the tasks ended, by type.",
        "seconds",
        metrics.END_TO_END.name,
        _quantile(0.5),
    ),
    "task_seconds_p95": Measure(
        "Seconds from submission within which 95 % of the tasks ended, by type.",
        "seconds",
        metrics.END_TO_END.name,
        _quantile(0.95),
    ),
    "waiting": Measure("Tasks that could start, by queue; each minute.", "tasks", OF_QUEUES["ready"], _level),
    "running": Measure("Stages at work, by queue; each minute.", "stages", OF_QUEUES["running"], _level),
    "oldest_age_seconds": Measure(
        "How long the first of those that could start has waited, by queue; each minute.",
        "seconds",
        OF_QUEUES["oldest"],
        _level,
    ),
    "tokens": Measure("Tokens sent to embedders.", "tokens", metrics.EMBEDDING_TOKENS.name, _increase),
    "callbacks": Measure("Attempts to call back, by outcome.", "attempts", metrics.CALLBACK.name, _increase),
}


def record(unit: Unit) -> None:
    """Note what the counters say now, unless it was noted in these 10 seconds."""
    session = unit.session
    at: datetime = session.execute(_NOW, {"step": timedelta(seconds=STEP)}).scalar_one()
    if session.scalars(select(History.at).where(History.metric.in_(_names()), History.at == at).limit(1)).first():
        return
    sums = tallies.totals(session.scalars(select(Tally).where(Tally.metric.in_(_names()))))
    if at.timestamp() % STEP_OF_QUEUES == 0:
        sums |= _of_queues(session)
    rows = [
        {"metric": metric, "at": at, "labels": labels, "count": count, "sum": total, "buckets": list(buckets)}
        for (metric, labels), (count, total, buckets) in sums.items()
    ]
    if rows:
        session.execute(insert(History).on_conflict_do_nothing(), rows)


def _names() -> list[str]:
    return [metric.name for metric in (*NOTED, *NOTED_BESIDES)]


def _of_queues(session: Session) -> dict[Key, Total]:
    rows = backlog.by_queue(session)
    return {
        (metric, queue): (1, float(getattr(row, field) or 0), ())
        for queue, row in rows.items()
        for field, metric in OF_QUEUES.items()
    }


def thin(unit: Unit) -> None:
    """Thin the history: after an hour keep one note a minute, after a day one an hour, after 90 days none."""
    unit.session.execute(_THIN)


def totals_since(session: Session, past: timedelta) -> Noted | None:
    """Return the first totals that were noted in so much time, and when; None where none were."""
    at = session.execute(_FIRST, {"metric": metrics.SUCCESS.name, "past": past}).scalar_one()
    if at is None:
        return None
    rows = session.scalars(select(History).where(History.metric.in_(_names()), History.at == at))
    return at, tallies.totals(rows)


def series(session: Session, measure: Measure, window: Window) -> Json:
    """Read a measure over time.

    Returns:
      `as_of`, `step_seconds`, `times` in Unix seconds, and for each series its `name` and its `values`, one for each of
      the times: what came about since the time before it, or was so then; null where nothing is known.
    """
    values = {"metric": measure.metric, "past": window.length, "step": window.step}
    rows = database.rows(session, _POINTS, values)
    as_of: datetime = session.execute(text("SELECT now()")).scalar_one()
    points: dict[datetime, dict[str, Total]] = {}
    if measure.value is not _level:
        # A counter is noted from its first count on: the times before are those of another, which counts every attempt.
        points = {row: {} for row in session.scalars(_TIMES, values | {"metric": metrics.PROCESSING.name})}
    for row in rows:
        name = _series_of(measure, row.labels)
        point = points.setdefault(row.at, {})
        if name is not None:
            point[name] = _plus(point.get(name), (row.counted, row.sum, row.buckets))
    names = sorted({name for point in points.values() for name in point})
    pairs = list(pairwise(sorted(points)))
    return {
        "as_of": rfc3339(as_of),
        "step_seconds": max(window.step, STEP_OF_QUEUES) if measure.value is _level else window.step,
        "times": [int(at.timestamp()) for _, at in pairs],
        "series": [{"name": name, "values": _values(points, pairs, name, measure.value)} for name in names],
    }


def _series_of(measure: Measure, labels: str) -> str | None:
    parts = labels.split("|")
    return None if measure.of_types and parts[0] not in all_types() else parts[measure.label]


def _plus(one: Total | None, other: Total) -> Total:
    if one is None:
        return other
    return one[0] + other[0], one[1] + other[1], [mine + more for mine, more in zip(one[2], other[2], strict=True)]


def _values(
    points: Mapping[datetime, Mapping[str, Total]],
    pairs: Iterable[tuple[datetime, datetime]],
    name: str,
    value: Value,
) -> list[float | None]:
    nothing: Total = (0, 0.0, ())
    return [
        value(points[at][name], points[before].get(name, nothing)) if name in points[at] else None
        for before, at in pairs
    ]


_NOW = text("SELECT date_bin(:step, now(), TIMESTAMPTZ '2000-01-01 00:00Z')")

_FIRST = text("SELECT min(at) FROM history WHERE metric = :metric AND at >= now() - CAST(:past AS interval)")


class Point(NamedTuple):
    """What a counter said at a moment."""

    at: datetime
    labels: str
    counted: int
    sum: float
    buckets: list[int]


_POINTS = Statement(
    """
    SELECT at, labels, count AS counted, sum, buckets FROM history
    WHERE metric = :metric AND at >= now() - CAST(:past AS interval) - :step * interval '1 second'
        AND mod(CAST(extract(epoch FROM at) AS bigint), :step) = 0
    """,
    Point,
)

_TIMES = text(
    """
    SELECT DISTINCT at FROM history
    WHERE metric = :metric AND at >= now() - CAST(:past AS interval) - :step * interval '1 second'
        AND mod(CAST(extract(epoch FROM at) AS bigint), :step) = 0
    """
)

#: The metrics are walked one by one, so that of each only what has come of age is looked at.
_THIN = text(
    """
    WITH RECURSIVE each(metric) AS (
        SELECT min(metric) FROM history
        UNION ALL
        SELECT (SELECT min(metric) FROM history WHERE history.metric > each.metric) FROM each WHERE metric IS NOT NULL
    )
    DELETE FROM history USING each WHERE history.metric = each.metric AND (
        at < now() - interval '90 days'
        OR at BETWEEN now() - interval '25 hours' AND now() - interval '24 hours'
            AND mod(CAST(extract(epoch FROM at) AS bigint), 3600) > 0
        OR at BETWEEN now() - interval '2 hours' AND now() - interval '1 hour'
            AND mod(CAST(extract(epoch FROM at) AS bigint), 60) > 0
    )
    """
)
