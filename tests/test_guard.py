"""Nothing that a run started is left behind, and nothing else is touched."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.guard import Guard, kill_group, start_time
from tests.servers import eventually

ROOT = Path(__file__).resolve().parent.parent

RUN = """
import subprocess, sys, time
from tests.guard import Guard
guard = Guard()
child = subprocess.Popen(["sleep", "60"], start_new_session=True)
guard.watch(child.pid)
guard.remove_later(sys.argv[1])
print(child.pid, flush=True)
time.sleep(60)
"""


def test_a_run_that_is_killed_leaves_nothing_behind(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    run = subprocess.Popen(
        [sys.executable, "-c", RUN, str(folder)], cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert run.stdout is not None
    child = int(run.stdout.readline())
    assert start_time(child)
    os.killpg(run.pid, signal.SIGKILL)
    run.communicate()
    eventually(lambda: not alive(child) and not folder.exists())


def test_a_number_that_was_given_to_another_process_is_left_alone() -> None:
    stranger = subprocess.Popen(["sleep", "60"], start_new_session=True)
    try:
        kill_group(stranger.pid, "1")
        assert stranger.poll() is None
        kill_group(stranger.pid, start_time(stranger.pid))
        assert stranger.wait(timeout=5) == -signal.SIGKILL
    finally:
        stranger.kill()


def test_what_is_forgotten_is_not_killed() -> None:
    child = subprocess.Popen(["sleep", "60"], start_new_session=True)
    try:
        guard = Guard()
        guard.watch(child.pid)
        guard.forget(child.pid)
        guard.close()
        assert child.poll() is None
    finally:
        child.kill()
        child.wait()


def alive(process: int) -> bool:
    """Whether a process runs; one that has ended and is not yet collected does not."""
    stat = Path(f"/proc/{process}/stat")
    return stat.exists() and " Z " not in stat.read_text()
