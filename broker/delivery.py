"""A message in the hands of a worker, and when it is acknowledged."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from dramatiq import Message
from dramatiq.broker import MessageProxy


class Delivery(MessageProxy):
    """A message that was pulled.

    Parameters:
      source: the consumer that pulled it; after a reconnection another one, which must not acknowledge it.
      tag: by which RabbitMQ knows it.
    """

    def __init__(self, message: Message[Any], source: object, tag: int = 0) -> None:
        super().__init__(message)
        self.source = source
        self.tag = tag
        self.outcome: Future[bool] | None = None
        """What came of it, where that is still being written down: whether it is to be rejected."""

    def when_settled(self, then: Callable[[bool], None]) -> None:
        """Call `then` with whether the message is to be rejected, once that is durable; at once where it is."""
        if self.outcome is None:
            then(self.failed)
        else:
            self.outcome.add_done_callback(lambda outcome: then(outcome.result()))
