"""The parent's end of what connects it to a child: a question, and the wait for the answer, which has a limit."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable
from contextlib import suppress

from processes.frames import HEADER

#: Seconds between two questions whether the answer is still wanted.
POLL = 0.1
_READ_AT_ONCE = 1024 * 1024


class TimedOut(Exception):
    """No answer came in time."""


class Channel:
    """Two pipes, or a socket, to a child that answers each frame with a frame. They are not closed here.

    Parameters:
      reads, writes: the descriptors; of a socket twice the same.
    """

    def __init__(self, reads: int, writes: int) -> None:
        self._reads, self._writes = reads, writes
        self._received = bytearray()
        """Of the next frame, and of those that came with the one before."""
        for descriptor in (reads, writes):
            os.set_blocking(descriptor, False)

    def exchange(self, request: bytes | None, seconds: float, check: Callable[[], None]) -> memoryview:
        """Send a frame and return the one that answers it.

        Parameters:
          request: None: nothing is sent, and the next frame returned.
          check: called every POLL seconds; what it raises ends the wait.

        Raises:
          TimedOut: after so many seconds.
          EOFError, OSError: the child, or this end, is gone.
        """
        deadline = time.monotonic() + seconds
        unsent = memoryview(b"" if request is None else HEADER.pack(len(request)) + request)
        while True:
            if (frame := self._cut()) is not None:
                return frame
            check()
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimedOut
            unsent = self._progress(unsent, min(left, POLL))

    def _cut(self) -> memoryview | None:
        """Take a frame that has come whole; None: none has."""
        if len(self._received) < HEADER.size:
            return None
        (length,) = HEADER.unpack_from(self._received)
        end = HEADER.size + length
        if len(self._received) < end:
            return None
        whole, self._received = self._received, self._received[end:]
        return memoryview(whole)[HEADER.size : end]

    def _progress(self, unsent: memoryview, wait: float) -> memoryview:
        """Write and read what can be written and read now. Returns what is still unsent."""
        poll = select.poll()
        poll.register(self._reads, select.POLLIN)
        if unsent:
            poll.register(self._writes, select.POLLOUT | (select.POLLIN if self._reads == self._writes else 0))
        for descriptor, events in poll.poll(wait * 1000):
            with suppress(BlockingIOError):
                if unsent and descriptor == self._writes and events & ~select.POLLIN:
                    unsent = self._write(unsent)
                if descriptor == self._reads and events & ~select.POLLOUT:
                    self._received += self._read()
        return unsent

    def _write(self, unsent: memoryview) -> memoryview:
        try:
            return unsent[os.write(self._writes, unsent) :]
        except (BrokenPipeError, ConnectionResetError):
            # It reads no more, but may have said why.
            return unsent[:0]

    def _read(self) -> bytes:
        data = os.read(self._reads, _READ_AT_ONCE)
        if not data:
            raise EOFError
        return data
