"""Dramatiq's RabbitMQ broker with this service's topology, and with confirmed publishing in batches."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager

import pika
from dramatiq.broker import Consumer
from dramatiq.brokers.rabbitmq import RabbitmqBroker
from dramatiq.errors import ConnectionClosed
from dramatiq.middleware import Middleware
from pika.adapters.blocking_connection import BlockingChannel

from broker.connecting import named, process_name, why
from broker.consumer import RabbitConsumer, Threads
from broker.link import Link, SharedLink
from broker.messages import Message
from broker.publisher import Publisher, Unpublished
from broker.topology import QUEUES, Counts, Topology

#: Seconds an actor's forward waits for its confirm; after that the dispatch repairs.
CONFIRM_SECONDS = 10.0


class RabbitBroker(RabbitmqBroker):
    """The broker of service mode.

    Parameters:
      urls: the members of the cluster, tried in order.
      queue_type: `classic` or `quorum`.
      middleware: the worker's list; a process that only publishes needs none.
      threads: of the worker that consumes.
      kind: of this process, which names its connections.
      prefix: see `Topology`.
    """

    def __init__(
        self,
        urls: list[str],
        queue_type: str,
        middleware: list[Middleware] | None = None,
        threads: Threads | None = None,
        *,
        kind: str = "",
        prefix: str = "",
    ) -> None:
        super().__init__(url=urls, middleware=middleware or [])
        self._topology = Topology(queue_type, prefix)
        self._threads = threads
        self._kind = kind
        self.publisher = Publisher(urls, self._topology, kind)
        self._links = SharedLink(lambda: Link(self.parameters, process_name(kind)))

    @property
    def publishing(self) -> str:
        """Whether messages can be published now: `up`, `blocked` or `down`."""
        return self.publisher.state

    def declare_queue(self, queue_name: str, *, ensure: bool = False) -> None:
        """Note a queue. No delay queue comes with it: delays are due times in PostgreSQL.

        Raises:
          ConnectionClosed: with `ensure`, when RabbitMQ cannot be reached.
        """
        if queue_name not in self.queues:
            self.emit_before("declare_queue", queue_name)
            self.queues.add(queue_name)
            self.emit_after("declare_queue", queue_name)
        if ensure:
            try:
                with self._channel() as channel:
                    self._topology.declare(channel)
            except pika.exceptions.AMQPError as error:
                raise ConnectionClosed(why(error)) from None

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 5000) -> Consumer:
        """Return a consumer on the connection that all of this process share; see `RabbitConsumer`.

        Raises:
          ConnectionClosed: when RabbitMQ cannot be reached.
        """
        return RabbitConsumer(
            self._links,
            queue_name,
            prefetch,
            timeout,
            self._threads,
            publish=self.publish,
            name=process_name(self._kind),
            topology=self._topology,
        )

    def publish(self, messages: list[Message]) -> Future[None]:
        """Publish a batch; see `Publisher.publish`."""
        return self.publisher.publish(messages)

    def enqueue(self, message: Message, *, delay: int | None = None) -> Message:
        """Publish one message and wait for its confirm: what Dramatiq's pipelines call to forward.

        Raises:
          ConnectionClosed: when it was not confirmed.
          ValueError: for a delay; a delay is a due time of the task's row.
        """
        if delay is not None:
            raise ValueError("a message is never delayed; write a due time in the task's row instead")
        self.emit_before("enqueue", message, delay)
        try:
            self.publish([message]).result(timeout=CONFIRM_SECONDS)
        except (Unpublished, TimeoutError) as error:
            raise ConnectionClosed(error) from None
        self.emit_after("enqueue", message, delay)
        return message

    def counts(self) -> dict[str, Counts] | None:
        """Return what each queue holds; None while RabbitMQ is away. Makes missing queues anew."""
        try:
            with self._channel() as channel:
                self._topology.declare(channel)
                return {queue: self._topology.counts(channel, queue) for queue in QUEUES}
        except pika.exceptions.AMQPError:
            return None

    @contextmanager
    def _channel(self) -> Iterator[BlockingChannel]:
        """Open a channel for a moment. Its connection is closed: one that nobody serves would be ended by RabbitMQ."""
        connection = pika.BlockingConnection(named(self.parameters, process_name(self._kind)))
        try:
            yield connection.channel()
        finally:
            if connection.is_open:
                connection.close()

    def close(self) -> None:
        """Let what is being published be confirmed, then close every connection."""
        self.publisher.close()
        super().close()
