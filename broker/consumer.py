"""One queue's messages for a worker: pulled while it has an idle thread, acknowledged many at a time.

Dramatiq has a thread for each queue. The channels are on one connection, whose own thread alone touches them.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, Protocol, cast

import pika
import structlog
from dramatiq.broker import Consumer, MessageProxy
from dramatiq.errors import ConnectionClosed
from pika.adapters.blocking_connection import BlockingChannel

from broker.connecting import AWAY, LOST, why
from broker.delivery import Delivery
from broker.link import SharedLink
from broker.messages import Message, NotUnderstood, understood
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
      links: to the connection that all consumers of the process share.
      threads: of the worker; None: nobody is ever busy.
      publish: what publishes a message anew.
      name: of the process; RabbitMQ shows it with each consumer.

    Raises:
      ConnectionClosed: when RabbitMQ cannot be reached.
    """

    def __init__(
        self,
        links: SharedLink,
        queue_name: str,
        prefetch: int,
        timeout_ms: int,
        threads: Threads | None,
        *,
        publish: Callable[[list[Message]], object],
        name: str,
        topology: Topology,
    ) -> None:
        self._queue_name = queue_name
        self._topology = topology
        self._name = f"{name} {queue_name}"
        self._prefetch = prefetch
        self._timeout = timeout_ms / 1000
        self._threads = threads
        self._publish = publish
        self._busy_since: float | None = None
        self._consumer: str | None = None
        """By which RabbitMQ knows that messages are wanted; None: none are."""
        self._changed = threading.Condition()
        """Told when a message has come, or none will."""
        self._pulled: deque[tuple[int, pika.BasicProperties, bytes]] = deque()
        self._unsettled: dict[int, None] = {}
        """Tags that were handed out and are not acknowledged, in rising order."""
        self._acked: set[int] = set()
        self._rejected: list[int] = []
        self._lock = threading.Lock()
        self._flushing = False
        self._is_cancelled = False
        self._link = links.enter(self)
        try:
            self._channel: BlockingChannel = self._link.do(self._open)
        except LOST as error:
            AWAY.goes_on(reason=why(error))
            self._link.leave(self)
            raise ConnectionClosed(why(error)) from None
        except BaseException:
            self._link.leave(self)
            raise

    @property
    def waiting(self) -> int:
        """Messages that were pulled and not handed out."""
        return len(self._pulled)

    def __next__(self) -> MessageProxy | None:
        deadline = time.monotonic() + self._timeout
        try:
            while not self._may_hand_out():
                if (left := deadline - time.monotonic()) <= 0:
                    return None
                with self._changed:
                    if self._consumer is None or self._busy_since is not None:
                        # Nobody tells when a thread is idle again.
                        self._changed.wait(min(left, LOOK_EVERY))
                    else:
                        self._changed.wait_for(self._has_news, left)
        except LOST as error:
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
        """Send the acknowledgements that wait, then give back what was pulled.

        Raises:
          ConnectionClosed: when the connection was lost before.
        """
        try:
            self._link.do(self._end)
        except LOST as error:
            raise ConnectionClosed(why(error)) from None
        finally:
            self._link.leave(self)

    def link_lost(self) -> None:
        """Wake whoever waits for a message."""
        with self._changed:
            self._changed.notify_all()

    # What follows down to `_has_news` runs in the connection's thread.

    def _open(self) -> BlockingChannel:
        self._channel = self._link.connection.channel()
        self._channel.add_on_cancel_callback(self._on_cancel)
        self._topology.declare(self._channel, [self._queue_name])
        self._consume()
        return self._channel

    def _end(self) -> None:
        self._flush()
        self._channel.close()

    def _consume(self) -> None:
        self._channel.basic_qos(prefetch_count=self._prefetch)
        queue = self._topology.queue(self._queue_name)
        self._consumer = cast(str, self._channel.basic_consume(queue, self._on_message, consumer_tag=self._name))

    def _on_cancel(self, _: object) -> None:
        """Note the end of the consumer: its queue was deleted, or the node failed that it was on."""
        log.warning("consumer_cancelled", queue=self._queue_name, reason="the queue was deleted, or its node failed")
        if self._threads is not None:
            self._threads.cancelled(self._queue_name)
        # Last: the queue's own thread leaves as soon as it sees this, and its successor must find the threads told.
        self._is_cancelled = True
        self.link_lost()

    def _on_message(self, _: Any, method: Any, properties: Any, body: bytes) -> None:
        self._pulled.append((method.delivery_tag, properties, body))
        with self._changed:
            self._changed.notify_all()

    def _leave_to_others(self) -> None:
        self._channel.basic_cancel(self._consumer)
        self._consumer = None
        while self._pulled:
            self._give_back(*self._pulled.pop())

    def _give_back(self, tag: int, properties: pika.BasicProperties, body: bytes) -> None:
        """Return a message to its queue; one that has come back often is published anew, and so begins at 0.

        Lost or doubled on the way it costs time only. It is published on another connection: while RabbitMQ has an
        alarm, it hears nothing more on one that did so.
        """
        if (properties.headers or {}).get(RETURNS, 0) >= MOST_RETURNS:
            with suppress(NotUnderstood):
                self._publish([understood(body, self._queue_name)])
                self._channel.basic_ack(tag)
                return
        self._channel.basic_nack(tag, requeue=True)

    def _has_news(self) -> bool:
        return bool(self._pulled) or self._is_cancelled or self._link.is_lost

    def _may_hand_out(self) -> bool:
        """Return whether a message is there and a thread for it.

        Raises:
          ConnectionClosed: no message will come any more.
        """
        if self._link.is_lost or self._channel.is_closed:
            raise ConnectionClosed("the connection or the channel was lost")
        if self._threads is not None and self._threads.are_busy(self._queue_name):
            self._pause()
            return False
        self._busy_since = None
        if self._is_cancelled and not self._pulled:
            raise ConnectionClosed(f"RabbitMQ has cancelled the consumer of {self._queue_name}")
        if self._consumer is None and not self._is_cancelled:
            self._link.do(self._consume)
            # By the time that a message is there, no thread may be idle any more.
            return False
        return bool(self._pulled)

    def _pause(self) -> None:
        """Leave the messages to others where the worker stays busy."""
        now = time.monotonic()
        if self._busy_since is None:
            self._busy_since = now
        if self._consumer is not None and not self._is_cancelled and now - self._busy_since >= PATIENCE:
            self._link.do(self._leave_to_others)

    def _settle(self, tag: int, rejected: bool) -> None:
        """Note what is to be told to RabbitMQ; any thread may call it, the connection's own tells it."""
        with self._lock:
            if rejected:
                self._rejected.append(tag)
            else:
                self._acked.add(tag)
            if self._flushing:
                return
            self._flushing = True
        if self._link.is_lost:
            log.info("unacknowledged", queue=self._queue_name, reason="the connection was lost; it will come again")
        self._link.soon(self._flush)

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
