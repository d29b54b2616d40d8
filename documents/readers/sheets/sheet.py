"""A sheet of a workbook: its name a heading, its rows a table."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from heapq import heappop, heappush

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
        self._reaching: dict[int, tuple[int, str]] = {}  # of each column, up to which row, and what; never nothing
        self._ends: list[tuple[int, int]] = []  # a heap: up to which row, and the column

    def complete(self, number: int, row: Row) -> int:
        """Write into a row what reaches into it, unless it is empty otherwise; return how many characters that is."""
        while self._ends and self._ends[0][0] < number:
            last, column = heappop(self._ends)
            if column in self._reaching and self._reaching[column][0] == last:
                del self._reaching[column]
        again = {column: text for column, (_, text) in self._reaching.items() if column not in row} if row else {}
        for last, column in self._beginning.pop(number, ()):
            self._reaching.pop(column, None)
            if text := repeated(row.get(column, "")):
                self._reaching[column] = last, text
                heappush(self._ends, (last, column))
        row |= again
        return sum(map(len, again.values()))


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
