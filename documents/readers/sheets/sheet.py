"""A sheet of a workbook: its name a heading, its rows a table."""

from __future__ import annotations

from collections.abc import Sequence

from documents.readers.sheets.csv import has_header
from documents.text import Writer, table_lines

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
