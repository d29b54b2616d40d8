"""Warm child processes in which documents are read: what hangs, swells or crashes there harms nobody else."""

from __future__ import annotations

import atexit
import contextlib
import io
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from documents.sandbox.child import Reading, Reply, Splitting
from documents.splitting.pieces import Piece
from documents.splitting.previous_version import PreviousVersion
from documents.text import Anchor, Extracted
from errors import TaskError
from processes import ending
from processes.channel import POLL, Channel, TimedOut

#: Address space of a child, of which the readers and the dictionary take a tenth.
MEMORY_BYTES = 1024 * 1024 * 1024
#: A child that holds more than this after its work is replaced.
RESIDENT_BYTES = 95 * 1024 * 1024
#: A child that has worked so often is replaced, whatever its size.
CALLS = 500
#: The variables that a child gets besides its own: how programs and their data are found, and no secret.
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "TESSDATA_PREFIX")
_START_TIMEOUT = 30.0
_ROOT = Path(__file__).resolve().parents[2]
#: All that a reply may be made of: a child that a document has taken over must not choose what is built here.
_REPLY_CLASSES = {
    ("documents.sandbox.child", "Reading"),
    ("documents.sandbox.child", "Reply"),
    ("documents.splitting.pieces", "Piece"),
    ("documents.text", "Extracted"),
    ("documents.text", "Anchor"),
    ("documents.splitting.chunking", "Chunk"),
    ("documents.reading.unpacking", "Member"),
    ("documents.reading.unpacking", "Unpacked"),
    ("errors", "TaskError"),
    ("errors", "_rebuild"),
    ("copyreg", "__newobj__"),
}


class ChildCrashed(TaskError):
    """The child that read a document died of it; code `worker_crashed`."""


class Cancelled(TaskError):
    """The caller no longer wants the result; code `cancelled`."""


def _never() -> bool:
    return False


class Sandbox:
    """Children that are started when first needed, used in turn, and killed when a call takes too long.

    Safe to use from many threads: a call waits for a free child, and its timeout starts when it has one.
    size: how many children work at once (default: one for each CPU). memory_bytes: each one's address space.
    """

    def __init__(self, size: int | None = None, memory_bytes: int = MEMORY_BYTES) -> None:
        self._size = size or os.cpu_count() or 1
        self._memory = memory_bytes
        self._owner = 0
        self._closed = False
        self._starting = 0
        self._reset()
        atexit.register(self.close)

    def _reset(self) -> None:
        self._owner = os.getpid()
        self._changed = threading.Condition()
        self._idle: list[_Child] = []
        self._busy: set[_Child] = set()
        # A child dies with the thread that started it, not only with the process; this thread lives as long.
        self._starter = ThreadPoolExecutor(1, thread_name_prefix="sandbox")

    def extract(
        self,
        path: Path,
        *,
        filename: str | None = None,
        content_type: str | None = None,
        encoding: str | None = None,
        timeout: float,
        cancelled: Callable[[], bool] = _never,
    ) -> Extracted:
        """Return the text of a file; see `documents.reading.extraction.extract` for the arguments and the errors.

        timeout counts seconds of work. cancelled is asked every 0.1 s, by this thread.

        Raises:
          TaskError: what the reader raises; timeout; too_large when the child's memory is spent.
          ChildCrashed: the child died.
          Cancelled: `cancelled` said so.
        """
        return self.read(
            path,
            filename=filename,
            content_type=content_type,
            encoding=encoding,
            at_once=None,
            splitting=None,
            timeout=timeout,
            cancelled=cancelled,
        ).extracted

    def read(
        self,
        path: Path,
        *,
        filename: str | None,
        content_type: str | None,
        encoding: str | None,
        at_once: int | None,
        splitting: Splitting | None,
        timeout: float,
        cancelled: Callable[[], bool] = _never,
    ) -> Reading:
        """Return the text of a file, and its chunks where `splitting` allows it. Raises what `extract` raises."""
        arguments = (str(path), filename, content_type, encoding, at_once, splitting)
        result: Reading = self.run("documents.sandbox.child:read", arguments, timeout=timeout, cancelled=cancelled)
        return result

    def read_part(self, path: Path, pages: range, *, timeout: float, cancelled: Callable[[], bool] = _never) -> bytes:
        """Read some pages of a file, for `join`. Raises what `extract` raises."""
        arguments = (str(path), pages.start, pages.stop)
        result: bytes = self.run("documents.sandbox.child:read_part", arguments, timeout=timeout, cancelled=cancelled)
        return result

    def join(self, parts: Sequence[Path], *, timeout: float, cancelled: Callable[[], bool] = _never) -> Extracted:
        """Return the text of a file that was read in parts, which lie in these files. Raises what `extract` raises."""
        arguments = ([str(part) for part in parts],)
        result: Extracted = self.run("documents.sandbox.child:join", arguments, timeout=timeout, cancelled=cancelled)
        return result

    def split(
        self,
        text: str,
        anchors: Sequence[Anchor],
        size: int,
        overlap: int,
        earlier: PreviousVersion | None = None,
        measured_in: str = "characters",
        *,
        timeout: float,
        cancelled: Callable[[], bool] = _never,
    ) -> list[Piece]:
        """Split a text into chunks with their tokens; see `documents.splitting.chunking.split`, and for measured_in
        `documents.splitting.measure.measure`. Raises what `extract` raises.
        """
        arguments = (text, list(anchors), size, overlap, earlier, measured_in)
        result: list[Piece] = self.run(
            "documents.splitting.pieces:split", arguments, timeout=timeout, cancelled=cancelled
        )
        return result

    def run(
        self,
        function: str,
        arguments: tuple[Any, ...],
        *,
        timeout: float,
        cancelled: Callable[[], bool] = _never,
    ) -> Any:
        """Call `module:function` in a child; its result consists of plain values and this room's own classes."""
        request = pickle.dumps((function, arguments, timeout), pickle.HIGHEST_PROTOCOL)
        with self._free_child(cancelled) as child:
            reply = child.call(request, timeout, cancelled)
        if reply.error is not None:
            raise reply.error
        return reply.value

    def close(self) -> None:
        """End all children, also those at work: their calls raise ChildCrashed."""
        with self._changed:
            self._closed = True
            children = [*self._busy]
            idle = [*self._idle]
            self._idle.clear()
            self._changed.notify_all()
        for child in idle:
            child.kill()
        for child in children:
            child.end()
        self._starter.shutdown(wait=False)
        atexit.unregister(self.close)

    @property
    def children(self) -> list[int]:
        """The process ids of the children that live."""
        with self._changed:
            return [child.pid for child in (*self._idle, *self._busy)]

    @contextmanager
    def _free_child(self, cancelled: Callable[[], bool]) -> Iterator[_Child]:
        if self._owner != os.getpid():  # forked after it was made: the children are another's
            self._closed, self._starting = False, 0
            self._reset()
        child = self._take(cancelled)
        try:
            yield child
        finally:
            with self._changed:
                self._busy.discard(child)
                keep = child.usable and not self._closed
                if keep:
                    self._idle.append(child)
                self._changed.notify()
            if not keep:
                child.kill()

    def _take(self, cancelled: Callable[[], bool]) -> _Child:
        """Take an idle child, or a new one while there are fewer than may be; wait for one to become free."""
        with self._changed:
            while True:
                if self._closed:
                    raise TaskError("internal", "the sandbox is closed", retryable=True)
                if cancelled():
                    raise Cancelled("cancelled", "cancelled while waiting for a free reader")
                while self._idle:
                    child = self._idle.pop()
                    if child.alive:
                        self._busy.add(child)
                        return child
                    child.kill()
                if len(self._busy) + self._starting < self._size:
                    self._starting += 1
                    break
                self._changed.wait(POLL)
        try:
            child = self._starter.submit(_Child, self._memory).result()
        except BaseException:
            with self._changed:
                self._starting -= 1
                self._changed.notify()
            raise
        with self._changed:
            self._starting -= 1
            self._busy.add(child)
        return child


class _Child:
    """One child process and the pipes to it."""

    def __init__(self, memory_bytes: int) -> None:
        their_requests, self._requests = os.pipe()
        self._replies, their_replies = os.pipe()
        arguments = map(str, (their_requests, their_replies, memory_bytes, os.getpid()))
        environment = {
            **{name: os.environ[name] for name in _PASSED_ON if name in os.environ},
            "PYTHONPATH": str(_ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
            "MALLOC_ARENA_MAX": "1",
        }
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "documents.sandbox.child", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=(their_requests, their_replies),
                env=environment,
                cwd=_ROOT,
            )
        except BaseException:
            os.close(self._requests)
            os.close(self._replies)
            raise
        finally:
            os.close(their_requests)
            os.close(their_replies)
        self._channel = Channel(self._replies, self._requests)
        self._lock = threading.Lock()
        self._ended = False
        self._calls = 0
        self.usable = True
        self._exchange(None, _START_TIMEOUT, _never)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def call(self, request: bytes, timeout: float, cancelled: Callable[[], bool]) -> Reply:
        """Send a request and wait for its reply. The child is not usable afterwards unless one came."""
        self.usable = False
        reply = self._exchange(request, timeout, cancelled)
        self._calls += 1
        spent = reply.error is not None and reply.error.code == "too_large"
        self.usable = reply.resident < RESIDENT_BYTES and self._calls < CALLS and not spent
        return reply

    def end(self) -> None:
        """End the process at once, and leave the rest to the thread that waits for its reply."""
        self._process.kill()

    def kill(self) -> None:
        """End the process at once and wait until it is gone; a second time does nothing."""
        with self._lock:
            if self._ended:
                return
            self._ended = True
        self._process.kill()
        self._process.wait()
        for pipe in (self._requests, self._replies):
            with contextlib.suppress(OSError):
                os.close(pipe)

    def _exchange(self, request: bytes | None, timeout: float, cancelled: Callable[[], bool]) -> Reply:
        def check() -> None:
            if cancelled():
                self.kill()
                raise Cancelled("cancelled", "cancelled while the document was being read")

        try:
            reply = self._channel.exchange(request, timeout, check)
        except TimedOut:
            self.kill()
            # The same bytes would take as long again.
            message = f"reading the document took longer than {timeout:g} seconds"
            raise TaskError("timeout", message, retryable=False) from None
        except (EOFError, OSError):  # it closed its end, or `close` closed ours
            raise self._crash() from None
        return _load(reply)

    def _crash(self) -> ChildCrashed:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(1)
        code = self._process.returncode
        self.kill()
        how = "stopped answering" if code is None else ending.manner(code)
        return ChildCrashed("worker_crashed", f"the process that read the document {how}")


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _REPLY_CLASSES:
            raise pickle.UnpicklingError(f"a reply names {module}.{name}")
        return super().find_class(module, name)


def _load(frame: memoryview) -> Reply:
    try:
        reply = _Unpickler(io.BytesIO(frame)).load()
    except Exception as error:
        raise TaskError("internal", f"a child's reply cannot be understood: {error}") from error
    assert isinstance(reply, Reply)  # no other class is let through
    return reply
