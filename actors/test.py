"""The stage of `test` tasks: answers with the payload."""

from __future__ import annotations

from tasks.working.claim import Advance
from worker.stage import Work, stage


@stage
def test(work: Work) -> Advance:
    """Echo the payload."""
    return work.done({"echo": work.payload})
