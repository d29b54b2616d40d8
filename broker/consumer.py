"""One queue's messages for a worker: pulled while it has an idle thread, acknowledged many at a time."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any, Protocol, cast

import pika
import structlog
from dramatiq.broker import Consumer, MessageProxy
from dramatiq.errors import ConnectionClosed

from broker.connecting import AWAY, named, why
from broker.delivery import Delivery
from broker.messages import NotUnderstood, understood
from broker.topology import Topology

log = structlog.get_logger(__name__)

#: Seconds for which all threads must have been at work before messages are left to other workers.
PATIENCE = 0.1
#: Seconds between two looks at whether a thread is idle again.
LOOK_EVERY = 0.05
#: The header in which a quorum queue says how often a message has come back. RabbitMQ 4.0 to 4.2 takes one for a dead
#: letter that did so 20 times, if nothing else is configured; before there was no limit, later only failures count.
RETURNS = "x-delivery-count"
MOST_RETURNS = 10

_LOST = (AssertionError, pika.exceptions.AMQPConnectionError, pika.exceptions.AMQPChannelError)


class Threads(Protocol):
    """The threads that messages wake."""

    def are_busy(self, queue: str) -> bool:
        """Return whether each that takes from this queue is at work."""

    def rejected(self, queue: str) -> None:
        """Note a message that could not be understood."""

    def cancelled(self, queue: str) -> None:
        """Note that RabbitMQ has ended a consumer by itself."""


class RabbitConsumer(Consumer):
    """Pulls messages while a thread of the worker is idle. One that is busy takes its work from
    PostgreSQL without a message, and what would only wait here is for other workers.

    Parameters:
      parameters: of each member of the cluster, in the order in which they are tried.
      name: what RabbitMQ shows of the connection and its consumers.

    Raises:
      ConnectionClosed: when RabbitMQ cannot be reached.
    """

    def __init__(
        self,
        parameters: Sequence[pika.URLParameters],
        queue_name: str,
        prefetch: int,
        timeout_ms: int,
        threads: Threads | None,
        *,
        name: str,
        topology: Topology,
    ) -> None:
        self._queue_name = queue_name
        self._routing_key = topology.queue(queue_name)
        self._name = f"{name} {queue_name}"
        self._prefetch = prefetch
        self._timeout = timeout_ms / 1000
        self._threads = threads
        self._busy_since: float | None = None
        self._consumer: str | None = None
        """By which RabbitMQ knows that messages are wanted; None: none are."""
        self._pulled: deque[tuple[int, pika.BasicProperties, bytes]] = deque()
        self._unsettled: dict[int, None] = {}
        """Tags that were handed out and are not acknowledged, in rising order."""
        self._acked: set[int] = set()
        self._rejected: list[int] = []
        self._lock = threading.Lock()
        self._flushing = False
        self._is_cancelled = False
        try:
            self._connection = pika.BlockingConnection(named(parameters, self._name))
        except _LOST as error:
            AWAY.goes_on(reason=why(error))
            raise ConnectionClosed(why(error)) from None
        try:
            self._channel = self._connection.channel()
            self._channel.add_on_cancel_callback(self._on_cancel)
            topology.declare(self._channel, [queue_name])
            self._consume()
            AWAY.is_over()
        except _LOST as error:
            AWAY.goes_on(reason=why(error))
            with suppress(*_LOST):
                self._connection.close()
            raise ConnectionClosed(why(error)) from None

    @property
    def waiting(self) -> int:
        """Messages that were pulled and not handed out."""
        return len(self._pulled)

    def __next__(self) -> MessageProxy | None:
        deadline = time.monotonic() + self._timeout
        try:
            while not self._may_hand_out():
                if self._is_cancelled:
                    raise ConnectionClosed(f"RabbitMQ has cancelled the consumer of {self._queue_name}")
                # Ends early for every acknowledgement that is to be sent.
                if (left := deadline - time.monotonic()) <= 0:
                    return None
                self._connection.process_data_events(time_limit=left if self._is_waiting() else min(left, LOOK_EVERY))
        except _LOST as error:
            raise ConnectionClosed(why(error)) from None
        tag, _, body = self._pulled.popleft()
        with self._lock:
            self._unsettled[tag] = None
        try:
            delivery = Delivery(understood(body, self._queue_name), self, tag)
        except NotUnderstood as error:
            log.error("message_not_understood", queue=self._queue_name, reason=str(error), bytes=len(body))
            if self._threads is not None:
                self._threads.rejected(self._queue_name)
            self._settle(tag, True)
            return None
        return delivery

    def ack(self, message: MessageProxy) -> None:
        """Acknowledge a message, or reject it, as soon as what came of it is durable."""
        delivery = cast(Delivery, message)
        if delivery.source is self and not delivery.is_settled:
            delivery.is_settled = True
            self._settle(delivery.tag, delivery.failed)

    def nack(self, message: MessageProxy) -> None:
        """Reject a message: it becomes a dead letter."""
        delivery = cast(Delivery, message)
        if delivery.source is self and not delivery.is_settled:
            delivery.is_settled = True
            self._settle(delivery.tag, True)

    def requeue(self, messages: Iterable[MessageProxy]) -> None:
        """Do nothing: RabbitMQ takes back what is not acknowledged when the connection ends."""

    def close(self) -> None:
        """Send the acknowledgements that wait, then close.

        Raises:
          ConnectionClosed: when the connection was lost before.
        """
        try:
            self._flush()
            self._channel.close()
            self._connection.close()
        except _LOST as error:
            raise ConnectionClosed(why(error)) from None

    def _consume(self) -> None:
        self._channel.basic_qos(prefetch_count=self._prefetch)
        self._consumer = cast(
            str, self._channel.basic_consume(self._routing_key, self._on_message, consumer_tag=self._name)
        )

    def _on_cancel(self, _: Any) -> None:
        """Note the end of the consumer: its queue was deleted, or the node failed that it was on."""
        self._is_cancelled = True
        log.warning("consumer_cancelled", queue=self._queue_name, reason="the queue was deleted, or its node failed")
        if self._threads is not None:
            self._threads.cancelled(self._queue_name)

    def _on_message(self, _: Any, method: Any, properties: Any, body: bytes) -> None:
        self._pulled.append((method.delivery_tag, properties, body))

    def _may_hand_out(self) -> bool:
        if self._threads is not None and self._threads.are_busy(self._queue_name):
            self._pause()
            return False
        self._busy_since = None
        if self._consumer is None and not self._is_cancelled:
            self._consume()
        return bool(self._pulled)

    def _is_waiting(self) -> bool:
        """Return whether nothing but a message is waited for."""
        return self._consumer is not None and self._busy_since is None

    def _pause(self) -> None:
        """Leave the messages to others where the worker stays busy."""
        now = time.monotonic()
        if self._busy_since is None:
            self._busy_since = now
        if self._consumer is None or now - self._busy_since < PATIENCE:
            return
        self._channel.basic_cancel(self._consumer)
        self._consumer = None
        while self._pulled:
            self._give_back(*self._pulled.pop())

    def _give_back(self, tag: int, properties: pika.BasicProperties, body: bytes) -> None:
        """Return a message to its queue; one that has come back often is published anew, and so begins at 0.

        Lost or doubled on the way it costs time only. But not each is published: while RabbitMQ has an alarm, it hears
        nothing more on a connection that did so.
        """
        headers = dict(properties.headers or {})
        if headers.pop(RETURNS, 0) < MOST_RETURNS:
            self._channel.basic_nack(tag, requeue=True)
            return
        properties.headers = headers
        self._channel.basic_publish("", self._routing_key, body, properties)
        self._channel.basic_ack(tag)

    def _settle(self, tag: int, rejected: bool) -> None:
        """Note what is to be told to RabbitMQ; any thread may call it, the consumer's own tells it."""
        with self._lock:
            if rejected:
                self._rejected.append(tag)
            else:
                self._acked.add(tag)
            if self._flushing:
                return
            self._flushing = True
        try:
            self._connection.add_callback_threadsafe(self._flush)
        except pika.exceptions.ConnectionWrongStateError:
            log.info("unacknowledged", queue=self._queue_name, reason="the connection was lost; it will come again")

    def _flush(self) -> None:
        """Tell RabbitMQ what was settled: one acknowledgement for all up to the oldest that is still at work."""
        with self._lock:
            self._flushing = False
            rejected, self._rejected = self._rejected, []
            for tag in rejected:
                self._unsettled.pop(tag, None)
            last = 0
            for tag in self._unsettled:
                if tag not in self._acked:
                    break
                last = tag
            single = [tag for tag in self._acked if tag > last]
            for tag in self._acked:
                self._unsettled.pop(tag, None)
            self._acked.clear()
        # What is rejected goes first, and what was pulled but not handed out has a higher tag: `multiple` spares both.
        for tag in rejected:
            self._channel.basic_nack(tag, requeue=False)
        if last:
            self._channel.basic_ack(last, multiple=True)
        for tag in single:
            self._channel.basic_ack(tag)
