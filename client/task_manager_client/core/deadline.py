"""The time that is left for a call."""

from __future__ import annotations

import time

from task_manager_client.errors import TotalTimedOut


def remaining(deadline: float) -> float:
    """Return the seconds that are left until a time of `time.monotonic`.

    Raises:
      TotalTimedOut: none.
    """
    left = deadline - time.monotonic()
    if left <= 0:
        raise TotalTimedOut("no answer within the time that the call may take")
    return left
