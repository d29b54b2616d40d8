"""The pictures of a document that hold what it says: text recognition reads them as it reads scanned pages."""

from __future__ import annotations

import posixpath
from collections import defaultdict
from collections.abc import Iterable, Iterator
from statistics import median

from documents.readers.shared import ocr
from documents.readers.shared.layout import Frame, Hyphens, Line, blocks_of
from documents.reading.archive import Archive
from documents.text import Writer, listed
from errors import TaskError

#: Less confidence than this, from 0 to 100, and the text is doubtful.
CONFIDENT = 70.0
#: Pixels for an inch, which pictures in documents do not tell: what Tesseract was trained on.
_RESOLUTION = 300


class Pictures:
    """Reads what are pictures instead of text, and keeps account of them by their numbers, from 1.

    noun: what is numbered, such as `picture` or `slide`.
    """

    def __init__(self, noun: str) -> None:
        self._noun = noun
        self._confidence: dict[int, float] = {}
        self._unread: list[int] = []
        self._failures: dict[int, str] = {}

    def read(self, number: int, pictures: Iterable[bytes], writer: Writer, page: int = 0) -> None:
        """Write what text recognition reads in the pictures that have a number, on the page of this index."""
        rows: list[ocr.Row] = []
        for picture in pictures if ocr.languages() is not None else ():
            try:
                text = ocr.recognise(picture, _RESOLUTION, page)
            except ocr.Failed as failure:
                self._failures.setdefault(number, str(failure))
                continue
            lines = placed(text, max((row.bottom for row in text), default=0), _RESOLUTION / 72)
            for block in blocks_of(lines, {}, Hyphens(line.text for line in lines), Frame(lines)):
                writer.block(block.text)
            rows += text
        if rows:
            self._confidence[number] = confidence(rows)
        elif number not in self._failures:
            self._unread.append(number)

    def warnings(self, count: int) -> list[str]:
        """Return what the submitter is told, of `count` that there are of what is numbered."""
        warnings, nouns = [], f"{self._noun}s"
        if read := sorted(self._confidence):
            where = listed(read, self._noun)
            warnings.append(f"{len(read)} of {count} {nouns} were read by OCR ({ocr.languages()}): {where}")
        if doubtful := [number for number in read if self._confidence[number] < CONFIDENT]:
            warnings.append(f"OCR is not sure of what it read on {listed(doubtful, self._noun)}")
        if self._unread:
            lack = "hold no text that OCR could read"
            if ocr.languages() is None:
                lack = "hold no text and would need OCR"
            warnings.append(f"{len(self._unread)} of {count} {nouns} {lack}: {listed(self._unread, self._noun)}")
        return warnings + failed(self._failures, self._noun)

    def require_text(self, what: str) -> None:
        """Refuse a document, called `what`, of which nothing but unread pictures is known.

        Raises:
          TaskError: needs_ocr; timeout where there was no time to read all.
        """
        unread = sorted([*self._unread, *self._failures])
        if self._confidence or not unread:
            return
        refuse_late(self._failures, what)
        lack = "OCR found no text in them"
        if ocr.languages() is None:
            lack = "text recognition is not installed"
        elif self._failures:
            lack = f"text recognition failed ({next(iter(self._failures.values()))})"
        where = listed(unread, self._noun)
        raise TaskError("needs_ocr", f"the {what} holds no text, only pictures, and {lack}: {where}")


def write_pictures(what: str, pictures: Iterable[tuple[str, bytes]], writer: Writer) -> list[str]:
    """Write what the pictures of a document without text say. Returns what the submitter is told.

    Parameters:
      what: the document is called.
      pictures: the name of each one, and its bytes.

    Raises:
      TaskError: needs_ocr, timeout.
    """
    account, names = Pictures("picture"), list[str]()
    for name, picture in pictures:
        names.append(name)
        account.read(len(names), [picture], writer)
    account.require_text(f"{what} ({', '.join(map(posixpath.basename, names[:3]))})")
    return account.warnings(len(names))


def failed(failures: dict[int, str], noun: str = "page") -> list[str]:
    """Return what the submitter is told of failed text recognition: each reason once, with its numbers."""
    numbers = defaultdict[str, list[int]](list)
    for number, why in sorted(failures.items()):
        numbers[why].append(number)
    return [f"{listed(number, noun)}: {why}" for why, number in numbers.items()]


def refuse_late(failures: dict[int, str], what: str) -> None:
    """Refuse a document, called `what`, of which nothing was read, where text recognition would have needed more time.

    Raises:
      TaskError: timeout.
    """
    if ocr.OUT_OF_TIME in failures.values():
        raise TaskError("timeout", f"the {what} holds no text, only pictures, and no time was left to read them all")


def pictures_in(archive: Archive, parts: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    """Return the pictures that a document refers to, each once however often; inflated as they are asked for."""
    return ((part, archive.read(part)) for part in dict.fromkeys(parts) if part in archive)


def confidence(rows: list[ocr.Row]) -> float:
    """Return how sure text recognition is of all that it read, from 0 to 100."""
    letters = sum(len(row.text) for row in rows)
    return sum(row.confidence * len(row.text) for row in rows) / letters if letters else 0.0


def placed(rows: list[ocr.Row], height: int, scale: float) -> list[Line]:
    """Place rows as lines of a page, in points from its lower edge; all in one size, since OCR is no judge of it."""
    if not rows:
        return []
    size = round(median(row.bottom - row.top for row in rows) / scale * 2) / 2
    lines = []
    for row in rows:
        bottom = (height - row.bottom) / scale
        lines.append(Line(row.text, row.left / scale, row.right / scale, bottom, bottom, size))
    return lines
