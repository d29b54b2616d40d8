"""Formulas of pages on one line: MathML, as HTML and EPUB hold it.

Elements and their children: https://www.w3.org/TR/mathml-core/, and MathML 3 for `mfenced`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from selectolax.lexbor import LexborHTMLParser, LexborNode

from documents.readers.shared.formulas import DEEPEST, Piece, fraction, matrix, one, root, row, scripts

#: Elements that hold text; of several letters of it, others beside them are no part.
_WORDS = frozenset(("mi", "mo", "ms", "mtext"))
_OPEN_ENDED = frozenset(("mfrac", "msub", "msup", "msubsup", "munder", "mover", "munderover", "mmultiscripts"))
#: What shows nothing, or the formula once more, such as its TeX.
_SKIPPED = frozenset(("annotation", "annotation-xml", "mphantom", "none", "mprescripts"))
#: Operators that are not seen: application of functions, times, comma, plus.
_UNSEEN = dict.fromkeys(range(0x2061, 0x2065))
#: Signs right above a letter, as the marks that follow it.
_ACCENTS = {"^": "\u0302", "ˆ": "\u0302", "~": "\u0303", "˜": "\u0303", "¯": "\u0305", "‾": "\u0305", "_": "\u0305"}
_ACCENTS |= {"→": "\u20d7", "⃗": "\u20d7", "˙": "\u0307", ".": "\u0307", "¨": "\u0308", "ˇ": "\u030c", "―": "\u0305"}


def write_formulas(tree: LexborHTMLParser) -> None:
    """Put text in the place of a page's formulas, and drop what shows one of them once more, to eyes only."""
    for math in reversed(tree.css("math")):  # those within others first
        _drop_drawn(math)
        text = _formula(math)
        math.replace_with(f" {text} " if math.attributes.get("display") == "block" else text)


def _drop_drawn(math: LexborNode) -> None:
    """Drop what KaTeX and MathJax put beside a formula for those who see the page: the same in pieces."""
    holder = math.parent
    if holder is None or not (holder.tag == "span" or (holder.tag or "").startswith("mjx-")):
        return
    for beside in filter(None, (holder.prev, holder.next)):
        is_drawn = beside.is_element_node and beside.attributes.get("aria-hidden") == "true"
        if is_drawn and beside.css_first("math") is None:
            beside.decompose()


def _formula(element: LexborNode, depth: int = 0) -> str:
    """Return the text of what an element of a formula holds."""
    return row(_piece(child, depth + 1) for child in element.iter(include_text=True))


def _piece(element: LexborNode, depth: int) -> Piece:
    """Write an element of a formula; of one that lies too deep the mere letters."""
    name = element.tag or ""
    if name in _SKIPPED:
        return Piece("")
    if element.is_text_node or name == "mn" or depth > DEEPEST:
        return Piece(_letters(element))
    if name in _WORDS:
        return Piece(text := _letters(element), is_word=len(text) > 1)
    if name == "mspace":
        return Piece(" ")
    if name in _WRITERS:
        return Piece(_WRITERS[name](_Parts(element, depth)), name in _OPEN_ENDED)
    return Piece(_formula(element, depth))


def _letters(element: LexborNode) -> str:
    return " ".join(element.text().translate(_UNSEEN).split())


class _Parts:
    """What an element of a formula is made of: its children by their places, "" where there are fewer."""

    def __init__(self, element: LexborNode, depth: int) -> None:
        self._children = list(element.iter())
        self._depth = depth
        self.element = element

    def __getitem__(self, place: int) -> str:
        return self._written(self._children[place]) if place < len(self._children) else ""

    def inner(self) -> str:
        return _formula(self.element, self._depth).strip()

    def all(self) -> list[tuple[str, str]]:
        """Return the name of each child, and its text."""
        return [(child.tag or "", self._written(child)) for child in self._children]

    def rows(self) -> Iterator[list[str]]:
        """Yield the cells of each row of a table."""
        for cells in self._children:
            if cells.tag in ("mtr", "mlabeledtr"):
                yield [_formula(cell, self._depth).strip() for cell in cells.iter() if cell.tag == "mtd"]

    def said(self, attribute: str, otherwise: str) -> str:
        value = self.element.attributes.get(attribute, otherwise)
        return "" if value is None else value.strip()

    def _written(self, child: LexborNode) -> str:
        return _piece(child, self._depth + 1).text.strip()


def _fraction(parts: _Parts) -> str:
    return fraction(parts[0], parts[1], has_line=not parts.said("linethickness", "1").startswith("0"))


def _over(parts: _Parts) -> str:
    above = parts[1]
    return one(parts[0]) + (_ACCENTS.get(above) or scripts("", above))


def _fenced(parts: _Parts) -> str:
    inner = parts.said("separators", ",")[:1].join(text for _, text in parts.all())
    return parts.said("open", "(") + inner + parts.said("close", ")")


def _table(parts: _Parts) -> str:
    """Write a matrix; lines of one cell each are no such."""
    rows = list(parts.rows())
    return matrix(rows) if max(map(len, rows), default=0) > 1 else "; ".join(cell for cells in rows for cell in cells)


def _multiscripts(parts: _Parts) -> str:
    """Write a base with what is below and above it by turns: after it, and then before it."""
    (_, base), *others = parts.all() or [("", "")]
    names, texts = [name for name, _ in others], [text for _, text in others]
    end = names.index("mprescripts") if "mprescripts" in names else len(names)
    after, before = texts[:end], texts[end + 1 :]
    left, right = (scripts("".join(side[::2]), "".join(side[1::2])) for side in (before, after))
    return left + one(base) + right


_WRITERS: dict[str, Callable[[_Parts], str]] = {
    "mfrac": _fraction,
    "msqrt": lambda parts: root(parts.inner()),
    "mroot": lambda parts: root(parts[0], parts[1]),
    "msub": lambda parts: one(parts[0]) + scripts(parts[1], ""),
    "msup": lambda parts: one(parts[0]) + scripts("", parts[1]),
    "msubsup": lambda parts: one(parts[0]) + scripts(parts[1], parts[2]),
    "munder": lambda parts: one(parts[0]) + scripts(parts[1], ""),
    "mover": _over,
    "munderover": lambda parts: one(parts[0]) + scripts(parts[1], parts[2]),
    "mmultiscripts": _multiscripts,
    "mfenced": _fenced,
    "mtable": _table,
}
