"""A message in the hands of a worker."""

from __future__ import annotations

from dramatiq.broker import Consumer, MessageProxy

from broker.messages import Message


class Delivery(MessageProxy):
    """A message that was pulled.

    Parameters:
      source: the consumer that pulled it; after a reconnection another one, which must not acknowledge it.
      tag: by which RabbitMQ knows it.
    """

    def __init__(self, message: Message, source: Consumer, tag: int = 0) -> None:
        super().__init__(message)
        self.source = source
        self.tag = tag
        self.is_settled = False
        """Whether it was acknowledged, or rejected."""

    def acknowledge(self) -> None:
        """Acknowledge it now: its work goes on, and a wake-up is needed no more."""
        self.source.ack(self)
