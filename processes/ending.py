"""How processes end: a child together with its parent, and what its exit status says."""

from __future__ import annotations

import ctypes
import os
import signal

#: prctl(2): the signal that this process is sent when the thread ends that has started it.
_PR_SET_PDEATHSIG = 1


def die_with_parent(number: int = signal.SIGKILL) -> None:
    """Have the kernel send this process a signal when its parent ends, however that ends. Linux only.

    As `preexec_fn` it runs before the new program, so that the parent is there. A new user namespace, and a program
    with rights of its own, clear it again.
    """
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number)


def dies_with(parent: int, number: int = signal.SIGKILL) -> bool:
    """Do the same in a process that runs already.

    Parameters:
      parent: its process id, from before this process was started.

    Returns:
      whether the parent is still there. If it ended before, nobody will send the signal.
    """
    die_with_parent(number)
    return os.getppid() == parent


def manner(code: int) -> str:
    """Say how a process ended.

    Parameters:
      code: as in `subprocess.Popen.returncode`.
    """
    return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit status {code}"
