"""Plain text: kept as it is; form feeds are page ends, and lines that are plainly headings become anchors."""

from __future__ import annotations

import re
from pathlib import Path

from documents.reading.decoding import decode
from documents.text import Anchor, Extracted, clean, clean_warning, require_length

_LONGEST_HEADING = 60
_NUMERAL = "[0-9〇零一二三四五六七八九十百千两]+"
#: Line openings that announce a heading, with the heading's level.
_OPENINGS = (
    (re.compile(rf"第{_NUMERAL}[编編部卷篇]"), 1),
    (re.compile(rf"第{_NUMERAL}[章回讲講]"), 2),
    (re.compile(rf"第{_NUMERAL}[节節]"), 3),
    (re.compile(r"[一二三四五六七八九十]{1,3}、"), 4),
    (re.compile(r"(?:PART|Part|BOOK|Book)\s+(?:[IVXLC]+|\d+)\b"), 1),
    (re.compile(r"(?:CHAPTER|Chapter|APPENDIX|Appendix)\s+(?:[IVXLC]+|\d+|[A-Z])\b"), 2),
)
_OPENING = re.compile(r"[第一二三四五六七八九十PBCA]")
_SENTENCE_END = tuple("。！？；，、：.!?;,:")
_UNDERLINE = re.compile(r"(=+|-+|~+)[ \t]*$")
_LINE = re.compile(r"[^\r\n]+")


def read(path: Path, encoding: str | None = None) -> Extracted:
    """Read a text file; the text is the file's, character by character.

    Raises:
      TaskError: undecodable, too_large.
    """
    decoded = decode(path.read_bytes(), encoding)
    text, removed = clean(decoded.text)
    require_length(len(text))
    pages, count = page_anchors(text)
    anchors = sorted([*pages, *_headings(text)], key=lambda anchor: anchor.start)
    warnings = [*decoded.warnings, *clean_warning(removed)]
    return Extracted(text, anchors, "text", pages=count, encoding=decoded.encoding, warnings=warnings)


def page_anchors(text: str) -> tuple[list[Anchor], int | None]:
    """Return the pages of a text that has form feeds, and their number."""
    if "\f" not in text.strip():
        return [], None
    starts = [0, *(match.end() for match in re.finditer("\f", text.rstrip()))]
    return [Anchor(start, "page", page=number) for number, start in enumerate(starts, 1)], len(starts)


def _headings(text: str) -> list[Anchor]:
    anchors: list[Anchor] = []
    previous: re.Match[str] | None = None
    for line in _LINE.finditer(text):
        if _OPENING.match(text, _first(line)) and (level := _level(line.group().strip())):
            anchors.append(_anchor(line, level))
        elif previous is not None and text[line.start()] in "=-~" and _underlines(line, previous, text):
            anchors.append(_anchor(previous, 1 if text[line.start()] == "=" else 2))
            anchors[-1].end = line.end()
        previous = line
    return anchors


def _first(line: re.Match[str]) -> int:
    string = line.group()
    return line.start() + len(string) - len(string.lstrip())


def _level(title: str) -> int | None:
    if len(title) > _LONGEST_HEADING or title.endswith(_SENTENCE_END):
        return None
    return next((level for opening, level in _OPENINGS if opening.match(title)), None)


def _underlines(line: re.Match[str], title: re.Match[str], text: str) -> bool:
    """Return whether a line of = or - stands under a title: next to it, as long as it, and alone."""
    string = title.group().strip()
    gap = text[title.end() : line.start()]
    before = text[max(0, title.start() - 3) : title.start()].replace("\r", "")
    alone = title.start() == 0 or before.endswith("\n\n")
    long_enough = len(line.group().rstrip()) >= max(3, len(string) // 2)
    near = gap in ("\n", "\r\n", "\r")
    return bool(near and alone and long_enough and string[:1].isalnum() and _UNDERLINE.match(line.group()))


def _anchor(line: re.Match[str], level: int) -> Anchor:
    title = " ".join(line.group().split())
    return Anchor(_first(line), "heading", line.end(), level=level, title=title)
