"""What a child of the sandbox runs: it answers on one pipe what it is asked on another, until that closes."""

from __future__ import annotations

import ctypes
import importlib
import os
import pickle
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from documents.reading import deadline
from documents.sandbox import confinement
from documents.splitting.pieces import Piece, split
from documents.splitting.previous_version import PreviousVersion
from documents.text import Extracted
from errors import TaskError
from processes import ending, frames

_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Splitting:
    """How a text is to be split by the call that reads it, unless it is long or took long to read."""

    size: int
    overlap: int
    measured_in: str
    earlier: PreviousVersion | None
    most_characters: int
    most_seconds: float


@dataclass(slots=True)
class Reading:
    """A document's text, and its chunks where they were made at once, in so many seconds."""

    extracted: Extracted
    pieces: list[Piece] | None = None
    seconds: float = 0.0


@dataclass(slots=True)
class Reply:
    """What a child sends back: a value, or an error that can be told; and its resident memory in bytes."""

    value: Any = None
    error: TaskError | None = None
    resident: int = 0


def extract(
    path: str, filename: str | None, content_type: str | None, encoding: str | None, at_once: int | None
) -> Extracted:
    """Run `documents.reading.extraction.extract`, loaded when it is first wanted."""
    from documents.reading import extraction  # the readers' libraries stay out of the parent

    tempfile.tempdir = str(Path(path).parent)  # so what a reader writes is removed with the document
    return extraction.extract(
        Path(path), filename=filename, content_type=content_type, encoding=encoding, at_once=at_once
    )


def read(
    path: str,
    filename: str | None,
    content_type: str | None,
    encoding: str | None,
    at_once: int | None,
    splitting: Splitting | None,
) -> Reading:
    """Return what `extract` gives, and its chunks where it is not longer than may be split at once.

    What goes wrong with splitting is left to the stage that does it.
    """
    began = time.monotonic()
    extracted = extract(path, filename, content_type, encoding, at_once)
    read_at = time.monotonic()
    if (
        splitting is None
        or extracted.unread
        or len(extracted.text) > splitting.most_characters
        or read_at - began > splitting.most_seconds
    ):
        return Reading(extracted)
    try:
        with _alarm(splitting.most_seconds):
            pieces = split(
                extracted.text,
                extracted.anchors,
                splitting.size,
                splitting.overlap,
                splitting.earlier,
                splitting.measured_in,
            )
    except Exception:
        return Reading(extracted)
    return Reading(extracted, pieces, time.monotonic() - read_at)


@contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    """Raise TimeoutError when this takes longer."""

    def late(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def read_part(path: str, first: int, last: int) -> bytes:
    """Run `documents.reading.extraction.read_part`."""
    from documents.reading import extraction

    return extraction.read_part(Path(path), first, last)


def join(parts: list[str]) -> Extracted:
    """Run `documents.reading.extraction.join`."""
    from documents.reading import extraction

    return extraction.join([Path(part) for part in parts])


def main(requests: int, replies: int, memory_bytes: int, parent: int) -> None:
    """Serve until the pipe of requests closes."""
    _settle(memory_bytes, parent)
    with os.fdopen(requests, "rb") as source, os.fdopen(replies, "wb") as sink:
        _send(sink, Reply(resident=resident_bytes()))
        while (frame := frames.read(source)) is not None:
            reply = _answer(frame)
            del frame
            _trim()
            reply.resident = resident_bytes()
            _send(sink, reply)


def _settle(memory_bytes: int, parent: int) -> None:
    """Give up what is not needed, die with the parent, and let nothing that a library prints reach the pipes."""
    confinement.confine(memory_bytes)
    if not ending.dies_with(parent):  # after `confine`: a new namespace would clear it
        os._exit(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends the child in its own time
    os.dup2(2, 1)
    sys.stdout = sys.stderr


def _answer(frame: bytes) -> Reply:
    try:
        function, arguments, seconds = pickle.loads(frame)  # noqa: S301 - from the parent, which is trusted
        with deadline.within(seconds):
            return Reply(_function(function)(*arguments))
    except TaskError as error:
        return Reply(error=_bare(error))
    except MemoryError:
        return Reply(error=TaskError("too_large", "the document wants more memory than reading one may take"))
    except Exception as error:
        with suppress(OSError):  # a log that is full must not end the child
            traceback.print_exc()
        return Reply(error=TaskError("internal", f"{type(error).__name__}: {error}"[:500]))


def _function(name: str) -> Callable[..., Any]:
    module, _, function = name.partition(":")
    called: Callable[..., Any] = getattr(importlib.import_module(module), function)
    return called


def _bare(error: TaskError) -> TaskError:
    error.__traceback__ = error.__cause__ = error.__context__ = None
    return error


def _send(sink: BinaryIO, reply: Reply) -> None:
    try:
        frame = pickle.dumps(reply, pickle.HIGHEST_PROTOCOL)
    except MemoryError:
        error = TaskError("too_large", "the document's text is too large for the memory that reading one may take")
        frame = pickle.dumps(Reply(error=error), pickle.HIGHEST_PROTOCOL)
    frames.write(sink, frame)


def _trim() -> None:
    """Give freed memory back to the system: one large document must not count against the next."""
    ctypes.CDLL(None).malloc_trim(0)


def resident_bytes() -> int:
    """Return the memory of this process that is in use."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE


if __name__ == "__main__":
    # Under its own name, so that what it pickles is found by the parent.
    from documents.sandbox import child

    child.main(*map(int, sys.argv[1:5]))
