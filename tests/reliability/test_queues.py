"""What RabbitMQ's management UI shows of a deployment at work: who serves a queue, who goes first, what is rejected."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest

from broker.topology import PRIORITIES, QUEUES
from pipeline import STAGES
from tests.rabbitmq import RabbitServer
from tests.reliability.conftest import House
from tests.servers import eventually

TEXT = "# Lighthouses\n\n" + "A lighthouse warns ships of rocks. 灯塔警告船只避开礁石。\n\n" * 40
#: Threads of a worker, and so the messages that it pulls.
THREADS = 4
#: Seconds until the management API shows who consumes a queue now: it looks every 5.
COUNTED = 20.0


def waiting(rabbitmq: RabbitServer, queue: str, count: int) -> list[dict[str, Any]]:
    """The messages of a queue that nobody consumes, once there are so many."""

    def ask() -> list[dict[str, Any]]:
        messages = rabbitmq.messages(queue)
        return messages if len(messages) == count else []

    return eventually(ask, seconds=20, reason=f"{queue} holds {count} messages")


def open_web(house: House) -> None:
    """Start web, and wait until it can publish: nobody is there to find what it could not tell RabbitMQ."""
    house.open("web")
    eventually(
        lambda: house.deployment.http.get("/readyz").json()["checks"]["rabbitmq"]["status"] == "up",
        seconds=20,
        reason="web is connected to RabbitMQ",
    )


def headers(message: dict[str, Any]) -> dict[str, Any]:
    """What this service writes into the headers; RabbitMQ adds its own to a dead letter."""
    shown: dict[str, Any] = message["properties"]["headers"]
    return {name: shown.get(name) for name in ("task_id", "stage", "attempt")}


def consumers(rabbitmq: RabbitServer) -> dict[str, list[int]]:
    """How many messages each consumer of a queue takes at once, for every queue that has any."""
    counts = defaultdict(list)
    for consumer in rabbitmq.management("/consumers/{vhost}"):
        counts[consumer["queue"]["name"]].append(consumer["prefetch_count"])
    return dict(counts)


def dead_letters(rabbitmq: RabbitServer) -> dict[str, list[dict[str, Any]]]:
    """The dead letters of each queue that has any."""
    letters = {queue: rabbitmq.messages(f"{queue}.XQ") for queue in QUEUES}
    return {queue: messages for queue, messages in letters.items() if messages}


def without_callbacks(house: House) -> House:
    """Nothing but tasks in the queues."""
    del house.deployment.environment["KB_CALLBACK_URL"]
    return house


def test_a_message_shows_its_task_and_its_priority_and_holds_nothing_of_the_document(
    house: House, rabbitmq: RabbitServer
) -> None:
    open_web(house)
    ids = {name: house.document("a wholly private matter", name, priority=name) for name in PRIORITIES}
    messages = waiting(rabbitmq, "preprocessing", len(ids))
    in_order = sorted(ids, key=lambda name: -PRIORITIES[name])
    assert in_order == ["urgent", "high", "normal", "low"]
    assert [headers(message) for message in messages] == [
        {"task_id": ids[name], "stage": "preprocessing", "attempt": 1} for name in in_order
    ]
    assert [message["properties"]["priority"] for message in messages] == [9, 6, 4, 1]
    assert {message["properties"]["delivery_mode"] for message in messages} == {2}
    assert "private" not in str(messages)


def test_workers_of_one_stage_each_hand_documents_on_and_leave_no_dead_letter(
    house: House, rabbitmq: RabbitServer
) -> None:
    house = without_callbacks(house)
    open_web(house)
    ids = [house.document(TEXT, f"d{number}", priority="high") for number in range(10)]
    for position, stage in enumerate(STAGES):
        # What the worker of the stage before has handed on waits here.
        messages = waiting(rabbitmq, stage, len(ids))
        expected = {task_id: {"task_id": task_id, "stage": stage, "attempt": position + 1} for task_id in ids}
        assert {(shown := headers(message))["task_id"]: shown for message in messages} == expected
        assert {
            (message["properties"]["delivery_mode"], message["properties"]["priority"]) for message in messages
        } == {(2, 6)}
        house.deployment.start("worker", f"--queues {stage}")
    for task_id in ids:
        assert house.ended(task_id)["status"] == "completed"
    # All five are at work at once now.
    ids = [house.document(TEXT, f"e{number}") for number in range(30)]
    for task_id in ids:
        assert house.ended(task_id)["status"] == "completed"
    eventually(lambda: consumers(rabbitmq).keys() == set(STAGES), seconds=COUNTED, reason="each serves its queue alone")
    assert dead_letters(rabbitmq) == {}
    assert house.sql("SELECT sum(retries) FROM tasks") == [(0,)]


def test_a_high_task_behind_a_thousand_normal_ones_is_the_next_to_start(house: House, rabbitmq: RabbitServer) -> None:
    house = without_callbacks(house)
    house.open("web", "clock")
    tasks = [{"task_type": "benchmark", "payload": {"seconds": 3600}, "timeout": 3600}] * 1000
    answer = house.deployment.http.post("/api/v1/tasks/batch", json={"tasks": tasks})
    assert answer.json()["accepted"] == 1000
    house.deployment.start("worker", WORKER_POOL_SIZE=str(THREADS))
    started = "SELECT id FROM tasks WHERE started_at IS NOT NULL"
    eventually(lambda: len(house.sql(started)) == THREADS, seconds=20, reason="every thread has a normal task")
    # So nothing waits in the worker beside what it works on.
    eventually(lambda: "default" not in consumers(rabbitmq), seconds=COUNTED, reason="it pulls no more")
    high = house.submit(task_type="test", priority="high")
    eventually(lambda: headers(rabbitmq.messages("default", 1)[0])["task_id"] == high, reason="it is in RabbitMQ")
    (busy, *_) = house.sql(started)
    assert house.deployment.http.delete(f"/api/v1/tasks/{busy[0]}").status_code == 202
    assert house.ended(high)["status"] == "completed"
    before = f"{started} AND started_at < (SELECT started_at FROM tasks WHERE id = %s)"
    assert len(house.sql(before, high)) == THREADS


@pytest.mark.parametrize("queue_type", ["classic", "quorum"])
def test_the_messages_of_failed_tasks_and_no_others_are_dead_letters(
    house: House, rabbitmq: RabbitServer, queue_type: str
) -> None:
    house.deployment.environment["QUEUE_TYPE"] = queue_type
    house.open("web", "worker", "clock")
    unreadable = house.document("", "empty")
    absent = house.submit(task_type="document_deletion", kb_id="kb", payload={"document_id": "nowhere"})
    completed = [house.document(TEXT, "good"), house.submit(task_type="test")]
    cancelled = house.submit(task_type="benchmark", payload={"seconds": 60})
    house.at_work(cancelled, "benchmark")
    house.deployment.http.delete(f"/api/v1/tasks/{cancelled}")
    assert [house.ended(task_id)["status"] for task_id in (unreadable, absent)] == ["failed", "failed"]
    assert [house.ended(task_id)["status"] for task_id in completed] == ["completed", "completed"]
    house.called_back_once(unreadable, absent, *completed, cancelled)
    expected = {"preprocessing": (unreadable, "preprocessing"), "default": (absent, "document_deletion")}
    for queue in expected:
        waiting(rabbitmq, f"{queue}.XQ", 1)
    letters = dead_letters(rabbitmq)
    assert letters.keys() == expected.keys()
    for queue, (letter,) in letters.items():
        task_id, stage = expected[queue]
        assert headers(letter) == {"task_id": task_id, "stage": stage, "attempt": 1}
        assert letter["exchange"] == "dead-letter"
        assert letter["routing_key"] == queue
        assert letter["properties"]["headers"]["code"] == house.show(task_id)["error"]["code"]
        assert letter["properties"]["delivery_mode"] == 2
    assert {rabbitmq.queues()[name]["type"] for name in QUEUES} == {queue_type}


@pytest.mark.parametrize("threads", [1, 4])
def test_callbacks_go_out_while_more_tasks_wait_than_can_be_run(house: House, threads: int) -> None:
    house.open("web", "clock")
    tasks = [{"task_type": "benchmark", "payload": {"seconds": 3600}, "timeout": 3600}] * 20
    house.deployment.start("worker", WORKER_POOL_SIZE=str(threads))
    house.deployment.http.post("/api/v1/tasks/batch", json={"tasks": tasks}).raise_for_status()
    running = "SELECT id FROM tasks WHERE status = 'processing' ORDER BY started_at DESC"
    eventually(lambda: len(house.sql(running)) == threads, seconds=20, reason="every thread is at work")
    first = house.sql(running)[0][0]
    # Its thread has more to do at once.
    assert house.deployment.http.delete(f"/api/v1/tasks/{first}").status_code == 202
    house.called_back_once(first, seconds=20)
    eventually(lambda: len(house.sql(running)) == threads, seconds=20, reason="the thread has gone on")
    assert first not in [task_id for (task_id,) in house.sql(running)]
