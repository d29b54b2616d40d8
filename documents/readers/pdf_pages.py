"""A page of a PDF as pdfium sees it: its lines, with where they stand and how large they are."""

from __future__ import annotations

import ctypes
import json
import re
from dataclasses import astuple, dataclass

import pypdfium2
import pypdfium2.raw as pdfium

from documents.readers.pdf_layout import BETWEEN_CJK, BULLETS, MARKS, Line

#: A gap is wider than this, in sizes of the font: spaces between words are a third, those that fill a line a half.
_GAP = 0.4
#: How wide a character is on average, spaces included, in sizes of its font; a Chinese one is 1.
_USUAL = 0.48
_WIDE = re.compile("[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uff60]")
_SPACES = re.compile(r"\S\s+(?=\S)")
_FIXED_PITCH = 1
#: Where a word is divided pdfium has its hyphen instead of the line's end.
_LINES = re.compile(f"[^\n{MARKS}]*(?:[{MARKS}]+|\n|$)")


@dataclass(slots=True)
class Page:
    """What a page shows: its lines, its lower and upper edge in points, and where its text comes from.

    source: `text`, `ocr`, `picture` (which has next to no text), `garbled` (which has no text that can be
    made out), `blank`; None for a page that cannot be read.
    confidence: of the recognition of text, from 0 to 100. failure: why that failed, or why the page cannot be read.
    """

    lines: list[Line]
    lower: float = 0.0
    upper: float = 0.0
    source: str | None = None
    confidence: float | None = None
    failure: str | None = None

    def record(self) -> str:
        """The page as one line of JSON, which keeps every float as it is; `page_of` is the way back."""
        lines = [astuple(line) for line in self.lines]
        return json.dumps([lines, self.lower, self.upper, self.source, self.confidence, self.failure])


def page_of(record: str) -> Page:
    """The page that `Page.record` wrote."""
    lines, *rest = json.loads(record)
    return Page([Line(*line) for line in lines], *rest)


def lines_of(page: pypdfium2.PdfPage) -> list[Line]:
    """The lines of a page in reading order, with where they stand and how large they are."""
    text_page = page.get_textpage()
    text = text_page.get_text_range(errors="replace")
    aligned = len(text) == text_page.count_chars()

    def index(place: int) -> int:
        return place if aligned else _char_index(text_page, text, place)

    lines = []
    at = 0
    raw = text_page.raw  # which ctypes takes at once, other than its wrapper
    box, matrix = pdfium.FS_RECTF(), pdfium.FS_MATRIX()
    for string in _LINES.findall(text):
        shown = string.strip(" \r\n\t\x00")
        if shown.strip(MARKS):
            start = at + string.index(shown[0])
            line = _line(raw, shown, index(start), index(start + len(shown) - 1), box, matrix)
            if _may_have_gaps(line) and not _is_code(raw, shown, index(start)):
                for space in _SPACES.finditer(shown):
                    pdfium.FPDFText_GetLooseCharBox(raw, index(start + space.start()), box)
                    left = box.right
                    pdfium.FPDFText_GetLooseCharBox(raw, index(start + space.end()), box)
                    if box.left - left > _GAP * line.size:
                        line.gaps.append((space.end(), left, box.left))
            lines.append(line)
        at += len(string)
    text_page.close()
    return lines


def _may_have_gaps(line: Line) -> bool:
    """Whether a line takes more room than its characters, which saves looking at each of most lines."""
    if " " not in line.text:
        return False
    if not line.text.isascii() and BETWEEN_CJK.search(line.text):
        return True
    wide = 0 if line.text.isascii() else len(_WIDE.findall(line.text))
    room = (line.right - line.left) / max(line.size, 1)
    return room > _USUAL * (len(line.text) - wide) + wide


def _is_code(text_page: pdfium.FPDF_TEXTPAGE, text: str, index: int) -> bool:
    """Whether a line is set in a font for code, where spaces align what is no table; Chinese fonts claim to be one."""
    flags = ctypes.c_int()
    pdfium.FPDFText_GetFontInfo(text_page, index, None, 0, flags)
    return bool(flags.value & _FIXED_PITCH) and not _WIDE.search(text)


def _char_index(text_page: pypdfium2.PdfTextPage, text: str, at: int) -> int:
    """pdfium's own number of a character: it counts what it shows in UTF-16 and what it leaves out."""
    units = len(text[:at].encode("utf-16-le", "surrogatepass")) // 2
    return max(int(pdfium.FPDFText_GetCharIndexFromTextIndex(text_page, units)), 0)


def _line(
    text_page: pdfium.FPDF_TEXTPAGE,
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
