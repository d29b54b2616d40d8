"""Embedded mode from its first moment on: whatever ends it takes its PostgreSQL along."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.guard import Guard
from tests.servers import eventually, free_port
from tests.test_requirements import ROOT


def postmaster(folder: Path) -> int | None:
    """The process id of the PostgreSQL of a data folder, if it has one."""
    lines = (folder / "postgres" / "postmaster.pid").read_text().splitlines()
    return int(lines[0]) if lines else None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_during_the_start_leaves_no_postgresql(
    server_folder: Path, guard: Guard, number: signal.Signals
) -> None:
    folder = server_folder / f"embedded-{number}"
    environment = {**os.environ, "DATA_DIR": str(folder), "PORT": str(free_port())}
    process = subprocess.Popen([sys.executable, "-m", "embedded"], cwd=ROOT, env=environment, start_new_session=True)
    guard.watch(process.pid)
    pid = eventually(lambda: postmaster(folder), seconds=30, every=0.005, reason="PostgreSQL starts")
    process.send_signal(number)
    process.wait(timeout=30)
    eventually(lambda: not psutil.pid_exists(pid), seconds=10, reason="PostgreSQL has ended")
    guard.forget(process.pid)
