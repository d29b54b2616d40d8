"""How a worker pulls: as wide as it works ahead, and it gives back what would only wait for it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import pytest

from broker.consumer import WIDE_FROM
from broker.delivery import Delivery
from broker.messages import Step, wake_up
from broker.rabbitmq import RabbitBroker
from tests.rabbitmq import RabbitServer
from tests.servers import eventually

PREFETCH = 2
MESSAGES = 40


class Pace:
    """A worker that says how far ahead it works."""

    def __init__(self) -> None:
        self.places = 0
        self.prepared: list[str] = []

    def prepare(self, delivery: Delivery) -> None:
        self.prepared.append(delivery.args[0])


@pytest.fixture
def pace() -> Pace:
    return Pace()


@pytest.fixture
def broker(rabbitmq: RabbitServer, pace: Pace) -> Iterator[RabbitBroker]:
    broker = RabbitBroker([rabbitmq.url], "classic", ahead=pace)
    steps = [Step("storing", "storing")]
    messages = [
        wake_up(str(number), steps, priority=4, attempt=1, time_limit=10, broker=broker) for number in range(MESSAGES)
    ]
    broker.publisher.start()
    eventually(lambda: broker.publishing == "up")
    broker.publish(messages).result(timeout=10)
    yield broker
    broker.close()


def pull(consumer: Any, most: int = MESSAGES) -> list[Delivery]:
    """What a consumer hands out until it hands out no more."""
    pulled: list[Delivery] = []
    while len(pulled) < most and (each := next(consumer)) is not None:
        pulled.append(each)
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


def test_it_pulls_wide_for_short_work_and_gives_back_what_long_work_would_keep_waiting(
    broker: RabbitBroker, pace: Pace
) -> None:
    pace.places = WIDE_FROM
    consumer = broker.consume("storing", PREFETCH, 300)
    taken = pull(consumer)
    assert len(taken) == PREFETCH + WIDE_FROM
    assert pace.prepared == [each.args[0] for each in taken]
    assert ready(broker) == 0, "the rest is pulled, and waits in the consumer"
    pace.places = 0
    assert next(consumer) is None
    assert ready(broker) == MESSAGES - len(taken)
    for each in taken:
        consumer.ack(each)
    assert len(pull(consumer)) == PREFETCH
    consumer.close()


def test_it_acknowledges_only_what_is_durable(broker: RabbitBroker, pace: Pace) -> None:
    consumer = broker.consume("storing", 4, 300)
    first, second, third, fourth = pull(consumer)
    first.outcome, third.outcome = Future(), Future()
    for each in (first, second, third, fourth):
        consumer.ack(each)
    assert len(pull(consumer)) == 2, "two were acknowledged at once"
    third.outcome.set_result(True)
    assert len(pull(consumer)) == 1, "one was rejected"
    consumer.close()
    counts = broker.counts()
    assert counts is not None
    assert counts["storing"].dead_lettered == 1
    assert counts["storing"].ready == MESSAGES - 3, "what was still being written down comes again"
