"""Where a text may be cut, and how well: after headings, paragraphs, lines, sentences, at last between words."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum

from documents.splitting.measure import Measure
from documents.text import Anchor


class Boundary(IntEnum):
    """What lies before a unit; a greater one is a better place to cut."""

    HELD = 0  # it belongs to what comes before: the first row to its table's header, a fence to its code
    CUT = 1
    SENTENCE = 2
    LINE = 3
    PARAGRAPH = 4


@dataclass(slots=True)
class Unit:
    """A sentence, a line of a table or of code, a heading, or a part of one that was too long."""

    start: int
    end: int
    before: Boundary
    level: int | None = None  # of a heading
    whole: bool = True
    repeats: tuple[int, int] | None = None  # a table's header or a code's fence, which a chunk from here on lacks


_NEWLINE = r"(?:\r\n?|[\n\f\u2028\u2029])"
_STOPS = re.compile(
    rf"(?P<paragraph>{_NEWLINE}(?:[ \t\u3000]*{_NEWLINE})+)"
    rf"|(?P<item>{_NEWLINE}(?=[ \t]*(?:[-*+•|>]|\d{{1,3}}[.)])[ \t]|[ \t]*\|))"
    r"|(?P<chinese>[。！？；｡]+[。！？；｡…!?]*)(?P<closing>[”’」』）》】〉〕\])]*)"
    r"|(?P<latin>[.!?…]+)[\"'”’»」』）)\]]*"
)
_BEGINS = re.compile(r"[^\W\d_]{3}[.?!]\s+([^\W\d_])")
_SAMPLE = 100_000
_LINES = re.compile(r"[^\r\n\f]+")
_FENCE = re.compile(r"[ \t>]*(?:`{3,}|~{3,})")
_DELIMITER_ROW = re.compile(r"[ \t]*\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$")
_SPACE = re.compile(r"\s*")
_HAN = re.compile("[\u2e80-\u303f\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff]")
#: Words whose full stop ends no sentence.
_ABBREVIATIONS = frozenset(
    [
        *(
            "mr",
            "mrs",
            "ms",
            "dr",
            "prof",
            "rev",
            "hon",
            "st",
            "sr",
            "jr",
            "gen",
            "col",
            "sgt",
            "capt",
            "lt",
            "gov",
        ),
        *(
            "sen",
            "rep",
            "pres",
            "vs",
            "cf",
            "viz",
            "approx",
            "ca",
            "al",
            "ibid",
            "resp",
            "incl",
            "est",
            "dept",
            "univ",
        ),
        *(
            "fig",
            "figs",
            "eq",
            "eqs",
            "sec",
            "sect",
            "ch",
            "chap",
            "vol",
            "vols",
            "ed",
            "eds",
            "pp",
            "par",
            "art",
        ),
        *(
            "jan",
            "feb",
            "mar",
            "apr",
            "jun",
            "jul",
            "aug",
            "sep",
            "sept",
            "oct",
            "nov",
            "dec",
            "e.g",
            "i.e",
            "mt",
        ),
    ]
)
#: Words whose full stop ends no sentence when a number follows.
_BEFORE_NUMBERS = frozenset(["no", "nos", "nr", "p", "art", "para", "item", "op", "bd", "abs"])
_DOTTED = re.compile(r"(?:[^\W\d_]\.)*[^\W\d_]$")
_LAST_WORD = re.compile(r"[^\s(\[\"'“‘]*$")
_LONGEST_WORD = 20
#: Better places inside a sentence that is too long, best first; the cut comes after the match.
_CLAUSES = re.compile(r"[,;:](?=\s)|[，、；：,;](?=[^\x00-\x7f])|[，、；：](?=.)|\s[–—-](?=\s)|——|[)）](?=\s)")
_INSIDE_WORDS = re.compile(r"(?<![/\\_&?=#.@+-])[/\\_&?=#.@+-]++(?=[^\W_])")
_FAR_BACK = 200
#: The halves of flags, of which two make one; what joins two letters of an Indian script.
_FLAGS = re.compile("[\U0001f1e6-\U0001f1ff]+\\Z")
_VIRAMA = 9
_NOT_FIRST = set("，。、；：！？）》」』】〉〕”’…—·,.;:!?)]}%")


def units_of(text: str, anchors: Sequence[Anchor]) -> list[Unit]:
    """Return the units of a text in order; they hold every character that is not white space, and do not overlap.

    Headings, tables and code are taken from the anchors, sentences and paragraphs from the text.
    """
    units: list[Unit] = []
    done = 0
    caseless = _is_caseless(text)
    spans = sorted(
        (anchor for anchor in anchors if anchor.kind in ("heading", "table", "code")),
        key=lambda anchor: (anchor.start, anchor.kind != "heading"),
    )
    for anchor in spans:
        start, end = anchor.start, min(_end(text, anchor), len(text))
        if start < done or end <= start:
            continue
        units.extend(_sentences(text, done, start, caseless))
        if anchor.kind == "heading":
            units.extend(_heading(text, start, end, anchor.level or 0))
        else:
            units.extend(_lines(text, start, end, indented=anchor.kind == "code"))
        done = end
    units.extend(_sentences(text, done, len(text), caseless))
    return units


def _is_caseless(text: str) -> bool:
    """Return whether sentences begin in small letters, as in chats and in text made small by a machine."""
    begins = _BEGINS.findall(text, 0, _SAMPLE)
    return sum(map(str.islower, begins)) > 3 * sum(map(str.isupper, begins))


def _end(text: str, anchor: Anchor) -> int:
    if anchor.end is not None:
        return anchor.end
    line = text.find("\n", anchor.start)
    return len(text) if line < 0 else line


def _heading(text: str, start: int, end: int, level: int) -> Iterator[Unit]:
    start, end = _stripped(text, start, end)
    if start < end:
        yield Unit(start, end, Boundary.PARAGRAPH, level)


def _lines(text: str, start: int, end: int, *, indented: bool) -> list[Unit]:
    """Return the lines of a table or of code. What a reader needs to understand each is held together, or repeated."""
    units: list[Unit] = []
    last = start
    for match in _LINES.finditer(text, start, end):
        first, stop = _stripped(text, *match.span())
        if first < stop:
            apart = not units or text.count("\n", last, match.start()) > 1
            before = Boundary.PARAGRAPH if apart else Boundary.LINE
            units.append(Unit(match.start() if indented else first, stop, before))
            last = match.end()
    _hold_together(text, units)
    return units


def _hold_together(text: str, lines: list[Unit]) -> None:
    """Join a header with the first row of its table, a fence with the first and the last line of its code."""
    if len(lines) < 2:
        return
    opening = lines[0]
    if _FENCE.match(text, opening.start, opening.end):
        header = 1
        if _FENCE.match(text, lines[-1].start, lines[-1].end):
            lines[-1].before = Boundary.HELD
    elif _DELIMITER_ROW.match(text[lines[1].start : lines[1].end]):
        header = 2
    else:
        return
    for line in lines[1 : header + 1]:
        line.before = Boundary.HELD
    for line in lines[header:]:
        line.repeats = (opening.start, lines[header - 1].end)


def _sentences(text: str, start: int, end: int, caseless: bool) -> Iterator[Unit]:
    """Yield the sentences between two places; what lies before each tells how strongly it is set apart."""
    before, opened = Boundary.PARAGRAPH, False
    quotes = first = start
    for stop in _STOPS.finditer(text, start, end):
        kind, at = stop.lastgroup, stop.end()
        if kind in ("paragraph", "item"):
            boundary = Boundary.PARAGRAPH if kind == "paragraph" else Boundary.LINE
        elif kind == "latin":
            if not _ends_sentence(text, first, stop, end, caseless):
                continue
            boundary = Boundary.SENTENCE
        else:
            boundary = Boundary.SENTENCE
            opened ^= text.count('"', quotes, at) % 2 == 1
            quotes = at
            if opened and text.startswith('"', at, end):
                at, quotes, opened = at + 1, at + 1, False
        begin, close = _stripped(text, first, at)
        if begin < close:
            yield Unit(begin, close, before)
            before = boundary
        else:
            before = max(before, boundary)
        if boundary is Boundary.SENTENCE and _line_ends(text, at, end):
            before = max(before, Boundary.LINE)
        if boundary is Boundary.PARAGRAPH:
            opened, quotes = False, at
        first = at
    begin, close = _stripped(text, first, end)
    if begin < close:
        yield Unit(begin, close, before)


def _line_ends(text: str, at: int, end: int) -> bool:
    space = _SPACE.match(text, at, end)
    return space is not None and any(mark in space.group() for mark in "\n\r\f\u2028\u2029")


def _ends_sentence(text: str, first: int, stop: re.Match[str], end: int, caseless: bool) -> bool:
    """Return whether a full stop, question mark, exclamation mark or ellipsis of Latin script ends a sentence."""
    at = stop.end()
    if at >= end:
        return True
    following = text[at]
    mark = stop.group("latin")
    if not following.isspace():
        before = text[stop.start() - 1 : stop.start()]
        return mark[0] != "." and bool(_HAN.match(following)) and (mark[0] == "…" or bool(_HAN.match(before)))
    space = _SPACE.match(text, at, end)
    after = space.end() if space is not None else at
    following = text[after : after + 1]
    if following.islower() and not caseless:
        return False
    return mark != "." or not _is_abbreviation(text, first, stop.start(), following)


def _is_abbreviation(text: str, first: int, dot: int, following: str) -> bool:
    match = _LAST_WORD.search(text, max(first, dot - _LONGEST_WORD), dot)
    word = match.group().lower() if match else ""
    if not word:
        return False
    if word.isdigit():  # "1. Introduction", at the beginning only
        return len(word) <= 3 and not text[first : dot - len(word)].strip()
    if word in _BEFORE_NUMBERS and following.isdigit():
        return True
    return word in _ABBREVIATIONS or bool(_DOTTED.match(word))


def _stripped(text: str, start: int, end: int) -> tuple[int, int]:
    """Return a span without the white space at its ends."""
    space = _SPACE.match(text, start, end)
    start = space.end() if space is not None else start
    while end > start and text[end - 1].isspace():
        end -= 1
    return start, end


def cut(text: str, start: int, end: int, first: int, size: int, measure: Measure) -> Iterator[tuple[int, int]]:
    """Cut a span into pieces that hold at most `size`, of which the first holds at most `first`.

    Pieces end at a line's end, else at a clause's, else at a word's, else between two characters that are
    shown apart.
    """
    limit = first
    while end - start > 1 and measure.size(start, end) > limit:
        stop = _cutting_place(text, start, min(max(measure.reach(start, limit), start + 1), end - 1))
        piece = _stripped(text, start, stop)
        if piece[0] < piece[1]:
            yield piece
        start = _stripped(text, stop, end)[0]
        limit = size
    if start < end:
        yield start, end


def _cutting_place(text: str, start: int, limit: int) -> int:
    half = start + (limit - start) // 2
    line = max(text.rfind("\n", half, limit + 1), text.rfind("\r", half, limit + 1))
    if line > start:
        return line
    clauses = [match.end() for match in _CLAUSES.finditer(text, half, limit + 1) if match.end() <= limit]
    if clauses:
        return clauses[-1]
    return _between_words(text, start, limit)


def _between_words(text: str, start: int, limit: int) -> int:
    space = max(start, limit + 1 - len(_tail(text[start : limit + 1])))
    for at in range(limit, max(space, limit - _FAR_BACK), -1):
        if (_HAN.match(text[at]) or _HAN.match(text[at - 1])) and text[at] not in _NOT_FIRST and _shown_apart(text, at):
            return at
    if space > start:
        return space
    inside = [match.end() for match in _INSIDE_WORDS.finditer(text, start + (limit - start) // 2, limit)]
    if inside:
        return inside[-1]
    at = limit
    while at > start + 1 and limit - at < _FAR_BACK and not _shown_apart(text, at):
        at -= 1
    return at if _shown_apart(text, at) else limit


def _tail(text: str) -> str:
    """Return what follows the last white space of a text."""
    return "" if text[-1].isspace() else text.rsplit(None, 1)[-1]


def _shown_apart(text: str, at: int) -> bool:
    """Return whether a reader sees two characters on both sides of a place, and not one that is composed of them."""
    after, before = text[at], text[at - 1]
    if after < "\u0300":
        return not (before == "\r" and after == "\n")
    joined = after in "\u200d\ufe0e\ufe0f" or before == "\u200d" or "\U0001f3fb" <= after <= "\U0001f3ff"
    if joined or unicodedata.category(after).startswith("M") or unicodedata.combining(before) == _VIRAMA:
        return False
    if "\u1160" <= after <= "\u11ff":  # the rest of a Korean syllable
        return False
    flags = _FLAGS.search(text, max(0, at - _FAR_BACK), at) if _FLAGS.match(after) else None
    return flags is None or len(flags.group()) % 2 == 0
