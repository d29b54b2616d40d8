"""How patient a client is: time-outs, each with a name of its own, and when something is sent again."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from task_manager_client.core.call import Call
from task_manager_client.errors import (
    ConnectionLost,
    NotConnected,
    Refused,
    TaskManagerError,
    TimedOut,
    TotalTimedOut,
)

#: Statuses that say that nothing was done, and that the same may be done later.
NOT_NOW = (429, 503)
#: Statuses after which it is not known what was done; 502 and 504 are of what stands before the service.
UNKNOWN = (408, 502, 504)
#: Seconds of the first pause, which doubles, and of the longest.
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 8.0


@dataclass(frozen=True, eq=False)
class Timeouts:
    """Seconds; None: no limit.

    Parameters:
      connect: until a connection is made.
      read: without a byte sent or received.
      total: of a call as a whole, its repetitions and the pauses between them included.
      upload: the same of an upload, which takes as long as its line needs.
    """

    connect: float | None = 10.0
    read: float | None = 60.0
    total: float | None = 300.0
    upload: float | None = None


@dataclass(frozen=True, eq=False)
class Retry:
    """What `on_retry` is told before a pause.

    Parameters:
      attempt: how many were made.
      pause: seconds until the next.
      error: what the last ended with.
    """

    method: str
    path: str
    attempt: int
    pause: float
    error: TaskManagerError


@dataclass(frozen=True, eq=False)
class Policy:
    """Time-outs and retries of a client.

    Parameters:
      retries: how often a call is sent again at most.
      on_retry: told of each; what it raises ends the call.
    """

    timeouts: Timeouts = field(default_factory=Timeouts)
    retries: int = 3
    on_retry: Callable[[Retry], None] | None = None


class Tries:
    """The attempts at one call."""

    def __init__(self, call: Call[Any], policy: Policy) -> None:
        self._call = call
        self._policy = policy
        self._made = 0
        self._total = policy.timeouts.total if call.upload is None else policy.timeouts.upload
        self.deadline = None if self._total is None else time.monotonic() + self._total

    def pause_after(self, error: TaskManagerError) -> float:
        """Return the seconds until the next attempt.

        Raises:
          TaskManagerError: the error, where there is to be none.
          TotalTimedOut: where the pause would outlast the time.
        """
        self._made += 1
        if isinstance(error, TimedOut) and self.deadline is not None and time.monotonic() >= self.deadline:
            raise TotalTimedOut(f"no answer within {self._total:g} s: {error}") from error
        if self._made > self._policy.retries or not self._may_be_sent_again(error):
            raise error
        pause = min(FIRST_PAUSE * 2.0 ** (self._made - 1), LONGEST_PAUSE)
        pause *= random.uniform(0.75, 1.25)  # noqa: S311 - no secret
        if isinstance(error, Refused) and error.retry_after is not None:
            pause = error.retry_after
        if self.deadline is not None and time.monotonic() + pause > self.deadline:
            if isinstance(error, Refused):
                raise error
            raise TotalTimedOut(f"no answer within {self._total:g} s: {error}") from error
        if self._policy.on_retry is not None:
            self._policy.on_retry(Retry(self._call.method, self._call.path, self._made, pause, error))
        return pause

    def _may_be_sent_again(self, error: TaskManagerError) -> bool:
        if self._call.upload is not None and not self._call.upload.repeatable:
            return isinstance(error, NotConnected)
        if isinstance(error, NotConnected) or (isinstance(error, Refused) and error.status == 429):
            return True
        later = isinstance(error, Refused) and error.status in NOT_NOW
        return (later or is_uncertain(error)) and self._call.repeatable


def is_uncertain(error: TaskManagerError) -> bool:
    """Return whether it is not known what was done."""
    return isinstance(error, ConnectionLost) or (isinstance(error, Refused) and error.status in UNKNOWN)
