"""A file to its text: finds its format, lets the reader read, turns whatever goes wrong into one clear error."""

from __future__ import annotations

import importlib
import mmap
import re
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import Message
from pathlib import Path, PurePath

from documents.archive import zip_format
from documents.sniffing import READABLE, TOLD_BY_BYTES, compound_format, format_of, named_format
from documents.text import Extracted
from errors import TaskError

_HEAD = 64 * 1024
#: The module of each format's reader; loaded when the first such file comes.
_READERS = {
    "pdf": "documents.readers.pdf.reader",
    "docx": "documents.readers.office.docx",
    "pptx": "documents.readers.office.pptx",
    "xlsx": "documents.readers.office.xlsx",
    "epub": "documents.readers.web.epub",
    "odt": "documents.readers.office.odt",
    "rtf": "documents.readers.rtf.reader",
    "eml": "documents.readers.web.eml",
    "xls": "documents.readers.sheets.xls",
    "html": "documents.readers.web.html",
    "markdown": "documents.readers.text.markdown",
    "csv": "documents.readers.sheets.csv",
    "tsv": "documents.readers.sheets.tsv",
    "json": "documents.readers.text.json",
    "text": "documents.readers.text.plain",
}
#: The format that can be read in parts.
DIVISIBLE = "pdf"
#: What is known of files that have no reader.
_NAMES = {
    "compound": "an office document of the time before 2007",
    "doc": "a Word document of the time before 2007 (save it as .docx)",
    "ppt": "a PowerPoint presentation of the time before 2007 (save it as .pptx)",
    "msg": "a mail of Outlook (save it as .eml)",
    "xlsb": "an Excel workbook in binary form (save it as .xlsx)",
    "ods": "an OpenDocument spreadsheet (save it as .xlsx)",
    "odp": "an OpenDocument presentation (save it as .pptx)",
}


def extract(
    path: Path,
    *,
    filename: str | None = None,
    content_type: str | None = None,
    encoding: str | None = None,
    at_once: int | None = None,
) -> Extracted:
    """The text of a file, with its anchors.

    filename and content_type are what the submitter calls the file, encoding what they say it is in. A PDF of more
    pages than at_once is left unread, for `read_part` and `join`. To be called in a child of the sandbox: a reader may
    crash, or take more memory than there is.

    Raises:
      TaskError: empty, unsupported_format, corrupt, encrypted, archive_bomb, undecodable, needs_ocr,
        too_large.
      MemoryError: the file wants more memory than this process may have.
    """
    if path.stat().st_size == 0:
        raise TaskError("empty", f"{_name(filename)} has no content: its size is 0 bytes")
    with _explained(filename):
        found = _format(path, filename, content_type)
        reader = importlib.import_module(_READERS[found])
        if found == DIVISIBLE and at_once is not None and (pages := reader.count(path)) > at_once:
            extracted = Extracted("", [], found, pages=pages, unread=True)
        else:
            extracted = _with_text(reader.read(path, encoding or _charset(content_type)), filename)
    if (warning := _lie(found, filename, content_type)) is not None:
        extracted.warnings.insert(0, warning)
    return extracted


def read_part(path: Path, first: int, last: int) -> bytes:
    """What `join` needs of the pages from index `first` to before `last`. Raises what `extract` does."""
    with _explained(None):
        part: bytes = importlib.import_module(_READERS[DIVISIBLE]).read_part(path, first, last)
        return part


def join(parts: list[Path]) -> Extracted:
    """What `extract` gives, but for what it says of the file's name, from files of parts. Raises what it does."""
    with _explained(None):
        return _with_text(importlib.import_module(_READERS[DIVISIBLE]).join(parts), None)


def _with_text(extracted: Extracted, filename: str | None) -> Extracted:
    if not extracted.text.strip():
        raise TaskError(
            "empty", f"{_name(filename)} holds nothing to read once its markup and white space are left out"
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
        raise TaskError("corrupt", f"{_name(filename)} cannot be read ({said})") from error


def _format(path: Path, filename: str | None, content_type: str | None) -> str:
    with path.open("rb") as file:
        found = format_of(file.read(_HEAD), filename, content_type)
        if found == "compound":
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                found = compound_format(data, named_format(filename, content_type))
    if found == "zip":
        found = zip_format(path)
    if found == "encrypted":
        raise TaskError("encrypted", f"{_name(filename)} is protected by a password")
    if found not in READABLE:
        what = _NAMES.get(found, "an archive")
        raise TaskError("unsupported_format", f"{_name(filename)} is {what}, which has no reader")
    return found


def _lie(found: str, filename: str | None, content_type: str | None) -> str | None:
    """What the submitter is told when the content is not what the name says."""
    named = named_format(filename, content_type)
    if (found in TOLD_BY_BYTES or found == "html") and named not in (None, found):
        return f"{_name(filename)} is named as {named} but was read as {found}, which it is"
    return None


def _charset(content_type: str | None) -> str | None:
    if not content_type or not re.search(r"charset", content_type, re.IGNORECASE):
        return None
    message = Message()
    message["content-type"] = content_type
    charset = message.get_param("charset")
    return charset if isinstance(charset, str) and charset else None


def _name(filename: str | None) -> str:
    return PurePath(filename).name if filename else "the file"
