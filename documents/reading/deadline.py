"""How much time is left to the reading of a document: who does what takes long asks before each piece of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from math import inf

#: The part of the time in which more may be begun; the rest is for putting together what was read.
PART = 0.75
_clock = time.monotonic
_END: ContextVar[float] = ContextVar("end", default=inf)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Set the seconds for what is read within; when they are over it is ended from outside, and all is lost."""
    token = _END.set(_clock() + PART * seconds)
    try:
        yield
    finally:
        _END.reset(token)


def seconds_left() -> float:
    """Return the seconds in which more may be done, without end where none was set; 0 or less when the time is over."""
    return _END.get() - _clock()
