"""Formulas of office documents on one line, as Word itself writes them when asked to: (a+b)/2, x^2, √(y)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from lxml import etree

from documents.readers.office_xml import child_of, children_of, name_of, value_of
from errors import TaskError

#: What needs no parentheses to be read as one: a number, a name, one sign, and what has them; below a fraction's line
#: a name of several letters has them, or 1/2a is read as a/2.
_ONE = re.compile(r"\w*|\S|\d+\.\d+|\([^()]*\)")
_ONE_BELOW = re.compile(r"\d*|\S|\d+\.\d+|\([^()]*\)")
#: Elements after which a letter would seem to be one of them.
_OPEN_ENDED = frozenset(("f", "sSup", "sSub", "sSubSup", "sPre", "func"))
_DEEPEST = 100


def formula(element: etree._Element, depth: int = 0) -> str:
    """The text of what an element of a formula holds.

    Raises:
      TaskError: corrupt, for one that is nested too deeply.
    """
    if depth > _DEEPEST:
        raise TaskError("corrupt", "a formula of the document is nested too deeply")
    text, is_open = "", False
    for child in element:
        piece = _written(child, depth + 1)
        text += f" {piece}" if is_open and piece[:1].isalnum() else piece
        is_open = name_of(child) in _OPEN_ENDED if piece else is_open
    return text


def formulas(paragraph: etree._Element) -> str:
    """The formulas of a paragraph that holds nothing else, each on a line. Raises what `formula` does."""
    return "\n".join(formula(each) for each in paragraph if name_of(each) == "oMath")


def _written(element: etree._Element, depth: int) -> str:
    name = name_of(element)
    if name == "t":
        return element.text or ""
    if name == "br":
        return "\n"
    if not name or name.endswith("Pr") or name == "del":
        return ""
    if name in _WRITERS:
        return _WRITERS[name](_Parts(element, depth))
    return formula(element, depth)


class _Parts:
    """What an element of a formula is made of, by the names of its parts."""

    def __init__(self, element: etree._Element, depth: int) -> None:
        self._element = element
        self._depth = depth

    def __getitem__(self, name: str) -> str:
        part = child_of(self._element, name)
        return formula(part, self._depth).strip() if part is not None else ""

    def all(self, name: str) -> Iterator[str]:
        """The text of each part of that name."""
        for part in self._element:
            if name_of(part) == name:
                yield formula(part, self._depth).strip()

    def rows(self) -> Iterator[list[str]]:
        """The cells of each row of a matrix."""
        for row in self._element:
            if name_of(row) == "mr":
                yield [formula(cell, self._depth).strip() for cell in row if name_of(cell) == "e"]

    def said(self, name: str, otherwise: str) -> str:
        """A property, such as the sign of a sum; otherwise where it is not set."""
        for properties in self._element:
            if name_of(properties).endswith("Pr"):
                found = next((each for each in children_of(properties) if name_of(each) == name), None)
                if found is not None:
                    return value_of(found) or ""
        return otherwise


def _one(text: str, plain: re.Pattern[str] = _ONE) -> str:
    """A part that is one also beside others."""
    return text if plain.fullmatch(text) else f"({text})"


def _raised(text: str, sign: str) -> str:
    return f"{sign}{_one(text)}" if text else ""


def _scripts(parts: _Parts) -> str:
    return _one(parts["e"]) + _raised(parts["sub"], "_") + _raised(parts["sup"], "^")


def _fraction(parts: _Parts) -> str:
    line = "¦" if parts.said("type", "bar") == "noBar" else "/"
    return f"{_one(parts['num'])}{line}{_one(parts['den'], _ONE_BELOW)}"


def _root(parts: _Parts) -> str:
    degree = parts["deg"]
    return f"√{f'[{degree}]' if degree else ''}({parts['e']})"


def _sum(parts: _Parts) -> str:
    return f"{parts.said('chr', '∫')}{_raised(parts['sub'], '_')}{_raised(parts['sup'], '^')} {parts['e']}"


def _delimited(parts: _Parts) -> str:
    inner = parts.said("sepChr", "|").join(parts.all("e"))
    return parts.said("begChr", "(") + inner + parts.said("endChr", ")")


def _function(parts: _Parts) -> str:
    argument = parts["e"]
    return parts["fName"] + (argument if argument.startswith("(") else f" {argument}")


_WRITERS: dict[str, Callable[[_Parts], str]] = {
    "f": _fraction,
    "sSup": _scripts,
    "sSub": _scripts,
    "sSubSup": _scripts,
    "sPre": lambda parts: _raised(parts["sub"], "_") + _raised(parts["sup"], "^") + _one(parts["e"]),
    "rad": _root,
    "nary": _sum,
    "d": _delimited,
    "func": _function,
    "limLow": lambda parts: parts["e"] + _raised(parts["lim"], "_"),
    "limUpp": lambda parts: parts["e"] + _raised(parts["lim"], "^"),
    "m": lambda parts: f"[{'; '.join(', '.join(row) for row in parts.rows())}]",
    "eqArr": lambda parts: "; ".join(parts.all("e")),
    "acc": lambda parts: _one(parts["e"]) + parts.said("chr", "\u0302"),
    "bar": lambda parts: _one(parts["e"]) + "\u0305",
}
