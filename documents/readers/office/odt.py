"""ODT: headings, paragraphs, lists, tables, notes and text boxes, read from the XML itself."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

from lxml import etree

from documents.readers.shared.code import is_code_style, is_monospaced
from documents.readers.shared.numerals import numeral
from documents.readers.shared.pictures import pictures_in, write_pictures
from documents.readers.shared.xml import child_of, children_of, name_of, parse, stream, value_of
from documents.reading.archive import Archive
from documents.text import Extracted, Writer, repeated, table_lines
from errors import TaskError

_MAIN = "content.xml"
_MANIFEST = "META-INF/manifest.xml"
#: What is no text of the document as it is read: deleted text, remarks, declarations, how words are pronounced.
_SKIPPED = frozenset(("tracked-changes", "annotation", "ruby-text", "forms", "variable-decls", "sequence-decls"))
#: Blocks that a paragraph may hold by way of a frame; they are written after it.
_BOXES = frozenset(("text-box", "table"))
_DEEPEST_LIST = 10
#: Spaces, columns and rows that a document may ask to repeat: sheets repeat their last cell to the very edge.
_MOST_REPEATED = 64
#: The style that numbers headings, which has no name.
_OUTLINE = "\0outline"
#: How numbers are shown, by the first sign of their format; others in digits.
_FORMATS = {"a": "lowerLetter", "A": "upperLetter", "i": "lowerRoman", "I": "upperRoman", "一": "chineseCounting"}
_SPACE = re.compile(r"[ \t\r\n]+")
#: Of those that mean the same the last counts: whoever wrote a document before whoever saved it.
_PROPERTIES = {
    "title": "title",
    "creator": "author",
    "initial-creator": "author",
    "language": "language",
    "subject": "subject",
    "creation-date": "created",
    "date": "modified",
    "keyword": "keywords",
}


def read(path: Path, encoding: str | None = None) -> Extracted:
    """Read an OpenDocument text; `encoding` has no meaning here, since XML names its own.

    Raises:
      TaskError: corrupt, encrypted, archive_bomb, needs_ocr, too_large.
    """
    with Archive(path) as archive:
        if b"encryption-data" in archive.read(_MANIFEST):
            raise TaskError("encrypted", "the document is protected by a password")
        data = archive.read(_MAIN)
        if not data:
            raise TaskError("corrupt", f"the document lacks its main part {_MAIN}")
        reader = _Reader(_Styles([*_styles(archive, "styles.xml"), *_styles(archive, _MAIN)]))
        for block in stream(data, _MAIN, "text", "body"):
            reader.block(block)
        reader.finish_notes()
        warnings = []
        if not reader.writer.length:
            warnings = write_pictures("document", pictures_in(archive, _pictures(data)), reader.writer)
        return reader.writer.finish("odt", warnings=warnings, properties=_properties(archive))


def _pictures(data: bytes) -> Iterator[str]:
    """Yield the parts of a document's pictures in their order."""
    for block in stream(data, _MAIN, "text", "body"):
        for image in block.iter("{*}image"):
            yield posixpath.normpath(value_of(image, "href") or "")


def _styles(archive: Archive, part: str) -> Iterator[etree._Element]:
    """Yield the styles that a part defines; its text, which may be large, is read without being kept."""
    data = archive.read(part)
    for holder in ("styles", "automatic-styles"):
        if re.search(rf"<(?:\w+:)?{holder}[\s>/]".encode(), data):
            yield from map(deepcopy, stream(data, part, holder))  # each is cleared once the next is asked for


def _properties(archive: Archive) -> dict[str, str]:
    data = archive.read("meta.xml")
    if not data:
        return {}
    items = [(name_of(item), (item.text or "").strip()) for item in children_of(parse(data, "meta.xml"), "meta")]
    properties = {**dict(items), "keyword": ", ".join(text for name, text in items if name == "keyword" and text)}
    return {name: properties[key] for key, name in _PROPERTIES.items() if properties.get(key)}


def _is_code(style: etree._Element, name: str) -> bool:
    """Return whether a style is for code, by its name or by its typeface, unless that is the one of all text."""
    fonts = child_of(style, "text-properties")
    typeface = f"{value_of(fonts, 'font-name')} {value_of(fonts, 'font-family')}"
    own = value_of(style, "family") in (None, "paragraph") and name != "Standard"
    return is_code_style(name.replace("_20_", " ")) or (own and is_monospaced(typeface))


class _Styles:
    """Which paragraphs are the title or code, and how lists and headings are numbered."""

    def __init__(self, styles: list[etree._Element]) -> None:
        self._titles = {"Title"}
        self._code = {"Preformatted_20_Text"}
        self._levels: dict[str, dict[int, _Level]] = {}
        for style in styles:
            name = value_of(style, "name") or ""
            if name_of(style) == "list-style":
                self._levels[name] = dict(_levels(style, "list-level-style-number"))
            elif name_of(style) == "outline-style":
                self._levels[_OUTLINE] = dict(_levels(style, "outline-level-style"))
            elif value_of(style, "parent-style-name") in self._titles:
                self._titles.add(name)
            elif value_of(style, "parent-style-name") in self._code or _is_code(style, name):
                self._code.add(name)

    def is_title(self, paragraph: etree._Element) -> bool:
        """Return whether a paragraph is the title of the document."""
        return value_of(paragraph, "style-name") in self._titles

    def is_code(self, paragraph: etree._Element) -> bool:
        """Return whether a paragraph is a line of code."""
        return value_of(paragraph, "style-name") in self._code

    def label(self, name: str, numbers: list[int]) -> str:
        """Return the label of an item of a list of a style; nothing where it is not numbered.

        numbers: that of the item, after those of the items that it lies in.
        """
        levels = self._levels.get(name, {})
        if (level := levels.get(len(numbers))) is None:
            return ""
        shown = range(max(len(numbers) - level.shown, 0), len(numbers))
        parts = [numeral(numbers[at], levels[at + 1].format) for at in shown if at + 1 in levels]
        return level.before + ".".join(parts) + level.after

    def start(self, name: str, depth: int) -> int:
        """Return the number of the first item of a list of a style at a depth, counted from 1."""
        level = self._levels.get(name, {}).get(depth)
        return level.start if level else 1


@dataclass(frozen=True, slots=True)
class _Level:
    """How items of a list's level are numbered. shown: how many levels, this one and those above, a label has."""

    format: str
    before: str
    after: str
    start: int
    shown: int


def _levels(style: etree._Element, kind: str) -> Iterator[tuple[int, _Level]]:
    for level in style:
        if name_of(level) == kind and (format := value_of(level, "num-format")):
            before, after = value_of(level, "num-prefix") or "", value_of(level, "num-suffix") or ""
            after = after if before or after or kind == "outline-level-style" else "."
            start, shown = _number(level, "start-value"), _number(level, "display-levels")
            yield _number(level, "level"), _Level(_FORMATS.get(format[:1], ""), before, after, start, shown)


class _Reader:
    """Turns blocks of XML into blocks of text."""

    def __init__(self, styles: _Styles) -> None:
        self.writer = Writer()
        self._styles = styles
        self._notes: list[str] = []
        self._last: dict[tuple[str, int], int] = {}  # the number of the last item of a list of a style, at a depth
        self._chapters: list[int] = []  # the numbers of the last headings, outermost first
        self._in_list = False
        self._code: list[str] = []  # lines of code that are not yet written

    def block(self, element: etree._Element) -> None:
        """Write a heading, a paragraph, a list, a table, or whatever a section holds."""
        match name_of(element):
            case "h":
                level = min(max(_number(element, "outline-level"), 1), _DEEPEST_LIST)
                self._paragraph(element, level, self._chapter(element, level))
            case "p":
                self._paragraph(element, 0 if self._styles.is_title(element) else None)
            case "list":
                self._list(element, value_of(element, "style-name") or "", [])
                self._in_list = False
            case "table":
                self._table(element)
            case name if name and not _is_skipped(element):
                for child in element:
                    self.block(child)

    def _chapter(self, heading: etree._Element, level: int) -> str:
        """Return the label of a heading where headings are numbered."""
        if value_of(heading, "is-list-header") == "true" or not "".join(heading.itertext()).strip():
            return ""
        above = [*self._chapters, *[0] * level][: level - 1]
        last = self._chapters[level - 1] if level <= len(self._chapters) else self._styles.start(_OUTLINE, level) - 1
        self._chapters = [*above, last + 1]
        return self._styles.label(_OUTLINE, self._chapters)

    def finish_notes(self) -> None:
        """Write the foot- and endnotes after the text."""
        self._write_code()
        for number, note in enumerate(self._notes, 1):
            self.writer.block(f"[^{number}]: {note}", tight=number > 1)

    def _paragraph(self, paragraph: etree._Element, level: int | None = None, label: str = "") -> None:
        boxes: list[etree._Element] = []
        line = "".join(self._inline(paragraph, boxes))
        text = line.strip()
        if self._styles.is_code(paragraph) and not label and level is None:
            self._code.append(line)
            text = ""
        elif text:
            self._write_code()
        if text and level is not None:
            self.writer.heading(f"{label} {text}".strip(), level, "#" * min(max(level, 1), 6) + " ")
        elif text:
            self.writer.block(label + text, tight=self._in_list)
            self._in_list = bool(label)
        for box in boxes:
            if name_of(box) == "table":
                self._table(box)
            else:
                for child in box:
                    self.block(child)

    def _write_code(self) -> None:
        if self._code:
            self.writer.code("\n".join(self._code))
            self._code, self._in_list = [], False

    def _inline(self, element: etree._Element, boxes: list[etree._Element]) -> Iterator[str]:
        """Yield the text of a paragraph; boxes met on the way are put by, to be written after it."""
        yield _spaced(element.text)
        for child in element:
            name = name_of(child)
            if name == "s":
                yield " " * _count(child, "c")
            elif name == "tab":
                yield "\t"
            elif name == "line-break":
                yield "\n"
            elif name == "note":
                note = child_of(child, "note-body")
                self._notes.append(self._joined(note) if note is not None else "")
                yield f"[^{len(self._notes)}]"
            elif name in _BOXES:
                boxes.append(child)
            elif name and not _is_skipped(child):
                yield from self._inline(child, boxes)
            yield _spaced(child.tail)

    def _joined(self, element: etree._Element) -> str:
        """Return all paragraphs below an element in one line."""
        texts = []
        for child in element:
            if name_of(child) in ("p", "h"):
                boxes: list[etree._Element] = []
                texts.append("".join(self._inline(child, boxes)).strip())
                texts.extend(self._joined(box) for box in boxes)
            elif name_of(child) and not _is_skipped(child):
                texts.append(self._joined(child))
        return " ".join(text for text in texts if text)

    def _list(self, element: etree._Element, style: str, above: list[int]) -> None:
        """Write a list. above: the numbers of the items that it lies in, outermost first."""
        depth = len(above) + 1
        indent = "  " * min(depth - 1, _DEEPEST_LIST)
        goes_on = value_of(element, "continue-numbering") == "true" or value_of(element, "continue-list") is not None
        first = self._styles.start(style, depth)
        number = self._last.get((style, depth), first - 1) if goes_on else first - 1
        for item in element:
            if name_of(item) not in ("list-item", "list-header"):
                continue
            # An item that holds a list only is there to have it as deep as it is.
            is_numbered = name_of(item) == "list-item" and any(name_of(child) in ("p", "h") for child in item)
            if is_numbered:
                number = _number(item, "start-value") if value_of(item, "start-value") else number + 1
                self._last[style, depth] = number
            label = self._styles.label(style, [*above, number])
            for child in item:
                if name_of(child) == "list":
                    self._list(child, value_of(child, "style-name") or style, [*above, max(number, first)])
                elif name_of(child) == "h":
                    self._paragraph(child, min(_number(child, "outline-level"), _DEEPEST_LIST), label)
                elif name_of(child) == "p":
                    self._paragraph(child, label=f"{indent}{label or '-'} " if is_numbered else f"{indent}  ")
                    is_numbered = False  # further paragraphs of an item have no number of their own
                else:
                    self.block(child)

    def _table(self, table: etree._Element) -> None:
        self._write_code()
        self._in_list = False
        rows: list[list[str]] = []
        reaching: dict[int, tuple[int, str]] = {}  # of each column, the rows that a cell still reaches into, its text
        for row in _rows(table):
            cells = self._cells(row, reaching)
            if cells:
                rows.extend([cells] * _count(row, "number-rows-repeated"))
        if not rows:
            return
        if max(map(len, rows)) == 1:  # a frame around text rather than a table
            for (text,) in rows:
                self.writer.block(text)
        else:
            self.writer.block(table_lines(rows), "table")

    def _cells(self, row: etree._Element, reaching: dict[int, tuple[int, str]]) -> list[str]:
        """Return the texts of a row's cells up to the last with text; one that reaches over rows stands in each."""
        cells: list[str] = []
        empty = 0  # cells without text, counted until one with text follows
        for cell in row:
            if name_of(cell) not in ("table-cell", "covered-table-cell"):
                continue
            column = len(cells) + empty
            count = copies = _count(cell, "number-columns-repeated")
            text = self._joined(cell) if name_of(cell) == "table-cell" else ""
            left, again = reaching.get(column, (0, ""))
            if name_of(cell) == "covered-table-cell" and left:
                reaching[column] = (left - 1, again)
                text, copies = again, 1
            elif (height := _count(cell, "number-rows-spanned")) > 1:
                reaching[column] = (height - 1, repeated(text))
            if text:
                cells += [""] * min(empty, _MOST_REPEATED)
                cells += [text] * copies
                empty = count - copies
            else:
                empty += count
        return cells


def _is_skipped(element: etree._Element) -> bool:
    """Return whether an element holds no text of the document; a picture's title and description are none either."""
    return name_of(element) in _SKIPPED or "svg" in element.tag.partition("}")[0]


def _rows(table: etree._Element) -> Iterator[etree._Element]:
    """Yield the rows of a table, those of its header and of its groups too."""
    for child in table:
        if name_of(child) == "table-row":
            yield child
        elif name_of(child) in ("table-header-rows", "table-rows", "table-row-group"):
            yield from _rows(child)


def _number(element: etree._Element, attribute: str) -> int:
    value = value_of(element, attribute) or "1"
    return int(value) if value.isdecimal() and len(value) < 9 else 1


def _count(element: etree._Element, attribute: str) -> int:
    return min(_number(element, attribute), _MOST_REPEATED)


def _spaced(text: str | None) -> str:
    """Write white space as OpenDocument means it: a run of it is one space, more are written as elements."""
    return _SPACE.sub(" ", text) if text else ""
