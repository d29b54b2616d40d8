"""How a worker pulls: as wide as it works ahead, and it gives back what would only wait for it."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import quote
from uuid import UUID

import pika
import pytest
from dramatiq.errors import ConnectionClosed

from broker import topology
from broker.delivery import Delivery
from broker.link import Link
from broker.messages import wake_up
from broker.rabbitmq import RabbitBroker
from tests.rabbitmq import RabbitServer
from tests.servers import eventually

PREFETCH = 2
MESSAGES = 40


class Pace:
    """The threads of a worker, which say whether they are busy."""

    def __init__(self) -> None:
        self.busy = False
        self.idle_looks = 0
        """How often they say that they are idle, though they are not."""
        self.noted: list[str] = []

    def are_busy(self, queue: str) -> bool:
        if self.busy and self.idle_looks:
            self.idle_looks -= 1
            return False
        return self.busy

    def rejected(self, queue: str) -> None:
        self.noted.append(f"rejected {queue}")

    def cancelled(self, queue: str) -> None:
        self.noted.append(f"cancelled {queue}")


@pytest.fixture
def pace() -> Pace:
    return Pace()


@pytest.fixture
def broker(rabbitmq: RabbitServer, pace: Pace) -> Iterator[RabbitBroker]:
    broker = RabbitBroker([rabbitmq.url], "classic", threads=pace)
    messages = [
        wake_up([str(UUID(int=number))], "storing", "storing", priority=4, attempt=1, time_limit=10)
        for number in range(MESSAGES)
    ]
    broker.publisher.start()
    eventually(lambda: broker.publishing == "up")
    broker.publish(messages).result(timeout=10)
    yield broker
    broker.close()


def pull(consumer: Any, most: int = MESSAGES) -> list[Delivery]:
    """What a consumer hands out until it hands out no more."""
    pulled: list[Delivery] = []
    while len(pulled) < most and (delivery := next(consumer)) is not None:
        pulled.append(delivery)
    return pulled


def ready(broker: RabbitBroker) -> int:
    counts = broker.counts()
    assert counts is not None
    return counts["storing"].ready


def test_it_pulls_no_more_than_the_prefetch_for_long_work(broker: RabbitBroker) -> None:
    consumer = broker.consume("storing", PREFETCH, 300)
    assert len(pull(consumer)) == PREFETCH
    assert ready(broker) == MESSAGES - PREFETCH
    consumer.close()


def test_a_worker_whose_threads_stay_busy_leaves_the_messages_to_others(broker: RabbitBroker, pace: Pace) -> None:
    consumer = broker.consume("storing", PREFETCH, 300)
    (taken,) = pull(consumer, 1)
    pace.busy = True
    assert pull(consumer) == []
    eventually(lambda: ready(broker) == MESSAGES - 1)
    consumer.ack(taken)
    pace.busy = False
    assert pull(consumer, PREFETCH) != []
    consumer.close()


def test_what_a_busy_worker_leaves_to_others_never_becomes_a_dead_letter(rabbitmq: RabbitServer, pace: Pace) -> None:
    # The limit that RabbitMQ 4 gives to every quorum queue.
    policy = {"pattern": "^storing$", "definition": {"delivery-limit": 20}, "apply-to": "queues"}
    rabbitmq.management("/policies/{vhost}/limit", "PUT", policy)
    broker = RabbitBroker([rabbitmq.url], "quorum", threads=pace)
    consumer = broker.consume("storing", PREFETCH, 300)
    message = wake_up([str(UUID(int=1))], "storing", "storing", priority=4, attempt=1, time_limit=10)
    pace.busy = True
    broker.publisher.start()
    eventually(lambda: broker.publishing == "up")
    broker.publish([message]).result(timeout=10)
    for _ in range(25):
        eventually(lambda: pull(consumer) == [] and ready(broker) == 1, reason="it is left to others")
        # It is pulled anew, and by then no thread is idle any more.
        pace.idle_looks = 1
        assert pull(consumer) == []
    pace.busy = False
    (delivery,) = pull(consumer, 1)
    assert list(delivery.args) == [str(UUID(int=1))]
    consumer.ack(delivery)
    consumer.close()
    counts = broker.counts()
    assert counts is not None
    assert counts["storing"] == topology.Counts(0, 0, 0)
    broker.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_connection_whose_thread_met_a_defect_is_closed(rabbitmq: RabbitServer) -> None:
    link = Link([pika.URLParameters(rabbitmq.url)], "tests")
    link.soon(lambda: 1 / 0)
    eventually(lambda: link.is_lost and not link.connection.is_open, reason="RabbitMQ sends to it no more")


def test_it_rejects_what_has_failed_and_gives_back_what_it_still_held(broker: RabbitBroker, pace: Pace) -> None:
    consumer = broker.consume("storing", 4, 300)
    first, second, _, _ = pull(consumer)
    first.fail()
    for delivery in (first, second):
        consumer.ack(delivery)
        consumer.ack(delivery)  # a second time is none
    assert len(pull(consumer)) == 2
    consumer.close()
    counts = broker.counts()
    assert counts is not None
    assert counts["storing"].dead_lettered == 1
    assert counts["storing"].ready == MESSAGES - 2


GOOD: dict[str, Any] = {
    "queue_name": "storing",
    "actor_name": "storing",
    "args": [str(UUID(int=1))],
    "kwargs": {},
    "options": {"broker_priority": 4, "attempt": 1, "time_limit": 10_000},
    "message_id": "1",
    "message_timestamp": 1,
}
STRANGE: list[dict[str, Any]] = [
    *({field: value} for field in GOOD if field != "message_timestamp" for value in (None, 5, ["a"])),
    {"args": []}, {"args": ["x"]}, {"args": [None]}, {"args": [GOOD["args"], 2]}, {"kwargs": {"x": 1}},
    {"queue_name": "other"}, {"queue_name": "default"}, {"colour": "red"}, {"options": {"eta": 10**15}},
    {"options": {"time_limit": "x"}}, {"options": {"time_limit": -1}},
]  # fmt: skip
BODIES = [b"", b"\xff\xfe", b"{}", b"[]", b"null", b"1", b"{" * 100_000, b"[" * 100_000]


def test_what_cannot_be_understood_becomes_a_dead_letter_and_stops_nothing(rabbitmq: RabbitServer, pace: Pace) -> None:
    broker = RabbitBroker([rabbitmq.url], "classic", threads=pace)
    consumer = broker.consume("storing", PREFETCH, 300)
    strange = [*BODIES, *(json.dumps(GOOD | change).encode() for change in STRANGE)]
    connection = pika.BlockingConnection(pika.URLParameters(rabbitmq.url))
    for body in [*strange, json.dumps(GOOD).encode()]:
        connection.channel().basic_publish("", "storing", body)
    connection.close()
    deliveries = []
    for _ in range(len(strange) * 2):
        if (delivery := next(consumer)) is not None:
            deliveries.append(delivery)
            break
    assert [list(delivery.args) for delivery in deliveries] == [GOOD["args"]]
    assert pace.noted == ["rejected storing"] * len(strange)
    consumer.ack(deliveries[0])
    consumer.close()
    counts = broker.counts()
    assert counts is not None
    assert counts["storing"] == topology.Counts(0, len(strange), 0)
    broker.close()


def test_a_consumer_that_rabbitmq_cancels_says_so_and_its_successor_finds_the_queue(
    broker: RabbitBroker, pace: Pace, rabbitmq: RabbitServer
) -> None:
    consumer = broker.consume("storing", PREFETCH, 300)
    pull(consumer)
    rabbitmq.management("/queues/{vhost}/storing", "DELETE")
    with pytest.raises(ConnectionClosed, match="cancelled"):
        for _ in range(100):
            next(consumer)
    assert pace.noted == ["cancelled storing"]
    with suppress(ConnectionClosed):
        consumer.close()
    consumer = broker.consume("storing", PREFETCH, 300)
    message = wake_up([str(UUID(int=1))], "storing", "storing", priority=4, attempt=1, time_limit=10)
    eventually(lambda: broker.publishing == "up")
    broker.publish([message]).result(timeout=10)
    assert len(pull(consumer, 1)) == 1
    consumer.close()


def connections(rabbitmq: RabbitServer) -> dict[str, str]:
    """RabbitMQ's own name for each connection, by the one that its process gave it."""
    shown = rabbitmq.management("/vhosts/{vhost}/connections")
    return {connection["client_properties"].get("connection_name", "?"): connection["name"] for connection in shown}


def test_all_consumers_of_a_process_share_one_connection_that_has_its_name(rabbitmq: RabbitServer) -> None:
    broker = RabbitBroker([rabbitmq.url], "classic", kind="worker")
    consumers = [broker.consume(queue, PREFETCH, 300) for queue in topology.QUEUES]

    def names() -> set[str]:
        shown = rabbitmq.management("/consumers/{vhost}")
        return {f"{consumer['queue']['name']}: {consumer['consumer_tag']}" for consumer in shown}

    name = f"worker {socket.gethostname()}:{os.getpid()}"
    eventually(lambda: names() == {f"{queue}: {name} {queue}" for queue in topology.QUEUES}, seconds=20)
    # RabbitMQ shows connections later than consumers.
    eventually(lambda: connections(rabbitmq), seconds=20)
    assert [*connections(rabbitmq)] == [name], "and no other connection"
    for consumer in consumers:
        consumer.close()
    eventually(lambda: not connections(rabbitmq), seconds=20, reason="with the last consumer it is closed")
    broker.close()


def test_a_connection_that_is_lost_ends_its_consumers_and_their_successors_share_another(
    broker: RabbitBroker, rabbitmq: RabbitServer
) -> None:
    storing, other = (broker.consume(queue, PREFETCH, 60_000) for queue in ("storing", "default"))
    (taken,) = pull(storing, 1)
    name = f"{socket.gethostname()}:{os.getpid()}"
    eventually(lambda: name in connections(rabbitmq), seconds=20)
    rabbitmq.management(f"/connections/{quote(connections(rabbitmq)[name], safe='')}", "DELETE")
    for consumer in (storing, other):
        with pytest.raises(ConnectionClosed):
            pull(consumer)
    storing.ack(taken)  # which nobody hears
    with pytest.raises(ConnectionClosed):
        storing.close()
    successors = [broker.consume(queue, PREFETCH, 300) for queue in ("storing", "default")]
    assert [list(delivery.args) for delivery in pull(successors[0], 1)] == [list(taken.args)], "it has come again"
    for successor in successors:
        successor.close()


def test_a_consumer_that_fails_leaves_the_others_their_connection(broker: RabbitBroker, rabbitmq: RabbitServer) -> None:
    consumer = broker.consume("storing", PREFETCH, 300)
    rabbitmq.management("/queues/{vhost}/default", "DELETE")
    rabbitmq.management("/queues/{vhost}/default", "PUT", {"durable": False})
    with pytest.raises(ConnectionClosed, match="inequivalent arg"):
        broker.consume("default", PREFETCH, 300)
    for delivery in pull(consumer, 3):
        consumer.ack(delivery)
    consumer.close()
