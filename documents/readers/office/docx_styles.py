"""What Word's style sheet and numbering say of a paragraph: its heading level and its list label."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from lxml import etree

from documents.readers.shared.code import is_code_style, is_monospaced
from documents.readers.shared.numerals import numeral
from documents.readers.shared.xml import child_of, name_of, value_of

_HEADING = re.compile(r"heading (\d)$", re.IGNORECASE)
_CHAIN = 20  # styles may be based on each other in a circle
_PLACE = re.compile(r"%(\d)")
_SYMBOL_FONT = re.compile("[\ue000-\uf8ff]")


def _integer(element: etree._Element | None) -> int | None:
    value = value_of(element)
    return int(value) if value is not None and value.lstrip("-").isdigit() and len(value) < 10 else None


@dataclass(slots=True)
class Style:
    """What a paragraph inherits. heading: 1 to 9, 0 for the document's title, None for body text."""

    heading: int | None = None
    number: int | None = None
    depth: int | None = None
    is_code: bool = False

    def level(self, properties: etree._Element | None) -> int | None:
        """Return the heading level of a paragraph of this style: its own outline level counts first."""
        own = _integer(child_of(properties, "outlineLvl"))
        if own is not None:
            return own + 1 if own < 9 else None
        return self.heading


class Styles:
    """The style sheet of a document; None for a document that has none."""

    def __init__(self, sheet: etree._Element | None) -> None:
        self._elements: dict[str, etree._Element] = {}
        self._known: dict[str, Style] = {}
        self._default = ""
        for style in sheet if sheet is not None else ():
            if name_of(style) == "style" and value_of(style, "type") in (None, "paragraph"):
                identifier = value_of(style, "styleId") or ""
                self._elements[identifier] = style
                if value_of(style, "default") in ("1", "true"):
                    self._default = identifier

    def of(self, properties: etree._Element | None) -> Style:
        """Return the style that a paragraph's properties name."""
        identifier = value_of(child_of(properties, "pStyle")) or self._default
        if identifier not in self._known:
            self._known[identifier] = self._resolve(identifier)
        return self._known[identifier]

    def _resolve(self, identifier: str) -> Style:
        style = Style()
        body = in_monospace = False
        for _ in range(_CHAIN):
            element = self._elements.get(identifier)
            if element is None:
                style.heading = _level_of_name(identifier) if style.heading is None and not body else style.heading
                break
            properties = child_of(element, "pPr")
            style.is_code |= is_code_style(value_of(child_of(element, "name")) or "")
            font = value_of(child_of(element, "rPr", "rFonts"), "ascii") or ""
            in_monospace |= identifier != self._default and is_monospaced(font)
            if style.heading is None and not body:
                style.heading, body = _heading(element, properties)
            if style.number is None:
                style.number = _integer(child_of(properties, "numPr", "numId"))
            if style.depth is None:
                style.depth = _integer(child_of(properties, "numPr", "ilvl"))
            identifier = value_of(child_of(element, "basedOn")) or ""
            if not identifier:
                break
        style.is_code |= in_monospace and style.heading is None and style.number is None
        return style


def _heading(style: etree._Element, properties: etree._Element | None) -> tuple[int | None, bool]:
    """Return the level that a style itself sets, and whether it says to be body text."""
    if (level := _level_of_name(value_of(child_of(style, "name")) or "")) is not None:
        return level, False
    outline = _integer(child_of(properties, "outlineLvl"))
    if outline is None:
        return None, False
    return (outline + 1, False) if 0 <= outline < 9 else (None, True)


def _level_of_name(name: str) -> int | None:
    """Return the level that a built-in style's name says, which is English in every language's Word."""
    if name.lower() == "title":
        return 0
    match = _HEADING.match(name) or _HEADING.match(re.sub(r"(?i)^heading(\d)$", r"heading \1", name))
    return int(match.group(1)) if match and match.group(1) != "0" else None


@dataclass(slots=True)
class _Level:
    format: str = "decimal"
    pattern: str = "%1."
    start: int = 1


@dataclass(slots=True)
class _List:
    levels: dict[int, _Level] = field(default_factory=dict)
    counters: dict[int, int] = field(default_factory=dict)


class Numbering:
    """Counts the items of lists as Word does when it shows them."""

    def __init__(self, part: etree._Element | None) -> None:
        self._lists: dict[int, _List] = {}
        abstract: dict[str, _List] = {}
        for element in part if part is not None else ():
            if name_of(element) == "abstractNum":
                abstract[value_of(element, "abstractNumId") or ""] = _List(_levels(element))
        for element in part if part is not None else ():
            number = value_of(element, "numId")
            if name_of(element) == "num" and number is not None and number.isdigit():
                self._lists[int(number)] = _instance(element, abstract)

    def label(self, properties: etree._Element | None, style: Style) -> tuple[str, int]:
        """Return the label of a paragraph and its depth in the list from 0; no label outside lists."""
        own = child_of(properties, "numPr")
        number = _integer(child_of(own, "numId"))
        depth = _integer(child_of(own, "ilvl"))
        number = style.number if number is None else number
        depth = (style.depth or 0) if depth is None else depth
        if not number or number not in self._lists:
            return "", 0
        return self._next(self._lists[number], min(max(depth, 0), 8)), depth

    def _next(self, items: _List, depth: int) -> str:
        level = items.levels.get(depth, _Level())
        items.counters[depth] = items.counters.get(depth, level.start - 1) + 1
        for deeper in [other for other in items.counters if other > depth]:
            del items.counters[deeper]
        if level.format == "bullet":
            return "-"
        if level.format == "none" or not level.pattern:
            return ""

        def place(match: re.Match[str]) -> str:
            which = int(match.group(1)) - 1
            other = items.levels.get(which, _Level())
            return numeral(items.counters.get(which, other.start), other.format)

        return _SYMBOL_FONT.sub("", _PLACE.sub(place, level.pattern)).strip()


def _levels(element: etree._Element) -> dict[int, _Level]:
    levels = {}
    for child in element:
        depth = value_of(child, "ilvl")
        if name_of(child) == "lvl" and depth is not None and depth.isdigit():
            start = _integer(child_of(child, "start"))
            levels[int(depth)] = _Level(
                value_of(child_of(child, "numFmt")) or "decimal",
                value_of(child_of(child, "lvlText")) or "",
                1 if start is None else start,
            )
    return levels


def _instance(element: etree._Element, abstract: dict[str, _List]) -> _List:
    """Return a list of its own counters where it restarts, else one that shares those of its template."""
    template = abstract.get(value_of(child_of(element, "abstractNumId")) or "")
    if template is None:
        return _List()
    overrides = [child for child in element if name_of(child) == "lvlOverride"]
    if not overrides:
        return template
    own = _List(dict(template.levels))
    for override in overrides:
        depth = int(value_of(override, "ilvl") or 0)
        start = _integer(child_of(override, "startOverride"))
        level = own.levels.get(depth, _Level())
        own.levels[depth] = _Level(level.format, level.pattern, level.start if start is None else start)
    return own
