"""The stage of `benchmark` tasks: takes as long as it is told to."""

from __future__ import annotations

import time

from tasks.working.claim import Advance
from worker.stage import Work, stage

#: Seconds between two looks at whether to go on.
NAP = 0.2


@stage
def benchmark(work: Work) -> Advance:
    """Sleep for `payload.seconds`."""
    seconds = work.payload["seconds"]
    slept = 0.0
    while slept < seconds:
        work.check()
        nap = min(NAP, seconds - slept)
        time.sleep(nap)
        slept += nap
    return work.done({"seconds": seconds})
