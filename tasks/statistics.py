"""What operators ask: the queues, the workers, and the deployment's metrics, all read from the tables."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector
from sqlalchemy import select, text
from sqlalchemy.orm import Session

import metrics
from broker.topology import QUEUES, Counts
from models import Tally, Worker
from models.base import rfc3339
from models.shard import TAKEN
from models.task import READY
from tasks import pausing
from tasks.unit import broker


def queues(session: Session) -> list[dict[str, Any]]:
    """Each queue as both servers see it; RabbitMQ's half is null while it is away."""
    rows = {row.queue: row for row in session.execute(_QUEUES)}
    held_back = pausing.paused(session)
    counts: dict[str, Counts] = broker().counts() or {}
    shown = []
    for name in QUEUES:
        row, held = rows.get(name), counts.get(name)
        shown.append(
            {
                "queue": name,
                "paused": name in held_back,
                "waiting": row.ready if row else 0,
                "delayed": row.delayed if row else 0,
                "running": row.running if row else 0,
                "oldest_age_seconds": round(row.oldest, 3) if row and row.oldest else 0,
                "ready": held.ready if held else None,
                "unacked": max(0, row.published - held.ready) + row.running if row and held else 0 if held else None,
                "dead_lettered": held.dead_lettered if held else None,
                "consumers": held.consumers if held else None,
            }
        )
    return shown


def workers(session: Session) -> dict[str, Any]:
    """The processes that work, and what each holds."""
    rows = session.scalars(select(Worker).where(Worker.kind == "worker").order_by(Worker.id)).all()
    # A worker also holds what is claimed a moment before its thread starts.
    active = {row.id: min(len(row.current), row.threads) for row in rows}
    return {
        "active": sum(active.values()),
        "idle": sum(row.threads for row in rows) - sum(active.values()),
        "workers": [
            {
                "worker_id": str(row.id),
                "name": row.name,
                "queues": row.queues,
                "threads": row.threads,
                "active": active[row.id],
                "current_tasks": [str(each) for each in row.current],
                "prefetched": row.prefetched,
                "started_at": rfc3339(row.started_at),
                "heartbeat_at": rfc3339(row.heartbeat_at),
            }
            for row in rows
        ],
    }


def exposition(session: Session) -> bytes:
    """Every metric in Prometheus' text format: the deployment's totals, whichever web process is asked."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Snapshot([*_counted(session), *_gauges(session)]))
    return generate_latest(registry)


class _Snapshot(Collector):
    """What the tables said when they were asked."""

    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def _counted(session: Session) -> list[Metric]:
    totals: dict[tuple[str, str], tuple[int, float, list[int]]] = {}
    for tally in session.scalars(select(Tally)):
        key = (tally.metric, tally.labels)
        count, total, buckets = totals.get(key, (0, 0.0, [0] * len(tally.buckets)))
        added = [a + b for a, b in zip(buckets, tally.buckets, strict=True)]
        totals[key] = (count + tally.count, total + tally.sum, added)
    families: list[Metric] = []
    for metric in metrics.COUNTED:
        own = sorted((labels.split("|"), tally) for (name, labels), tally in totals.items() if name == metric.name)
        families.append(_counter(metric, own) if metric.kind == "counter" else _histogram(metric, own))
    return families


Samples = list[tuple[list[str], tuple[int, float, list[int]]]]


def _counter(metric: metrics.Metric, samples: Samples) -> Metric:
    family = CounterMetricFamily(metric.name, metric.help, labels=metric.labels)
    for labels, (count, _, _) in samples:
        family.add_metric(labels, count)
    return family


def _histogram(metric: metrics.Metric, samples: Samples) -> Metric:
    family = HistogramMetricFamily(metric.name, metric.help, labels=metric.labels)
    bounds = [*map(str, metrics.BUCKETS), "+Inf"]
    for labels, (_, total, buckets) in samples:
        family.add_metric(labels, list(zip(bounds, accumulate(buckets), strict=True)), total)
    return family


def _gauges(session: Session) -> list[Metric]:
    rows = {row.queue: row for row in session.execute(_QUEUES)}
    pool = workers(session)
    size = GaugeMetricFamily(metrics.QUEUE_SIZE.name, metrics.QUEUE_SIZE.help, labels=metrics.QUEUE_SIZE.labels)
    oldest = GaugeMetricFamily(metrics.OLDEST.name, metrics.OLDEST.help, labels=metrics.OLDEST.labels)
    for queue in QUEUES:
        size.add_metric([queue], rows[queue].ready if queue in rows else 0)
        oldest.add_metric([queue], (rows[queue].oldest or 0) if queue in rows else 0)
    return [
        size,
        oldest,
        GaugeMetricFamily(metrics.ACTIVE.name, metrics.ACTIVE.help, value=pool["active"]),
        GaugeMetricFamily(metrics.IDLE.name, metrics.IDLE.help, value=pool["idle"]),
    ]


_QUEUES = text(
    f"""
    SELECT queue,
        count(*) FILTER (WHERE {READY}) AS ready,
        count(*) FILTER (WHERE {READY} AND published_at IS NOT NULL) AS published,
        count(*) FILTER (WHERE status = 'waiting') AS delayed,
        count(*) FILTER (WHERE worker_id <> '{TAKEN}') + coalesce(sum(
            (SELECT count(*) FROM shards WHERE task_id = tasks.id AND shards.worker_id IS NOT NULL)
        ) FILTER (WHERE shards > 0), 0)::bigint AS running,
        extract(epoch FROM now() - min(due_at) FILTER (WHERE {READY}))::float AS oldest
    FROM tasks WHERE status IN ('waiting', 'queued', 'processing')
    GROUP BY queue
    """
)
