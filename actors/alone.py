"""Running one stage alone in a process: for tasks whose worker died, so that only the guilty one is convicted."""

from __future__ import annotations

import ctypes
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from typing import Any

from actors import holding
from errors import TaskError
from tasks.process import process_id
from tasks.wake_up import BACKSTOP_SECONDS
from tasks.work import Claim

#: Suspects take turns: each is a whole interpreter.
_turn = threading.Lock()
POLL_SECONDS = 0.1
PR_SET_PDEATHSIG = 1


def run(claim: Claim) -> bool:
    """Do a stage's work and advance, in a process of its own.

    Returns:
      whether the row was still the claim's own.

    Raises:
      TaskError: what the stage raised; `worker_crashed` when its process died, `timeout` when it had to be killed.
      holding.Lost, holding.HandBack: when it was killed for the claim's or this process's end.
    """
    with _turn:
        reading, writing = os.pipe()
        child = subprocess.Popen(
            [sys.executable, "-m", "actors.alone", str(writing)], stdin=subprocess.PIPE, pass_fds=[writing]
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
    return bool(outcome)


def _wait(child: subprocess.Popen[bytes], claim: Claim) -> None:
    deadline = time.monotonic() + claim.timeout + BACKSTOP_SECONDS
    while child.poll() is None:
        if claim.lost.is_set():
            raise holding.Lost
        if holding.out_of_grace():
            raise holding.HandBack
        if time.monotonic() > deadline:
            raise TaskError("timeout", f"{claim.stage} ran longer than {claim.timeout:g} s and was killed")
        time.sleep(POLL_SECONDS)


def _manner(returncode: int) -> str:
    if returncode < 0:
        return f"was killed by {signal.Signals(-returncode).name}"
    return f"ended with exit status {returncode}"


def main() -> None:
    """The child: takes a claim from stdin, works under its parent's name, and writes what came of it to the pipe."""
    parent = os.getppid()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    identity, claim = pickle.load(sys.stdin.buffer)
    if os.getppid() != parent:
        return
    from actors import worker
    from tasks.process import adopt

    adopt(identity)
    outcome: Any
    try:
        outcome = worker.carry_out_alone(claim)
    except Exception as error:
        outcome = error if _crosses(error) else TaskError("internal", f"{claim.stage} met a {type(error).__name__}")
    with os.fdopen(int(sys.argv[1]), "wb") as answers:
        answers.write(pickle.dumps(outcome))


def _crosses(error: Exception) -> bool:
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return False
    return True


if __name__ == "__main__":
    main()
