"""A file to its text: finds its format, lets the reader read, turns whatever goes wrong into one clear error."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import Message
from pathlib import Path
from typing import Protocol, cast

from documents.reading.formats import BY_NAME, Format
from documents.reading.sniffing import format_of, named_format, shown
from documents.text import Extracted
from errors import TaskError

#: The format that can be read in parts.
_DIVISIBLE = BY_NAME["pdf"]


class Reader(Protocol):
    """What the module of a reader has."""

    def read(self, path: Path, encoding: str | None = None) -> Extracted:
        """Return the text of a file."""


class DivisibleReader(Reader, Protocol):
    """What the module of a reader has whose files can be read in parts."""

    def count(self, path: Path) -> int:
        """Return how many pages a file has."""

    def read_part(self, path: Path, first: int, last: int) -> bytes:
        """Return what `join` needs of some pages."""

    def join(self, parts: list[Path]) -> Extracted:
        """Return the text of a file that was read in parts."""


def extract(
    path: Path,
    *,
    filename: str | None = None,
    content_type: str | None = None,
    encoding: str | None = None,
    at_once: int | None = None,
) -> Extracted:
    """Return the text of a file, with its anchors.

    filename and content_type are what the submitter calls the file, encoding what they say it is in. A PDF of more
    pages than at_once is left unread, for `read_part` and `join`. To be called in a child of the sandbox: a reader may
    crash, or take more memory than there is.

    Raises:
      TaskError: empty, unsupported_format, corrupt, encrypted, archive_bomb, undecodable, needs_ocr,
        too_large.
      MemoryError: the file wants more memory than this process may have.
    """
    if path.stat().st_size == 0:
        raise TaskError("empty", f"{shown(filename)} has no content: its size is 0 bytes")
    with _explained(filename):
        format = format_of(path, filename, content_type)
    reader = _reader(format)
    with _explained(filename):
        if format is _DIVISIBLE and at_once is not None and (pages := _divisible().count(path)) > at_once:
            extracted = Extracted("", [], format.name, pages=pages, unread=True)
        else:
            extracted = _with_text(reader.read(path, encoding or _charset(content_type)), filename)
    if (warning := _lie(format, filename, content_type)) is not None:
        extracted.warnings.insert(0, warning)
    return extracted


def read_part(path: Path, first: int, last: int) -> bytes:
    """Return what `join` needs of the pages from index `first` to before `last`. Raises what `extract` does."""
    reader = _divisible()
    with _explained(None):
        return reader.read_part(path, first, last)


def join(parts: list[Path]) -> Extracted:
    """Return what `extract` gives, but for its word on the file's name, from files of parts. Raises what it does."""
    reader = _divisible()
    with _explained(None):
        return _with_text(reader.join(parts), None)


def _with_text(extracted: Extracted, filename: str | None) -> Extracted:
    if not extracted.text.strip():
        raise TaskError(
            "empty", f"{shown(filename)} holds nothing to read once its markup and white space are left out"
        )
    return extracted


@contextmanager
def _explained(filename: str | None) -> Iterator[None]:
    """Turn whatever goes wrong in a reader into one clear error."""
    try:
        yield
    except (TaskError, MemoryError, OSError):
        raise
    except Exception as error:
        if isinstance(error.__cause__, MemoryError) or isinstance(error.__context__, MemoryError):
            raise MemoryError from error
        said = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        raise TaskError("corrupt", f"{shown(filename)} cannot be read ({said})") from error


def _reader(format: Format) -> Reader:
    """Return the module that reads a format. That one cannot be loaded is no fault of the document's."""
    assert format.reader is not None, f"{format.name} is only known"
    return cast(Reader, importlib.import_module(format.reader))


def _divisible() -> DivisibleReader:
    return cast(DivisibleReader, _reader(_DIVISIBLE))


def _lie(format: Format, filename: str | None, content_type: str | None) -> str | None:
    """Return what the submitter is told when the content is not what the name says."""
    named = named_format(filename, content_type)
    if format.is_recognised and named is not None and named is not format:
        return f"{shown(filename)} is named as {named.name} but was read as {format.name}, which it is"
    return None


def _charset(content_type: str | None) -> str | None:
    if not content_type or not re.search(r"charset", content_type, re.IGNORECASE):
        return None
    message = Message()
    message["content-type"] = content_type
    charset = message.get_param("charset")
    return charset if isinstance(charset, str) and charset else None
