"""The queues and messages that RabbitMQ's management UI shows, and publishing that never blocks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import pika
import pytest
from dramatiq import Message

from broker import topology
from broker.messages import dead_letter, wake_up
from broker.publisher import Unpublished
from broker.rabbitmq import RabbitBroker
from pipeline import STAGES
from tests.rabbitmq import RabbitNode, RabbitServer
from tests.servers import eventually


def connected(*urls: str, queue_type: str = "classic", prefix: str = "") -> RabbitBroker:
    """A broker that publishes. One that has just started waits only a moment for that, however slow the machine is."""
    broker = RabbitBroker(list(urls), queue_type, prefix=prefix)
    broker.publisher.start()
    eventually(lambda: broker.publishing == "up", seconds=60)
    return broker


@pytest.fixture
def broker(rabbitmq: RabbitServer) -> Iterator[RabbitBroker]:
    broker = connected(rabbitmq.url)
    yield broker
    broker.close()


def id_of(name: str) -> str:
    """A task's id."""
    return str(uuid5(NAMESPACE_URL, name))


def message(broker: Any, subject: str = "task", priority: int = 4, attempt: int = 1) -> Message[Any]:
    return wake_up([id_of(subject)], "storing", "storing", priority=priority, attempt=attempt, time_limit=10)


def publish(broker: RabbitBroker, *messages: Message[Any]) -> None:
    broker.publish(list(messages)).result(timeout=10)


def test_there_is_a_queue_for_each_stage_with_priorities_and_its_dead_letters(
    broker: RabbitBroker, rabbitmq: RabbitServer
) -> None:
    publish(broker, message(broker))
    queues = rabbitmq.queues()
    assert set(queues) == set(topology.QUEUES) | {f"{queue}.XQ" for queue in topology.QUEUES}
    assert set(topology.QUEUES) == {*STAGES, "callback", "default"}
    for name in topology.QUEUES:
        assert queues[name]["durable"] is True
        # RabbitMQ 4 says the kind of a queue as well.
        assert {"x-queue-type": "classic"} | queues[name]["arguments"] == {
            "x-queue-type": "classic",
            "x-max-priority": 10,
            "x-dead-letter-exchange": "dead-letter",
            "x-dead-letter-routing-key": name,
        }
        assert queues[f"{name}.XQ"]["durable"] is True
        assert queues[f"{name}.XQ"]["arguments"]["x-max-length"] == topology.DEAD_LETTER_LENGTH
    exchange = rabbitmq.management("/exchanges/{vhost}/dead-letter")
    assert (exchange["type"], exchange["durable"]) == ("direct", True)
    bindings = rabbitmq.management("/exchanges/{vhost}/dead-letter/bindings/source")
    assert {(binding["routing_key"], binding["destination"]) for binding in bindings} == {
        (name, f"{name}.XQ") for name in topology.QUEUES
    }


def test_two_deployments_share_a_virtual_host_by_their_prefixes(broker: RabbitBroker, rabbitmq: RabbitServer) -> None:
    other = connected(rabbitmq.url, prefix="staging.")
    try:
        publish(broker, message(broker, "ours"))
        failed = dead_letter(id_of("failed"), "storing", "storing", 1, {"code": "corrupt", "kb_id": "kb"})
        publish(other, message(other, "theirs"), message(other, "poison"), failed)
        consumer = other.consume("storing", prefetch=2, timeout=1000)
        taken: Any = [next(consumer), next(consumer)]
        assert [delivery.args[0] for delivery in taken] == [id_of("theirs"), id_of("poison")]
        consumer.ack(taken[0])
        consumer.nack(taken[1])
        consumer.close()
        counts: Any = eventually(lambda: (c := other.counts()) and c["storing"].dead_lettered == 2 and c, seconds=5)
        assert counts["storing"] == topology.Counts(ready=0, dead_lettered=2, consumers=0)
        ours: Any = broker.counts()
        assert ours["storing"] == topology.Counts(ready=1, dead_lettered=0, consumers=0)
        headers = [letter["properties"]["headers"] for letter in rabbitmq.messages("staging.storing.XQ")]
        assert {entry["task_id"]: entry.get("code") for entry in headers} == {
            id_of("poison"): None,
            id_of("failed"): "corrupt",
        }
        exchanges = {exchange["name"] for exchange in rabbitmq.management("/exchanges/{vhost}")}
        assert {name for name in exchanges if name and not name.startswith("amq.")} == {
            "dead-letter",
            "staging.dead-letter",
        }
    finally:
        other.close()


def test_quorum_queues_are_declared_where_asked_for(rabbitmq: RabbitServer) -> None:
    broker = connected(rabbitmq.url, queue_type="quorum")
    publish(broker, message(broker))
    broker.close()
    queues = rabbitmq.queues()
    arguments = queues["storing"]["arguments"]
    assert arguments["x-queue-type"] == queues["storing.XQ"]["arguments"]["x-queue-type"] == "quorum"
    assert "x-max-priority" not in arguments, "quorum queues refuse it"


def test_a_message_is_persistent_and_shows_its_ids(broker: RabbitBroker, rabbitmq: RabbitServer) -> None:
    publish(broker, message(broker, "01a2", priority=6, attempt=3))
    (shown,) = rabbitmq.messages("storing")
    properties = shown["properties"]
    assert properties["delivery_mode"] == 2
    assert properties["priority"] == 6
    assert properties["headers"] == {"task_id": id_of("01a2"), "stage": "storing", "attempt": 3, "tasks": 1}


def test_a_higher_priority_overtakes(broker: RabbitBroker) -> None:
    publish(broker, *(message(broker, f"normal {number}") for number in range(20)))
    publish(broker, message(broker, "high", priority=topology.PRIORITIES["high"]))
    publish(broker, message(broker, "urgent", priority=topology.PRIORITIES["urgent"]))
    publish(broker, message(broker, "low", priority=topology.PRIORITIES["low"]))
    consumer = broker.consume("storing", prefetch=1, timeout=1000)
    order = []
    for _ in range(23):
        delivered = next(consumer)
        assert delivered is not None
        order.append(delivered.args[0])
        consumer.ack(delivered)
    consumer.close()
    assert order[:2] == [id_of("urgent"), id_of("high")]
    assert order[-1] == id_of("low")


def test_what_is_rejected_goes_to_its_dead_letter_queue(broker: RabbitBroker, rabbitmq: RabbitServer) -> None:
    publish(broker, message(broker, "poison"))
    consumer = broker.consume("storing", prefetch=1, timeout=1000)
    delivered = next(consumer)
    assert delivered is not None
    consumer.nack(delivered)
    consumer.close()
    counts: Any = eventually(
        lambda: (answer := broker.counts()) and answer["storing"].dead_lettered and answer, seconds=5
    )
    assert counts["storing"] == topology.Counts(ready=0, dead_lettered=1, consumers=0)
    (shown,) = rabbitmq.messages("storing.XQ")
    assert shown["properties"]["headers"]["task_id"] == id_of("poison")


def test_no_delay_queue_is_made(broker: RabbitBroker, rabbitmq: RabbitServer) -> None:
    broker.declare_queue("storing", ensure=True)
    assert broker.get_declared_delay_queues() == set()
    assert not [name for name in rabbitmq.queues() if name.endswith(".DQ")]
    with pytest.raises(ValueError, match="due time"):
        broker.enqueue(message(broker), delay=1000)


def test_a_batch_shares_its_round_trips(broker: RabbitBroker) -> None:
    """2,000 confirmed messages; one at a time would take more than a second here."""
    publish(broker, message(broker))
    batch = [message(broker, str(number)) for number in range(2000)]
    publish(broker, *batch)
    counts = broker.counts()
    assert counts is not None
    assert counts["storing"].ready == 2001


def test_publishing_is_refused_at_once_while_rabbitmq_is_away_and_works_again_after(
    rabbit_node: RabbitNode,
) -> None:
    broker = connected(rabbit_node.url)
    publish(broker, message(broker))
    rabbit_node.stop()
    eventually(lambda: broker.publishing == "down", seconds=30)
    refused = broker.publish([message(broker)])
    assert refused.done(), "nothing is waited for"
    assert "down" in str(refused.exception())
    assert broker.counts() is None
    rabbit_node.start()
    eventually(lambda: broker.publishing == "up", seconds=60)
    publish(broker, message(broker))
    counts = broker.counts()
    assert counts is not None
    assert counts["storing"].ready == 2, "the first one was persistent"
    broker.close()


def test_publishing_is_refused_at_once_while_rabbitmq_is_blocked(rabbit_node: RabbitNode) -> None:
    broker = connected(rabbit_node.url)
    publish(broker, message(broker))
    rabbit_node.block()
    # RabbitMQ tells a connection that it is blocked when it next publishes.
    pending = broker.publish([message(broker)])
    with pytest.raises(Unpublished, match="blocked"):
        pending.result(timeout=10)
    assert broker.publishing == "blocked"
    refused = broker.publish([message(broker)])
    assert refused.done(), "nothing is waited for"
    assert "blocked" in str(refused.exception())
    rabbit_node.unblock()
    eventually(lambda: broker.publishing == "up", seconds=60)
    publish(broker, message(broker))
    broker.close()


def test_queues_that_were_deleted_are_made_anew(broker: RabbitBroker, rabbitmq: RabbitServer) -> None:
    publish(broker, message(broker))
    rabbitmq.management("/queues/{vhost}/storing", "DELETE")

    def published() -> bool:
        publish(broker, message(broker))
        return "storing" in rabbitmq.queues()

    eventually(published, seconds=15, every=0.5)


def test_a_second_member_of_the_cluster_is_tried(rabbitmq: RabbitServer) -> None:
    broker = connected("amqp://guest:guest@127.0.0.1:1/%2F", rabbitmq.url)
    publish(broker, message(broker))
    counts = broker.counts()
    assert counts is not None
    assert counts["storing"].ready == 1
    broker.close()


def test_other_arguments_of_an_existing_queue_are_named(rabbitmq: RabbitServer) -> None:
    connection = pika.BlockingConnection(pika.URLParameters(rabbitmq.url))
    channel = connection.channel()
    channel.queue_declare("storing", durable=True)
    with pytest.raises(pika.exceptions.ChannelClosedByBroker, match="storing"):
        topology.Topology("classic").declare(channel)
    connection.close()


def test_dead_letters_that_an_earlier_release_declared_otherwise_stop_nobody(rabbitmq: RabbitServer) -> None:
    connection = pika.BlockingConnection(pika.URLParameters(rabbitmq.url))
    connection.channel().queue_declare("storing.XQ", durable=True)
    broker = connected(rabbitmq.url, queue_type="quorum")
    publish(broker, message(broker))
    counts = broker.counts()
    assert counts is not None
    assert (counts["storing"].ready, counts["storing"].dead_lettered) == (1, 0)
    broker.close()
    connection.close()
