"""The command `tm` as a user starts it, on a terminal and off it."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.test_requirements import ROOT

Run = Callable[..., subprocess.CompletedProcess[str]]


def environment(**variables: str) -> dict[str, str]:
    """This environment with nothing in it that steers the output."""
    steering = ("LANG", "LC_ALL", "NO_COLOR", "FORCE_COLOR", "COLUMNS", "TM_API_URL", "TM_API_KEY")
    kept = {name: value for name, value in os.environ.items() if name not in steering}
    ours = {"LANG": "C.UTF-8", "TERM": "xterm-256color", "PYTHONPATH": str(ROOT / "client")}
    return {**kept, **ours, **variables}


#: Where the command is, as the Makefile's `.venv/bin/tm` starts it.
MODULE = "task_manager_client.command.main"


def run(*arguments: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """The command off a terminal."""
    command = [sys.executable, "-m", MODULE, *map(str, arguments)]
    return subprocess.run(
        command, cwd=ROOT, env=environment(**variables), capture_output=True, text=True, timeout=120, check=False
    )


def on_a_terminal(*arguments: str | Path, **variables: str) -> tuple[int, str]:
    """The command's exit code, and all that a terminal of 100 columns was sent."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", MODULE, *map(str, arguments)],
        cwd=ROOT,
        env=environment(COLUMNS="100", **variables),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    sent = b""
    try:
        while data := os.read(ours, 65536):
            sent += data
    except OSError:
        pass  # how Linux says that the other end is closed
    finally:
        os.close(ours)
    return process.wait(timeout=60), sent.decode()


def shown(done: subprocess.CompletedProcess[str]) -> Any:
    """The JSON that a command printed."""
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
