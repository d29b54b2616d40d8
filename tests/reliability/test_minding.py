"""`tm workers --max`: as many workers as are wanted on one machine, and another for each that dies."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import psutil

from tests.client.command import MODULE
from tests.processes import ROOT
from tests.reliability.conftest import House
from tests.servers import eventually


def living(minder: subprocess.Popen[bytes]) -> dict[int, psutil.Process]:
    """Return the processes that it has started, by their number."""
    children = psutil.Process(minder.pid).children()
    return {child.pid: child for child in children if child.status() != psutil.STATUS_ZOMBIE}


def test_it_starts_what_is_wanted_replaces_what_dies_and_ends_what_is_idle(house: House, tmp_path: Path) -> None:
    house.deployment.environment.update(WORKER_POOL_SIZE="1")
    house.open("web", "clock")
    theirs = {"PYTHONPATH": str(ROOT / "client"), "TM_API_URL": house.deployment.url}
    arguments = ["workers", "--min", "1", "--max", "3", "--target", "2", "--calm", "4"]
    said = tmp_path / "said"
    with said.open("wb") as log:
        minder = subprocess.Popen(
            [sys.executable, "-m", MODULE, *arguments],
            cwd=ROOT,
            env=house.deployment.environment | theirs,
            stderr=log,
        )
    registered = "SELECT count(*) FROM workers WHERE kind = 'worker'"
    workers: dict[int, psutil.Process] = {}
    try:
        eventually(lambda: house.sql(registered) == [(1,)], seconds=60, reason="one waits for work")
        ids = [house.submit(task_type="benchmark", payload={"seconds": 3}) for _ in range(15)]
        eventually(lambda: house.sql(registered) == [(3,)], seconds=60, reason="three are at work")
        workers = living(minder)
        killed = next(iter(workers))
        for process in [*workers[killed].children(recursive=True), workers[killed]]:
            process.kill()
        eventually(
            lambda: killed not in living(minder) and len(living(minder)) == 3, seconds=20, reason="as many again"
        )
        for task_id in ids:
            assert house.ended(task_id, seconds=90)["status"] == "completed"
        eventually(lambda: len(living(minder)) == 1, seconds=40, reason="the idle ones are not wanted any more")
        assert house.sql("SELECT sum(deaths) <= 1, sum(errors) FROM tasks") == [(True, 0)], "but for the one killed"
        workers = living(minder)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{said.read_text()}\n{house.deployment.logs()}") from None
    finally:
        minder.send_signal(signal.SIGTERM)
        code = minder.wait(timeout=60)
    assert code == 0, said.read_text()
    assert [process for process in workers.values() if process.is_running()] == []
    assert house.sql(registered) == [(0,)], "it has handed back what it held"
