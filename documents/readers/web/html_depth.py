"""How deep a page is nested, before it is parsed: what a parser does grows with the square of it."""

from __future__ import annotations

import re
from collections import Counter

#: Elements within each other, as in Chrome. What lies deeper is read as if it lay beside them, on a line of its own.
DEEPEST = 512
#: The same within a formula, whose elements are no lines: they may lie deeper than any that somebody wrote.
DEEPEST_IN_FORMULA = 8192
#: Elements that hold nothing, or that another ends: they lie in each other only as deep as the others do.
_FLAT = frozenset(
    (
        *(
            "area",
            "base",
            "br",
            "col",
            "embed",
            "hr",
            "img",
            "input",
            "link",
            "meta",
            "param",
            "source",
            "track",
            "wbr",
        ),
        *("html", "head", "body", "p", "li", "dt", "dd", "option", "optgroup", "colgroup", "rb", "rt", "rtc", "rp"),
        *("a", "button", "nobr", "form", "select", "h1", "h2", "h3", "h4", "h5", "h6"),
    )
)
#: Parts of a table: each ends what is open in the one before.
_PARTS = frozenset(("td", "th", "tr", "tbody", "thead", "tfoot", "caption"))
#: Elements whose end leaves those open that began within them.
_FORMATTING = frozenset(("b", "big", "code", "em", "font", "i", "s", "small", "strike", "strong", "tt", "u"))
#: A tag up to its name; or, without groups, a comment or an element in which there are no tags.
_TAG = re.compile(
    r"<!--(?:-?>|.*?(?:--!?>|\Z))"
    r"|<(script|style|textarea|title|xmp|iframe|noembed|noframes)\b.*?(?:</\1|\Z)"
    r"|<(/?)([A-Za-z][^\s/>]*)",
    re.DOTALL | re.IGNORECASE,
)


def shallow(page: str) -> str:
    """Return a page in which no element lies deeper than DEEPEST; nearly always as it was given."""
    if page.count("<") <= DEEPEST:
        return page
    parts = []
    kept = 0
    nesting = _Nesting()
    for match in _TAG.finditer(page):
        if match[3] and not nesting.has_room_for(match[3].lower(), is_end=bool(match[2])):
            parts += [page[kept : match.start(3)], "br"]
            kept = match.end(3)
    return "".join([*parts, page[kept:]]) if parts else page


class _Nesting:
    """The elements that are open."""

    def __init__(self) -> None:
        self._open: list[str] = []
        self._dropped: Counter[str] = Counter()

    def has_room_for(self, name: str, *, is_end: bool) -> bool:
        """Note a tag; False for one that begins an element too deep, or ends such."""
        if name in _FLAT:
            return True
        if name in _PARTS:
            self._close_within("table")
            return True
        if not is_end:
            if len(self._open) >= (DEEPEST_IN_FORMULA if "math" in self._open else DEEPEST):
                self._dropped[name] += 1
                return False
            self._open.append(name)
        elif self._dropped[name]:
            self._dropped[name] -= 1
            return False
        elif name in self._open:
            self._end(name)
        return True

    def _end(self, name: str) -> None:
        if name in _FORMATTING:
            place = len(self._open) - 1 - self._open[::-1].index(name)
            del self._open[place]
            return
        self._close_within(name)
        self._open.pop()

    def _close_within(self, name: str) -> None:
        if name in self._open:
            while self._open[-1] != name:
                self._open.pop()
