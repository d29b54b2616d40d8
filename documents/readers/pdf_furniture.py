"""Which lines of a PDF are furniture: headers, footers and page numbers that its pages repeat."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from statistics import median

from documents.readers.pdf_layout import Line

_FEWEST_PAGES = 3
#: How many rows at each edge of a page may be furniture.
_ROWS = 3
#: The share of a page's height that each margin takes; below it begins what short pages may have in common.
_MARGIN = 0.12
#: Furniture stands at one height, give or take so many points.
_DRIFT = 8.0
_DIGITS = re.compile(r"[0-9]+")
_TOLD = 5
_LONGEST_TOLD = 60

#: A line by the index of its page and its own.
Place = tuple[int, int]


def without_furniture(pages: list[list[Line]], boxes: list[tuple[float, float]]) -> tuple[list[list[Line]], list[str]]:
    """The lines of each page without those that more than half of the pages repeat, and warnings that name these.

    A line counts only in the margin at the top or the bottom, nothing but furniture beyond it; and only if it is
    the same everywhere, or has a number that counts the pages. So a sum at each page's end stays.

    boxes: the lower and the upper edge of each page, in points.
    """
    filled = sum(map(bool, pages))
    if filled < _FEWEST_PAGES:
        return pages, []
    edges = [[list(_rows(lines, box, top)) for lines, box in zip(pages, boxes, strict=True)] for top in (True, False)]
    dropped: set[Place] = set()
    for edge in edges:
        repeated = _repeated(pages, edge, filled / 2)
        for index, rows in enumerate(edge):
            for row in rows:
                found = {(index, line) for line in row} & repeated
                if not found:
                    break
                dropped |= found
    kept = [[line for at, line in enumerate(lines) if (index, at) not in dropped] for index, lines in enumerate(pages)]
    if 2 * sum(map(bool, kept)) <= filled:  # pages that are alike are no furniture of each other
        return pages, []
    return kept, _told([pages[index][at].text for index, at in sorted(dropped)])


def _rows(lines: list[Line], box: tuple[float, float], top: bool) -> Iterator[list[int]]:
    """The outermost rows in a margin of a page, from its edge inwards: the indices of the lines of each."""
    lower, upper = box
    margin = _MARGIN * (upper - lower)
    within = (
        at for at, line in enumerate(lines) if (line.bottom > upper - margin if top else line.bottom < lower + margin)
    )
    order = sorted(within, key=lambda at: lines[at].bottom, reverse=top)
    row: list[int] = []
    count = 0
    for at in order:
        if row and abs(lines[at].bottom - lines[row[0]].bottom) > lines[at].size / 2:
            yield row
            row = []
            count += 1
            if count == _ROWS:
                return
        row.append(at)
    if row:
        yield row


def _repeated(pages: list[list[Line]], edge: list[list[list[int]]], half: float) -> set[Place]:
    """The lines at an edge that are the same, or count the pages, on more than `half` of them at one height."""
    groups: dict[tuple[str, int, int], list[Place]] = defaultdict(list)
    for index, rows in enumerate(edge):
        for at in (at for row in rows for at in row):
            text = " ".join(pages[index][at].text.split())
            groups[text, -1, 0].append((index, at))
            shape = _DIGITS.sub("0", text)
            for place, number in enumerate(_DIGITS.findall(text)):
                if len(number) < 7:
                    groups[shape, place, int(number) - index].append((index, at))
    found: set[Place] = set()
    for places in groups.values():
        if len(places) > half:
            height = median(pages[index][at].bottom for index, at in places)
            level = [(index, at) for index, at in places if abs(pages[index][at].bottom - height) <= _DRIFT]
            if len({index for index, _ in level}) > half:
                found.update(level)
    return found


def _told(texts: Iterable[str]) -> list[str]:
    """One warning that names what was left out, each shape of it once."""
    shapes: dict[str, list[str]] = defaultdict(list)
    for text in texts:
        shapes[_DIGITS.sub("0", text)].append(text)
    if not shapes:
        return []
    named = ", ".join(f"{found[0][:_LONGEST_TOLD]!r} ({len(found)} times)" for found in list(shapes.values())[:_TOLD])
    more = f" and {len(shapes) - _TOLD} more" if len(shapes) > _TOLD else ""
    return [f"headers and footers that the pages repeat were left out: {named}{more}"]
