"""PDF: the text of each page in paragraphs, headings by the outline or by size, pages without text by number."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

import pypdfium2
import pypdfium2.raw as pdfium

from documents.readers.pdf_furniture import without_furniture
from documents.readers.pdf_headings import Outline, Sizes
from documents.readers.pdf_layout import BULLETS, Hyphens, Line, blocks_of
from documents.readers.pdf_scans import Scans
from documents.text import Extracted, Writer
from errors import TaskError

_PASSWORD = 4  # FPDF_ERR_PASSWORD
_PROPERTIES = {"Title": "title", "Author": "author", "Subject": "subject", "CreationDate": "created"}


def read(path: Path, encoding: str | None = None) -> Extracted:
    """Read a PDF; `encoding` has no meaning here.

    Raises:
      TaskError: encrypted, corrupt, needs_ocr, empty, too_large.
    """
    document = _open(path)
    try:
        scans = Scans()
        pages, boxes = _pages(document, scans)
        scans.require_text(pages)
        outline = Outline(_outline(document))
        properties: dict[str, Any] = {
            name: value for key, name in _PROPERTIES.items() if (value := document.get_metadata_value(key).strip())
        }
    finally:
        document.close()
    properties["coverage"] = scans.coverage()
    warnings = scans.warnings()
    pages, left_out = without_furniture(pages, boxes)
    warnings += left_out
    writer = _write(pages, outline)
    return writer.finish("pdf", pages=len(pages), warnings=warnings, properties=properties)


def _open(path: Path) -> pypdfium2.PdfDocument:
    try:
        document = pypdfium2.PdfDocument(path)
        if len(document) == 0:
            raise TaskError("corrupt", "the PDF has no pages")
        return document
    except pypdfium2.PdfiumError as error:
        if getattr(error, "err_code", None) == _PASSWORD:
            raise TaskError("encrypted", "the PDF can only be opened with a password") from error
        raise TaskError("corrupt", f"the PDF cannot be opened: {error}") from error


def _pages(document: pypdfium2.PdfDocument, scans: Scans) -> tuple[list[list[Line]], list[tuple[float, float]]]:
    """The lines of every page, recognised where it is a scan, and its lower and upper edge."""
    pages: list[list[Line]] = []
    boxes: list[tuple[float, float]] = []
    broken: list[str] = []
    for index in range(len(document)):
        try:
            page = document[index]
        except pypdfium2.PdfiumError as error:
            broken.append(f"page {index + 1}: {error}")
            pages.append([])
            boxes.append((0.0, 0.0))
            continue
        pages.append(scans.lines(index + 1, page, _lines(page)))
        _, lower, _, upper = page.get_bbox()
        boxes.append((lower, upper))
        page.close()
    if broken and not any(pages):
        raise TaskError("corrupt", f"the PDF's pages cannot be read ({broken[0]})")
    return pages, boxes


def _lines(page: pypdfium2.PdfPage) -> list[Line]:
    """The lines of a page in reading order, with where they stand and how large they are."""
    text_page = page.get_textpage()
    text = text_page.get_text_range(errors="replace")
    aligned = len(text) == text_page.count_chars()
    lines = []
    at = 0
    box, matrix = pdfium.FS_RECTF(), pdfium.FS_MATRIX()
    for string in text.split("\n"):
        shown = string.strip(" \r\t\x00")
        if shown:
            first = at + string.index(shown[0])
            last = first + len(shown) - 1
            if not aligned:
                first, last = _char_index(text_page, text, first), _char_index(text_page, text, last)
            lines.append(_line(text_page, shown, first, last, box, matrix))
        at += len(string) + 1
    text_page.close()
    return lines


def _char_index(text_page: pypdfium2.PdfTextPage, text: str, at: int) -> int:
    """pdfium's own number of a character: it counts what it shows in UTF-16 and what it leaves out."""
    units = len(text[:at].encode("utf-16-le", "surrogatepass")) // 2
    return max(int(pdfium.FPDFText_GetCharIndexFromTextIndex(text_page, units)), 0)


def _line(
    text_page: pypdfium2.PdfTextPage,
    text: str,
    first: int,
    last: int,
    box: pdfium.FS_RECTF,
    matrix: pdfium.FS_MATRIX,
) -> Line:
    pdfium.FPDFText_GetLooseCharBox(text_page, first, box)
    left, bottom = box.left, box.bottom
    typical = last if text[0] in BULLETS else first  # a bullet may have a size of its own
    size = pdfium.FPDFText_GetFontSize(text_page, typical)
    if pdfium.FPDFText_GetMatrix(text_page, typical, ctypes.byref(matrix)):
        size *= max(abs(matrix.d), abs(matrix.b))
    pdfium.FPDFText_GetLooseCharBox(text_page, last, box)
    return Line(text, left, box.right, bottom, box.bottom, round(size * 2) / 2)


def _outline(document: pypdfium2.PdfDocument) -> list[tuple[int, int, str]]:
    """Page index, level from 1, and title of every bookmark that leads to a page."""
    entries = []
    for bookmark in document.get_toc():
        destination = bookmark.get_dest()
        index = destination.get_index() if destination is not None else None
        title = " ".join(bookmark.get_title().split())
        if index is not None and title:
            entries.append((index, bookmark.level + 1, title))
    return entries


def _write(pages: list[list[Line]], outline: Outline) -> Writer:
    hyphens = Hyphens(line.text for lines in pages for line in lines)
    sizes = None if outline.titles else Sizes(pages)
    writer = Writer()
    for index, lines in enumerate(pages):
        levels = outline.levels(index, lines) if sizes is None else sizes.levels(lines)
        writer.page(index + 1)
        for block in blocks_of(lines, levels, hyphens):
            if block.level is not None:
                writer.heading(block.text, block.level)
            else:
                writer.block(block.text)
    return writer
