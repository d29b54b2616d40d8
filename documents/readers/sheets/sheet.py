"""A sheet of a workbook: its name a heading, its rows a table."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from documents.readers.sheets.csv import has_header
from documents.text import Writer, repeated, table_lines

_SAMPLE_ROWS = 200

#: The cells of a row that hold something, by column.
Row = dict[int, str]


class Merged:
    """The cells of a sheet that reach over several rows. Rows must come from the first to the last.

    Parameters:
      ranges: first row, last row and column of each.
    """

    def __init__(self, ranges: Iterable[tuple[int, int, int]]) -> None:
        self._beginning: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for first, last, column in ranges:
            if last > first:
                self._beginning[first].append((last, column))
        self._reaching: dict[int, tuple[int, str]] = {}  # of each column, up to which row, and what

    def complete(self, number: int, row: Row) -> int:
        """Write into a row what reaches into it, unless it is empty otherwise; return how many characters that is."""
        if not (self._beginning or self._reaching):
            return 0
        again = {
            column: text for column, (last, text) in self._reaching.items() if last >= number and column not in row
        }
        for last, column in self._beginning.pop(number, ()):
            self._reaching[column] = last, repeated(row.get(column, ""))
        if row:
            row |= {column: text for column, text in again.items() if text}
        self._reaching = {column: each for column, each in self._reaching.items() if each[0] > number}
        return sum(map(len, again.values())) if row else 0


def write_sheet(writer: Writer, name: str, rows: list[Row], notes: Sequence[str] = ()) -> None:
    """Write a sheet, and below it what is noted on it; nothing for one that is empty.

    Columns that hold nothing are left out, and what stands alone above the table is no part of it.

    Raises:
      TaskError: too_large.
    """
    if rows or any(notes):
        writer.heading(name, 1, "# ")
        _rows(writer, rows)
        for note in notes:
            writer.block(note)


def _rows(writer: Writer, rows: list[Row]) -> None:
    columns = sorted({column for row in rows for column in row})
    if len(columns) == 1:
        writer.block("\n".join(row[columns[0]] for row in rows))
        return
    first = next((at for at, row in enumerate(rows) if len(row) > 1), len(rows))
    for row in rows[:first]:
        writer.block("\n".join(row.values()), tight=row is not rows[0])
    write_table(writer, [[row.get(column, "") for column in columns] for row in rows[first:]])


def write_table(writer: Writer, rows: list[list[str]], begins: bool = True) -> None:
    """Write one table, each row once: the chunker has its header go with every chunk.

    begins: whether the first row may be a header, and not the middle of a longer table.
    A table without a header has an empty one, or its first row would go with chunks to which it says nothing.
    """
    if len(rows) > 1 and not (begins and has_header(rows[:_SAMPLE_ROWS])):
        rows = [[""] * len(rows[0]), *rows]
    if rows:
        writer.block(table_lines(rows), "table")
