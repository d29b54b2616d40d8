"""Running stages alone in a process: for tasks whose worker died, so that only the guilty one is convicted."""

from __future__ import annotations

import os
import pickle
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from actors import holding
from errors import TaskError
from tasks.claim import Claim
from tasks.process import process_id
from tasks.wake_up import BACKSTOP_SECONDS

POLL_SECONDS = 0.1
#: Seconds that a suspect waits for its turn before it is handed back: Dramatiq's time limit counts them as well, and
#: a neighbour of the guilty must not run out of time because others had their turn first.
PATIENCE = BACKSTOP_SECONDS / 2
#: Seconds from the commit of a stage to its answer: what is to be published is so before.
ANSWERING = 0.5
#: Seconds after which the process ends by itself when no suspect comes.
IDLE = 10.0


class Room:
    """A process in which one suspect after the other works, until one of them kills it."""

    def __init__(self) -> None:
        reading, writing = os.pipe()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "actors.suspect", str(writing), str(os.getpid())],
            stdin=subprocess.PIPE,
            pass_fds=[writing],
        )
        os.close(writing)
        self._answers = os.fdopen(reading, "rb")
        self._used_at = time.monotonic()

    @property
    def is_fresh(self) -> bool:
        """Whether it will not end by itself in this moment."""
        return time.monotonic() - self._used_at < IDLE / 2

    def answer(self, claim: Claim) -> Any:
        """What came of a claim: what `tasks.work.advance` says, or the error of the stage.

        Raises:
          TaskError: `worker_crashed` when the process died, `timeout` when the stage took too long.
          holding.Lost, holding.HandBack: see `run`.
        """
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # it died already; its exit status says how
            self._process.stdin.write(pickle.dumps((process_id(), claim)))
            self._process.stdin.flush()
        deadline = time.monotonic() + claim.timeout + PATIENCE
        while not select.select([self._answers], [], [], POLL_SECONDS)[0]:
            # A claim is lost by being finished, too: then the answer is on its way.
            if claim.lost.is_set() and select.select([self._answers], [], [], ANSWERING)[0]:
                break
            _go_on(claim)
            if time.monotonic() > deadline:
                raise TaskError("timeout", f"{claim.stage} ran longer than {claim.timeout:g} s and was killed")
        try:
            outcome = pickle.load(self._answers)
        except (EOFError, pickle.UnpicklingError):
            how = _manner(self._process.wait())
            raise TaskError("worker_crashed", f"the process that ran {claim.stage} alone {how}") from None
        self._used_at = time.monotonic()
        return outcome

    def end(self) -> None:
        """Kill the process, and whatever runs in it."""
        self._process.kill()
        self._process.wait()
        self._answers.close()
        with suppress(BrokenPipeError):
            assert self._process.stdin is not None
            self._process.stdin.close()


#: Suspects take turns: each room is a whole interpreter, which takes a second of CPU time to start.
_one = threading.Lock()
_room: Room | None = None


def run(claim: Claim) -> bool | Claim:
    """Do a stage's work and advance, in a process in which nothing else is done meanwhile.

    Returns:
      what `tasks.work.advance` does.

    Raises:
      TaskError: what the stage raised; `worker_crashed` when its process died, `timeout` when it had to be killed.
      holding.Lost, holding.HandBack: when it was killed for the claim's or this process's end; handed back also
        when others have their turn.
    """
    global _room
    with _turn(claim):
        if _room is not None and not _room.is_fresh:
            _room.end()
            _room = None
        room = _room = _room or Room()
        try:
            outcome = room.answer(claim)
        except BaseException:
            _room = None
            room.end()
            raise
    if isinstance(outcome, Exception):
        raise outcome
    answered: bool | Claim = outcome
    return answered


@contextmanager
def _turn(claim: Claim) -> Iterator[None]:
    """Wait until no other suspect runs, and keep the others waiting."""
    deadline = time.monotonic() + PATIENCE
    while not _one.acquire(timeout=POLL_SECONDS):
        _go_on(claim)
        if time.monotonic() > deadline:
            raise holding.HandBack
    try:
        yield
    finally:
        _one.release()


def _go_on(claim: Claim) -> None:
    if claim.lost.is_set():
        raise holding.Lost
    if holding.out_of_grace():
        raise holding.HandBack


def _manner(returncode: int) -> str:
    if returncode < 0:
        return f"was killed by {signal.Signals(-returncode).name}"
    return f"ended with exit status {returncode}"
