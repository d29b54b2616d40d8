"""RTF: paragraphs, headings, lists, tables, code and notes, in the code pages that the document and its fonts name."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path

from documents.readers.rtf.blocks import Blocks, Paragraph
from documents.readers.rtf.codes import (
    EAST_ASIAN,
    KEPT,
    ORIGINS,
    PARAGRAPH_ENDS,
    SIGNS,
    SKIPPED,
    SYMBOLS,
    encoding_of_charset,
)
from documents.readers.rtf.pictures import pictures
from documents.readers.shared.code import is_code_style, is_monospaced
from documents.readers.shared.code_pages import encoding_of_page
from documents.readers.shared.pictures import write_pictures
from documents.text import Extracted, Writer, repeated
from errors import TaskError

_TOKEN = re.compile(
    rb"\\(?P<word>[a-zA-Z]{1,40})(?P<number>-?\d{1,9})? ?|(?P<bytes>(?:\\'[0-9a-fA-F]{2})+)|\\(?P<symbol>[^a-zA-Z'])"
    rb"|(?P<brace>[{}])|(?P<text>[^\\{}\r\n\x00]+)|[\r\n\x00]+|\\",
    re.DOTALL,
)
_HEADING = re.compile(r"(?:heading|标题|標題)\s*(\d)$", re.IGNORECASE)
#: Signs, and letters that are signs in Symbol, in Wingdings, and as Word bullets its second level.
_BULLET = re.compile(r"(?:\W|[oqØüà])$")
_VISIBLE = re.compile("[!-~]")
_BODY_LEVEL = 9  # of \outlinelevel
#: The properties that times are, and the words that make a day.
_TIMES = {"creatim": "created", "revtim": "modified"}
_DAY = ("yr", "mo", "dy")
#: The words that say how deep in a list an item is, and how they count its outermost level.
_DEPTHS = {"ilvl": 0, "pnlvl": 1}


@dataclass(slots=True)
class _Group:
    """What a pair of braces keeps to itself. into: where its text goes; None where it is no text."""

    into: list[str] | None
    kind: str = "body"
    encoding: str = ""  # of the font; the document's own when empty
    fallback: int = 1  # characters that stand for the one that \u names, for readers without Unicode
    deleted: bool = False
    is_monospaced: bool = False


def read(path: Path, encoding: str | None = None) -> Extracted:
    """Read an RTF file; `encoding` is what the document's own bytes are in when it names no code page.

    Raises:
      TaskError: corrupt, needs_ocr, too_large.
    """
    reader, data = _Reader(encoding), path.read_bytes()
    reader.all(data)
    warnings = list(reader.warnings)
    if not reader.writer.length:
        warnings += write_pictures("document", pictures(data), reader.writer)
    if reader.broken:
        warnings.append(f"{reader.broken} characters are broken in their encoding and became U+FFFD")
    texts = {name: " ".join("".join(parts).split()) for name, parts in reader.properties.items()}
    days = {name: [time.get(word, 0) for word in _DAY] for name, time in reader.times.items()}
    texts |= {name: "{:04}-{:02}-{:02}".format(*day) for name, day in days.items() if all(day)}
    properties = {name: value for name, value in texts.items() if value}
    return reader.writer.finish("rtf", encoding=reader.encoding, warnings=warnings, properties=properties)


class _Reader:
    """Goes through the tokens of a document once."""

    def __init__(self, encoding: str | None) -> None:
        self.writer = Writer()
        self.encoding = encoding or "cp1252"
        self.warnings: dict[str, None] = {}
        self.broken = 0
        self.properties: dict[str, list[str]] = {}
        self.times: dict[str, dict[str, int]] = {}
        self._text: list[str] = []
        self._label: list[str] = []
        self._name: list[str] = []  # of the style that is being defined
        self._groups: list[_Group] = []
        self._group = _Group(self._text)
        self._pending = bytearray()
        self._skip = 0
        self._starred = False
        self._fonts: dict[int, str] = {}
        self._font = 0  # the one that is being defined
        self._monospaced: set[int] = set()
        self._default_font = 0
        self._styles: dict[int, int] = {}
        self._code_styles: set[int] = set()
        self._style = self._outline = -1
        self._blocks = Blocks()
        self._paragraph = Paragraph("")  # what is said of the one that is read
        self._fixed = self._other = False  # whether any of its letters are monospaced, and whether any are not
        self._in_table = False
        self._cell: list[str] = []
        self._cells: list[str] = []
        self._rows: list[list[str]] = []
        self._merged: list[bool] = []  # of the columns of a row, which go on with the cell above
        self._goes_on = False
        self._notes: list[list[str]] = []

    def all(self, data: bytes) -> None:
        """Read the document, up to the brace that closes it."""
        at = 0
        while match := _TOKEN.match(data, at):
            at = match.end()
            kind = match.lastgroup
            if kind in ("text", "bytes"):
                raw = match.group(kind)
                self._bytes(bytes.fromhex(raw.replace(b"\\'", b"").decode()) if kind == "bytes" else raw)
            elif kind == "brace":
                self._flush()
                self._skip, self._starred = 0, False
                if match.group() == b"{":
                    self._groups.append(self._group)
                    self._group = replace(self._group)
                elif not self._close():
                    break
            elif kind == "symbol":
                self._symbol(match.group("symbol"))
            elif match.group("word"):
                number = int(match.group("number")) if match.group("number") else None
                word = match.group("word").decode()
                at += max(number or 0, 0) if word == "bin" else 0
                self._word(word, number)
        if self._groups:
            raise TaskError("corrupt", f"the document breaks off: {len(self._groups)} of its groups are never closed")
        self._end_paragraph()
        self._end_table()
        self._blocks.write(self.writer)
        for number, note in enumerate(self._notes, 1):
            self.writer.block(f"[^{number}]: {' '.join(''.join(note).split())}", tight=number > 1)

    def _bytes(self, raw: bytes) -> None:
        skipped = min(self._skip, len(raw))
        self._skip -= skipped
        if self._group.into is not None and not self._group.deleted:
            self._pending += raw[skipped:]

    def _flush(self) -> None:
        """Decode the bytes that have come; a character of two bytes may have come in two tokens."""
        if not self._pending or self._group.into is None:
            self._pending.clear()
            return
        raw, own = bytes(self._pending), self._group.encoding or self.encoding
        self._pending.clear()
        # A single sign above ASCII in a Chinese font may be a Latin letter.
        single = sum(byte > 127 for byte in raw) < 2
        for name in (own, "cp1252") if single else (own,):
            try:
                self._add(raw.decode(name))
                return
            except UnicodeError:
                continue
        text = raw.decode(own, "replace")
        self.broken += text.count("\ufffd")
        self._add(text)

    def _put(self, text: str) -> None:
        self._flush()
        if self._skip:
            self._skip -= 1
        elif self._group.into is not None and not self._group.deleted:
            self._add(text)

    def _add(self, text: str) -> None:
        into = self._group.into
        assert into is not None
        into.append(text)
        # Letters above ASCII are often set in a font of their own, code or not.
        if into is self._text and _VISIBLE.search(text):
            self._fixed |= self._group.is_monospaced
            self._other |= not self._group.is_monospaced

    def _symbol(self, symbol: bytes) -> None:
        if symbol == b"*":
            self._starred = True
        elif symbol in b"\r\n":
            self._word("par", None)
        elif symbol in SYMBOLS:
            self._put(SYMBOLS[symbol])
        else:
            self._flush()

    def _word(self, word: str, number: int | None) -> None:
        self._flush()
        starred, self._starred = self._starred, False
        if word in _DEPTHS:  # also in groups that are skipped otherwise
            self._paragraph.depth = (number or 0) - _DEPTHS[word]
        elif (time := _TIMES.get(self._group.kind)) is not None:
            self.times.setdefault(time, {})[word] = number or 0
        elif word in SKIPPED or (starred and word not in KEPT):
            self._open_skipped(word)
        elif word == "u" and number is not None:
            self._put(chr(number % 0x10000))
            self._skip = self._group.fallback
        elif word in SIGNS:
            self._put(SIGNS[word])
        elif self._group.kind in ("fonts", "styles"):
            self._define(word, number)
        elif word in PARAGRAPH_ENDS or word in ("cell", "row"):
            self._end(word)
        elif not self._destination(word):
            self._format(word, number)

    def _open_skipped(self, word: str) -> None:
        self._group.into = None
        self._group.kind = "info" if word == "info" else "skipped"

    def _destination(self, word: str) -> bool:
        """Direct the text of a group to where it belongs; False for a word that opens no group of its own."""
        group = self._group
        match word:
            case "fonttbl":
                group.kind, group.into = "fonts", self._name
            case "stylesheet":
                group.kind, group.into = "styles", self._name
            case "title" | "author" | "subject" | "keywords" if group.kind == "info":
                group.into = self.properties.setdefault(word, [])
            case "creatim" | "revtim" if group.kind == "info":
                group.kind = word
            case "upr":  # the same twice, the second time in Unicode
                group.kind, group.into = "upr", None
            case "ud" if group.kind == "upr":
                around = self._groups[-2] if len(self._groups) > 1 else _Group(self._text)
                group.kind, group.into = around.kind, around.into
            case _ if group.into is None:
                pass
            case "listtext" | "pntext":
                group.kind, group.into = "label", self._label
            case "footnote":
                self._notes.append([])
                group.into.append(f"[^{len(self._notes)}]")
                group.kind, group.into = "note", self._notes[-1]
            case _:
                return False
        return True

    def _define(self, word: str, number: int | None) -> None:
        """Take in a word of the tables of fonts and of styles."""
        number = number or 0
        match self._group.kind, word:
            case "fonts", "f":
                self._font = number
            case "fonts", "fcharset":
                self._fonts[self._font] = encoding_of_charset(number) or ""
                if number in EAST_ASIAN:  # where fonts that are called modern are those of prose
                    self._monospaced.discard(self._font)
            case "fonts", "fmodern":
                self._monospaced.add(self._font)
            case "fonts", "cpg" if page := encoding_of_page(number):
                self._fonts[self._font] = page
            case "styles", "s":
                self._style = number
            case "styles", "outlinelevel":
                self._outline = number

    def _format(self, word: str, number: int | None) -> None:
        match word:
            case "f":
                self._group.encoding = self._fonts.get(number or 0, "")
                self._group.is_monospaced = (number or 0) in self._monospaced
            case "deff":
                self._default_font = number or 0
            case "plain":
                self._group.encoding, self._group.deleted = "", False
                self._group.is_monospaced = self._default_font in self._monospaced
            case "uc":
                self._group.fallback = max(number or 0, 0)
            case "deleted":
                self._group.deleted = number != 0
            case "ansi" | "mac" | "pc" | "pca":
                self.encoding = ORIGINS[word]
            case "ansicpg":
                page = encoding_of_page(number or 0)
                if page is None:
                    self.warnings[f"the code page {number} is unknown; {self.encoding} was used"] = None
                self.encoding = page or self.encoding
            case _ if self._group.into is self._text:  # paragraphs of notes and labels are none of the text
                self._format_paragraph(word, number)

    def _format_paragraph(self, word: str, number: int | None) -> None:
        match word:
            case "pard":
                self._paragraph, self._in_table = Paragraph(""), False
            case "s":
                self._paragraph.level = self._styles.get(number or 0)
                self._paragraph.in_code_style = (number or 0) in self._code_styles
            case "outlinelevel":
                self._paragraph.level = (number or 0) + 1 if (number or 0) < _BODY_LEVEL else None
            case "li":
                self._paragraph.indent = number or 0
            case "intbl":
                self._in_table = True
            case "trowd":
                self._merged, self._goes_on = [], False
            case "clvmrg":
                self._goes_on = True
            case "cellx":
                self._merged.append(self._goes_on)
                self._goes_on = False

    def _close(self) -> bool:
        """Close a group; False when it was the document."""
        if not self._groups:
            return False
        if self._group.kind == "styles":
            self._define_style()
        elif self._group.kind == "fonts":
            self._define_font()
        self._group = self._groups.pop()
        return bool(self._groups)

    def _define_font(self) -> None:
        if is_monospaced("".join(self._name)):
            self._monospaced.add(self._font)
        self._name.clear()

    def _define_style(self) -> None:
        name = "".join(self._name).strip(" ;")
        self._name.clear()
        if self._style >= 0 or name:
            heading = _HEADING.match(name)
            if 0 <= self._outline < _BODY_LEVEL:
                self._styles[max(self._style, 0)] = self._outline + 1
            elif heading:
                self._styles[max(self._style, 0)] = int(heading.group(1))
            elif name.lower() == "title":
                self._styles[max(self._style, 0)] = 0
            elif is_code_style(name):
                self._code_styles.add(max(self._style, 0))
        self._style = self._outline = -1

    def _end(self, word: str) -> None:
        """End a paragraph, a cell or a row; inside of a note or a label that is a space."""
        if self._group.into is not self._text:
            if self._group.into is not None:
                self._group.into.append(" ")
        elif word == "cell":
            self._cell.append(" ".join(self._taken()).strip())
            self._cells.append(" ".join(text for text in self._cell if text))
            self._cell = []
        elif word == "row":
            above = self._rows[-1] if self._rows else []
            self._cells = [
                repeated(other) if merged and not cell else cell
                for cell, other, merged in zip_longest(self._cells, above, self._merged, fillvalue="")
            ][: len(self._cells)]
            if any(self._cells):
                self._rows.append(self._cells)
            self._cells = []
        elif self._in_table:
            self._cell.append(" ".join(self._taken()).strip())
        else:
            self._end_paragraph()

    def _taken(self) -> tuple[str, str]:
        """Return the paragraph's list label and its text, and forget them; halves of characters are joined."""
        label, text = (
            "".join(part).encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
            for part in (self._label, self._text)
        )
        self._label.clear()
        self._text.clear()
        label = label.strip()
        return "-" if _BULLET.match(label) else label, text

    def _end_paragraph(self) -> None:
        label, text = self._taken()
        if text.strip():
            self._end_table()
        fixed = self._fixed and not self._other if text.strip() else self._group.is_monospaced
        self._blocks.add(replace(self._paragraph, text=text, label=label, is_monospaced=fixed))
        self._fixed = self._other = False

    def _end_table(self) -> None:
        if self._cells or self._cell:
            self._end("row")
        if self._rows:
            self._blocks.add(self._rows)
            self._rows = []
