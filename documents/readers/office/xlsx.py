"""XLSX: each sheet a heading and a table, its values as the workbook shows them, read row by row."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path

from lxml import etree

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
    stream,
    value_of,
)
from documents.readers.sheets.number_format import BUILT_IN, GENERAL, shown
from documents.readers.sheets.sheet import Merged, Row, write_sheet
from documents.reading.archive import Archive
from documents.text import Extracted, Writer, require_length
from errors import TaskError

_COLUMN = re.compile(r"([A-Z]{1,3})\d*$")
#: How Excel writes characters that XML cannot hold, and underscores that only look like the beginning of one.
_ESCAPE = re.compile(r"_x([0-9A-Fa-f]{4})_")
_MERGED = re.compile(
    rb"""<(?:\w{1,50}:)?mergeCell\s[^<>]{0,200}?ref=["']([A-Z]{1,3})(\d{1,8}):[A-Z]{1,3}(\d{1,8})["']"""
)
_TRUTH = {"0": "FALSE", "1": "TRUE"}


def read(path: Path, encoding: str | None = None) -> Extracted:
    """Read a workbook; `encoding` has no meaning here, since XML names its own.

    Raises:
      TaskError: corrupt, encrypted, archive_bomb, too_large.
    """
    with Archive(path) as archive:
        workbook = _Workbook(archive)
        writer = Writer()
        for name, relation in workbook.sheets:
            write_sheet(writer, name, workbook.rows(relation.target), list(workbook.beside(relation.target)))
        names = [name for name, _ in workbook.sheets]
        if workbook.lacking:
            workbook.warnings.append(f"the texts of {workbook.lacking} cells are not in the workbook")
            if not writer.length:
                raise TaskError("corrupt", workbook.warnings[-1])
        properties = {**properties_of(archive), "sheets": names}
        return writer.finish("xlsx", warnings=workbook.warnings, properties=properties)


class _Workbook:
    """What the sheets of a workbook share: strings, number formats, the day from which it counts."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._main = main_part(archive, "xl/workbook.xml")
        data = archive.read(self._main)
        if not data:
            raise TaskError("corrupt", f"the workbook lacks its main part {self._main}")
        tree = parse(data, self._main)
        known = relations(archive, self._main)
        self.sheets: list[tuple[str, Relation]] = []
        self.warnings: list[str] = []
        self.lacking = 0  # strings that cells name but that are not there
        for sheet in children_of(tree, "sheets"):
            relation = known.get(reference_of(sheet))
            if relation is None or relation.target not in archive:
                self.warnings.append(f"the workbook lacks its sheet {sheet.get('name')!r}")
            elif relation.kind == "worksheet":
                self.sheets.append((sheet.get("name") or "", relation))
        if self.warnings and not self.sheets:
            raise TaskError("corrupt", self.warnings[0])
        self._since_1904 = value_of(child_of(tree, "workbookPr"), "date1904") in ("1", "true")
        self._strings = list(self._shared())
        self._formats = self._styles()

    def rows(self, part: str) -> list[Row]:
        """Return the rows of a sheet that hold something."""
        rows: list[Row] = []
        length = number = 0
        data = self._archive.read(part)
        merged = Merged(_merged(data))
        for element in stream(data, part, "sheetData"):
            row: Row = {}
            reference = element.get("r") or ""
            number = (
                int(reference) if reference.isascii() and reference.isdecimal() and len(reference) < 9 else number + 1
            )
            column = 0
            for cell in element:
                column = _column(cell.get("r"), column + 1)
                if text := self._text(cell).strip():
                    row[column] = text
                    length += len(text)
            length += merged.complete(number, row)
            if row:
                rows.append(row)
                require_length(length)
        return rows

    def beside(self, part: str) -> Iterator[str]:
        """Yield what is written on a sheet but in none of its cells: comments, with their cell, and text boxes."""
        for relation in relations(self._archive, part).values():
            if relation.kind not in ("comments", "drawing") or not (data := self._archive.read(relation.target)):
                continue
            tree = parse(data, relation.target)
            for comment in tree.iter("{*}comment"):
                if text := _joined(comment).strip():
                    yield f"{comment.get('ref')}: {text}"
            for body in tree.iter("{*}txBody"):
                lines = ("".join(run.text or "" for run in line.iter("{*}t")) for line in body.iter("{*}p"))
                yield "\n".join(line for line in lines if line.strip())

    def _text(self, cell: etree._Element) -> str:
        """Return what a cell shows; of a formula that is its last result."""
        kind = cell.get("t", "n")
        if kind == "inlineStr":
            return _joined(child_of(cell, "is"))
        value = child_of(cell, "v")
        text = (value.text or "").strip() if value is not None else ""
        if not text:
            return ""
        match kind:
            case "s":
                return self._string(text)
            case "n":
                return self._number(text, cell.get("s", "0"))
        return _TRUTH.get(text, text) if kind == "b" else _unescaped(value.text or "" if value is not None else "")

    def _string(self, number: str) -> str:
        """Return a shared string; nothing for one that the workbook lacks, of which a warning tells."""
        if number.isdecimal() and int(number) < len(self._strings):
            return self._strings[int(number)]
        self.lacking += 1
        return ""

    def _number(self, text: str, style: str) -> str:
        """Return a number as its style shows it, or as it is written where either says nothing."""
        known = style.isdecimal() and int(style) < len(self._formats)
        try:
            return shown(float(text), self._formats[int(style)] if known else GENERAL, since_1904=self._since_1904)
        except ValueError:
            return text

    def _part(self, kind: str, usual: str) -> tuple[str, bytes]:
        named = (relation.target for relation in relations(self._archive, self._main).values() if relation.kind == kind)
        part = next(named, posixpath.join(posixpath.dirname(self._main), usual))
        return part, self._archive.read(part)

    def _shared(self) -> Iterator[str]:
        """Yield the strings that cells name by number."""
        part, data = self._part("sharedStrings", "sharedStrings.xml")
        for item in stream(data, part, "sst") if data else ():
            yield _joined(item)

    def _styles(self) -> list[str]:
        """Return the number format of each cell style."""
        part, data = self._part("styles", "styles.xml")
        if not data:
            return []
        tree = parse(data, part)
        own = {item.get("numFmtId"): item.get("formatCode") or GENERAL for item in children_of(tree, "numFmts")}
        formats = []
        for style in children_of(tree, "cellXfs"):
            number = style.get("numFmtId") or "0"
            formats.append(own.get(number) or BUILT_IN.get(int(number) if number.isdecimal() else 0, GENERAL))
        return formats


def _merged(sheet: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield the first row, the last row and the column of each cell that reaches over others; they follow all rows."""
    for column, first, last in _MERGED.findall(sheet, max(sheet.rfind(b"sheetData>"), 0)):
        yield int(first), int(last), _column(column.decode(), 0)


def _column(reference: str | None, otherwise: int) -> int:
    """Return the number of the column that a reference such as BC12 names, counted from 1."""
    match = _COLUMN.match(reference or "")
    if match is None:
        return otherwise
    number = 0
    for letter in match.group(1):
        number = number * 26 + ord(letter) - 64
    return number


def _joined(element: etree._Element | None) -> str:
    """Return the text of a string in all its runs."""
    return _unescaped("".join(_runs(element)))


def _runs(element: etree._Element | None) -> Iterator[str]:
    for child in element if element is not None else ():
        if name_of(child) == "t":
            yield child.text or ""
        elif name_of(child) != "rPh":  # how it is pronounced
            yield from _runs(child)


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda match: chr(int(match.group(1), 16)), text) if "_x" in text else text
