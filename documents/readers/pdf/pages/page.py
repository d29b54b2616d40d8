"""A page of a PDF as pdfium sees it: its lines, with where they stand and how large they are."""

from __future__ import annotations

import ctypes
import json
import re
from bisect import bisect_left
from dataclasses import astuple, dataclass
from itertools import pairwise

import pypdfium2
import pypdfium2.raw as pdfium

from documents.readers.pdf.headings import may_be_numbered
from documents.readers.pdf.monospace import is_half, letters, typed, typed_gaps
from documents.readers.pdf.pages.form_fields import with_fields
from documents.readers.pdf.pages.garbled import garbled_lines
from documents.readers.pdf.tables.ruled import with_cells
from documents.readers.shared.layout import BETWEEN_CJK, BULLETS, MARKS, WIDE, Gap, Line

#: A gap is wider than this, in sizes of the font: spaces between words are a third, those that fill a line a half.
_GAP = 0.4
#: A character that stands lower than the one before by more than this, in sizes of the font, is in another line.
_LOWER = 0.6
#: How wide a character is on average, spaces included, in sizes of its font; a Chinese one is 1.
_USUAL = 0.48
_SPACES = re.compile(r"\S\s+(?=\S)")
#: Names of bold fonts, those of TeX and of Chinese among them; and the flag of PDF 32000-1, table 123.
_BOLD = re.compile(rb"bold|black|heavy|demi|medi|[a-z]bx\d|hei\b|simhei|\xe9\xbb\x91", re.IGNORECASE)
_FORCE_BOLD = 1 << 18
#: Characters that are two in UTF-16.
_PAIRS = re.compile("[\U00010000-\U0010ffff]")
#: Where a word is divided pdfium has its hyphen instead of the line's end.
_LINES = re.compile(f"[^\n{MARKS}]*(?:[{MARKS}]+|\n|$)")


@dataclass(slots=True)
class Page:
    """What a page shows: its lines, its lower and upper edge in points, and where its text comes from.

    source: `text`, `ocr`, `picture` (which has next to no text), `garbled` (which has no text that can be
    made out), `blank`; None for a page that cannot be read.
    confidence: of the recognition of text, from 0 to 100. failure: why that failed, or why the page cannot be read.
    lost: lines of a page with text that are left out, since their fonts do not say what they show.
    """

    lines: list[Line]
    lower: float = 0.0
    upper: float = 0.0
    source: str | None = None
    confidence: float | None = None
    failure: str | None = None
    lost: int = 0

    def record(self) -> str:
        """Write the page as one line of JSON, which keeps every float as it is; `page_of` is the way back."""
        lines = [astuple(line) for line in self.lines]
        return json.dumps([lines, self.lower, self.upper, self.source, self.confidence, self.failure, self.lost])


def page_of(record: str) -> Page:
    """Read the page that `Page.record` wrote."""
    lines, *rest = json.loads(record)
    return Page([Line(*line) for line in lines], *rest)


def lines_of(page: pypdfium2.PdfPage) -> tuple[list[Line], list[Line]]:
    """Return the lines of a page in reading order, with what was filled in, where they stand and how large.

    Apart from them those of which the fonts do not say what they show.
    """
    text_page = page.get_textpage()
    characters = _Characters(text_page)
    lines, starts = [], []
    at = 0
    for string in _LINES.findall(characters.text):
        shown = string.strip(" \r\n\t\x00")
        if shown.strip(MARKS):
            for line, start in characters.lines(shown, at + string.index(shown[0])):
                if number := may_be_numbered(line.text):
                    line.bold = characters.is_bold(start + number)
                if _is_roomy(line):
                    line.typed = typed(line, start, characters.edges)
                    if " " in line.text:
                        gaps = typed_gaps(line)
                        line.gaps = _gaps(line, start, characters) if gaps is None else gaps
                lines.append(line)
                starts.append(start)
        at += len(string)
    garbled = garbled_lines(characters.text, lines, starts, characters.font)
    lost = [lines[at] for at in garbled]
    if lost:
        starts = [start for at, start in enumerate(starts) if at not in garbled]
        lines = [line for at, line in enumerate(lines) if at not in garbled]
    _doubt_half(lines, starts, characters)
    places = {id(line): start for line, start in zip(lines, starts, strict=True)}
    lines = with_fields(page, lines)
    lines = with_cells(page, lines, [places.get(id(line)) for line in lines], characters.edges)
    text_page.close()
    return lines, lost


class _Characters:
    """The characters of a page by their places in its text."""

    def __init__(self, text_page: pypdfium2.PdfTextPage) -> None:
        self.text: str = text_page.get_text_range(errors="replace")
        self._page = text_page
        self._raw = text_page.raw  # which ctypes takes at once, other than its wrapper
        self._aligned = len(self.text) == text_page.count_chars()
        self._pairs = [match.start() for match in _PAIRS.finditer(self.text)]
        self._box, self._matrix = pdfium.FS_RECTF(), pdfium.FS_MATRIX()
        self._name, self._flags = ctypes.create_string_buffer(128), ctypes.c_int()

    def edges(self, place: int) -> tuple[float, float]:
        """Return the left and the right edge of a character, in points."""
        box = self._box
        pdfium.FPDFText_GetLooseCharBox(self._raw, place if self._aligned else self._index(place), box)
        return box.left, box.right

    def lines(self, text: str, start: int) -> list[tuple[Line, int]]:
        """Return a line whose text begins at a place, and that place; several where its text goes down in the middle.

        PDFium has no line's end where a piece of text is hardly high, as is a dash that ends the row of a table.
        """
        line = self.line(text, start)
        if line.bottom - line.last_bottom <= _LOWER * line.size or " " not in text:
            return [(line, start)]
        lower = _LOWER * line.size
        cuts = [
            space.end()
            for space in _SPACES.finditer(text)
            if self._bottom(start + space.start()) - self._bottom(start + space.end()) > lower
        ]
        parts = [
            (self.line(text[at:end].rstrip(), start + at), start + at) for at, end in pairwise([0, *cuts, len(text)])
        ]
        # Letters that each stand lower than the one before are text on its side, or slanted.
        return parts if all(abs(part.bottom - part.last_bottom) < lower for part, _ in parts) else [(line, start)]

    def is_bold(self, place: int) -> bool:
        """Return whether a character is in a bold font, as its name says it."""
        return _BOLD.search(self.font(place)) is not None or self._flags.value & _FORCE_BOLD > 0

    def font(self, place: int) -> bytes:
        """Return the name of a character's font, in UTF-8."""
        name = self._name
        length = pdfium.FPDFText_GetFontInfo(self._raw, self._index(place), name, len(name), ctypes.byref(self._flags))
        return name.raw[: max(min(length, len(name)) - 1, 0)]  # without the NUL that ends it

    def _bottom(self, place: int) -> float:
        box = self._box
        pdfium.FPDFText_GetLooseCharBox(self._raw, place if self._aligned else self._index(place), box)
        return float(box.bottom)

    def line(self, text: str, start: int) -> Line:
        """Return a line whose text begins at a place."""
        raw, box, matrix = self._raw, self._box, self._matrix
        first, last = self._index(start), self._index(start + len(text) - 1)
        pdfium.FPDFText_GetLooseCharBox(raw, first, box)
        left, bottom = box.left, box.bottom
        typical = last if text[0] in BULLETS else first  # a bullet may have a size of its own
        size = pdfium.FPDFText_GetFontSize(raw, typical)
        if pdfium.FPDFText_GetMatrix(raw, typical, ctypes.byref(matrix)):
            size *= max(abs(matrix.d), abs(matrix.b))
        pdfium.FPDFText_GetLooseCharBox(raw, last, box)
        return Line(text, left, box.right, bottom, box.bottom, round(size * 2) / 2)

    def _index(self, place: int) -> int:
        """Return pdfium's own number of a character: it counts what it shows in UTF-16 and what it leaves out."""
        if self._aligned:
            return place
        units = place + bisect_left(self._pairs, place)
        return max(int(pdfium.FPDFText_GetCharIndexFromTextIndex(self._page, units)), 0)


def _is_roomy(line: Line) -> bool:
    """Return whether a line takes more room than its characters, which saves looking at each of most lines."""
    if not line.text.isascii() and BETWEEN_CJK.search(line.text):
        return True
    wide = 0 if line.text.isascii() else len(WIDE.findall(line.text))
    room = (line.right - line.left) / max(line.size, 1)
    return room > _USUAL * (len(line.text) - wide) + wide


def _gaps(line: Line, start: int, characters: _Characters) -> list[Gap]:
    """Return the wide gaps of a line that begins at a place."""
    gaps = []
    for space in _SPACES.finditer(line.text):
        _, left = characters.edges(start + space.start())
        right, _ = characters.edges(start + space.end())
        if right - left > _GAP * line.size:
            gaps.append((space.end(), left, right))
    return gaps


def _doubt_half(lines: list[Line], starts: list[int], characters: _Characters) -> None:
    """Undo the guess that lines are monospaced if the Latin letters among Chinese ones are half-width as well."""
    half = [line for line in lines if line.typed is not None and is_half(line.typed[1], line.size)]
    if not any(line.typed is not None and line.typed[2] for line in half):
        return
    for line, start in zip(lines, starts, strict=True):
        if WIDE.search(line.text) and (letter := letters(line.text)):
            widths = [right - left for left, right in (characters.edges(start + at) for at in letter)]
            if all(is_half(width, line.size) for width in widths):
                for candidate in half:
                    candidate.typed = None
                return
