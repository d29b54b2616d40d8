"""RabbitMQ stopped, blocked, or wiped: submissions are accepted, and everything completes."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.rabbitmq import RabbitNode
from tests.reliability.conftest import House
from tests.servers import eventually

POSTS = 300


def p99_of_posts(house: House) -> tuple[float, list[str]]:
    """The 99th percentile, in seconds, of single POSTs one after the other; and the ids."""
    times, ids = [], []
    for _ in range(POSTS):
        began = time.perf_counter()
        ids.append(house.submit(task_type="test"))
        times.append(time.perf_counter() - began)
    return sorted(times)[int(POSTS * 0.99)], ids


def all_complete(house: House, count: int, seconds: float) -> None:
    eventually(
        lambda: house.sql("SELECT count(*) FROM tasks WHERE status = 'completed'") == [(count,)],
        seconds=seconds,
        every=0.2,
        reason=f"{count} tasks complete",
    )


@pytest.mark.parametrize(
    ("take_away", "give_back"),
    [(RabbitNode.stop, RabbitNode.start), (RabbitNode.block, RabbitNode.unblock)],
    ids=["stopped", "blocked"],
)
def test_submissions_are_accepted_quickly_and_complete_when_rabbitmq_is_back(
    breakable_house: House,
    rabbit_node: RabbitNode,
    take_away: Callable[[RabbitNode], None],
    give_back: Callable[[RabbitNode], None],
) -> None:
    house = breakable_house
    house.open("web", "worker", "clock")
    house.ended(house.submit(task_type="test"))
    take_away(rabbit_node)
    p99, ids = p99_of_posts(house)
    assert p99 < 0.2
    health = house.deployment.http.get("/health")
    assert health.status_code == 200
    assert health.json()["status"] == "degraded"
    assert house.deployment.http.get("/readyz").status_code == 200
    give_back(rabbit_node)
    all_complete(house, POSTS + 1, seconds=60)
    eventually(lambda: house.deployment.http.get("/health").json()["status"] == "ok", seconds=10)
    house.called_back_once(ids[0], ids[-1])


def test_a_wiped_rabbitmq_loses_no_task_and_doubles_no_backlog(breakable_house: House, rabbit_node: RabbitNode) -> None:
    house = breakable_house
    del house.deployment.environment["KB_CALLBACK_URL"]
    house.open("web", "clock")
    for _ in range(10):
        batch = {"tasks": [{"task_type": "benchmark", "payload": {}}] * 1000}
        assert house.deployment.http.post("/api/v1/tasks/batch", json=batch).status_code == 202
    house.open("worker")
    eventually(lambda: house.sql("SELECT count(*) > 500 FROM tasks WHERE status = 'completed'") == [(True,)])
    rabbit_node.wipe()
    all_complete(house, 10_000, seconds=120)
    ends = "SELECT count(*), count(DISTINCT task_id) FROM events WHERE status = 'completed' AND task_id IS NOT NULL"
    assert house.sql(ends) == [(10_000, 10_000)]
