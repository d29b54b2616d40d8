"""The thread that publishes: batches share one round trip, and every message is confirmed."""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import pika
import structlog
from pika.adapters.select_connection import SelectConnection
from pika.channel import Channel

from broker.connecting import AWAY, named, process_name, why
from broker.messages import Message, headers, is_dead_letter
from broker.topology import Topology

log = structlog.get_logger(__name__)

#: Seconds before the next try to connect; a broker that is away is asked this often.
RECONNECT_SECONDS = 1.0
#: Seconds that the first publishes of a process wait for its first connection.
FIRST_ATTEMPT_SECONDS = 0.5


class Unpublished(Exception):
    """RabbitMQ is away, blocked or refused: the messages are not known to be in a queue."""


@dataclass(slots=True)
class _Batch:
    """Messages published together, and how many of them still lack a confirm."""

    messages: list[Message]
    done: Future[None]
    unconfirmed: int = 0


class Publisher:
    """Publishes from any thread over one connection of its own.

    `publish` never blocks. While RabbitMQ is away or blocked by an alarm it refuses at once, so that whoever
    accepted work is not held up: the row is durable, and the dispatch publishes it later.
    """

    def __init__(self, urls: list[str], topology: Topology, kind: str = "") -> None:
        self._parameters = [pika.URLParameters(url) for url in urls]
        self._topology = topology
        self._kind = kind
        self._waiting: deque[_Batch] = deque()
        self._inflight: dict[int, _Batch] = {}
        self._tag = 0
        self._channel: Channel | None = None
        self._connection: SelectConnection | None = None
        self._blocked = False
        self._stopping = threading.Event()
        self._tried = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    @property
    def state(self) -> str:
        """`up`, `blocked` (RabbitMQ's memory or disk alarm) or `down`."""
        if self._channel is None:
            return "down"
        return "blocked" if self._blocked else "up"

    def publish(self, messages: list[Message]) -> Future[None]:
        """Hand over messages; the future ends when all are confirmed.

        Raises (in the future):
          Unpublished: not confirmed, and perhaps not published.
        """
        self._start()
        batch = _Batch(messages, Future())
        if self.state == "down":
            # A process that has just started gives its first connection a moment.
            self._tried.wait(FIRST_ATTEMPT_SECONDS)
        if self.state != "up":
            batch.done.set_exception(Unpublished(f"RabbitMQ is {self.state}"))
            return batch.done
        self._waiting.append(batch)
        connection = self._connection
        if connection is not None:
            connection.ioloop.add_callback_threadsafe(self._drain)
        return batch.done

    def start(self) -> None:
        """Connect in the background; `publish` does so too when it is first called."""
        self._start()

    def close(self) -> None:
        """Let what is under way be confirmed, then close the connection."""
        self._stopping.set()
        connection = self._connection
        if connection is not None:
            connection.ioloop.add_callback_threadsafe(self._finish)
        if self._thread is not None:
            self._thread.join(timeout=5)

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while not self._stopping.is_set():
            for parameters in self._parameters:
                self._serve(parameters)
                if self._stopping.is_set():
                    break
            self._stopping.wait(RECONNECT_SECONDS)

    def _serve(self, parameters: pika.URLParameters) -> None:
        """Serve one connection, from the declaration of the queues to its loss."""
        try:
            (parameters,) = named([parameters], f"{process_name(self._kind)} publisher")
            declaring = pika.BlockingConnection(parameters)
            try:
                self._topology.declare(declaring.channel())
            finally:
                if declaring.is_open:
                    declaring.close()
            self._connection = SelectConnection(
                parameters,
                on_open_callback=self._on_open,
                on_open_error_callback=lambda connection, _: connection.ioloop.stop(),
                on_close_callback=lambda connection, _: connection.ioloop.stop(),
            )
            self._connection.ioloop.start()
        except Exception as error:  # whatever it is, the next round tries again
            AWAY.goes_on(reason=why(error))
        finally:
            self._lost()

    def _on_open(self, connection: SelectConnection) -> None:
        connection.add_on_connection_blocked_callback(lambda *_: self._set_blocked(True))
        connection.add_on_connection_unblocked_callback(lambda *_: self._set_blocked(False))
        connection.channel(on_open_callback=self._on_channel)

    def _on_channel(self, channel: Channel) -> None:
        channel.add_on_close_callback(lambda *_: self._close_connection())
        # An unroutable message means that a queue was deleted: connecting anew declares it.
        channel.add_on_return_callback(lambda *_: self._close_connection())
        channel.confirm_delivery(self._on_confirm, callback=lambda _: self._confirming(channel))

    def _confirming(self, channel: Channel) -> None:
        self._tag, self._blocked, self._channel = 0, False, channel
        self._tried.set()
        AWAY.is_over()
        log.info("rabbitmq_connected")
        self._drain()

    def _set_blocked(self, blocked: bool) -> None:
        self._blocked = blocked
        log.warning("rabbitmq_blocked" if blocked else "rabbitmq_unblocked")
        if blocked:
            self._fail_all("RabbitMQ is blocked by an alarm")

    def _drain(self) -> None:
        channel = self._channel
        while self._waiting and channel is not None and channel.is_open:
            batch = self._waiting.popleft()
            batch.unconfirmed = len(batch.messages)
            for message in batch.messages:
                channel.basic_publish(
                    exchange=self._topology.dead_letter_exchange if is_dead_letter(message) else "",
                    routing_key=self._topology.queue(message.queue_name),
                    body=message.encode(),
                    properties=pika.BasicProperties(
                        delivery_mode=2,
                        priority=message.options.get("broker_priority"),
                        message_id=message.message_id,
                        headers=headers(message),
                    ),
                    mandatory=True,
                )
                self._tag += 1
                self._inflight[self._tag] = batch

    def _on_confirm(self, frame: Any) -> None:
        tag, acked = frame.method.delivery_tag, isinstance(frame.method, pika.spec.Basic.Ack)
        tags = [tag]
        if frame.method.multiple:
            # Tags are inserted in rising order, so the confirmed ones come first.
            tags = [waiting for waiting in self._inflight if waiting <= tag]
        for number in tags:
            batch = self._inflight.pop(number, None)
            if batch is None or batch.done.done():
                continue
            batch.unconfirmed -= 1
            if not acked:
                batch.done.set_exception(Unpublished("RabbitMQ refused the message"))
            elif batch.unconfirmed == 0:
                batch.done.set_result(None)
        if self._stopping.is_set() and not self._inflight:
            self._close_connection()

    def _finish(self) -> None:
        self._drain()
        if not self._inflight:
            self._close_connection()

    def _close_connection(self) -> None:
        self._channel = None
        if self._connection is not None and not (self._connection.is_closing or self._connection.is_closed):
            self._connection.close()

    def _lost(self) -> None:
        self._channel, self._connection, self._blocked = None, None, False
        self._tried.set()
        self._fail_all("the connection to RabbitMQ was lost")

    def _fail_all(self, reason: str) -> None:
        batches = {id(batch): batch for batch in (*self._inflight.values(), *self._waiting)}
        self._inflight.clear()
        self._waiting.clear()
        for batch in batches.values():
            if not batch.done.done():
                batch.done.set_exception(Unpublished(reason))
