"""The deployment's metrics in Prometheus' text format: its totals, whichever web process is asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

import metrics
from broker.topology import QUEUES
from errors import CODES
from pipeline import STAGES
from settings import VERSION, settings
from tasks.transactions import tallies
from tasks.transactions.tallies import Key, Total
from tasks.types import all_stages, all_types
from tasks.views.figures.statistics import Server, Snapshot, workers

#: What can become of an attempt to call back; see `tasks.ending.callbacks`.
OUTCOMES = ("delivered", "refused", "put_off", "given_up")
#: Values of a gauge by the values of its labels.
Samples = Mapping[tuple[str, ...], float]


#: As the metric of stages has them.
_STAGES: Samples = {(name,): 1 for name in STAGES}


@dataclass(frozen=True, slots=True)
class Besides:
    """What the tables do not tell.

    Parameters:
      gauges: of the servers, and of the process that is asked.
      zeros: the labels of counters that are known to whoever asks, as `_zeros` has those that are known here.
    """

    gauges: Mapping[metrics.Metric, Samples]
    zeros: Mapping[metrics.Metric, Iterable[tuple[str, ...]]] = field(default_factory=dict)


def exposition(snapshot: Snapshot | None, besides: Besides) -> bytes:
    """Return every metric.

    Parameters:
      snapshot: None while PostgreSQL cannot be used; then only what needs none is told.
    """
    gauges: dict[metrics.Metric, Samples] = {**besides.gauges, metrics.BUILD: {(VERSION,): 1}, metrics.STAGE: _STAGES}
    families: list[Metric] = []
    if snapshot is not None:
        families = _counted(tallies.totals(snapshot.tallies), besides.zeros)
        gauges = _of_queues(snapshot) | _of_tasks(snapshot) | _of_processes(snapshot) | gauges
    registry = CollectorRegistry(auto_describe=False)
    ProcessCollector(registry=registry)
    registry.register(_Families([*families, *(_gauge(metric, samples) for metric, samples in gauges.items())]))
    return generate_latest(registry)


class _Families(Collector):
    """Metrics that are complete."""

    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def _counted(totals: Mapping[Key, Total], zeros: Mapping[metrics.Metric, Iterable[tuple[str, ...]]]) -> list[Metric]:
    families = []
    for metric in metrics.COUNTED:
        own = {tuple(labels.split("|")): total for (name, labels), total in totals.items() if name == metric.name}
        if metric.kind == "counter":
            families.append(_counter(metric, own, zeros.get(metric) or _zeros(metric)))
        else:
            families.append(_histogram(metric, own))
    return families


def _zeros(metric: metrics.Metric) -> Iterable[tuple[str, ...]]:
    """Return the labels of a counter that are known before anything is counted.

    They are shown as 0 from the start: Prometheus sees no increase in a series that begins with 1. What embedder and
    what duty of the clock there is, is not known here.
    """
    types, stages = all_types(), all_stages()
    if metric in (metrics.SUCCESS, metrics.RETRY):
        names = stages if metric == metrics.RETRY else stages | types
        return [(name,) for name in names]
    if metric == metrics.FAILURE:
        return [(name, code) for name in types for code in CODES]
    if metric == metrics.CALLBACK:
        return [(outcome,) for outcome in OUTCOMES]
    return [(queue,) for queue in QUEUES] if metric.labels == ("queue",) else ()


def _counter(
    metric: metrics.Metric, totals: Mapping[tuple[str, ...], Total], zeros: Iterable[tuple[str, ...]]
) -> Metric:
    family = CounterMetricFamily(metric.name, metric.help, labels=metric.labels)
    counts = dict.fromkeys(zeros, 0) | {labels: count for labels, (count, _, _) in totals.items()}
    for labels, count in sorted(counts.items()):
        family.add_metric(labels, count)
    return family


def _histogram(metric: metrics.Metric, totals: Mapping[tuple[str, ...], Total]) -> Metric:
    family = HistogramMetricFamily(metric.name, metric.help, labels=metric.labels)
    bounds: Sequence[str] = [*map(str, metrics.BUCKETS), "+Inf"]
    for labels, (_, total, buckets) in sorted(totals.items()):
        family.add_metric(labels, list(zip(bounds, accumulate(buckets), strict=True)), total)
    return family


def _gauge(metric: metrics.Metric, samples: Samples) -> Metric:
    family = GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)
    for labels, value in samples.items():
        family.add_metric(labels, value)
    return family


def _of_queues(snapshot: Snapshot) -> dict[metrics.Metric, Samples]:
    rows = snapshot.queues
    return {
        metrics.QUEUE_SIZE: {(name,): rows[name].ready if name in rows else 0 for name in QUEUES},
        metrics.OLDEST: {(name,): (rows[name].oldest or 0) if name in rows else 0 for name in QUEUES},
        metrics.SERVING: {(name,): snapshot.threads(name) for name in QUEUES},
        metrics.PAUSED: {(name,): name in snapshot.pauses for name in QUEUES},
    }


def _of_tasks(snapshot: Snapshot) -> dict[metrics.Metric, Samples]:
    rows, owed = snapshot.queues.values(), snapshot.owed
    return {
        metrics.UNKNOWN: {(name,): 1 for name in snapshot.unknown},
        metrics.OPEN: {
            ("waiting",): sum(row.delayed for row in rows),
            ("queued",): sum(row.queued for row in rows),
            ("processing",): sum(row.processing for row in rows),
        },
        metrics.BACKLOG: {(): sum(row.ready + row.delayed for row in rows)},
        metrics.BACKLOG_LIMIT: {(): settings().max_backlog},
        metrics.OWED: {(): owed.owed},
        metrics.OWED_AGE: {(): (snapshot.as_of - owed.since).total_seconds() if owed.since else 0},
    }


def _of_processes(snapshot: Snapshot) -> dict[metrics.Metric, Samples]:
    pool, clocks = (
        workers(snapshot),
        [process.heartbeat_at for process in snapshot.processes if process.kind == "clock"],
    )
    return {
        metrics.ACTIVE: {(): pool["active"]},
        metrics.IDLE: {(): pool["idle"]},
        metrics.PROCESSES: {(kind,): len(snapshot.alive(kind)) for kind in ("worker", "clock")},
        metrics.CLOCKS: {(): len(snapshot.alive("clock"))},
        metrics.CLOCK_AGE: {(): (snapshot.as_of - max(clocks)).total_seconds() if clocks else float("inf")},
        metrics.PROVIDER_WAIT: {
            (name,): (until - snapshot.as_of).total_seconds() for name, until in snapshot.paced.items()
        },
    }


def of_server(server: Server) -> dict[metrics.Metric, Samples]:
    """Return the gauges of PostgreSQL itself."""
    about = server.itself
    return {
        metrics.CONNECTIONS: {
            ("active",): about.active,
            ("idle",): about.idle,
            ("idle in transaction",): about.in_transaction,
        },
        metrics.MOST_CONNECTIONS: {(): about.most},
        metrics.DATABASE_BYTES: {(): about.bytes},
        metrics.EVENT_LAG: {(): about.writing},
        metrics.LIVE_ROWS: {(row.name,): row.live for row in server.tables},
        metrics.DEAD_ROWS: {(row.name,): row.dead for row in server.tables},
    }
