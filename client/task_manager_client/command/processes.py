"""The worker processes of one machine: as many as are wanted, and another for each that dies."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from task_manager_client.command.complaints import complain

#: Seconds for which a process must have run for another to be started at once when it ends; twice as long a wait after
#: each that did not, up to the second.
STABLE, LONGEST = 10.0, 60.0
#: Seconds beyond SHUTDOWN_TIMEOUT (25 by default) that processes get to end.
GRACE = 5.0


class Processes:
    """Runs a command so many times.

    Parameters:
      command: what a worker is started with; SIGTERM must end it in good order.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._command = list(command)
        self._running: dict[subprocess.Popen[bytes], float] = {}
        self._leaving: set[subprocess.Popen[bytes]] = set()
        self._wait, self._not_before = 0.0, 0.0

    def __len__(self) -> int:
        return len(self._running)

    def keep(self, wanted: int, busy: Mapping[int, int]) -> None:
        """Start what is missing, and have those end that are too many: the idlest, and of these the newest.

        Parameters:
          busy: threads at work, by the number of a process or of a child of it.
        """
        self._reap()
        while len(self._running) < wanted and time.monotonic() >= self._not_before:
            # Apart from the terminal, whose Ctrl-C is for whoever minds the workers.
            process = subprocess.Popen(self._command, start_new_session=True)
            self._running[process] = time.monotonic()
            complain(f"tm: started worker {process.pid}, {len(self._running)} of {wanted}")
        at_work = _by_parent(busy)
        while len(self._running) > wanted:
            process = min(
                self._running, key=lambda candidate: (at_work.get(candidate.pid, 0), -self._running[candidate])
            )
            self._end(process)
            complain(f"tm: worker {process.pid} is not wanted any more; it ends, and hands back what it has not done")

    def end(self) -> None:
        """End all, and wait for them; whatever does not end in time is killed."""
        for process in list(self._running):
            self._end(process)
        until = time.monotonic() + float(os.environ.get("SHUTDOWN_TIMEOUT") or 25) + GRACE
        for process in self._leaving:
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, until - time.monotonic()))
            if process.poll() is None:
                # With all that it has started: a child that goes on would be nobody's.
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        del self._running[process]
        self._leaving.add(process)
        process.send_signal(signal.SIGTERM)

    def _reap(self) -> None:
        """Forget what has ended."""
        self._leaving = {process for process in self._leaving if process.poll() is None}
        for process in [process for process in self._running if process.poll() is not None]:
            ran = time.monotonic() - self._running.pop(process)
            self._wait = 0.0 if ran >= STABLE else min(LONGEST, max(1.0, 2 * self._wait))
            self._not_before = time.monotonic() + self._wait
            soon = f"in {self._wait:.0f} s" if self._wait else "at once"
            complain(f"tm: worker {process.pid} ended with code {process.returncode}; another is started {soon}")


def _by_parent(busy: Mapping[int, int]) -> dict[int, int]:
    """Return threads at work by the process, and by the one that started it: a worker registers as Dramatiq's child."""
    at_work = dict(busy)
    for pid, threads in busy.items():
        # Linux alone says so here; elsewhere the newest ends first.
        with suppress(OSError, ValueError, IndexError):
            parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
            at_work[parent] = at_work.get(parent, 0) + threads
    return at_work
