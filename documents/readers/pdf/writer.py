"""The text of a PDF, written page by page; a paragraph that runs over the end of a page stays one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise, zip_longest
from typing import TypeGuard

from documents.readers.pdf.code import Code, Listing
from documents.readers.pdf.headings import is_number, letters_of
from documents.readers.pdf.tables.aligned import Table, tables_of
from documents.readers.pdf.tables.ruled import ruled_tables
from documents.readers.shared.layout import NUMBERED, Block, Frame, Hyphens, Line, blocks_of, breaks, glue, has_mark
from documents.readers.sheets.sheet import write_table
from documents.text import Writer

#: Where a sentence ends, or announces what follows.
_ENDED = re.compile(r"[.!?…:。！？：][\"'”’」』)\]）】]*$")
_CHINESE = re.compile("[\u3005-\u3007\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")
#: A paragraph's first line is indented by this much, in sizes of its font.
_INDENT = 0.8
#: Two lines of one paragraph differ no more in the sizes of their fonts, as a share of the larger.
_ALIKE = 0.05
#: A line that is no wider than this share of the next one has no words that go on: it is a page's number, or a mark.
_LEAST = 0.5


Piece = Block | Table | Listing


@dataclass(slots=True)
class _Held:
    """The paragraph that ends a page, not written yet; `joint` is what stands before it where it began earlier."""

    text: str
    joint: str | None


class Pages:
    """Writes pages, to be added in their order. `finish` must be called before `writer` has all."""

    def __init__(self, hyphens: Hyphens, code: Code) -> None:
        self.writer = Writer()
        self._code = code
        self._hyphens = hyphens
        self._begun: list[int] = []
        self._before: list[Line] = []
        self._held: _Held | None = None

    def add(self, number: int, lines: list[Line], levels: dict[int, int]) -> None:
        """Add a page by its number from 1; `levels` are those of the lines, by index, that are headings."""
        self._begun.append(number)
        if not lines:
            return
        pieces = list(self._pieces(lines, levels))
        joint = self._joint(lines) if _is_paragraph(pieces[0]) else None
        self._close(joint)
        for piece in pieces[:-1]:
            self._write(piece, joint)
            joint = None
        if _is_paragraph(pieces[-1]):
            self._held = _Held(pieces[-1].text, joint)
        else:
            self._write(pieces[-1], joint)
        self._before = lines

    def finish(self) -> Writer:
        """Return the writer of all pages."""
        self._close(None)
        return self.writer

    def _pieces(self, lines: list[Line], levels: dict[int, int]) -> Iterator[Piece]:
        """Yield what a page consists of, in its order: tables, code, and between them headings and paragraphs."""
        blocks = self._tables_and_code(lines, levels)
        runs = list(pairwise([0, *(edge for block in blocks for edge in (block.first, block.last)), len(lines)]))[::2]
        frame = Frame([line for first, stop in runs for line in lines[first:stop]])
        for (first, stop), special in zip_longest(runs, blocks):
            inner = {index - first: level for index, level in levels.items() if first <= index < stop}
            yield from blocks_of(lines[first:stop], inner, self._hyphens, frame)
            if special is not None:
                yield special

    def _tables_and_code(self, lines: list[Line], levels: dict[int, int]) -> list[Table | Listing]:
        listings = list(self._code.listings(lines, levels))
        certain: list[Table | Listing] = [*listings, *ruled_tables(lines, levels)]
        taken = levels.keys() | {at for block in certain for at in range(block.first, block.last)}
        return sorted([*certain, *tables_of(lines, taken)], key=lambda block: block.first)

    def _joint(self, lines: list[Line]) -> str | None:
        """Return what stands between the held paragraph and the rest of it on this page; None where it has ended."""
        if self._held is None or not _goes_on(self._before, lines):
            return None
        text = self._hyphens.before(self._held.text, lines[0].text)
        if text is None:
            return glue(self._held.text, lines[0].text)
        self._held.text = text
        return ""

    def _close(self, joint: str | None) -> None:
        """Write the paragraph that is held, and where the pages begin of which nothing is written."""
        if self._held is not None:
            self._write(Block(self._held.text), self._held.joint)
            self._held = None
        for number in self._begun:
            self.writer.page(number, "\n\n" if joint is None else joint)
        self._begun.clear()

    def _write(self, piece: Piece, joint: str | None) -> None:
        if isinstance(piece, Listing):
            self.writer.code(piece.text)
        elif isinstance(piece, Table):
            write_table(self.writer, [list(map(self._hyphens.join, row)) for row in piece.rows], piece.begins)
        elif piece.level is not None:
            self.writer.heading(piece.text, piece.level)
        elif joint is not None:
            self.writer.more(piece.text, joint)
        else:
            self.writer.block(piece.text)


def _is_paragraph(piece: Piece) -> TypeGuard[Block]:
    return isinstance(piece, Block) and piece.level is None


def _goes_on(before: list[Line], lines: list[Line]) -> bool:
    """Return whether the sentence that a page ends with goes on in the first line of the next page."""
    last, first = before[-1], lines[0]
    if _ENDED.search(last.text) or abs(last.size - first.size) > _ALIKE * max(last.size, first.size):
        return False
    if last.right - last.left < _LEAST * (first.right - first.left) or is_number(letters_of(last.text)):
        return False
    if not (first.text[0].islower() or _CHINESE.match(first.text)) or has_mark(first.text):
        return False
    indented = len(lines) > 1 and first.left - lines[1].left > _INDENT * first.size
    if indented or NUMBERED.match(first.text):
        return False
    return not breaks(last, first, Frame([*before, *lines]))
