"""Markdown: kept as it is; headings, code and tables become anchors. Front matter becomes properties, and the title."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import islice
from pathlib import Path

from documents.reading.decoding import decode
from documents.text import Anchor, Extracted, clean, clean_warning, require_length

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\n|\r|$)")
_ATX = re.compile(r" {0,3}(#{1,6})(?:[ \t](.*))?$")
_FENCE = re.compile(r"[ \t>]*(`{3,}|~{3,})(.*)$")
_SETEXT = re.compile(r" {0,3}(=+|-+)[ \t]*$")
_DELIMITER_ROW = re.compile(r"[ \t]*(?:\|[ \t]*)?:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*(?:\|[ \t]*)?$")
_NO_PARAGRAPH = re.compile(r"\s*$|[ \t]*(?:[-*+>|]|\d+[.)])[ \t]|[ \t]*\|| {4}|\t")
_PROPERTY = re.compile(r"([A-Za-z][\w -]{0,40}):(?:[ \t]+(.*))?$")
#: What front matter holds besides: an item of a list, what goes on with the line before, a remark.
_ITEM = re.compile(r"[ \t]*-[ \t]+(\S.*)$")
_GOES_ON = re.compile(r"[ \t]+\S|[ \t]*$|#[ \t]|[\]}]")
#: Lines of front matter at most; a text between two lines of dashes is none.
_LONGEST_FRONT = 200
#: Front matter says one of these at least; a text between two lines of dashes may well have lines like "Note: this".
_KNOWN = frozenset((
    "title", "date", "author", "authors", "tags", "description", "categories", "category", "layout",
    "slug", "draft", "keywords", "lang", "language", "permalink", "summary", "subtitle",
    "weight", "aliases", "url", "created", "updated", "lastmod", "published",
))  # fmt: skip


def read(path: Path, encoding: str | None = None) -> Extracted:
    """Read a Markdown file; the text is the file's, with title and description in place of its front matter.

    Raises:
      TaskError: undecodable, too_large.
    """
    decoded = decode(path.read_bytes(), encoding)
    text, removed = clean(decoded.text)
    require_length(len(text))
    end, properties = front_matter(text)
    text, is_titled = _with_title(text[end:], properties) if text[end:].strip() and end else (text, False)
    anchors = scan(text)
    if is_titled:
        anchors[0].level = 0
    warnings = [*decoded.warnings, *clean_warning(removed)]
    return Extracted(text, anchors, "markdown", encoding=decoded.encoding, warnings=warnings, properties=properties)


def front_matter(text: str) -> tuple[int, dict[str, str]]:
    """Return where a text begins behind its front matter, and what that says; 0 where it has none."""
    properties: dict[str, str] = {}
    name = ""
    for number, match in enumerate(islice(_LINE.finditer(text), _LONGEST_FRONT)):
        line = match.group().rstrip("\r\n")
        if number == 0:
            if line.rstrip() != "---":
                break
        elif line.rstrip() in ("---", "..."):
            if _KNOWN.isdisjoint(map(str.lower, properties)):
                break
            return match.end(), {name: value for name, value in properties.items() if value}
        elif pair := _PROPERTY.match(line):
            name = pair.group(1)
            value = (pair.group(2) or "").strip()
            properties[name] = "" if value in (">", "|", ">-", "|-") else _unquoted(value)
        elif name and (item := _ITEM.match(line) or _GOES_ON.match(line)):
            more = _unquoted(item.group(1) if item.re is _ITEM else line.strip())
            if more and not line.startswith("#"):
                properties[name] += (", " if item.re is _ITEM else " ") * bool(properties[name]) + more
        else:
            break
    return 0, {}


def _unquoted(value: str) -> str:
    return value.strip().strip("\"'")


def _title(rest: str) -> str:
    """Return what stands behind the number signs of a heading, without those that may close it."""
    rest = rest.strip(" \t")
    title = rest.rstrip("#")
    return title.rstrip(" \t") if title.endswith((" ", "\t")) else rest


def _with_title(body: str, properties: Mapping[str, str]) -> tuple[str, bool]:
    """Return a text below the title of its front matter, unless it begins with it; and whether it was put there."""
    body = body.lstrip("\r\n")
    title = " ".join(properties.get("title", "").split())
    description = properties.get("description", "")
    said = [description] if description and description not in body else []
    is_titled = bool(title) and not body.startswith(f"# {title}")
    return "\n\n".join([*([f"# {title}"] if is_titled else []), *said, body]), is_titled


def scan(text: str) -> list[Anchor]:
    """Find the headings, tables and blocks of code of a text in Markdown."""
    scanner = _Scan()
    for match in _LINE.finditer(text):
        if match.group():
            scanner.line(match.start(), match.group().rstrip("\r\n"))
    scanner.close(len(text))
    return sorted(scanner.anchors, key=lambda anchor: anchor.start)


class _Scan:
    """Goes through the lines once and remembers what it is inside of."""

    def __init__(self) -> None:
        self.anchors: list[Anchor] = []
        self._fence: tuple[str, int] | None = None  # what closes it, where it began
        self._table: Anchor | None = None
        self._paragraph: list[tuple[int, str]] = []  # lines that an underline would make a heading

    def line(self, start: int, line: str) -> None:
        if self._fence is not None:
            self._in_fence(start, line)
        elif match := _FENCE.match(line):
            self._fence = (match.group(1), start)
            self._end_blocks()
        else:
            self._text(start, line)

    def close(self, end: int) -> None:
        if self._fence is not None:  # a fence that is never closed reaches to the end
            self.anchors.append(Anchor(self._fence[1], "code", end))

    def _in_fence(self, start: int, line: str) -> None:
        closing, began = self._fence or ("", 0)
        match = _FENCE.match(line)
        if match and match.group(1).startswith(closing) and not match.group(2).strip():
            self.anchors.append(Anchor(began, "code", start + len(line)))
            self._fence = None

    def _text(self, start: int, line: str) -> None:
        if match := _ATX.match(line):
            self._heading(start, start + len(line), len(match.group(1)), _title(match.group(2) or ""))
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
