"""The queues as RabbitMQ's management UI shows them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pika
from pika.adapters.blocking_connection import BlockingChannel

from pipeline import STAGES

#: One queue for each stage of the document pipeline, one for callbacks, one for all other task types.
QUEUES = (*STAGES, "callback", "default")

#: What a user says, and what the message carries. Quorum queues of RabbitMQ 4 know two levels, up to 4 and
#: above it; the four numbers keep their order on both kinds of queue.
PRIORITIES = {"low": 1, "normal": 4, "high": 6, "urgent": 9}
PRIORITY_NAMES = {number: name for name, number in PRIORITIES.items()}
MAX_PRIORITY = 10

DEAD_LETTER_EXCHANGE = "dead-letter"
#: Dead letters inform, rows decide: old ones make room for new ones.
DEAD_LETTER_LENGTH = 10_000
DEAD_LETTER_TTL_MS = 7 * 24 * 3600 * 1000
#: AMQP's NOT_FOUND and PRECONDITION_FAILED.
AWAY_OR_OTHERWISE = (404, 406)


@dataclass(frozen=True, slots=True)
class Counts:
    """Messages of one queue: ready for a worker, and rejected (None: nobody can tell); and who consumes it."""

    ready: int
    dead_lettered: int | None
    consumers: int


@dataclass(frozen=True, slots=True)
class Topology:
    """How the queues of one deployment are called in RabbitMQ, and of what kind they are.

    Parameters:
      queue_type: `classic` or `quorum`.
      prefix: of every name, so that several deployments can share a virtual host.
    """

    queue_type: str
    prefix: str = ""

    @property
    def dead_letter_exchange(self) -> str:
        """The exchange that hands what was rejected to the dead-letter queues."""
        return f"{self.prefix}{DEAD_LETTER_EXCHANGE}"

    def queue(self, queue: str) -> str:
        """Return what one of QUEUES is called."""
        return f"{self.prefix}{queue}"

    def dead_letter_queue(self, queue: str) -> str:
        """Return the name, in Dramatiq's own spelling, of the queue that keeps what `queue` rejected."""
        return f"{self.prefix}{queue}.XQ"

    def declare(self, channel: BlockingChannel, queues: Sequence[str] = QUEUES) -> None:
        """Declare queues, the dead-letter exchange and its queues. Does nothing where they exist already.

        A queue of dead letters that an earlier release declared otherwise stays as it is, even while the only node that
        holds it is away: dead letters inform, and what waits to be done must not wait for them.

        Raises:
          pika.exceptions.ChannelClosedByBroker: when a queue exists with other arguments, for example after
            `QUEUE_TYPE` was changed; the message of RabbitMQ names the queue and the argument.
        """
        channel.exchange_declare(self.dead_letter_exchange, exchange_type="direct", durable=True)
        for queue in queues:
            name, dead = self.queue(queue), self.dead_letter_queue(queue)
            channel.queue_declare(name, durable=True, arguments=self._arguments(name))
            with _allowed_to_fail(channel) as other:
                other.queue_declare(dead, durable=True, arguments=self._dead_letter_arguments())
                other.queue_bind(dead, self.dead_letter_exchange, routing_key=name)

    def counts(self, channel: BlockingChannel, queue: str) -> Counts:
        """Return what RabbitMQ holds in a queue now. What a worker has pulled is not among the ready messages."""
        declared = channel.queue_declare(self.queue(queue), passive=True).method
        dead_lettered = None
        with _allowed_to_fail(channel) as other:
            dead = other.queue_declare(self.dead_letter_queue(queue), passive=True).method
            dead_lettered = dead.message_count
        return Counts(declared.message_count, dead_lettered, declared.consumer_count)

    def _arguments(self, name: str) -> dict[str, Any]:
        """Return the `x-arguments` of a queue. Quorum queues refuse `x-max-priority`."""
        arguments: dict[str, Any] = {
            "x-dead-letter-exchange": self.dead_letter_exchange,
            "x-dead-letter-routing-key": name,
        }
        if self.queue_type == "quorum":
            arguments["x-queue-type"] = "quorum"
        else:
            arguments["x-max-priority"] = MAX_PRIORITY
        return arguments

    def _dead_letter_arguments(self) -> dict[str, Any]:
        """Return the `x-arguments` of a queue of dead letters, which is of the same kind as the others."""
        arguments: dict[str, Any] = {"x-max-length": DEAD_LETTER_LENGTH, "x-message-ttl": DEAD_LETTER_TTL_MS}
        if self.queue_type == "quorum":
            arguments["x-queue-type"] = "quorum"
        return arguments


@contextmanager
def _allowed_to_fail(channel: BlockingChannel) -> Iterator[BlockingChannel]:
    """Open another channel of the same connection, which RabbitMQ may close over a queue that is away or otherwise."""
    other = channel.connection.channel()
    try:
        yield other
    except pika.exceptions.ChannelClosedByBroker as error:
        if error.reply_code not in AWAY_OR_OTHERWISE:
            raise
    finally:
        if other.is_open:
            other.close()
