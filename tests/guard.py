"""Outlives a test run that was killed, and then ends what the run had started: no server is ever left behind.

A run starts this script once and writes lines to its standard input: `group 123 4567` (4567 is when the first
process of the group started), `forget 123`, `folder /tmp/x`. When the input ends, because the run closed it or
died, every process group still named is killed and every folder removed. Standard library only, and it never
imports the service.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path


def start_time(process: int) -> str:
    """When the kernel started a process, in its own ticks; empty when there is none, or no /proc to tell."""
    try:
        stat = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return ""
    # The second field is the command in brackets, which may hold anything; the start is the 22nd.
    return stat.rpartition(")")[2].split()[19]


def kill_group(group: int, started: str) -> None:
    """`kill -9` a process group, unless its number is somebody else's by now: numbers are used again.

    While a process of the group lives its number is not given away. So a first process that is not the one that
    was started means that the whole group is gone.
    """
    if start_time(group) in ("", started):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)


class Guard:
    """The run's end of the pipe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, text=True, start_new_session=True
        )

    def watch(self, group: int) -> None:
        """Kill this process group if the run dies."""
        self._say(f"group {group} {start_time(group)}")

    def forget(self, group: int) -> None:
        """The group has ended; its number may be given to somebody else."""
        self._say(f"forget {group}")

    def remove_later(self, folder: os.PathLike[str]) -> None:
        """Remove this folder when the run is over."""
        self._say(f"folder {folder}")

    def close(self) -> None:
        """The run is over: let the guard do what is left and end."""
        self._process.communicate(timeout=30)

    def _say(self, line: str) -> None:
        with self._lock:
            if self._process.stdin is not None:
                self._process.stdin.write(line + "\n")
                self._process.stdin.flush()


def main() -> None:
    """Read until the run is over, then clear up."""
    # Ctrl-C reaches the whole foreground group of a terminal; this process has to see the end of the run.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    groups: dict[int, str] = {}
    folders: list[str] = []
    for line in sys.stdin:
        what, _, value = line.strip().partition(" ")
        if what == "group":
            group, _, started = value.partition(" ")
            groups[int(group)] = started
        elif what == "forget":
            groups.pop(int(value), None)
        elif what == "folder":
            folders.append(value)
    for pid, since in groups.items():
        kill_group(pid, since)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
