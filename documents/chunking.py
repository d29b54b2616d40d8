"""Text cut into chunks that end where a reader would pause: at headings, paragraphs and sentences."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from documents.edition import Cuts, Edition
from documents.sentences import Boundary, Unit, cut, units_of
from documents.text import Anchor

#: A section's end is taken as a chunk's end once the chunk is so full; shorter sections go with the next.
_SECTION_FILL = 1 / 3
#: A paragraph's end, or a line's, is preferred to a later sentence's end once the chunk is so full.
_FILL = {Boundary.PARAGRAPH: 1 / 2, Boundary.LINE: 3 / 4, Boundary.SENTENCE: 0.0, Boundary.CUT: 0.0}
#: What remains of a chunk after its heading must hold at least this share, or the heading goes alone.
_ROOM_AFTER_HEADING = 1 / 4


@dataclass(slots=True)
class Chunk:
    """A piece of a text: `text[start:end]`, counted in characters.

    page and heading_path are those of the first text in the chunk that is no heading.
    """

    index: int
    start: int
    end: int
    page: int | None
    heading_path: list[str]


def split(text: str, anchors: Sequence[Anchor], size: int, overlap: int, earlier: Edition | None = None) -> list[Chunk]:
    """Cut a text into chunks of at most `size` characters that together hold all that is not white space.

    A chunk repeats at most `overlap` characters of the one before, in whole sentences of the same section.
    A heading stays with what follows it. Nothing is cut that fits: a longer sentence is cut at a clause or
    a word, a longer word between characters.

    Parameters:
      earlier: of the same document, cut with the same size and overlap; the text is cut where that was, as far as it
        is the same.

    Raises:
      ValueError: size is less than 1, or overlap is not below size.
    """
    if size < 1 or not 0 <= overlap < size:
        raise ValueError(f"the overlap must be at least 0 and less than the size, not {overlap} of {size}")
    units = _fitted(text, units_of(text, anchors), size)
    places = _Places(anchors)
    cuts = Cuts(earlier, text, units) if earlier is not None else None
    chunks: list[Chunk] = []
    first = 0
    while first < len(units):
        start = _overlapping(units, first, size, overlap)
        after = cuts.end(start, first, _reach(units, first, size)) if cuts is not None else None
        if after is None:
            after = _end_of_chunk(units, start, first, size)
        while units[after - 1].end - units[start].start > size:
            start += 1  # repeats less, so that it can end where it did
        body = next((unit for unit in units[start:after] if unit.level is None), units[start])
        chunks.append(
            Chunk(
                index=len(chunks),
                start=units[start].start,
                end=units[after - 1].end,
                page=places.page(units[start].start),
                heading_path=places.path(body.start),
            )
        )
        first = after
    return chunks


def _fitted(text: str, units: list[Unit], size: int) -> list[Unit]:
    """The units with those cut up that are too long, alone or together with the headings that they follow."""
    fitted: list[Unit] = []
    heading: int | None = None  # where the headings began that a unit follows
    for unit in units:
        room = size
        if heading is not None and unit.level is None:
            left = size - (unit.start - heading)
            room = left if left >= size * _ROOM_AFTER_HEADING else size
        if unit.end - unit.start <= room:
            fitted.append(unit)
        else:
            before, whole = unit.before, False
            for start, end in cut(text, unit.start, unit.end, room, size):
                fitted.append(Unit(start, end, before, unit.level, whole))
                before = Boundary.CUT
        if unit.level is None:
            heading = None
        elif heading is None:
            heading = unit.start
    return fitted


def _overlapping(units: list[Unit], first: int, size: int, overlap: int) -> int:
    """Where a chunk begins whose first new unit is `first`: some whole sentences earlier, if they fit."""
    start = first
    while start > 0:
        unit = units[start - 1]
        if unit.level is not None or not unit.whole or units[first].level is not None:
            break
        if units[first - 1].end - unit.start > overlap or units[first].end - unit.start > size:
            break
        start -= 1
    return start


def _reach(units: list[Unit], first: int, size: int) -> int:
    """The last unit before which a chunk may end that is new from `first` on: within its size and its section."""
    after = first + 1
    while after < len(units) and units[after].end - units[first].start <= size:
        filled = units[after - 1].end - units[first].start
        if units[after].level is not None and units[after - 1].level is None and filled >= size * _SECTION_FILL:
            break
        after += 1
    return after


def _end_of_chunk(units: list[Unit], start: int, first: int, size: int) -> int:
    """The index after the last unit of a chunk that begins with unit `start` and is new from `first` on."""
    limit = units[start].start + size
    after = first + 1
    best: dict[Boundary, int] = {}
    while after < len(units):
        filled = units[after - 1].end - units[first].start
        unit = units[after]
        if units[after - 1].level is None:  # never between a heading and what it is the heading of
            if unit.level is not None and filled >= size * _SECTION_FILL:
                return after
            if filled >= size * _FILL[unit.before]:
                best[unit.before] = after
        if unit.end > limit:
            break
        after += 1
    if after == len(units):
        return after
    for boundary in (Boundary.PARAGRAPH, Boundary.LINE, Boundary.SENTENCE, Boundary.CUT):
        if boundary in best:
            return best[boundary]
    return _before_headings(units, first, after)


def _before_headings(units: list[Unit], first: int, after: int) -> int:
    """The last place at which no heading is left behind; where all are headings, the last that fits."""
    for place in range(after, first, -1):
        if units[place - 1].level is None:
            return place
    return after


class _Places:
    """Looks up the page and the headings of a place in the text."""

    def __init__(self, anchors: Sequence[Anchor]) -> None:
        pages = sorted((anchor.start, anchor.page) for anchor in anchors if anchor.page and anchor.kind == "page")
        self._page_starts = [start for start, _ in pages]
        self._pages = [page for _, page in pages]
        self._heading_starts: list[int] = []
        self._paths: list[list[str]] = []
        above: list[tuple[int, str]] = []
        for anchor in sorted(anchors, key=lambda anchor: anchor.start):
            if anchor.kind == "heading" and anchor.title:
                level = anchor.level or 0
                above = [(other, title) for other, title in above if other < level] + [(level, anchor.title)]
                self._heading_starts.append(anchor.start)
                self._paths.append([title for _, title in above])

    def page(self, place: int) -> int | None:
        at = bisect_right(self._page_starts, place) - 1
        return self._pages[at] if at >= 0 else None

    def path(self, place: int) -> list[str]:
        at = bisect_right(self._heading_starts, place) - 1
        return list(self._paths[at]) if at >= 0 else []
