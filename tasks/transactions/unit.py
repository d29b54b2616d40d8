"""A unit of work: one transaction, and what it counts and publishes. Nothing leaves before the commit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from itertools import chain
from typing import Protocol
from uuid import UUID

from sqlalchemy import Connection
from sqlalchemy.orm import Session

import metrics
from broker.messages import Message
from broker.topology import Counts
from logs import Line, Outage, tell
from models import database
from models.base import json_of
from models.statement import Row, Statement, prepared
from tasks.process import process_id
from tasks.transactions.tallies import Tallies
from tasks.transactions.waking import Ready, WakeBuffer, messages_for
from tracing import Span

#: Messages that RabbitMQ does not take; their rows are durable, and the dispatch publishes them later.
UNPUBLISHED = Outage("unpublished")


class Publishing(Protocol):
    """What is needed of a broker: `broker.rabbitmq` and `broker.in_process` each have one."""

    @property
    def publishing(self) -> str:
        """Whether it takes messages: `up`, or another word."""

    def publish(self, messages: list[Message]) -> Future[None]:
        """Publish messages; the future ends when all are confirmed."""

    def counts(self) -> dict[str, Counts] | None:
        """Return what each queue holds; None while that cannot be asked."""


_broker: Publishing | None = None


def use_broker(broker: Publishing) -> None:
    """Set the broker that this process publishes through."""
    global _broker
    _broker = broker


def broker() -> Publishing:
    """Return the broker of this process.

    Raises:
      RuntimeError: when `use_broker` was not called.
    """
    if _broker is None:
        raise RuntimeError("tasks.transactions.unit.use_broker() must be called before a task can be published")
    return _broker


class Unit:
    """A transaction in progress: what it writes, the metrics it changes, the messages it owes.

    Parameters:
      connection: on which the transaction is open.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._session: Session | None = None
        self._messages: list[Message] = []
        self._ready: dict[UUID, Ready] = {}
        self.tallies = Tallies()
        self._unpublished: list[Callable[[], None]] = []
        self._lines: list[Iterable[Line]] = []
        self._spans: list[Span] = []

    @property
    def session(self) -> Session:
        """SQLAlchemy's way to write in this transaction, for what is not done for each task."""
        if self._session is None:
            self._session = Session(self.connection, expire_on_commit=False)
        return self._session

    def execute(self, statement: Statement[Row], values: Mapping[str, object] | None = None) -> list[Row]:
        """Run a statement as `models.database.execute` does."""
        if self._session is not None:
            self._session.flush()
        return database.execute(self.connection, statement, values)

    def ready(self, rows: Iterable[Ready]) -> None:
        """Note tasks that this transaction makes ready: a worker is woken for them after the commit."""
        self._ready.update((row.id, row) for row in rows)

    def claimed(self, task_ids: Iterable[UUID]) -> None:
        """Note tasks that this transaction claims itself: nobody need be woken for them."""
        for task_id in task_ids:
            self._ready.pop(task_id, None)

    def publish(self, messages: list[Message], otherwise: Callable[[], None] | None = None) -> None:
        """Publish after the commit; `otherwise` is called if RabbitMQ does not take them."""
        self._messages.extend(messages)
        if otherwise is not None:
            self._unpublished.append(otherwise)

    def count(self, metric: metrics.Metric, *labels: str, by: int = 1) -> None:
        """Raise a counter, if this transaction is committed."""
        self.tallies.count(metric, labels, by)

    def observe(self, metric: metrics.Metric, *labels: str, value: float) -> None:
        """Add an observation to a histogram, if this transaction is committed."""
        self.tallies.observe(metric, labels, value)

    def tell(self, lines: Iterable[Line]) -> None:
        """Log lines, if this transaction is committed. They are made then, and only where they are logged."""
        self._lines.append(lines)

    def trace(self, span: Span) -> None:
        """End a span, if this transaction is committed; else it is never sent."""
        self._spans.append(span)

    def write_tallies(self, tallies: Tallies) -> None:
        """Add what was counted to this process's rows."""
        self.execute(_ADD_TALLIES, {"worker": process_id(), "tallies": json_of(tallies.rows())})

    def flush(self) -> None:
        """Write what the session still holds, before the commit."""
        if self._session is not None:
            self._session.flush()

    def leave(self, wake_ups: WakeBuffer) -> None:
        """Publish, and then log, after the commit; the confirms are not waited for.

        A log whose reader stalls holds up whoever writes it, and must hold up no message.
        """
        try:
            self._publish(wake_ups)
        finally:
            tell(chain.from_iterable(self._lines))
            for span in self._spans:
                span.end()

    def _publish(self, wake_ups: WakeBuffer) -> None:
        self._messages.extend(messages_for(wake_ups.due(self._ready)))
        _publish(self._messages, self._unpublished)


def tell_held(wake_ups: WakeBuffer) -> None:
    """Wake somebody for what was held until now."""
    _publish(messages_for(wake_ups.due({})), [])


def _publish(messages: list[Message], fallbacks: Sequence[Callable[[], None]]) -> None:
    """Publish messages; each of `fallbacks` is called if RabbitMQ does not take them."""
    if not messages:
        return

    def note(done: Future[None]) -> None:
        error = done.exception()
        if error is None:
            UNPUBLISHED.is_over()
            return
        UNPUBLISHED.goes_on(reason=str(error))
        for fallback in fallbacks:
            fallback()

    # An idle worker takes what comes first: the highest priority, however the rows came.
    broker().publish(sorted(messages, key=_urgency)).add_done_callback(note)


def _urgency(message: Message) -> int:
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
def unit_of_work(
    *, patience: float = database.PATIENCE, tallies: Tallies | None = None, wake_ups: WakeBuffer | None = None
) -> Iterator[Unit]:
    """Open a transaction that counts and publishes; on any error it rolls back, and does neither.

    Parameters:
      patience: see `models.database.writing`.
      tallies: where to keep what it counts, and to write from once that is due; None: it is written at once.
      wake_ups: where to keep the tasks that it makes ready until somebody is to be woken; None: that is at once.
    """
    kept = Tallies() if tallies is None else tallies
    with database.writing(patience=patience) as connection:
        unit = Unit(connection)
        yield unit
        unit.flush()
        counted = kept.plus(unit.tallies)
        if writes := counted.is_due():
            unit.write_tallies(counted)
    kept.become(Tallies() if writes else counted)
    unit.leave(wake_ups or WakeBuffer())
