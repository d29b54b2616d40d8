"""The paragraphs and tables of an RTF document, written once all are known: what is code is judged by the whole."""

from __future__ import annotations

from dataclasses import dataclass

from documents.text import Writer, table_lines

_LONGEST_HEADING = 400
_DEEPEST_LIST = 8
_LEAST_PROSE = 0.1


@dataclass(slots=True)
class Paragraph:
    """A paragraph, which is empty where it is but a line of space.

    label: of a list's item. indent: of its left edge in twips. depth: in the list from 0, where the document tells it.
    """

    text: str
    label: str = ""
    level: int | None = None
    depth: int | None = None
    indent: int = 0
    in_code_style: bool = False
    is_monospaced: bool = False


#: The rows of a table, each of its cells.
Table = list[list[str]]


class Blocks:
    """Collects blocks."""

    def __init__(self) -> None:
        self._blocks: list[Paragraph | Table] = []
        self._fonts_tell = False
        self._code: list[str] = []  # lines of code that are not yet written
        self._indents: list[int] = []  # of the items that the next one may be within

    def add(self, block: Paragraph | Table) -> None:
        """Take in the next block."""
        self._blocks.append(block)

    def write(self, writer: Writer) -> None:
        """Write all blocks. A typeface tells code only where there is prose in others: some type all in one."""
        letters = {True: 0, False: 0}
        for block in self._blocks:
            if isinstance(block, Paragraph):
                letters[block.is_monospaced] += len(block.text)
        self._fonts_tell = letters[False] > _LEAST_PROSE * sum(letters.values())
        for block in self._blocks:
            if isinstance(block, Paragraph) and self._is_code(block):
                self._code.append(block.text)
                self._indents = []
            elif isinstance(block, list) or block.text.strip():
                self._end_code(writer)
                self._write(block, writer)
            elif not block.is_monospaced:
                self._end_code(writer)
        self._end_code(writer)

    def _is_code(self, paragraph: Paragraph) -> bool:
        if paragraph.label or paragraph.level is not None:
            return False
        if not paragraph.text.strip():
            return bool(self._code) and (paragraph.in_code_style or paragraph.is_monospaced)
        return paragraph.in_code_style or (paragraph.is_monospaced and self._fonts_tell)

    def _end_code(self, writer: Writer) -> None:
        if self._code:
            writer.code("\n".join(self._code))
            self._code = []

    def _write(self, block: Paragraph | Table, writer: Writer) -> None:
        within, self._indents = self._indents, []
        if isinstance(block, list):
            if max(map(len, block)) > 1:
                writer.block(table_lines(block), "table")
            else:
                for (text,) in block:
                    writer.block(text)
            return
        text = f"{block.label} {block.text.strip()}".strip()
        if block.level is not None and len(text) < _LONGEST_HEADING:
            writer.heading(text, block.level, "#" * min(max(block.level, 1), 6) + " ")
        elif block.label:
            self._indents = [indent for indent in within if indent < block.indent] + [block.indent]
            depth = len(self._indents) - 1 if block.depth is None else block.depth
            writer.block("  " * min(max(depth, 0), _DEEPEST_LIST) + text, tight=bool(within))
        else:
            writer.block(text)
