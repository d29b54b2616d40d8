"""A bulk over thousands of tasks whose worker is killed, again and again: each task is changed once, and back once."""

from __future__ import annotations

from typing import Any

from tests.reliability.conftest import House
from tests.servers import eventually

TASKS = 4000


def submit(house: House, count: int) -> None:
    """Submit tasks of the KB `kb` that do not run by themselves."""
    task = {"task_type": "test", "kb_id": "kb", "run_at": "2990-01-01T00:00:00Z"}
    for _ in range(count // 1000):
        answer = house.deployment.http.post("/api/v1/tasks/batch", json={"tasks": [task] * 1000})
        assert answer.json()["accepted"] == 1000


def bulk(house: House, path: str, **body: Any) -> str:
    """Ask for a bulk. Returns the id of its task."""
    answer = house.deployment.http.post(f"/api/v1{path}", json=body)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["task_id"])


def statuses(house: House) -> dict[str, int]:
    rows = house.sql("SELECT status, count(*) FROM tasks WHERE task_type = 'test' GROUP BY status")
    return {str(status): int(count) for status, count in rows}


def killed_midway(house: House, bulk_id: str, kills: int) -> None:
    """Kill the worker of a bulk as soon as it has done some more of it; another one takes its place."""
    done = 0
    for _ in range(kills):
        worker = house.deployment.start("worker", WORKER_POOL_SIZE="2")

        def further(behind: int = done) -> int:
            ((count,),) = house.sql("SELECT count(changed) FROM bulk_items WHERE bulk_id = %s", bulk_id)
            return int(count) if count > behind else 0

        done = eventually(further, seconds=60, every=0.01, reason="the bulk goes on")
        worker.kill()
        assert done < TASKS, "it was to be killed midway"
    house.deployment.start("worker", restart=True)


def test_a_bulk_is_done_once_and_undone_once_however_often_its_worker_dies(house: House) -> None:
    # Nobody is called back: that would be thousands of requests, and is looked at elsewhere.
    del house.deployment.environment["KB_CALLBACK_URL"]
    house.open("web", "clock")
    submit(house, TASKS)
    cancelling = bulk(house, "/tasks/cancel", filter={"kb_id": "kb"})
    killed_midway(house, cancelling, 2)
    shown = house.ended(cancelling)
    assert shown["result"] == {"action": "cancel", "changed": TASKS, "refused": 0}, shown
    assert statuses(house) == {"cancelled": TASKS}
    assert house.sql("SELECT DISTINCT pending FROM batches") == [(0,)]

    undoing = bulk(house, f"/tasks/{cancelling}/undo")
    assert house.ended(undoing)["result"] == {"action": "retry", "changed": TASKS, "refused": 0}
    assert statuses(house) == {"waiting": TASKS}
    assert house.sql("SELECT DISTINCT run FROM tasks WHERE task_type = 'test'") == [(2,)]
