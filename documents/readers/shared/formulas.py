"""How formulas are written on one line, as Word itself writes them when asked to: (a+b)/2, x^2, √(y)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

#: What needs no parentheses to be read as one: a number, a name, one sign, and what has them; below a fraction's line
#: a name of several letters has them, or 1/2a is read as a/2.
_ONE = re.compile(r"\w*|\S|\d+\.\d+|\([^()]*\)")
_ONE_BELOW = re.compile(r"\d*|\S|\d+\.\d+|\([^()]*\)")
#: How deep the elements of a formula may lie in one another.
DEEPEST = 100


class Piece(NamedTuple):
    """A part of a formula. is_open: whether a letter after it would seem to be one of it; is_word: and before it."""

    text: str
    is_open: bool = False
    is_word: bool = False


def row(pieces: Iterable[Piece]) -> str:
    """Write pieces side by side, with a space where one would seem to go on in the next."""
    text, is_open = "", False
    for piece in pieces:
        is_apart = is_open or (piece.is_word and text[-1:].isalnum())
        text += f" {piece.text}" if is_apart and piece.text[:1].isalnum() else piece.text
        is_open = piece.is_open or piece.is_word if piece.text else is_open
    return text


def one(text: str) -> str:
    """Bracket a part where it would not be one beside others."""
    return _one(text, _ONE)


def scripts(below: str, above: str) -> str:
    """Write what stands below and above the end of a part, or right below and above it; nothing for what is empty."""
    return "".join(f"{sign}{one(text)}" for sign, text in (("_", below), ("^", above)) if text)


def fraction(above: str, below: str, *, has_line: bool = True) -> str:
    return f"{one(above)}{'/' if has_line else '¦'}{_one(below, _ONE_BELOW)}"


def root(inner: str, degree: str = "") -> str:
    return f"√{f'[{degree}]' if degree else ''}({inner})"


def matrix(rows: Iterable[Iterable[str]]) -> str:
    return f"[{'; '.join(', '.join(cells) for cells in rows)}]"


def _one(text: str, plain: re.Pattern[str]) -> str:
    return text if plain.fullmatch(text) else f"({text})"
