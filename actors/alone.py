"""Running one stage alone in a process: for tasks whose worker died, so that only the guilty one is convicted."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from actors import holding
from errors import TaskError
from tasks.process import process_id
from tasks.wake_up import BACKSTOP_SECONDS
from tasks.work import Claim

#: Suspects take turns: each is a whole interpreter.
_one = threading.Lock()
POLL_SECONDS = 0.1
#: Seconds that a suspect waits for its turn before it is handed back: Dramatiq's time limit counts them as well, and
#: a neighbour of the guilty must not run out of time because others had their turn first.
PATIENCE = BACKSTOP_SECONDS / 2


def run(claim: Claim) -> bool | Claim:
    """Do a stage's work and advance, in a process of its own.

    Returns:
      what `tasks.work.advance` does.

    Raises:
      TaskError: what the stage raised; `worker_crashed` when its process died, `timeout` when it had to be killed.
      holding.Lost, holding.HandBack: when it was killed for the claim's or this process's end; handed back also
        when others have their turn.
    """
    with _turn(claim):
        reading, writing = os.pipe()
        child = subprocess.Popen(
            [sys.executable, "-m", "actors.suspect", str(writing), str(os.getpid())],
            stdin=subprocess.PIPE,
            pass_fds=[writing],
        )
        os.close(writing)
        with os.fdopen(reading, "rb") as answers:
            assert child.stdin is not None
            try:
                child.stdin.write(pickle.dumps((process_id(), claim)))
                child.stdin.close()
            except BrokenPipeError:
                pass  # it died already; its exit status says how
            try:
                _wait(child, claim)
            finally:
                child.kill()
                child.wait()
            answer = answers.read()
    if not answer:
        raise TaskError("worker_crashed", f"the process that ran {claim.stage} alone {_manner(child.returncode)}")
    outcome = pickle.loads(answer)
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


def _wait(child: subprocess.Popen[bytes], claim: Claim) -> None:
    deadline = time.monotonic() + claim.timeout + PATIENCE
    while child.poll() is None:
        _go_on(claim)
        if time.monotonic() > deadline:
            raise TaskError("timeout", f"{claim.stage} ran longer than {claim.timeout:g} s and was killed")
        time.sleep(POLL_SECONDS)


def _manner(returncode: int) -> str:
    if returncode < 0:
        return f"was killed by {signal.Signals(-returncode).name}"
    return f"ended with exit status {returncode}"
