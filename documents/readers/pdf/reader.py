"""PDF: the text of each page in paragraphs, headings by the outline or by size, pages without text by number.

A long PDF is read in parts, by several processes, and put together by one that has all pages at hand but never in
memory: headers, footers, headings and divided words are judged by the whole.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pypdfium2
from pypdfium2.raw import FORMTYPE_NONE

from documents.readers.pdf.code import Code
from documents.readers.pdf.headers_footers import HeadersFooters
from documents.readers.pdf.headings import Entry, Outline, Shape
from documents.readers.pdf.pages.fonts import use_squares
from documents.readers.pdf.pages.page import Page, lines_of, page_of
from documents.readers.pdf.pages.scans import Scans, recognised
from documents.readers.pdf.writer import Pages
from documents.readers.shared.layout import Hyphens, Line, is_divided
from documents.text import Extracted, Writer
from errors import TaskError

_PASSWORD = 4  # FPDF_ERR_PASSWORD
_PROPERTIES = {"Title": "title", "Author": "author", "Subject": "subject", "CreationDate": "created"}
_DATE = re.compile(
    r"(?:D:)?(\d{4})(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:([Z+-])(?:(\d\d)'?(?:(\d\d)'?)?)?)?)?)?)?)?)?"
)


def read(path: Path, encoding: str | None = None) -> Extracted:
    """Read a PDF; `encoding` has no meaning here.

    Raises:
      TaskError: encrypted, corrupt, needs_ocr, empty, too_large.
    """
    with _opened(path) as document:
        pages = list(_pages(document, range(len(document))))
        return _put_together(pages, _outline(document), _properties(document))


def count(path: Path) -> int:
    """Return how many pages a PDF has. Raises what `read` does."""
    with _opened(path) as document:
        return len(document)


def read_part(path: Path, first: int, last: int) -> bytes:
    """Read the pages from index `first` to before `last`, for `join`. Raises what `read` does."""
    with _opened(path) as document:
        outline = [entry for entry in _outline(document) if first <= entry[0] < last]
        head = json.dumps([outline, _properties(document) if first == 0 else {}])
        records = (page.record() for page in _pages(document, range(first, last)))
        return gzip.compress("\n".join([head, *records]).encode(), 1, mtime=0)


def join(parts: list[Path]) -> Extracted:
    """Return what `read` gives, from files that hold the parts in their order. Raises what `read` does."""
    heads = [json.loads(next(_records(part))) for part in parts]
    outline = [(index, level, title) for entries, _ in heads for index, level, title in entries]
    return _put_together(_Parts(parts), outline, heads[0][1])


@dataclass(frozen=True, slots=True)
class _Parts:
    """Pages that are read anew from their files each time, one at a time."""

    files: list[Path]

    def __iter__(self) -> Iterator[Page]:
        for file in self.files:
            records = _records(file)
            next(records)
            yield from map(page_of, records)


def _records(part: Path) -> Iterator[str]:
    with gzip.open(part, "rt", encoding="utf-8", newline="\n") as lines:
        yield from lines


@contextmanager
def _opened(path: Path) -> Iterator[pypdfium2.PdfDocument]:
    use_squares()
    try:
        document = pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError as error:
        if getattr(error, "err_code", None) == _PASSWORD:
            raise TaskError("encrypted", "the PDF can only be opened with a password") from error
        raise TaskError("corrupt", f"the PDF cannot be opened: {error}") from error
    try:
        if len(document) == 0:
            raise TaskError("corrupt", "the PDF has no pages")
        if document.get_formtype() != FORMTYPE_NONE:
            document.init_forms()
        yield document
    finally:
        document.close()


def _pages(document: pypdfium2.PdfDocument, indexes: range) -> Iterator[Page]:
    """Yield some pages of a document, in their order; recognised where they are scans."""
    for index in indexes:
        try:
            page = document[index]
        except pypdfium2.PdfiumError as error:
            yield Page([], failure=f"page {index + 1}: {error}")
            continue
        yield recognised(page, *lines_of(page))
        page.close()


def _outline(document: pypdfium2.PdfDocument) -> list[Entry]:
    """Return page index, level from 1, and title of every bookmark that leads to a page."""
    entries = []
    for bookmark in document.get_toc():
        destination = bookmark.get_dest()
        index = destination.get_index() if destination is not None else None
        title = " ".join(bookmark.get_title().split())
        if index is not None and title:
            entries.append((index, bookmark.level + 1, title))
    return entries


def _properties(document: pypdfium2.PdfDocument) -> dict[str, Any]:
    properties = {
        name: value for key, name in _PROPERTIES.items() if (value := document.get_metadata_value(key).strip())
    }
    return properties | ({"created": _moment(properties["created"])} if "created" in properties else {})


def _moment(value: str) -> str:
    """Convert a date of a PDF (ISO 32000-1, 7.9.4) to ISO 8601. Return any other text unchanged."""
    if (date := _DATE.fullmatch(value)) is None:
        return value
    year, month, day, hour, minute, second, sign, hours, minutes = date.groups()
    text = "-".join(filter(None, (year, month, day)))
    if hour is None:
        return text
    zone = "" if sign is None else "Z" if sign == "Z" else f"{sign}{hours or '00'}:{minutes or '00'}"
    return f"{text}T{hour}:{minute or '00'}:{second or '00'}{zone}"


def _put_together(pages: Iterable[Page], outline: list[Entry], properties: dict[str, Any]) -> Extracted:
    """Make the text of all pages, which are gone through several times.

    Raises:
      TaskError: corrupt, needs_ocr, empty; when no page has any text.
    """
    scans = Scans(pages)
    scans.require_text()
    properties["coverage"] = scans.coverage()
    headings = Outline(outline)
    repeated = HeadersFooters(pages, headings)
    writer = _write(pages, repeated, headings)
    warnings = scans.warnings() + repeated.warnings
    return writer.finish("pdf", pages=scans.pages, warnings=warnings, properties=properties)


def _write(pages: Iterable[Page], repeated: HeadersFooters, outline: Outline) -> Writer:
    def kept() -> Iterator[list[Line]]:
        return (repeated.without(index, page.lines) for index, page in enumerate(pages))

    divided = any(map(_has_divided, kept()))
    hyphens = Hyphens("\n".join(line.text for line in lines) for lines in kept() if divided)
    shape = None if outline.titles else Shape(kept())
    written = Pages(hyphens, Code(line for lines in kept() for line in lines))
    for index, lines in enumerate(kept()):
        levels = outline.levels(index, lines) if shape is None else shape.levels(lines)
        written.add(index + 1, lines, levels)
    return written.finish()


def _has_divided(lines: list[Line]) -> bool:
    """Return whether a page may have a word that is divided, perhaps over its end."""
    return any(is_divided(line.text) for line in lines) or (bool(lines) and lines[-1].text.endswith("-"))
