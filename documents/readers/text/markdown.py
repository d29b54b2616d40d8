"""Markdown: kept as it is; headings, code and tables become anchors, front matter becomes properties."""

from __future__ import annotations

import re
from pathlib import Path

from documents.reading.decoding import decode
from documents.text import Anchor, Extracted, clean, clean_warning, require_length

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\n|\r|$)")
_ATX = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*?))?(?:[ \t]+#+)?[ \t]*$")
_FENCE = re.compile(r"[ \t>]*(`{3,}|~{3,})(.*)$")
_SETEXT = re.compile(r" {0,3}(=+|-+)[ \t]*$")
_DELIMITER_ROW = re.compile(r"[ \t]*\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$")
_NO_PARAGRAPH = re.compile(r"\s*$|[ \t]*(?:[-*+>|]|\d+[.)])[ \t]|[ \t]*\|| {4}|\t")
_PROPERTY = re.compile(r"([A-Za-z][\w -]{0,40}):[ \t]+(\S.*)$")


def read(path: Path, encoding: str | None = None) -> Extracted:
    """Read a Markdown file; the text is the file's, character by character.

    Raises:
      TaskError: undecodable, too_large.
    """
    decoded = decode(path.read_bytes(), encoding)
    text, removed = clean(decoded.text)
    require_length(len(text))
    anchors, properties = scan(text)
    warnings = [*decoded.warnings, *clean_warning(removed)]
    return Extracted(text, anchors, "markdown", encoding=decoded.encoding, warnings=warnings, properties=properties)


def scan(text: str, *, front_matter: bool = True) -> tuple[list[Anchor], dict[str, str]]:
    """Find the headings, tables and blocks of code of a text in Markdown, and what its front matter says.

    front_matter: whether a line of dashes at the text's beginning opens one, or is a line.
    """
    found = _Scan(front_matter)
    for match in _LINE.finditer(text):
        if match.group():
            found.line(match.start(), match.group().rstrip("\r\n"))
    found.close(len(text))
    return sorted(found.anchors, key=lambda anchor: anchor.start), found.properties


class _Scan:
    """Goes through the lines once and remembers what it is inside of."""

    def __init__(self, front_matter: bool) -> None:
        self.anchors: list[Anchor] = []
        self.properties: dict[str, str] = {}
        self._may_have_front = front_matter
        self._fence: tuple[str, int] | None = None  # what closes it, where it began
        self._front = False
        self._table: Anchor | None = None
        self._paragraph: list[tuple[int, str]] = []  # lines that an underline would make a heading

    def line(self, start: int, line: str) -> None:
        if start == 0 and self._may_have_front and line.rstrip() == "---":
            self._front = True
        elif self._front:
            self._front_matter(line)
        elif self._fence is not None:
            self._in_fence(start, line)
        elif match := _FENCE.match(line):
            self._fence = (match.group(1), start)
            self._end_blocks()
        else:
            self._text(start, line)

    def close(self, end: int) -> None:
        if self._fence is not None:  # a fence that is never closed reaches to the end
            self.anchors.append(Anchor(self._fence[1], "code", end))

    def _front_matter(self, line: str) -> None:
        if line.rstrip() in ("---", "..."):
            self._front = False
        elif match := _PROPERTY.match(line):
            self.properties[match.group(1)] = match.group(2).strip().strip("\"'")
        elif line.startswith("#") and not line.startswith("# "):
            self._front = False

    def _in_fence(self, start: int, line: str) -> None:
        closing, began = self._fence or ("", 0)
        match = _FENCE.match(line)
        if match and match.group(1).startswith(closing) and not match.group(2).strip():
            self.anchors.append(Anchor(began, "code", start + len(line)))
            self._fence = None

    def _text(self, start: int, line: str) -> None:
        if match := _ATX.match(line):
            self._heading(start, start + len(line), len(match.group(1)), match.group(2) or "")
        elif self._paragraph and (match := _SETEXT.match(line)):
            title = " ".join(text.strip() for _, text in self._paragraph)
            self._heading(self._paragraph[0][0], start + len(line), 1 if "=" in match.group(1) else 2, title)
        elif self._table is not None and "|" in line:
            self._table.end = start + len(line)
        elif self._paragraph and "|" in line + self._paragraph[-1][1] and _DELIMITER_ROW.match(line):
            self._open_table(start + len(line))
        elif "|" in line and line.strip():
            self._end_blocks()
            self._paragraph.append((start, line))  # perhaps a table's header row
        elif _NO_PARAGRAPH.match(line):
            self._end_blocks()
        else:
            self._table = None
            self._paragraph.append((start, line))

    def _open_table(self, end: int) -> None:
        self._table = Anchor(self._paragraph[-1][0], "table", end)
        self.anchors.append(self._table)
        self._paragraph = []

    def _heading(self, start: int, end: int, level: int, title: str) -> None:
        self._end_blocks()
        if title.strip():
            self.anchors.append(Anchor(start, "heading", end, level=level, title=" ".join(title.split())))

    def _end_blocks(self) -> None:
        self._table = None
        self._paragraph = []
