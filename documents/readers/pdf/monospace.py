"""Lines of a PDF whose characters are all of one width, as on a typewriter: told by widths, not by names of fonts."""

from __future__ import annotations

import re
from collections.abc import Callable
from math import inf, isfinite

from documents.readers.shared.layout import MARKS, WIDE, Gap, Line, Typed

#: Letters and marks that are narrow in all fonts but such ones, and letters that are narrow in none.
_NARROW = re.compile("[ijlt.,:;'|!]")
_OTHER = re.compile("[a-eghkmn-qu-zA-HK-Z]")
_SPACES = re.compile(r"  +")
_WORD = re.compile(r"\S+")
#: What may stand before Chinese in a line of code: a comment, or a text.
_QUOTES = re.compile("#|//|/\\*|<!--|[\"'=]")
#: No character of such a font is narrower, in sizes of it; the narrow ones of others are.
_NARROWEST = 0.35
#: Characters are as wide as others, and stand in their columns, give or take this share.
_ALIKE, _OFF = 0.02, 0.15
#: A space is no wider than this, in widths of a character.
_MOST_SPACE = 1.5
#: No line of code has more; a broken file might.
MOST_COLUMNS = 1000

#: The left and the right edge of the character at a place, in points.
Edges = Callable[[int], tuple[float, float]]


def typed(line: Line, start: int, edges: Edges) -> Typed | None:
    """Return a line as it was typed, which begins at a place in the text of its page; None where it was not."""
    text = line.text.rstrip(MARKS) + "-" if line.text[-1] in MARKS else line.text
    wide = None if text.isascii() else WIDE.search(text)
    if wide is not None and not _QUOTES.search(text, 0, wide.start()):
        return None
    pair = letters(text[: wide.start()] if wide else text)
    width = _width(start, edges, pair, line.size)
    if width is None or not isfinite(line.left):
        return None
    if wide is not None:
        return text, width, False
    if abs(line.right - line.left - len(text) * width) > _OFF * width:
        text = _in_columns(text, start, line.left, width, edges) or _in_words(text, start, width, edges)
    return (text, width, pair is not None) if text else None


def _width(start: int, edges: Edges, pair: tuple[int, int] | None, size: float) -> float | None:
    """Return the width that a narrow letter and another one have in common; None where they differ."""
    narrow, other = pair or (0, 0)
    left, right = edges(start + narrow)
    width = right - left
    if not _NARROWEST * size < width < inf:
        return None
    left, right = edges(start + other) if pair else (left, right)
    return width if abs(right - left - width) <= _ALIKE * width else None


def letters(text: str) -> tuple[int, int] | None:
    """Return the indexes of a narrow letter and of another one; None where there are not both."""
    narrow, other = _NARROW.search(text), _OTHER.search(text)
    return (narrow.start(), other.start()) if narrow and other else None


def typed_gaps(line: Line) -> list[Gap] | None:
    """Return the gaps of a typed line, which are two spaces or more; None where its places do not tell."""
    if line.typed is None:
        return None
    text, width, _ = line.typed
    gaps, left_out = [], 0
    for space in _SPACES.finditer(text):
        left_out += space.end() - space.start() - 1
        left, right = (line.left + column * width for column in space.span())
        gaps.append((space.end() - left_out, left, right))
    return gaps if len(text) - left_out == len(line.text) else None


def is_half(width: float, size: float) -> bool:
    """Return whether a letter is half as wide as its font is high, as they are in fonts for Chinese."""
    return abs(width - size / 2) <= _ALIKE * size


def _in_columns(text: str, start: int, left: float, width: float, edges: Edges) -> str:
    """Join a line's words by as many spaces as have room; return nothing where one stands in no column."""
    typed = ""
    for word in _WORD.finditer(text):
        column = (edges(start + word.start())[0] - left) / width
        if not 0 <= column + _OFF < MOST_COLUMNS or abs(column - round(column)) > _OFF:
            return ""
        if round(column) < len(typed) + bool(typed):
            return ""
        typed = typed.ljust(round(column)) + word[0]
    return typed


def _in_words(text: str, start: int, width: float, edges: Edges) -> str:
    """Join a line's words by a space, which some fonts have of a width of its own; return nothing in other fonts."""
    words = list(_WORD.finditer(text))
    before = None
    for word in words:
        left, right = edges(start + word.start())[0], edges(start + word.end() - 1)[1]
        apart = before is not None and left - before > _MOST_SPACE * width
        if apart or abs(right - left - len(word[0]) * width) > _OFF * width:
            return ""
        before = right
    return " ".join(word[0] for word in words)
