"""The edition of a document before this one, so that a new one is cut where it was, wherever its text is the same.

Whoever cuts from the beginning until a chunk is full moves every later cut with one added sentence; this would embed,
and pay for, a whole document anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from documents.sentences import Unit

#: Characters before or after a cut that must be the same for it to be the same cut.
CONTEXT = 64


@dataclass(frozen=True, slots=True)
class Edition:
    """A text and its chunks: offsets of their starts and ends, in the order of the text."""

    text: str
    spans: Sequence[tuple[int, int]]


class Cuts:
    """The cuts of an earlier edition, found again in a text.

    Parameters:
      units: of the text that is to be cut now.
    """

    def __init__(self, earlier: Edition, text: str, units: Sequence[Unit]) -> None:
        self._text = text
        self._units = units
        self._chunks = {earlier.text[start:end] for start, end in earlier.spans}
        # Not the end of the text: what is added there continues its last chunk.
        ends = [end for _, end in earlier.spans[:-1]]
        before = {earlier.text[max(0, end - CONTEXT) : end] for end in ends}
        after = {_following(earlier.text, end) for end in ends}
        self._places = {
            place
            for place in range(1, len(units))
            if units[place - 1].level is None
            and (
                text[max(0, units[place - 1].end - CONTEXT) : units[place - 1].end] in before
                or text[units[place].start : units[place].start + CONTEXT] in after
            )
        }

    def end(self, start: int, first: int, stop: int) -> int | None:
        """Where a chunk ends that may end before any unit up to `stop`: at the earlier end if it is the same chunk,
        else at the last cut within its reach, which leaves no remains behind; None where there was no cut.

        Parameters:
          start: the unit that the chunk begins with; first: the first that the chunk before does not hold.
        """
        places = [place for place in range(first + 1, stop + 1) if place in self._places or place == len(self._units)]
        for place in places:
            if self._text[self._units[start].start : self._units[place - 1].end] in self._chunks:
                return place
        return places[-1] if places else None


def _following(text: str, end: int) -> str:
    """What follows a place after white space, CONTEXT characters of it."""
    while end < len(text) and text[end].isspace():
        end += 1
    return text[end : end + CONTEXT]
