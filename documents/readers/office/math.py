"""Formulas of office documents on one line: Office Math, as DOCX and PPTX hold it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from lxml import etree

from documents.readers.shared.formulas import DEEPEST, Piece, fraction, matrix, one, root, row, scripts
from documents.readers.shared.xml import child_of, children_of, name_of, value_of
from errors import TaskError

#: Elements after which a letter would seem to be one of them.
_OPEN_ENDED = frozenset(("f", "sSup", "sSub", "sSubSup", "sPre", "func"))


def formula(element: etree._Element, depth: int = 0) -> str:
    """Return the text of what an element of a formula holds.

    Raises:
      TaskError: corrupt, for one that is nested too deeply.
    """
    if depth > DEEPEST:
        raise TaskError("corrupt", "a formula of the document is nested too deeply")
    return row(Piece(_written(child, depth + 1), name_of(child) in _OPEN_ENDED) for child in element)


def beside(element: etree._Element) -> str:
    """Return a formula as it stands in a paragraph: apart from another that ends right before it."""
    before = element.getprevious()
    return (" " if before is not None and name_of(before) == "oMath" else "") + formula(element)


def formulas(paragraph: etree._Element) -> str:
    """Return the formulas of a paragraph that holds nothing else, each on a line. Raises what `formula` does."""
    return "\n".join(formula(element) for element in paragraph if name_of(element) == "oMath")


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
        """Yield the text of each part of that name."""
        for part in self._element:
            if name_of(part) == name:
                yield formula(part, self._depth).strip()

    def rows(self) -> Iterator[list[str]]:
        """Yield the cells of each row of a matrix."""
        for cells in self._element:
            if name_of(cells) == "mr":
                yield [formula(cell, self._depth).strip() for cell in cells if name_of(cell) == "e"]

    def said(self, name: str, otherwise: str) -> str:
        """Return a property, such as the sign of a sum; `otherwise` where it is not set."""
        for properties in self._element:
            if name_of(properties).endswith("Pr"):
                child = next((element for element in children_of(properties) if name_of(element) == name), None)
                if child is not None:
                    return value_of(child) or ""
        return otherwise


def _scripts(parts: _Parts) -> str:
    return one(parts["e"]) + scripts(parts["sub"], parts["sup"])


def _fraction(parts: _Parts) -> str:
    return fraction(parts["num"], parts["den"], has_line=parts.said("type", "bar") != "noBar")


def _sum(parts: _Parts) -> str:
    return f"{parts.said('chr', '∫')}{scripts(parts['sub'], parts['sup'])} {parts['e']}"


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
    "sPre": lambda parts: scripts(parts["sub"], parts["sup"]) + one(parts["e"]),
    "rad": lambda parts: root(parts["e"], parts["deg"]),
    "nary": _sum,
    "d": _delimited,
    "func": _function,
    "limLow": lambda parts: parts["e"] + scripts(parts["lim"], ""),
    "limUpp": lambda parts: parts["e"] + scripts("", parts["lim"]),
    "m": lambda parts: matrix(parts.rows()),
    "eqArr": lambda parts: "; ".join(parts.all("e")),
    "acc": lambda parts: one(parts["e"]) + parts.said("chr", "\u0302"),
    "bar": lambda parts: one(parts["e"]) + "\u0305",
}
