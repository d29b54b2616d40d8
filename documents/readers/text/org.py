"""Org: headings, lists, tables and blocks of Emacs' Org mode as Markdown, without what only steers Emacs."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from pathlib import Path

from documents.readers.sheets.sheet import write_table
from documents.reading.decoding import decode
from documents.text import Extracted, Writer, table_lines

_HEADLINE = re.compile(r"(\*+)[ \t]+(.*)$")
#: What stands in a headline beside its title: a state, a priority, and tags.
_STATE = re.compile(r"(?:TODO|DONE|NEXT|WAITING|CANCELLED|CANCELED) ")
_PRIORITY = re.compile(r"\[#[A-Z0-9]{1,2}\] ?")
_TAGS = re.compile(r":[\w@#%:]+:$")
_KEYWORD = re.compile(r"[ \t]*#\+([\w-]+)(?:\[[^\]\n]*\])?:[ \t]*(.*)$")
_BEGIN = re.compile(r"[ \t]*#\+begin_(\S+)", re.IGNORECASE)
_END = re.compile(r"[ \t]*#\+end_(\S+)[ \t]*$", re.IGNORECASE)
_COMMENT = re.compile(r"[ \t]*#(?:[ \t]|$)")
_DRAWER = re.compile(r"[ \t]*:([\w-]+):[ \t]*$")
_FIXED = re.compile(r"[ \t]*:(?: (.*))?$")
_RULE = re.compile(r"[ \t]*-{5,}[ \t]*$")
_ROW = re.compile(r"[ \t]*\|")
_LINE_OF_TABLE = re.compile(r"[ \t]*\|-")
#: Cells that say how a column is to be shown.
_COOKIE = re.compile(r"(?:<[lrc]?\d*>|[/<>#!^_*$]|)$")
_LINK = re.compile(r"\[\[([^\[\]\n]{1,2000})\](?:\[([^\[\]\n]{1,2000})\])?\]")
#: Before the lines of a block that would be read as Org.
_COMMA = re.compile(r"^([ \t]*),(?=\*|#\+|,)", re.MULTILINE)
#: Blocks and drawers whose lines stand as they are, and those that are not for readers.
_CODE = frozenset(("src", "example", "export"))
_UNREAD_BLOCKS = frozenset(("comment",))
_UNREAD_DRAWERS = frozenset(("properties", "logbook"))
#: Keywords that say something of the document, by the names of its properties.
_PROPERTIES = {name: name for name in ("title", "subtitle", "author", "date", "description", "keywords", "language")}


def read(path: Path, encoding: str | None = None) -> Extracted:
    """Read an Org file. States and tags stay in the text of a heading, and are no part of its title.

    Raises:
      TaskError: undecodable, too_large.
    """
    decoded = decode(path.read_bytes(), encoding)
    scan = _Scan(decoded.text.splitlines())
    scan.read()
    return scan.writer.finish("org", encoding=decoded.encoding, warnings=decoded.warnings, properties=scan.properties)


class _Scan:
    """Goes through the lines once; lines that belong together are kept until they are written."""

    def __init__(self, lines: list[str]) -> None:
        self.writer = Writer()
        self.properties: dict[str, str] = {}
        self._lines = lines
        self._at = 0
        self._paragraph: list[str] = []
        self._ends: dict[str, list[int]] = defaultdict(list)  # by its name, where a block or a drawer may end
        for at, line in enumerate(lines):
            if match := _END.match(line):
                self._ends[match.group(1).lower()].append(at)
            elif (match := _DRAWER.match(line)) and match.group(1).lower() == "end":
                self._ends[":end:"].append(at)

    def read(self) -> None:
        while self._at < len(self._lines):
            line = self._lines[self._at]
            self._at += 1
            if match := _HEADLINE.match(line):
                self._headline(len(match.group(1)), match.group(2))
            elif not self._has_begun(line):
                self._line(line)
        self._flush()

    def _line(self, line: str) -> None:
        if _ROW.match(line):
            self._flush()
            self._table(self._while(_ROW))
        elif _FIXED.match(line):
            self._flush()
            self.writer.code("\n".join(_FIXED.sub(r"\1", row) for row in self._while(_FIXED)))
        elif match := _KEYWORD.match(line):
            self._keyword(match.group(1).lower(), match.group(2).strip())
        elif not line.strip() or _RULE.match(line):
            self._flush()
        elif not _COMMENT.match(line):
            self._paragraph.append(_LINK.sub(_shown, line).rstrip())

    def _has_begun(self, line: str) -> bool:
        """Return whether a line opens a block or a drawer that is closed somewhere; it is read, or its lines are."""
        if match := _BEGIN.match(line):
            name = match.group(1).lower()
            end = self._end(name)
            if end is not None and (name in _CODE or name in _UNREAD_BLOCKS):
                self._flush()
                if name in _CODE:
                    self.writer.code(_COMMA.sub(r"\1", "\n".join(self._lines[self._at : end])))
                self._at = end + 1
            return end is not None
        if match := _DRAWER.match(line):
            end = self._end(":end:")
            if end is not None and match.group(1).lower() in _UNREAD_DRAWERS:
                self._at = end + 1
            return end is not None or match.group(1).lower() == "end"
        return _END.match(line) is not None

    def _end(self, name: str) -> int | None:
        places = self._ends[name]
        after = bisect_right(places, self._at - 1)
        return places[after] if after < len(places) else None

    def _headline(self, level: int, rest: str) -> None:
        self._flush()
        rest = _LINK.sub(_shown, " ".join(rest.split()))
        state = match.group() if (match := _STATE.match(rest)) else ""
        rest = rest[len(state) :]
        rest = rest[match.end() :] if (match := _PRIORITY.match(rest)) else rest
        before, _, last = rest.rpartition(" ")
        title = before if _TAGS.match(last) else rest
        if title:
            self.writer.block(f"{'#' * min(level, 6)} {state}{rest}", "heading", level=level, title=title)

    def _keyword(self, name: str, value: str) -> None:
        if name == "title" and not self.writer.length:
            self._flush()
            self.writer.heading(value, 0, "# ")
        elif name == "caption":
            self._paragraph.append(_LINK.sub(_shown, value))
        if name in _PROPERTIES and value:
            self.properties.setdefault(_PROPERTIES[name], value)

    def _while(self, pattern: re.Pattern[str]) -> list[str]:
        """Return the line before and those after it that are like it."""
        first = self._at - 1
        while self._at < len(self._lines) and pattern.match(self._lines[self._at]):
            self._at += 1
        return self._lines[first : self._at]

    def _table(self, lines: list[str]) -> None:
        """Write a table, of which a line below the first row makes that the header."""
        rows: list[list[str]] = []
        header = False
        for line in lines:
            cells = [cell.strip() for cell in _LINK.sub(_shown, line).strip().strip("|").split("|")]
            if _LINE_OF_TABLE.match(line):
                header = header or len(rows) == 1
            elif any(cells) and not all(map(_COOKIE.match, cells)):
                rows.append(cells)
        if header:
            self.writer.block(table_lines(rows), "table")
        elif rows:
            width = max(map(len, rows))
            write_table(self.writer, [row + [""] * (width - len(row)) for row in rows])

    def _flush(self) -> None:
        self.writer.block("\n".join(self._paragraph))
        self._paragraph = []


def _shown(link: re.Match[str]) -> str:
    """Return what a link shows: its description, else where it leads."""
    return link.group(2) or link.group(1).removeprefix("file:")
