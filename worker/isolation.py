"""Running stages alone in a process: for tasks whose worker died, so that only the one that causes it fails.

Each has a process of its own at once, and none waits for another: the processes are forked from one that has loaded
everything, so that they cost little time and memory, and there are never more than this worker has threads.
"""

from __future__ import annotations

import os
import pickle
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from errors import TaskError
from processes.channel import Channel, TimedOut
from processes.ending import manner
from tasks.process import process_id
from tasks.transactions.waking import BACKSTOP_SECONDS
from tasks.working.claim import Claim
from worker.holding import Claims, HandBack, Lost

#: What each process says first: the first one when it has loaded everything, the others before they get their claim.
READY = b"r"
#: Seconds that one may take for that until its claim is handed back, and again beyond the stage's own limit:
#: Dramatiq's time limit is later still.
PATIENCE = 0.4 * BACKSTOP_SECONDS
#: Seconds from the commit of a stage to its answer: what is to be published is so before.
ANSWERING = 0.5
#: Seconds after which the process that the others are forked from ends when no suspect comes.
IDLE = 10.0


class Origin:
    """The process that the others are forked from: `worker.isolated`, with everything loaded and nothing connected."""

    def __init__(self) -> None:
        self._control, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "worker.isolated", str(theirs.fileno()), str(os.getpid())],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )
        self._used_at = time.monotonic()
        self._has_loaded = False

    @property
    def is_fresh(self) -> bool:
        """Whether it will not end by itself in this moment."""
        if not self._has_loaded and select.select([self._control], [], [], 0)[0]:
            self._has_loaded = self._control.recv(1) == READY
            self._used_at = time.monotonic()
        is_idle = self._has_loaded and time.monotonic() - self._used_at > IDLE / 2
        return self._process.poll() is None and not is_idle

    def fork(self) -> socket.socket:
        """Fork a process that works on the claim it is sent, and dies when the returned channel to it is closed."""
        ours, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(self._control, [b"f"], [theirs.fileno()])
        self._used_at = time.monotonic()
        return ours

    def end(self) -> None:
        """Have it end, when what was forked from it has ended."""
        self._control.close()
        threading.Thread(target=self._process.wait, daemon=True).start()


class Isolation:
    """The processes of one worker in which suspects run.

    Parameters:
      claims: of the worker, which says whether it is to stop.
    """

    def __init__(self, claims: Claims) -> None:
        self._claims = claims
        self._origin: Origin | None = None
        self._choosing = threading.Lock()

    def run(self, claim: Claim) -> bool | Claim:
        """Do a stage's work and advance, in a process in which nothing else is done.

        Returns:
          what `tasks.working.work.advance` does.

        Raises:
          TaskError: what the stage raised; `worker_crashed` when its process died, `timeout` when it had to be killed.
          Lost, HandBack: when it was killed for the claim's or this process's end.
        """
        with self._fork() as channel:
            outcome = self._answer(channel, claim)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def _fork(self) -> socket.socket:
        with self._choosing:
            if self._origin is not None and not self._origin.is_fresh:
                self._origin.end()
                self._origin = None
            self._origin = self._origin or Origin()
            try:
                return self._origin.fork()
            except OSError:  # it was killed
                self._origin.end()
                self._origin = None
                raise HandBack from None

    def _answer(self, channel: socket.socket, claim: Claim) -> bool | Claim | Exception:
        """Read what came of a claim: what `tasks.working.work.advance` says, or the error of the stage."""
        frames, check = Channel(channel.fileno(), channel.fileno()), self._check(claim)
        try:
            if frames.exchange(None, PATIENCE, check) != READY:
                raise HandBack
        except (TimedOut, EOFError, OSError):
            raise HandBack from None
        try:
            frame = frames.exchange(pickle.dumps((process_id(), claim)), claim.timeout + PATIENCE, check)
        except TimedOut:
            raise TaskError("timeout", f"{claim.stage} ran longer than {claim.timeout:g} s and was killed") from None
        except (EOFError, OSError):
            # The process that it was forked from is gone, and took it along: the task is not at fault.
            raise HandBack from None
        try:
            outcome: bool | Claim | Exception | Ended = pickle.loads(frame)  # noqa: S301 - it runs our code alone
        except Exception:  # it was killed while it answered
            raise HandBack from None
        if isinstance(outcome, Ended):
            raise TaskError("worker_crashed", f"the process that ran {claim.stage} alone {manner(outcome.code)}")
        return outcome

    def _check(self, claim: Claim) -> Callable[[], None]:
        """Return what ends the wait for an answer that is no longer wanted."""
        lost_at: float | None = None

        def check() -> None:
            nonlocal lost_at
            if claim.lost:
                # It is lost by being finished, too: then the answer is on its way.
                lost_at = lost_at or time.monotonic()
                if time.monotonic() > lost_at + ANSWERING:
                    raise Lost
            elif self._claims.out_of_grace:
                raise HandBack

        return check


@dataclass(frozen=True, slots=True)
class Ended:
    """What the process that the others are forked from says of one that ended without an answer.

    Parameters:
      code: as in `subprocess.Popen.returncode`.
    """

    code: int
