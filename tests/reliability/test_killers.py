"""A task that kills the process it runs in is found out, and those that ran beside it complete."""

from __future__ import annotations

from pathlib import Path

from tests.processes import Process
from tests.reliability.conftest import House
from tests.servers import eventually

ADDITIONS = Path(__file__).parent / "additions"
#: Threads of the killer's worker, all but one of which do honest work.
THREADS = 10


def test_a_task_that_kills_its_worker_fails_alone_and_its_nine_neighbours_complete(
    house: House, tmp_path: Path
) -> None:
    house.deployment.add(ADDITIONS)
    house.open("web", "clock")
    worker = house.deployment.start("worker", restart=True, WORKER_POOL_SIZE=str(THREADS))
    sign = tmp_path / "sign"
    killer = house.submit(task_type="killer", payload={"sign": str(sign)}, retry_limit=0)
    # All of these are suspects when their worker has died, and none may lose its time by waiting for the others.
    neighbours = [
        house.submit(task_type="benchmark", payload={"seconds": 2}, timeout=3, retry_limit=0)
        for _ in range(THREADS - 1)
    ]
    together = "SELECT count(*) FROM tasks WHERE status = 'processing' GROUP BY worker_id"
    eventually(lambda: house.sql(together) == [(THREADS,)], seconds=20, every=0.02, reason="all run in one process")
    sign.touch()
    eventually(lambda: worker.starts == 2, seconds=20, reason="the worker has died and was started again")

    shown = house.ended(killer, seconds=120)
    assert shown["status"] == "failed"
    assert shown["error"]["code"] == "worker_crashed"
    assert "SIGKILL" in shown["error"]["message"]
    assert shown["error"]["hint"]
    assert shown["error"]["hint_zh"]
    # Once in company, which convicts nobody, and three times alone.
    assert shown["stages"][0]["attempts"] == 4
    # Where a busy machine takes seconds to start the process, the attempt is handed back meanwhile, and does not count.
    attempts = [attempt for attempt in shown["attempts"] if attempt["outcome"] != "handed_back"]
    assert [attempt["outcome"] for attempt in attempts] == ["worker_died", "put_off", "put_off", "failed"]
    assert {attempt["error"]["code"] for attempt in attempts[1:]} == {"worker_crashed"}
    assert attempts[0]["worker"] != attempts[1]["worker"]
    for neighbour in neighbours:
        shown = house.ended(neighbour, seconds=120)
        assert shown["status"] == "completed", shown["error"]
        assert shown["stages"][0]["attempts"] == 2
    assert worker.starts == 2
    house.called_back_once(killer, *neighbours)


def alone(worker: Process) -> int:
    """How many processes of a worker run a suspect: they are forked from one, and look like it."""
    return sum("worker.isolated" in member.cmdline() for member in worker.members) - 1


def test_the_suspects_of_a_killed_worker_run_beside_each_other(house: House) -> None:
    house.open("web", "clock")
    worker = house.deployment.start("worker", restart=True, WORKER_POOL_SIZE=str(THREADS))
    tasks = [house.submit(task_type="benchmark", payload={"seconds": 25}) for _ in range(THREADS)]
    held = "SELECT count(*) FROM tasks WHERE worker_id IS NOT NULL"
    eventually(lambda: house.sql(held) == [(THREADS,)], seconds=20, reason="all are at work")
    worker.kill()
    eventually(lambda: alone(worker) == THREADS, seconds=60, reason="each has a process of its own")
    begun = "SELECT count(*) FROM tasks WHERE begun = attempt"
    eventually(lambda: house.sql(begun) == [(THREADS,)], seconds=20, reason="each has begun")
    # Whoever ends the sessions of a worker that stands still ends those of its suspects as well.
    strangers = """
        SELECT application_name FROM pg_stat_activity WHERE application_name LIKE 'task-manager worker %%'
        AND application_name NOT IN (SELECT 'task-manager worker ' || id FROM workers)
    """
    assert house.sql(strangers) == []
    for task_id in tasks:
        shown = house.ended(task_id, seconds=60)
        assert (shown["status"], shown["stages"][0]["attempts"]) == ("completed", 2), shown["error"]
