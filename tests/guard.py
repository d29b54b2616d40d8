"""Outlives a test run that was killed, and then ends what the run had started: no server is ever left behind.

A run starts this script once and writes lines to its standard input: `group 123`, `forget 123`,
`folder /tmp/x`. When the input ends, because the run closed it or died, every process group still named is
killed and every folder removed. Standard library only, and it never imports the service.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading


class Guard:
    """The run's end of the pipe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, text=True, start_new_session=True
        )

    def watch(self, group: int) -> None:
        """Kill this process group if the run dies."""
        self._say(f"group {group}")

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
    groups: dict[int, None] = {}
    folders: list[str] = []
    for line in sys.stdin:
        what, _, value = line.strip().partition(" ")
        if what == "group":
            groups[int(value)] = None
        elif what == "forget":
            groups.pop(int(value), None)
        elif what == "folder":
            folders.append(value)
    for group in groups:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
