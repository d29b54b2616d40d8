"""The broker of embedded mode keeps the promises that RabbitMQ keeps: order, priority, delay, dead letters."""

from __future__ import annotations

import time
from typing import Any

import pytest
from dramatiq import Message

from broker.in_process import InProcessBroker
from broker.messages import wake_up


def message(broker: InProcessBroker, subject: str, priority: int = 4) -> Message[Any]:
    return wake_up([subject], "test", "default", priority=priority, attempt=1, time_limit=1)


@pytest.fixture
def broker() -> InProcessBroker:
    return InProcessBroker()


def subjects(broker: InProcessBroker, count: int) -> list[str]:
    consumer = broker.consume("default", prefetch=100, timeout=50)
    return [delivery.args[0] for _ in range(count) if (delivery := next(consumer)) is not None]


def test_it_delivers_by_priority_then_by_arrival(broker: InProcessBroker) -> None:
    broker.publish([message(broker, name) for name in "abc"])
    broker.publish([message(broker, "urgent", 9), message(broker, "low", 1), message(broker, "high", 6)])
    assert subjects(broker, 6) == ["urgent", "high", "a", "b", "c", "low"]


def test_it_holds_a_delayed_message_back(broker: InProcessBroker) -> None:
    began = time.monotonic()
    broker.enqueue(message(broker, "later"), delay=150)
    assert subjects(broker, 1) == []
    consumer = broker.consume("default", timeout=2000)
    delivered = next(consumer)
    assert delivered is not None
    assert delivered.args == ("later",)
    assert time.monotonic() - began >= 0.14


def test_it_delivers_no_more_than_was_asked_for(broker: InProcessBroker) -> None:
    broker.publish([message(broker, name) for name in "abc"])
    consumer = broker.consume("default", prefetch=2, timeout=50)
    held = [next(consumer), next(consumer)]
    assert next(consumer) is None
    assert held[0] is not None
    consumer.ack(held[0])
    third = next(consumer)
    assert third is not None
    assert third.args == ("c",)


def test_it_keeps_what_is_rejected(broker: InProcessBroker) -> None:
    broker.publish([message(broker, "poison")])
    consumer = broker.consume("default", timeout=50)
    delivered = next(consumer)
    assert delivered is not None
    consumer.nack(delivered)
    counts = broker.counts()
    assert counts is not None
    assert (counts["default"].ready, counts["default"].dead_lettered) == (0, 1)
    assert Message.decode(broker.queues["default"].dead[0]).args == ("poison",)
