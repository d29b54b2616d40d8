"""DOCX: paragraphs, headings, lists, tables, text boxes, controls and notes, read from the XML itself."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from lxml import etree

from documents.readers.office.docx_styles import Numbering, Styles
from documents.readers.office.drawings import REFERENCES, write_drawing
from documents.readers.office.math import beside, formulas
from documents.readers.shared.pictures import pictures_in, write_pictures
from documents.readers.shared.symbols import symbol
from documents.readers.shared.xml import (
    Relation,
    child_of,
    main_part,
    name_of,
    parse,
    properties_of,
    reference_of,
    relations,
    stream,
    value_of,
)
from documents.reading.archive import Archive
from documents.text import Extracted, Writer, repeated, table_lines
from errors import TaskError

#: Parts of a paragraph that are no text of the document as it is read: deleted text, field codes, doubles.
_SKIPPED = frozenset(
    ("del", "moveFrom", "instrText", "delText", "Fallback", "rPr", "pPr", "rt", "sdtPr", "tblPr", "trPr")
)
#: Elements that hold blocks.
_HOLDERS = frozenset(("sdt", "sdtContent", "customXml", "ins", "moveTo", "AlternateContent", "Choice", "txbxContent"))
_BREAKS = {"tab": "\t", "cr": "\n", "noBreakHyphen": "-", "ptab": "\t"}
_NOTES = {"footnoteReference": "footnotes", "endnoteReference": "endnotes"}
_DEEPEST = 200


def read(path: Path, encoding: str | None = None) -> Extracted:
    """Read a Word document; `encoding` has no meaning here, since XML names its own.

    Raises:
      TaskError: corrupt, encrypted, archive_bomb, needs_ocr, too_large.
    """
    with Archive(path) as archive:
        main = main_part(archive, "word/document.xml")
        reader = _Reader(archive, main)
        data = archive.read(main)
        if not data:
            raise TaskError("corrupt", f"the document lacks its main part {main}")
        for block in stream(data, main, "body"):
            reader.block(block)
        reader.notes()
        warnings = []
        if not reader.writer.length:
            parts = _pictures(data, main, relations(archive, main))
            warnings = write_pictures("document", pictures_in(archive, parts), reader.writer)
        return reader.writer.finish("docx", warnings=warnings, properties=properties_of(archive))


def _pictures(data: bytes, main: str, known: dict[str, Relation]) -> Iterator[str]:
    """Yield the parts of a document's pictures in their order, as Word and as older programs refer to them."""
    for block in stream(data, main, "body"):
        for element in block.iter("{*}blip", "{*}imagedata"):
            if relation := known.get(reference_of(element, "embed") or reference_of(element)):
                yield relation.target


class _Reader:
    """Turns blocks of XML into blocks of text."""

    def __init__(self, archive: Archive, main: str) -> None:
        self.writer = Writer()
        self._archive = archive
        self._main = main
        self._styles = Styles(self._part("styles"))
        self._numbering = Numbering(self._part("numbering"))
        self._noted: list[tuple[str, str]] = []  # kind and id of the notes that were referred to, in order
        self._in_list = False
        self._code: list[str] = []  # lines of code that are not yet written

    def _part(self, name: str) -> etree._Element | None:
        part = posixpath.join(posixpath.dirname(self._main), f"{name}.xml")
        data = self._archive.read(part)
        return parse(data, part) if data else None

    def block(self, element: etree._Element) -> None:
        """Write a paragraph, a table, or whatever a content control holds."""
        match name_of(element):
            case "p":
                self._paragraph(element)
            case "tbl":
                self._table(element)
            case name if name in _HOLDERS:
                for child in element:
                    self.block(child)
            case name if name in REFERENCES:
                self._write_code()
                self._in_list = False
                write_drawing(self.writer, self._archive, element, self._known)

    @cached_property
    def _known(self) -> dict[str, Relation]:
        return relations(self._archive, self._main)

    def notes(self) -> None:
        """Write the foot- and endnotes that the text refers to, after it."""
        self._write_code()
        trees = {kind: self._part(kind) for kind in {kind for kind, _ in self._noted}}
        for number, (kind, wanted) in enumerate(self._noted, 1):
            tree = trees[kind]
            for note in tree if tree is not None else ():
                if value_of(note, "id") == wanted:
                    boxes: list[etree._Element] = []
                    self.writer.block(f"[^{number}]: {self._joined(note, boxes)}", tight=number > 1)

    def _paragraph(self, paragraph: etree._Element) -> None:
        boxes: list[etree._Element] = []
        line = self._inline(paragraph, boxes)
        text = line.strip()
        properties = child_of(paragraph, "pPr")
        style = self._styles.of(properties)
        if style.is_code:
            self._code.append(line)
        elif text:
            self._write_code()
            label, indent = self._numbering.label(properties, style)
            level = style.level(properties)
            if level is not None and len(text) < 400:
                self.writer.heading(f"{label} {text}".strip(), level, "#" * min(max(level, 1), 6) + " ")
                self._in_list = False
            elif label:
                self.writer.block("  " * indent + f"{label} {text}", tight=self._in_list)
                self._in_list = True
            else:
                self.writer.block(text)
                self._in_list = False
        for box in boxes:
            self.block(box)

    def _write_code(self) -> None:
        if self._code:
            self.writer.code("\n".join(self._code))
            self._code, self._in_list = [], False

    def _inline(self, element: etree._Element, boxes: list[etree._Element], depth: int = 0) -> str:
        """Return the text of a paragraph's runs; text boxes met on the way are put by, to be written after it."""
        parts: list[str] = []
        for child in element:
            name = name_of(child)
            if name == "t":
                parts.append(child.text or "")
            elif name == "txbxContent" or name in REFERENCES:
                boxes.append(child)
            elif name == "oMath":
                parts.append(beside(child))
            elif name == "oMathPara":
                parts.append(formulas(child))
            elif name == "sym":
                parts.append(symbol(value_of(child, "font") or "", value_of(child, "char") or ""))
            elif name in _BREAKS:
                parts.append(_BREAKS[name])
            elif name == "br":
                parts.append("" if value_of(child, "type") in ("page", "column") else "\n")
            elif name in _NOTES:
                self._noted.append((_NOTES[name], value_of(child, "id") or ""))
                parts.append(f"[^{len(self._noted)}]")
            elif name and name not in _SKIPPED:
                if depth > _DEEPEST:
                    raise TaskError("corrupt", "a paragraph of the document is nested too deeply")
                parts.append(self._inline(child, boxes, depth + 1))
        return "".join(parts)

    def _joined(self, element: etree._Element, boxes: list[etree._Element]) -> str:
        """Join all paragraphs below an element in one line, nested tables and boxes too; drawings are put by."""
        texts = []
        for paragraph in element.iter("{*}p"):
            if not any(name_of(above) in ("Fallback", "del", "p") for above in _between(paragraph, element)):
                elements: list[etree._Element] = []
                label, _ = self._numbering.label(
                    child_of(paragraph, "pPr"), self._styles.of(child_of(paragraph, "pPr"))
                )
                text = self._inline(paragraph, elements).strip()
                texts.append(f"{label} {text}".strip() if text else "")
                boxes.extend(box for box in elements if name_of(box) in REFERENCES)
                texts.extend(self._joined(box, boxes) for box in elements)
        return " ".join(text for text in texts if text)

    def _table(self, table: etree._Element) -> None:
        rows = [list(_cells(row)) for row in _rows(table)]
        rows = [row for row in rows if row]
        if not rows:
            return
        self._write_code()
        self._in_list = False
        if max(map(len, rows)) == 1:  # a frame around text rather than a table
            for row in rows:
                for child in row[0]:
                    self.block(child)
            return
        texts: list[list[str]] = []
        drawings: list[etree._Element] = []
        above: list[str] = []  # of each column, what a cell that goes on in it says again
        for row in rows:
            cells: list[str] = []
            for cell in row:
                properties = child_of(cell, "tcPr")
                merge = child_of(properties, "vMerge")
                goes_on = merge is not None and value_of(merge) in (None, "continue")
                again = above[len(cells)] if goes_on and len(cells) < len(above) else ""
                cells.append(again if goes_on else self._joined(cell, drawings))
                span = value_of(child_of(properties, "gridSpan")) or "1"
                cells.extend([""] * (min(int(span), 64) - 1 if span.isdigit() else 0))
            above = list(map(repeated, cells))
            if any(cells):
                texts.append(cells)
        if texts:
            self.writer.block(table_lines(texts), "table")
        for drawing in drawings:
            self.block(drawing)


def _between(element: etree._Element, top: etree._Element) -> Iterator[etree._Element]:
    """Yield the elements above one, up to another."""
    above = element.getparent()
    while above is not None and above is not top:
        yield above
        above = above.getparent()


_WRAPPERS = ("sdt", "sdtContent", "customXml", "ins", "moveTo")


def _rows(table: etree._Element) -> Iterator[etree._Element]:
    for child in table:
        if name_of(child) == "tr":
            if child_of(child, "trPr", "del") is None:
                yield child
        elif name_of(child) in _WRAPPERS:
            yield from _rows(child)


def _cells(row: etree._Element) -> Iterator[etree._Element]:
    for child in row:
        if name_of(child) == "tc":
            yield child
        elif name_of(child) in _WRAPPERS:
            yield from _cells(child)
