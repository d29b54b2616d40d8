"""A sheet of a workbook: its name a heading, its rows a table that repeats its header every few rows."""

from __future__ import annotations

from collections.abc import Sequence

from documents.readers.csv import has_header
from documents.text import Writer, table_lines

#: So long a table fits into a chunk of the usual size together with the sheet's name.
_TABLE = 800
#: A table is at least so many times as long as its header, or the header would be most of the text.
_HEADERS = 4
_SAMPLE_ROWS = 200

#: The cells of a row that hold something, by column.
Row = dict[int, str]


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
    _table(writer, [[row.get(column, "") for column in columns] for row in rows[first:]])


def _table(writer: Writer, rows: list[list[str]]) -> None:
    """Write tables of a few rows each, so that every row is near the names of its columns."""
    if not rows:
        return
    header = rows[0] if has_header(rows[:_SAMPLE_ROWS]) else [""] * len(rows[0])
    longest = max(_TABLE, _HEADERS * _length(header))
    part, length = [rows[0]], _length(rows[0])
    for row in rows[1:]:
        if length + _length(row) > longest and len(part) > 1:
            writer.block(table_lines(part), "table")
            part, length = [header], _length(header)
        part.append(row)
        length += _length(row)
    writer.block(table_lines(part), "table")


def _length(row: list[str]) -> int:
    """About how many characters a row takes."""
    return sum(map(len, row)) + 3 * len(row)
