"""A unit of work: one transaction, and what it counts and publishes. Nothing leaves before the commit."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, Protocol

from dramatiq import Message
from sqlalchemy.orm import Session

import metrics
from logs import Outage
from models import database
from models.base import json_of
from models.connection import prepared
from tasks.process import process_id

#: Messages that RabbitMQ does not take; their rows are durable, and the dispatch publishes them later.
UNPUBLISHED = Outage("unpublished")


class Publishing(Protocol):
    """What a unit needs of a broker."""

    def publish(self, messages: list[Message[Any]]) -> Future[None]: ...


_broker: Publishing | None = None


def use_broker(broker: Publishing) -> None:
    """The broker that this process publishes through."""
    global _broker
    _broker = broker


def broker() -> Any:
    """The broker of this process.

    Raises:
      RuntimeError: when `use_broker` was not called.
    """
    if _broker is None:
        raise RuntimeError("tasks.unit.use_broker() must be called before a task can be published")
    return _broker


class Unit:
    """A transaction in progress: its session, the metrics it changes, the messages it owes."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self._messages: list[Message[Any]] = []
        self._tallies: dict[tuple[str, str], tuple[int, float, list[int]]] = {}
        self._unpublished: list[Callable[[], None]] = []

    def publish(self, messages: list[Message[Any]], otherwise: Callable[[], None]) -> None:
        """Publish after the commit; `otherwise` is called if RabbitMQ does not take them."""
        self._messages.extend(messages)
        self._unpublished.append(otherwise)

    def count(self, metric: metrics.Metric, *labels: str, by: int = 1) -> None:
        """Raise a counter, in this transaction's commit."""
        key = (metric.name, "|".join(labels))
        count, total, buckets = self._tallies.get(key, (0, 0.0, []))
        self._tallies[key] = (count + by, total, buckets)

    def observe(self, metric: metrics.Metric, *labels: str, value: float) -> None:
        """Add an observation to a histogram, in this transaction's commit."""
        key = (metric.name, "|".join(labels))
        count, total, buckets = self._tallies.get(key) or (0, 0.0, [0] * (len(metrics.BUCKETS) + 1))
        buckets[bisect_left(metrics.BUCKETS, value)] += 1
        self._tallies[key] = (count + 1, total + value, buckets)

    def write_tallies(self) -> None:
        """Add what was counted to this process's rows; the order of the keys keeps processes from deadlocks."""
        if not self._tallies:
            return
        tallies = sorted(self._tallies.items())
        self.session.execute(
            _ADD_TALLIES,
            {
                "worker": process_id(),
                "tallies": json_of(
                    [
                        {"metric": metric, "labels": labels, "count": count, "sum": total, "buckets": buckets}
                        for (metric, labels), (count, total, buckets) in tallies
                    ]
                ),
            },
        )

    def leave(self) -> None:
        """After the commit: publish without waiting for the confirms."""
        if not self._messages:
            return
        # An idle worker takes what comes first: the highest priority, however the rows came.
        self._messages.sort(key=_urgency)
        fallbacks = self._unpublished

        def settle(done: Future[None]) -> None:
            error = done.exception()
            if error is None:
                UNPUBLISHED.is_over()
                return
            UNPUBLISHED.goes_on(reason=str(error))
            for fallback in fallbacks:
                fallback()

        broker().publish(self._messages).add_done_callback(settle)


def _urgency(message: Message[Any]) -> int:
    return -(message.options.get("broker_priority") or 0)


_ADD_TALLIES = prepared(
    """
    INSERT INTO tallies (worker_id, metric, labels, count, sum, buckets)
    SELECT :worker, each.*
    FROM json_to_recordset(CAST(:tallies AS json)) AS each(
        metric text, labels text, count bigint, sum float, buckets bigint[])
    ORDER BY metric, labels
    ON CONFLICT (worker_id, metric, labels) DO UPDATE SET
        count = tallies.count + excluded.count,
        sum = tallies.sum + excluded.sum,
        buckets = ARRAY(SELECT a + b FROM unnest(tallies.buckets, excluded.buckets) AS pair(a, b))
    """
)


@contextmanager
def unit_of_work(*, patience: float = database.PATIENCE) -> Iterator[Unit]:
    """One transaction that counts and publishes. Rolls back, and publishes nothing, on any error.

    Parameters:
      patience: see `models.database.write`.
    """
    with database.write(patience=patience) as session:
        unit = Unit(session)
        yield unit
        unit.write_tallies()
    unit.leave()
