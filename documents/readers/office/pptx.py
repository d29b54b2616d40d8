"""PPTX: each slide a page, its title a heading, then its lists, tables, charts, diagrams and the speaker's notes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from lxml import etree

from documents.readers.office.drawings import REFERENCES, write_drawing
from documents.readers.office.math import beside, formulas
from documents.readers.office.slide_order import Box, reading_order
from documents.readers.shared.code import is_monospaced
from documents.readers.shared.pictures import Pictures
from documents.readers.shared.xml import (
    Relation,
    child_of,
    children_of,
    main_part,
    name_of,
    parse,
    properties_of,
    reference_of,
    relations,
    value_of,
)
from documents.reading.archive import Archive
from documents.text import Extracted, Writer, repeated, table_lines
from errors import TaskError

_TITLES = ("title", "ctrTitle")
#: Placeholders that every slide repeats.
_FURNITURE = frozenset(("dt", "ftr", "hdr", "sldNum", "sldImg"))
#: Placeholders whose paragraphs are a list unless they say otherwise; None is what a slide calls its content.
_LISTS = (None, "body", "obj")
_PROPERTIES = frozenset(("rPr", "pPr", "endParaRPr"))
_DEEPEST_LIST = 8
_YES = ("1", "true")
_NUMBER = re.compile(r"-?\d{1,12}")


def read(path: Path, encoding: str | None = None) -> Extracted:
    """Read a presentation; `encoding` has no meaning here, since XML names its own.

    Raises:
      TaskError: corrupt, encrypted, archive_bomb, needs_ocr, too_large.
    """
    with Archive(path) as archive:
        main = main_part(archive, "ppt/presentation.xml")
        data = archive.read(main)
        if not data:
            raise TaskError("corrupt", f"the presentation lacks its main part {main}")
        known = relations(archive, main)
        slides = [known.get(reference_of(slide)) for slide in children_of(parse(data, main), "sldIdLst")]
        reader = _Reader(archive)
        for number, slide in enumerate(slides, 1):
            reader.slide(number, slide)
        return reader.finish(len(slides), properties_of(archive))


class _Reader:
    """Writes slides one after another."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._writer = Writer()
        self._pictures = Pictures("slide")
        self._layouts: dict[str, dict[str, Box]] = {}

    def slide(self, number: int, slide: Relation | None) -> None:
        """Write a slide: its title, what else stands on it, its notes."""
        data = self._archive.read(slide.target) if slide else b""
        if slide is None or not data:
            raise TaskError("corrupt", f"the presentation lacks its slide {number}")
        tree = parse(data, slide.target)
        known = relations(self._archive, slide.target)
        self._writer.page(number)
        before = self._writer.length
        shapes = list(self._in_order(child_of(tree, "cSld", "spTree"), known))
        title = _title(shapes)
        if title is not None:
            self._writer.heading(" ".join(_texts(child_of(title, "txBody"))), 1, "# ")
        for shape in shapes:
            if shape is not title:
                self._shape(shape, _placeholder(shape), known)
        if self._writer.length == before:
            self._as_pictures(number, tree, known)
        self._notes(known)

    def _in_order(self, holder: etree._Element | None, known: dict[str, Relation]) -> Iterator[etree._Element]:
        """Yield the shapes of a slide as they are read; those of a group follow each other."""
        items = list(_shapes(holder, grouped=True))
        boxes = (
            [_box(item) or self._inherited(item, known) for item in items] if len(items) > 1 else [None] * len(items)
        )
        for index in reading_order(boxes):
            if name_of(items[index]) == "grpSp":
                yield from self._in_order(items[index], known)
            else:
                yield items[index]

    def _inherited(self, shape: etree._Element, known: dict[str, Relation]) -> Box | None:
        """Return where a placeholder stands that leaves this to the slide's layout."""
        mark = child_of(shape, "nvSpPr", "nvPr", "ph")
        layout = next((relation.target for relation in known.values() if relation.kind == "slideLayout"), None)
        if mark is None or layout is None:
            return None
        if layout not in self._layouts:
            data = self._archive.read(layout)
            placed = _shapes(child_of(parse(data, layout), "cSld", "spTree")) if data else ()
            self._layouts[layout] = {
                key: box
                for placeholder in placed
                if (box := _box(placeholder)) is not None
                for key in _keys(placeholder)
            }
        return next((box for key in _keys(shape) if (box := self._layouts[layout].get(key)) is not None), None)

    def _as_pictures(self, number: int, tree: etree._Element, known: dict[str, Relation]) -> None:
        """Write what the pictures of a slide without text say, those behind it and in its shapes too."""
        blips = [known.get(reference_of(blip, "embed")) for blip in tree.iter("{*}blip")]
        parts = dict.fromkeys(blip.target for blip in blips if blip and blip.target in self._archive)
        if parts or next(tree.iter("{*}pic"), None) is not None:
            self._pictures.read(number, map(self._archive.read, parts), self._writer)

    def finish(self, slides: int, properties: dict[str, str]) -> Extracted:
        """Return what was written, with warnings of the slides that are pictures only."""
        if not self._writer.length:
            self._pictures.require_text("presentation")
        return self._writer.finish(
            "pptx", pages=slides, warnings=self._pictures.warnings(slides), properties=properties
        )

    def _shape(self, shape: etree._Element, kind: str | None, known: dict[str, Relation]) -> None:
        if name_of(shape) == "graphicFrame":
            self._frame(shape, known)
        elif kind not in _FURNITURE and (body := child_of(shape, "txBody")) is not None:
            is_list = child_of(shape, "nvSpPr", "nvPr", "ph") is not None and kind in _LISTS
            if _is_code(body):
                self._writer.code("\n".join(_inline(child) for child in body if name_of(child) == "p"))
            else:
                self._writer.block("\n".join(_paragraphs(body, is_list)))

    def _frame(self, frame: etree._Element, known: dict[str, Relation]) -> None:
        """Write a table, a chart or a diagram."""
        for table in frame.iter("{*}tbl"):
            if rows := [row for row in _rows(table) if any(row)]:
                self._writer.block(table_lines(rows), "table")
        for reference in frame.iter(*(f"{{*}}{name}" for name in REFERENCES)):
            write_drawing(self._writer, self._archive, reference, known)

    def _notes(self, known: dict[str, Relation]) -> None:
        for relation in known.values():
            if relation.kind == "notesSlide" and (data := self._archive.read(relation.target)):
                for shape in _shapes(child_of(parse(data, relation.target), "cSld", "spTree")):
                    if _placeholder(shape) == "body" and (texts := list(_texts(child_of(shape, "txBody")))):
                        self._writer.block("Notes: " + "\n".join(texts))


def _shapes(holder: etree._Element | None, *, grouped: bool = False) -> Iterator[etree._Element]:
    """Yield the shapes of a slide in the order of its file, those in groups too; of two editions of one, the newer.

    grouped: groups are yielded, and not what is in them.
    """
    for element in children_of(holder):
        match name_of(element):
            case "sp" | "graphicFrame" | "pic":
                yield element
            case "grpSp" if grouped:
                yield element
            case "grpSp" | "Choice":
                yield from _shapes(element, grouped=grouped)
            case "AlternateContent":
                newer = list(_shapes(child_of(element, "Choice"), grouped=grouped))
                yield from newer or _shapes(child_of(element, "Fallback"), grouped=grouped)


def _box(shape: etree._Element) -> Box | None:
    """Return where a shape says that it stands."""
    frame = child_of(shape, "xfrm")
    for properties in ("spPr", "grpSpPr") if frame is None else ():
        frame = child_of(shape, properties, "xfrm") if frame is None else frame
    place, size = child_of(frame, "off"), child_of(frame, "ext")
    numbers = [*(value_of(place, name) for name in "xy"), *(value_of(size, name) for name in ("cx", "cy"))]
    if not all(number and _NUMBER.fullmatch(number) for number in numbers):
        return None
    left, top, width, height = (float(number) for number in numbers if number)
    return left, top, left + width, top + height


def _keys(shape: etree._Element) -> list[str]:
    """Return by what a placeholder is known to its layout, the surest first."""
    mark = child_of(shape, "nvSpPr", "nvPr", "ph")
    if mark is None:
        return []
    index, kind = value_of(mark, "idx"), value_of(mark, "type")
    kinds = ["title", "ctrTitle"] if kind in _TITLES else [kind] if kind else []
    return [*([f"#{index}"] if index else []), *kinds]


def _title(shapes: list[etree._Element]) -> etree._Element | None:
    """Return what heads a slide: its first title that holds letters, since some number their parts by titles."""
    titles = [shape for shape in shapes if _placeholder(shape) in _TITLES]
    said = (shape for shape in titles if any(map(str.isalpha, "".join(_texts(child_of(shape, "txBody"))))))
    return next(said, titles[0] if titles else None)


def _placeholder(shape: etree._Element) -> str | None:
    """Return what a shape is a placeholder for; None for content, and for what is no placeholder."""
    return value_of(child_of(shape, "nvSpPr", "nvPr", "ph"), "type")


def _is_code(body: etree._Element) -> bool:
    """Return whether all that a shape says is in a typeface of code."""
    runs = [run for run in body.iter("{*}r", "{*}fld") if _inline(run).strip()]
    fonts = (value_of(child_of(run, "rPr", "latin"), "typeface") or "" for run in runs)
    return bool(runs) and all(map(is_monospaced, fonts))


def _texts(body: etree._Element | None) -> Iterator[str]:
    """Yield the paragraphs of a body that hold text."""
    for paragraph in children_of(body):
        if name_of(paragraph) == "p" and (text := _inline(paragraph).strip()):
            yield text


def _paragraphs(body: etree._Element, is_list: bool) -> Iterator[str]:
    """Yield the paragraphs of a body with their bullets or numbers."""
    numbers = [0] * (_DEEPEST_LIST + 1)
    for paragraph in body:
        if name_of(paragraph) != "p" or not (text := _inline(paragraph).strip()):
            continue
        properties = child_of(paragraph, "pPr")
        marks = {name_of(mark) for mark in children_of(properties)}
        level = value_of(properties, "lvl") or "0"
        depth = min(int(level) if level.isdecimal() else 0, _DEEPEST_LIST)
        numbers[depth + 1 :] = [0] * (_DEEPEST_LIST - depth)
        if "buAutoNum" in marks:
            numbers[depth] += 1
            yield f"{'  ' * depth}{numbers[depth]}. {text}"
            continue
        numbers[depth] = 0
        bullet = "buNone" not in marks and (is_list or not marks.isdisjoint(("buChar", "buBlip")))
        yield f"{'  ' * depth}- {text}" if bullet else text


def _inline(element: etree._Element) -> str:
    return "".join(_pieces(element))


def _pieces(element: etree._Element) -> Iterable[str]:
    for child in element:
        name = name_of(child)
        if name == "t":
            yield child.text or ""
        elif name == "oMath":
            yield beside(child)
        elif name == "oMathPara":
            yield formulas(child)
        elif name == "br":
            yield "\n"
        elif name and name not in _PROPERTIES and name != "Fallback":
            yield from _pieces(child)


def _rows(table: etree._Element) -> Iterator[list[str]]:
    """Yield the rows of a table; a cell that reaches over several stands in each of them."""
    above: list[str] = []
    for row in table:
        if name_of(row) == "tr":
            cells = [
                above[number] if cell.get("vMerge") in _YES and number < len(above) else _cell(cell)
                for number, cell in enumerate(element for element in row if name_of(element) == "tc")
            ]
            yield cells
            above = list(map(repeated, cells))


def _cell(cell: etree._Element) -> str:
    """Return the text of a table's cell; nothing for one that another one covers."""
    covered = cell.get("hMerge") in _YES or cell.get("vMerge") in _YES
    return "" if covered else " ".join(_texts(child_of(cell, "txBody")))
