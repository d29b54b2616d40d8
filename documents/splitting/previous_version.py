"""The previous version of a document, so that the next is cut where that was, wherever the text is the same.

Whoever cuts from the beginning until a chunk is full moves every later cut with one added sentence; this would embed,
and pay for, a whole document anew.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from documents.splitting.sentences import Unit

#: Characters at a chunk's beginning by which it is looked for where more than one place was edited.
_CONTEXT = 64


@dataclass(frozen=True, slots=True)
class PreviousVersion:
    """A text and its chunks: offsets of their starts and ends, in the order of the text."""

    text: str
    spans: Sequence[tuple[int, int]]


class Known:
    """The chunks of a previous version that are in a text as well, as units of that.

    What is the same from the beginning on, or up to the end, is known by its place: a text that repeats itself is not
    mistaken. Only between the first and the last edit are chunks looked for by how they begin.

    Parameters:
      units: of the text that is to be cut now.
    """

    def __init__(self, earlier: PreviousVersion, text: str, units: Sequence[Unit]) -> None:
        self._earlier = earlier
        self._text = text
        self._units = units
        self._starting = {unit.start: place for place, unit in enumerate(units)}
        self._ending = {unit.end: place + 1 for place, unit in enumerate(units)}
        self._chunks: dict[int, tuple[int, int]] = {}
        head, tail = self._same_beginning(), self._same_end()
        self._look_for(range(head, tail))
        self._places = sorted(self._chunks)

    def chunk(self, first: int) -> tuple[int, int] | None:
        """Return the unit with which the chunk that is new from a unit on begins, and that after its end; else None."""
        return self._chunks.get(first)

    def places(self, first: int, last: int) -> Sequence[int]:
        """Return the units after `first`, up to `last`, from which on a known chunk is new."""
        return self._places[bisect_right(self._places, first) : bisect_right(self._places, last)]

    def next(self, first: int) -> int:
        """Return the next such unit after `first`; the number of units where there is none."""
        at = bisect_right(self._places, first)
        return self._places[at] if at < len(self._places) else len(self._units)

    def _same_beginning(self) -> int:
        """Note the chunks before the first edit; returns how many."""
        for index in range(len(self._earlier.spans)):
            if not self._is_at(index, 0):
                return index
            self._note(index, 0)
        return len(self._earlier.spans)

    def _same_end(self) -> int:
        """Note the chunks after the last edit; returns the index of the first."""
        shift = len(self._text.rstrip()) - len(self._earlier.text.rstrip())
        for index in reversed(range(len(self._earlier.spans))):
            if not self._is_at(index, shift):
                return index + 1
            self._note(index, shift)
        return 0

    def _look_for(self, indexes: range) -> None:
        """Note chunks wherever they are found; not those that begin alike, which would be taken for one another."""
        beginnings: dict[str, int | None] = {}
        for index in indexes:
            start, _ = self._earlier.spans[index]
            beginning = self._earlier.text[start : start + _CONTEXT]
            beginnings[beginning] = None if beginning in beginnings else index
        for unit in self._units if beginnings else ():
            candidate = beginnings.get(self._text[unit.start : unit.start + _CONTEXT])
            if candidate is not None:
                shift = unit.start - self._earlier.spans[candidate][0]
                if self._is_at(candidate, shift):
                    self._note(candidate, shift)

    def _is_at(self, index: int, shift: int) -> bool:
        start, end = self._earlier.spans[index]
        return start + shift >= 0 and self._text.startswith(self._earlier.text[start:end], start + shift)

    def _note(self, index: int, shift: int) -> None:
        """Note a chunk of the previous version, if it begins and ends at sentence boundaries of this text as well.

        Its last chunk is taken over only as the last: text that was appended would continue it.
        """
        start, end = self._earlier.spans[index]
        before = self._earlier.spans[index - 1][1] if index else start
        begin, after = self._starting.get(start + shift), self._ending.get(end + shift)
        first = begin if before <= start else self._ending.get(before + shift)
        last = index == len(self._earlier.spans) - 1
        if begin is not None and first is not None and after is not None and (after == len(self._units) or not last):
            self._chunks.setdefault(first, (begin, after))
