"""The pages of a PDF that are pictures: which they are, and what text recognition reads on them."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

import pypdfium2
import pypdfium2.raw as pdfium

from documents.readers.pdf.pages.garbled import is_garbled
from documents.readers.pdf.pages.page import Page
from documents.readers.shared import ocr
from documents.readers.shared.layout import Line
from documents.readers.shared.pictures import CONFIDENT, confidence, failed, placed, refuse_late
from documents.text import listed
from errors import TaskError

#: A page with fewer characters, most of which a picture covers, is a scan with a stamp or a page number.
_FEW, _MOST_OF_A_PAGE = 100, 0.5
#: A document of which no more than this is text, all of it on scans, is as good as textless.
_STAMP = 40
#: What Tesseract was trained on, in pixels for an inch; and what a page may have at most on each side, in pixels.
_RESOLUTION, _LARGEST = 300, 6000
#: A page of which text recognition is not `CONFIDENT` may lie on its side.
_QUARTER_TURNS = (0, 90, 180, 270)


class Scans:
    """What became of each page; pages are numbered from 1."""

    def __init__(self, pages: Iterable[Page]) -> None:
        self.pages = 0
        self._sources: dict[int, str] = {}
        self._confidence: dict[int, float] = {}
        self._failures: dict[int, str] = {}
        self._lost: dict[int, int] = {}
        self._broken: list[str] = []
        self._stamps: set[str] = set()
        for number, page in enumerate(pages, 1):
            self.pages = number
            self._note(number, page)

    def _note(self, number: int, page: Page) -> None:
        if page.source is None:
            self._broken.append(page.failure or "")
            return
        self._sources[number] = page.source
        if page.confidence is not None:
            self._confidence[number] = page.confidence
        if page.lost:
            self._lost[number] = page.lost
        if page.failure is not None:
            self._failures[number] = page.failure
        if page.source == "picture" and len("".join(self._stamps)) <= _STAMP:
            self._stamps.update(line.text for line in page.lines)

    def coverage(self) -> dict[str, list[list[int]]]:
        """Return the first and last page of each run by source: `text`, `ocr`, `picture`, `garbled`, `blank`."""
        runs: dict[str, list[list[int]]] = {}
        for source, group in groupby(sorted(self._sources), key=lambda number: self._sources[number]):
            numbers = list(group)
            runs.setdefault(source, []).append([numbers[0], numbers[-1]])
        return runs

    def warnings(self) -> list[str]:
        """Return what the submitter is told of pages that are pictures."""
        count = len(self._sources)
        sentences = []
        if read := self._of("ocr"):
            sentences.append(f"{len(read)} of {count} pages are scans, read by OCR ({ocr.languages()}): {listed(read)}")
        if doubtful := [number for number in read if self._confidence[number] < CONFIDENT]:
            sentences.append(f"OCR is not sure of what it read on {listed(doubtful)}")
        if unread := [number for number in self._of("picture") if number not in self._failures]:
            sentences.append(f"{len(unread)} of {count} pages {self._lack()}: {listed(unread)}")
        if garbled := self._of("garbled"):
            sentences.append(
                f"{len(garbled)} of {count} pages were left out, and would need OCR: their fonts do not say which"
                f" characters they show: {listed(garbled)}"
            )
        if self._lost:
            count = sum(self._lost.values())
            sentences.append(
                f"{count} lines were left out: their fonts do not say which characters they show:"
                f" {listed(sorted(self._lost))}"
            )
        return sentences + failed(self._failures)

    def require_text(self) -> None:
        """Refuse a document whose pages hold no text, or that of a stamp on scans at most.

        Raises:
          TaskError: corrupt, empty, needs_ocr; timeout where there was no time to read all.
        """
        pictures = sorted([*self._of("picture"), *self._of("garbled")])
        if self._of("text") or self._of("ocr") or len("".join(self._stamps)) > _STAMP:
            return
        if self._broken and not self._stamps:
            raise TaskError("corrupt", f"the PDF's pages cannot be read ({self._broken[0]})")
        if not pictures:
            raise TaskError("empty", f"the PDF's {self.pages} pages are blank")
        refuse_late(self._failures, "PDF")
        failures = "".join(f" ({why})" for why in list(self._failures.values())[:1])
        lacking = "OCR found no text in them" if self._confidence else f"text recognition is not installed{failures}"
        if self._failures:
            lacking = f"text recognition failed{failures}"
        what = "text that can be made out" if self._of("garbled") else "text, only pictures"
        raise TaskError("needs_ocr", f"no page of the PDF holds {what}, and {lacking}: {listed(pictures)}")

    def _of(self, source: str) -> list[int]:
        return sorted(number for number, origin in self._sources.items() if origin == source)

    def _lack(self) -> str:
        if self._confidence:
            return "hold a picture in which OCR found no text"
        return "hold a picture and next to no text, and would need OCR"


def recognised(page: pypdfium2.PdfPage, lines: list[Line], garbled: list[Line]) -> Page:
    """Return a page with its own lines, or where it is a picture with those that are recognised on it.

    garbled: its lines of which the fonts do not say what they show.
    """
    _, lower, _, upper = page.get_bbox()
    lacking = "picture"
    if is_garbled("".join(line.text for line in [*lines, *garbled])) or (garbled and not lines):
        lines, lacking = [], "garbled"
    elif not _is_scan(page, lines):
        return Page(lines, lower, upper, "text" if lines else "blank", lost=len(garbled))
    if ocr.languages() is None:
        return Page(lines, lower, upper, lacking)
    try:
        ocr_lines, confidence = _recognised(page)
    except ocr.Failed as failure:
        return Page(lines, lower, upper, lacking, failure=str(failure))
    if _length(ocr_lines) > _length(lines):
        return Page(ocr_lines, lower, upper, "ocr", confidence)
    return Page(lines, lower, upper, lacking, confidence)


def _is_scan(page: pypdfium2.PdfPage, lines: list[Line]) -> bool:
    if not lines:
        return int(pdfium.FPDFPage_CountObjects(page)) > 0
    if _length(lines) >= _FEW:
        return False
    left, bottom, right, top = map(float, page.get_bbox())
    covered = 0.0
    for picture in page.get_objects(filter=[pdfium.FPDF_PAGEOBJ_IMAGE], max_depth=3):
        x0, y0, x1, y1 = picture.get_bounds()
        covered += max(min(x1, right) - max(x0, left), 0.0) * max(min(y1, top) - max(y0, bottom), 0.0)
    return covered > _MOST_OF_A_PAGE * (right - left) * (top - bottom)


def _recognised(page: pypdfium2.PdfPage) -> tuple[list[Line], float]:
    """Return the lines that are read on a page, turned until they make sense, and how sure they are, from 0 to 100.

    Raises:
      ocr.Failed: before anything was read on it.
    """
    width, height = page.get_size()
    scale = min(_RESOLUTION / 72, _LARGEST / max(width, height, 1))
    best: tuple[list[Line], float] = [], 0.0
    for turn in _QUARTER_TURNS:
        try:
            ocr.require_time()  # before the page is drawn, which takes long as well
            bitmap = page.render(scale=scale, grayscale=True, rotation=turn)
            rows = ocr.recognise(_grey(bitmap), round(scale * 72))
        except ocr.Failed:
            if best[0]:
                break
            raise
        sure = confidence(rows)
        if sure > best[1]:
            best = placed(rows, bitmap.height, scale), sure
        bitmap.close()
        if not rows or sure >= CONFIDENT:
            break
    return best


def _grey(bitmap: pypdfium2.PdfBitmap) -> bytes:
    """Write a bitmap of one byte a pixel as PGM."""
    width, height, stride = bitmap.width, bitmap.height, bitmap.stride
    pixels = memoryview(bitmap.buffer).cast("B")
    rows = b"".join(pixels[at : at + width] for at in range(0, stride * height, stride))
    return b"P5 %d %d 255\n" % (width, height) + rows


def _length(lines: list[Line]) -> int:
    return sum(len(line.text) for line in lines)
