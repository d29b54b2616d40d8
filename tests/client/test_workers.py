"""`tm workers --max` where nothing can be run; tests/reliability/test_minding.py has it run workers."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from tests.client.command import MODULE, environment, run
from tests.processes import ROOT
from tests.servers import eventually


def test_more_than_there_may_be_is_refused() -> None:
    done = run("workers", "--min", "3", "--max", "2", TM_API_URL="http://127.0.0.1:9")
    assert done.returncode == 2
    assert done.stderr == "tm: --min 3 must be 0 or more, and no more than --max 2\n"


def test_what_cannot_be_started_is_not_started_all_the_time(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("wb") as file:
        minder = subprocess.Popen(
            [sys.executable, "-m", MODULE, "workers", "--min", "1", "--max", "1", "false"],
            cwd=ROOT,
            env=environment(TM_API_URL="http://127.0.0.1:9"),
            stderr=file,
        )
    try:
        eventually(lambda: "another is started in 2 s" in log.read_text(), seconds=30)
    finally:
        minder.send_signal(signal.SIGINT)
        assert minder.wait(timeout=20) == 0
    assert log.read_text().count("until it answers 1 workers go on") == 1
