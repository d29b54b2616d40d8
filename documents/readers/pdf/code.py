"""Blocks of code in a PDF: lines below each other whose characters are all of one width, as on a typewriter."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from documents.readers.pdf.monospace import MOST_COLUMNS
from documents.readers.shared.layout import BULLETS, Line, same_row

_FEWEST_LINES = 2
#: A document of which more than this share is typed was written on a typewriter, or looks so: that is prose.
_MOST_SHARE = 0.8
#: Two widths, or two sizes, are the same give or take this share.
_ALIKE = 0.02
#: Lines are no closer and no farther apart than this, in sizes of their font; and those of a block with two empty
#: lines between.
_CLOSEST, _PITCH, _FARTHEST = 0.5, 1.7, 4.0
#: Empty lines are as high as others, give or take this share of one.
_UNEVEN = 0.15


@dataclass(slots=True)
class Listing:
    """A block of code, of the lines from index `first` to before `last`, indented and apart as they are placed."""

    first: int
    last: int
    text: str


class Code:
    """Finds the blocks of code on the pages of a document, of which all lines are to be given first."""

    def __init__(self, lines: Iterable[Line]) -> None:
        typed = total = 0
        for line in lines:
            total += len(line.text)
            typed += len(line.text) if line.typed is not None else 0
        self._may_be = 0 < typed <= _MOST_SHARE * total

    def listings(self, lines: list[Line], headings: Container[int]) -> Iterator[Listing]:
        """Yield the listings of a page, of two lines at least; no line in `headings`, by index, is one of code."""
        at = 0
        while self._may_be and at < len(lines):
            last = at
            while last < len(lines) and lines[last].typed is not None and last not in headings:
                if not _is_alone(lines, last) or (last > at and not _follows(lines[last - 1], lines[last])):
                    break
                last += 1
            for begin, end in _pieces(lines, at, last) if last - at >= _FEWEST_LINES else ():
                begin, end = _without_numbers(lines, begin, end)
                if end - begin >= _FEWEST_LINES and _show(lines[begin:end]):
                    yield Listing(begin, end, _text(lines[begin:end]))
            at = max(last, at + 1)


def _is_alone(lines: list[Line], at: int) -> bool:
    """Return whether a line is neither an item nor a cell of a row."""
    line = lines[at]
    if line.text[0] in BULLETS and not line.text[0].isascii():
        return False
    return not (at and same_row(lines[at - 1], line)) and not (at + 1 < len(lines) and same_row(line, lines[at + 1]))


def _follows(before: Line, line: Line) -> bool:
    """Return whether a typed line stands below the one before it and looks like it."""
    step = before.bottom - line.bottom
    return 0 < step < _FARTHEST * line.size and _alike(before.size, line.size) and _alike(_width(before), _width(line))


def _alike(one: float, other: float) -> bool:
    return abs(one - other) <= _ALIKE * max(one, other)


def _width(line: Line) -> float:
    return line.typed[1] if line.typed else 0.0


def _pieces(lines: list[Line], first: int, last: int) -> Iterator[tuple[int, int]]:
    """Yield runs of lines that are one, two or three lines apart; any other distance separates paragraphs."""
    steps = _steps(lines[first:last])
    usual = min(steps)
    if not _CLOSEST * lines[first].size <= usual <= _PITCH * lines[first].size:
        return
    for at, step in enumerate(steps, first + 1):
        if abs(step / usual - round(step / usual)) > _UNEVEN:
            yield first, at
            first = at
    yield first, last


def _steps(lines: list[Line]) -> list[float]:
    return [before.bottom - line.bottom for before, line in pairwise(lines)]


def _without_numbers(lines: list[Line], first: int, last: int) -> tuple[int, int]:
    """Return a block's indexes without the numbers at its ends: digits are of one width in other fonts as well."""
    while first < last and not _tells(lines[first]):
        first += 1
    while first < last and not _tells(lines[last - 1]):
        last -= 1
    return first, last


def _show(lines: list[Line]) -> bool:
    """Return whether one of the lines has letters that show of which width all are."""
    return any(line.typed is not None and line.typed[2] for line in lines)


def _tells(line: Line) -> bool:
    return line.typed is not None and (line.typed[2] or not "".join(line.text.split()).isdigit())


def _text(lines: list[Line]) -> str:
    left = min(line.left for line in lines)
    steps = _steps(lines)
    usual = min(steps)
    text = ""
    for line, step in zip(lines, [0.0, *steps], strict=True):
        indent = min(round((line.left - left) / _width(line)), MOST_COLUMNS)
        text += "\n" * round(step / usual) + " " * indent + (line.typed[0] if line.typed else "")
    return text
