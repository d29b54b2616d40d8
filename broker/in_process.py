"""The broker of embedded mode: queues in memory, with priorities and dead letters. PostgreSQL keeps what matters."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections import deque
from collections.abc import Iterable
from concurrent.futures import Future
from typing import cast

from dramatiq.broker import Broker, Consumer, MessageProxy
from dramatiq.middleware import Middleware

from broker import topology
from broker.delivery import Delivery
from broker.messages import Message, is_dead_letter


class _Queue:
    """Messages in the order they are delivered: by priority, then by arrival; a delayed one from its time on."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.ready: list[tuple[int, int, bytes]] = []
        self.delayed: list[tuple[float, int, bytes, int]] = []
        self.dead: deque[bytes] = deque(maxlen=topology.DEAD_LETTER_LENGTH)
        self.consumers = 0

    def put(self, body: bytes, priority: int, order: int, delay_ms: int | None) -> None:
        with self.changed:
            if delay_ms:
                heapq.heappush(self.delayed, (time.monotonic() + delay_ms / 1000, order, body, priority))
            else:
                heapq.heappush(self.ready, (-priority, order, body))
            self.changed.notify()

    def get(self, timeout: float) -> bytes | None:
        deadline = time.monotonic() + timeout
        with self.changed:
            while True:
                now = time.monotonic()
                while self.delayed and self.delayed[0][0] <= now:
                    _, order, body, priority = heapq.heappop(self.delayed)
                    heapq.heappush(self.ready, (-priority, order, body))
                if self.ready:
                    return heapq.heappop(self.ready)[2]
                if now >= deadline:
                    return None
                next_due = self.delayed[0][0] if self.delayed else deadline
                self.changed.wait(min(deadline, next_due) - now)


class InProcessBroker(Broker):
    """Delivers to a `dramatiq.Worker` of the same process.

    Messages are encoded as for RabbitMQ, so an actor sees the same in both modes.
    """

    publishing = "up"

    def __init__(self, middleware: list[Middleware] | None = None) -> None:
        super().__init__(middleware=middleware or [])
        self._order = itertools.count()
        self.queues: dict[str, _Queue] = {queue: _Queue() for queue in topology.QUEUES}

    def declare_queue(self, queue_name: str, *, ensure: bool = False) -> None:  # noqa: ARG002 - there is none to ask
        """Note a queue, and let a running worker consume it."""
        if queue_name not in self.queues:
            self.emit_before("declare_queue", queue_name)
            self.queues[queue_name] = _Queue()
            self.emit_after("declare_queue", queue_name)

    def enqueue(self, message: Message, *, delay: int | None = None) -> Message:
        """Put one message into its queue, to be delivered after `delay` milliseconds at the earliest."""
        self.emit_before("enqueue", message, delay)
        priority = message.options.get("broker_priority") or 0
        self.queues[message.queue_name].put(message.encode(), priority, next(self._order), delay)
        self.emit_after("enqueue", message, delay)
        return message

    def publish(self, messages: list[Message]) -> Future[None]:
        """Put a batch into its queues; the future has ended already."""
        for message in messages:
            if is_dead_letter(message):
                self.queues[message.queue_name].dead.append(message.encode())
            else:
                self.enqueue(message)
        done: Future[None] = Future()
        done.set_result(None)
        return done

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 1000) -> Consumer:
        """Return a consumer that holds at most `prefetch` unacknowledged messages."""
        return _Consumer(self.queues[queue_name], prefetch, timeout / 1000)

    def counts(self) -> dict[str, topology.Counts] | None:
        """Return what each queue holds."""
        return {
            name: topology.Counts(len(queue.ready) + len(queue.delayed), len(queue.dead), queue.consumers)
            for name, queue in self.queues.items()
        }

    def get_declared_delay_queues(self) -> set[str]:
        """Return none: a delayed message waits in its own queue."""
        return set()


class _Consumer(Consumer):
    def __init__(self, queue: _Queue, prefetch: int, timeout: float) -> None:
        self._queue = queue
        self._free = threading.Semaphore(prefetch)
        self._timeout = timeout
        queue.consumers += 1

    def __next__(self) -> MessageProxy | None:
        if not self._free.acquire(timeout=self._timeout):
            return None
        body = self._queue.get(self._timeout)
        if body is None:
            self._free.release()
            return None
        return Delivery(Message.decode(body), self)

    def ack(self, message: MessageProxy) -> None:
        self._settle(cast(Delivery, message), message.failed)

    def nack(self, message: MessageProxy) -> None:
        self._settle(cast(Delivery, message), True)

    def _settle(self, message: Delivery, rejected: bool) -> None:
        if message.is_settled:
            return
        message.is_settled = True
        if rejected:
            self._queue.dead.append(message._message.encode())
        self._free.release()

    def requeue(self, messages: Iterable[MessageProxy]) -> None:
        """Do nothing: the process ends with its consumers, and the rows remember."""

    def close(self) -> None:
        self._queue.consumers -= 1
