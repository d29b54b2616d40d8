"""MAX_BACKLOG: how many tasks may wait before further ones are refused, and schedules stay due."""

from __future__ import annotations

import time

from sqlalchemy import text
from sqlalchemy.orm import Session

from models.task import READY

#: Seconds between two counts at least, and how many times as long as a count took.
COUNT_EVERY = 1.0
REST = 100


class Backlog:
    """What a process knows of the tasks that wait; counted now and then, since counting a million takes a while.

    Parameters:
      most: tasks that may wait.
    """

    def __init__(self, most: int) -> None:
        self.is_full = False
        self._most = most
        self._next_at = 0.0

    def is_due(self) -> bool:
        """Return whether it is time to count anew; true for one caller only."""
        now = time.monotonic()
        if now < self._next_at:
            return False
        self._next_at = now + COUNT_EVERY
        return True

    def count(self, session: Session) -> None:
        """Count the tasks that wait, as far as the limit."""
        began = time.monotonic()
        self.is_full = session.execute(_WAITING, {"most": self._most}).scalar_one() >= self._most
        self._next_at = time.monotonic() + max(COUNT_EVERY, REST * (time.monotonic() - began))


_WAITING = text(
    f"""
    SELECT (SELECT count(*) FROM (SELECT FROM tasks WHERE {READY} LIMIT :most) AS ready)
        + (SELECT count(*) FROM (SELECT FROM tasks WHERE status = 'waiting' LIMIT :most) AS deferred)
    """
)
