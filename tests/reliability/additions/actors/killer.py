"""The stage of `killer` tasks: takes its own process down, as a fault in a library does."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from tasks.working.claim import Advance
from worker.stage import Work, stage


@stage
def killer(work: Work) -> Advance:
    """Wait for the sign, and die."""
    while not Path(work.payload["sign"]).exists():
        work.check()
        time.sleep(0.05)
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("it is dead")
