"""The tables of reStructuredText: drawn as a grid, drawn by columns, and as lists or values in a directive."""

from __future__ import annotations

import csv
import re
from itertools import pairwise
from unicodedata import east_asian_width

from documents.readers.sheets.sheet import write_table
from documents.text import Writer, table_lines

GRID_BORDER = re.compile(r"\+(?:-+\+)+$")
SIMPLE_BORDER = re.compile(r"=+(?: +=+)+$")
_GRID_HEADER = re.compile(r"\+(?:=+\+)+$")
_GRID_PART = re.compile(r"[-=]*\+[-=+]*")
_SPAN = re.compile(r"-+(?: +-+)*$")
_CELL = re.compile(r"(?:[*+-] +)?[*+-](?: +(.*))?$")
#: Stands for the second half of a character that is two columns wide.
_HALF = "\0"


def grid_rows(lines: list[str]) -> tuple[list[list[str]], bool]:
    """Return the rows of a table drawn with lines, and whether the first is a header.

    A cell over several columns stands in the first of them; one over several rows, where its text stands.
    """
    lines = [_in_columns(line) for line in lines]
    edges = sorted({at for line in lines if _is_border(line) for at, sign in enumerate(line) if sign == "+"})
    rows: list[list[str]] = []
    cells = [""] * (len(edges) - 1)
    header = False
    for line in lines:
        if not _is_border(line):
            cells = [f"{cell} {part}" for cell, part in zip(cells, _grid_cells(line, edges), strict=True)]
        elif any(map(str.strip, cells)):
            rows.append([_cell(cell) for cell in cells])
            cells = [""] * len(cells)
            header = header or (len(rows) == 1 and _GRID_HEADER.match(line) is not None)
    return rows, header


def _is_border(line: str) -> bool:
    """Return whether a line divides rows, all of them or, where a cell goes over several, some."""
    return line.startswith("+") or (line.startswith("|") and re.search(r"\+[-=]+\+", line) is not None)


def _grid_cells(line: str, edges: list[int]) -> list[str]:
    """Return what a line says in each column; what goes over an edge belongs to the column in which it began."""
    cells = [""] * (len(edges) - 1)
    first = 0
    for number, (left, right) in enumerate(pairwise(edges)):
        first = first if line[left : left + 1] not in ("|", "+") else number
        cells[first] += line[left + (first == number) : right]
    return cells


def simple_rows(lines: list[str]) -> tuple[list[list[str]], bool]:
    """Return the rows of a table whose columns a border of `=` marks, and whether the first is a header."""
    starts = [match.start() for match in re.finditer("=+", lines[0])]
    rows: list[list[str]] = []
    header = False
    for number, line in enumerate(map(_in_columns, lines)):
        if SIMPLE_BORDER.match(line):
            if rows and number < len(lines) - 1 and not header:
                header = True
                rows = [[" ".join(filter(None, column)) for column in zip(*rows, strict=True)]]
        elif line.strip() and not _SPAN.match(line.strip()):
            cells = _simple_cells(line, starts)
            if rows and not cells[0] and len(rows) > header:
                rows[-1] = [" ".join(filter(None, pair)) for pair in zip(rows[-1], cells, strict=True)]
            else:
                rows.append(["" if cell == "\\" else cell for cell in cells])
    return rows, header


def _simple_cells(line: str, starts: list[int]) -> list[str]:
    cells = [""] * len(starts)
    first = 0
    for number, (start, end) in enumerate(pairwise([*starts, len(line) + 1])):
        first = first if start and line[start - 1 : start].strip() else number
        cells[first] += line[start:end]
    return [_cell(cell) for cell in cells]


def list_rows(lines: list[str]) -> list[list[str]]:
    """Return the rows of a list of lists: `* - a` begins a row, `  - b` is a further cell of it."""
    rows: list[list[str]] = []
    for line in lines:
        match = _CELL.match(line.strip())
        indent = len(line) - len(line.lstrip())
        if match and indent == 0:
            rows.append([match.group(1) or ""])
        elif match and indent <= 4 and rows:
            rows[-1].append(match.group(1) or "")
        elif rows:
            rows[-1][-1] += f" {line.strip()}"
    return [[_cell(cell) for cell in row] for row in rows]


def csv_rows(lines: list[str], delimiter: str) -> list[list[str]]:
    """Return the rows of values with something between them; none where they are not such."""
    try:
        rows = csv.reader([line for line in lines if line], delimiter=delimiter, skipinitialspace=True)
        return [list(map(_cell, row)) for row in rows if any(row)]
    except (csv.Error, TypeError):
        return []


def write_rows(writer: Writer, rows: list[list[str]], header: bool) -> None:
    """Write a table; without a header it has an empty one, or its first row where that names its columns.

    Raises:
      TaskError: too_large.
    """
    if rows and header:
        writer.block(table_lines(rows), "table")
    elif rows:
        width = max(map(len, rows))
        write_table(writer, [row + [""] * (width - len(row)) for row in rows])


def _cell(text: str) -> str:
    return " ".join(text.replace(_HALF, "").split())


def _in_columns(line: str) -> str:
    """Return a line with a place for each column: the characters of East Asia take two."""
    if line.isascii():
        return line
    return "".join(sign + _HALF if east_asian_width(sign) in "WF" else sign for sign in line)


def columns_of(text: str) -> int:
    """Return how many columns a text is wide."""
    return len(_in_columns(text))
