"""Which lines of a PDF are headers and footers, page numbers included, which its pages repeat."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from statistics import median

from documents.readers.pdf.headings import Outline
from documents.readers.pdf.pages.page import Page
from documents.readers.pdf.running_heads import Texts, running
from documents.readers.shared.layout import Line

_FEWEST_PAGES = 3
#: How many rows at each edge of a page may be headers and footers.
_ROWS = 3
#: The share of a page's height that each margin takes; below it begins what short pages may have in common.
_MARGIN = 0.12
#: HeadersFooters stands at one height, give or take so many points.
_DRIFT = 8.0
_DIGITS = re.compile(r"[0-9]+")
_TOLD = 5
_LONGEST_TOLD = 60

#: A line by the index of its page and its own.
Place = tuple[int, int]
#: Lines at one height, each with its index on its page.
Row = list[tuple[int, Line]]


class HeadersFooters:
    """Finds the lines that more than half of the pages repeat. `warnings` name these.

    A line counts only in the margin at the top or the bottom, nothing but headers or footers beyond it; and only if it
    is the same everywhere, or has a number that counts the pages, or is a running head. So a sum at each page's end
    stays.
    """

    def __init__(self, pages: Iterable[Page], outline: Outline) -> None:
        sizes: list[int] = []
        edges: tuple[list[list[Row]], list[list[Row]]] = ([], [])
        headings: set[Place] = set()
        letters: Counter[float] = Counter()
        for index, page in enumerate(pages):
            sizes.append(len(page.lines))
            for line in page.lines:
                letters[line.size] += len(line.text)
            for edge, top in zip(edges, (True, False), strict=True):
                edge.append(list(_rows(page, top)))
                if outline.may_name(index, (line.text for row in edge[-1] for _, line in row)):
                    headings |= {(index, level) for level in outline.levels(index, page.lines)}
        body = letters.most_common(1)[0][0] if letters else 0.0
        heads = {place for edge in edges for place in running(_texts(edge, body, headings), outline)}
        texts = _dropped(edges, heads, sum(map(bool, sizes)))
        dropped = Counter(index for index, _ in texts)
        left = sum(size > dropped[index] for index, size in enumerate(sizes))
        if 2 * left <= sum(map(bool, sizes)):  # pages that are alike are no headers of each other
            texts = {}
        self._dropped: dict[int, set[int]] = defaultdict(set)
        for index, at in texts:
            self._dropped[index].add(at)
        self.warnings = _told(texts[place] for place in sorted(texts))

    def without(self, index: int, lines: list[Line]) -> list[Line]:
        """Return the lines of a page that are not dropped."""
        dropped = self._dropped.get(index)
        return [line for at, line in enumerate(lines) if at not in dropped] if dropped else lines


def _texts(edge: list[list[Row]], body: float, headings: set[Place]) -> Texts:
    """Return what may be running heads at an edge: no headings, and set no larger than the body of the text."""
    return [
        [(at, line.text) for row in rows for at, line in row if line.size <= body and (index, at) not in headings]
        for index, rows in enumerate(edge)
    ]


def _dropped(edges: Iterable[list[list[Row]]], heads: set[Place], filled: int) -> dict[Place, str]:
    """Return the places and texts of what the margins of so many pages repeat."""
    dropped: dict[Place, str] = {}
    if filled < _FEWEST_PAGES:
        return dropped
    for edge in edges:
        repeated = _repeated(edge, heads, filled / 2)
        for index, rows in enumerate(edge):
            for row in rows:
                texts = {(index, at): line.text for at, line in row if (index, at) in repeated}
                if not texts:
                    break
                dropped |= texts
    return dropped


def _rows(page: Page, top: bool) -> Iterator[Row]:
    """Yield the outermost rows in a margin of a page, from its edge inwards."""
    margin = _MARGIN * (page.upper - page.lower)
    within = [
        (at, line)
        for at, line in enumerate(page.lines)
        if (line.bottom > page.upper - margin if top else line.bottom < page.lower + margin)
    ]
    row: Row = []
    count = 0
    for at, line in sorted(within, key=lambda placed: placed[1].bottom, reverse=top):
        if row and abs(line.bottom - row[0][1].bottom) > line.size / 2:
            yield row
            row = []
            count += 1
            if count == _ROWS:
                return
        row.append((at, line))
    if row:
        yield row


def _repeated(edge: list[list[Row]], heads: set[Place], half: float) -> set[Place]:
    """Return the lines at an edge that are the same, count pages, or are heads, on more than `half` at one height."""
    groups: dict[tuple[str, int, int], list[tuple[Place, float]]] = defaultdict(list)
    for index, rows in enumerate(edge):
        for at, line in (placed for row in rows for placed in row):
            text = " ".join(line.text.split())
            key = ((index, at), line.bottom)
            groups[text, -1, 0].append(key)
            if key[0] in heads:
                groups["", -1, 0].append(key)
            shape = _DIGITS.sub("0", text)
            for place, number in enumerate(_DIGITS.findall(text)):
                if len(number) < 7:
                    groups[shape, place, int(number) - index].append(key)
    repeated: set[Place] = set()
    for places in groups.values():
        if len(places) > half:
            height = median(bottom for _, bottom in places)
            level = [place for place, bottom in places if abs(bottom - height) <= _DRIFT]
            if len({index for index, _ in level}) > half:
                repeated.update(level)
    return repeated


def _told(texts: Iterable[str]) -> list[str]:
    """Return one warning that names what was left out, each shape of it once."""
    shapes: dict[str, list[str]] = defaultdict(list)
    for text in texts:
        shapes[_DIGITS.sub("0", text)].append(text)
    if not shapes:
        return []
    named = ", ".join(f"{shape[0][:_LONGEST_TOLD]!r} ({len(shape)} times)" for shape in list(shapes.values())[:_TOLD])
    more = f" and {len(shapes) - _TOLD} more" if len(shapes) > _TOLD else ""
    return [f"headers and footers that the pages repeat were left out: {named}{more}"]
