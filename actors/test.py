"""The stage of `test` tasks: answers with the payload."""

from __future__ import annotations

from actors.stage import Work, stage
from tasks.claim import Advance


@stage
def test(work: Work) -> Advance:
    """Echo the payload."""
    return work.done({"echo": work.payload})
