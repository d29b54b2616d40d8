"""Tables of a PDF: rows of cells that stand below each other, taken as tables only where that is certain."""

from __future__ import annotations

import re
from collections.abc import Iterator, Set
from dataclasses import dataclass
from itertools import pairwise

from documents.readers.shared.layout import Line, has_mark, same_row

_FEWEST_ROWS = 3
#: Rows farther apart than this, in sizes of their font, are no rows of one table.
_FARTHEST = 4.0
#: A row that is no row of a table is closer to it than this only where it goes on in it, in sizes of its font.
_CLOSE = 1.5
#: Two cells begin, end or are centred at one place, give or take this, in sizes of their font.
_AT_ONE_PLACE = 0.4
#: Cells as long as this, on average, in two columns: text that is set in columns, in characters.
_LONG = 30
#: What a row of a table of contents holds: a number, a title and its page; titles may begin with the number.
_MOST_OF_CONTENTS = 3
_PAGE = re.compile(r"\d{1,4}|[ivxl]{1,6}")
_ENTRY = re.compile(
    r"(?:\d{1,2}|[A-Z])(?:\.\d{1,2}){0,4}\.?(?: |$)|(?:chapter|part|appendix) |第\w{1,6}[章节節部篇编編]", re.IGNORECASE
)
_LEADERS = re.compile(r"(?:[.．·…] ?){4}")
_ITEM = re.compile(r"[(（]?(?:\d{1,3}|[A-Za-z]|[ivx]{1,4})[.)）、]?$|\W$")


@dataclass(slots=True)
class Cell:
    """A piece of a row, with its edges in points."""

    text: str
    left: float
    right: float


@dataclass(slots=True)
class Row:
    """The cells at one height, of the lines from index `first` to before `last`."""

    first: int
    last: int
    cells: list[Cell]
    bottom: float
    size: float


@dataclass(slots=True)
class Table:
    """The lines from index `first` to before `last` as rows of as many cells each.

    begins: whether nothing before it may be of the same table, so that its first row may name its columns.
    """

    first: int
    last: int
    rows: list[list[str]]
    begins: bool


def tables_of(lines: list[Line], headings: Set[int]) -> list[Table]:
    """Return a page's tables, in its order: three rows at least, with cells in columns that touch nowhere.

    Not taken for a table are lists with their marks, text set in columns, and rows of which a cell may run over into
    the next line. `headings` are the indexes of lines that are none of a table.
    """
    tables: list[Table] = []
    if not _may_have_any(lines):
        return tables
    rows = list(_rows(lines, headings))
    at = 0
    while at < len(rows):
        stop = at + 1
        columns = _joined([], rows[at])
        while stop < len(rows) and columns is not None and _follows(rows[stop - 1], rows[stop]):
            wider = _joined(columns, rows[stop])
            if wider is None:
                break
            columns, stop = wider, stop + 1
        if columns is not None and stop - at >= _FEWEST_ROWS and _is_table(rows, at, stop, columns):
            table = rows[at:stop]
            cells = _without_stray_names([_filled(row, columns) for row in table])
            begins = at == 0 or not _follows(rows[at - 1], rows[at])
            tables.append(Table(table[0].first, table[-1].last, cells, begins))
        at = stop
    return tables


def _may_have_any(lines: list[Line]) -> bool:
    """Return whether a page has gaps in enough lines, or lines that do not go down, for a table; most have not."""
    across = sum(before.last_bottom - line.bottom < line.size / 2 for before, line in pairwise(lines))
    return across + sum(1 for line in lines if line.gaps) >= _FEWEST_ROWS


def _rows(lines: list[Line], headings: Set[int]) -> Iterator[Row]:
    """Yield the rows of a page; a heading is a row without cells."""
    first = 0
    for index in range(1, len(lines) + 1):
        if index < len(lines) and _goes_on(lines[index - 1], lines[index]):
            continue
        part = lines[first:index]
        cells = (
            []
            if any(map(headings.__contains__, range(first, index)))
            else [cell for line in part for cell in _cells(line)]
        )
        yield Row(first, index, cells, part[0].bottom, part[0].size)
        first = index


def _goes_on(before: Line, line: Line) -> bool:
    return same_row(before, line) and line.left >= before.right


def _cells(line: Line) -> Iterator[Cell]:
    start, left = 0, line.left
    for at, gap_left, gap_right in line.gaps:
        yield Cell(line.text[start:at].strip(), left, gap_left)
        start, left = at, gap_right
    yield Cell(line.text[start:].strip(), left, line.right)


def _follows(before: Row, row: Row) -> bool:
    """Return whether a row of several cells stands close below another."""
    pitch = before.bottom - row.bottom
    return min(len(before.cells), len(row.cells)) > 1 and 0 < pitch < _FARTHEST * max(before.size, row.size)


def _joined(columns: list[Cell], row: Row) -> list[Cell] | None:
    """Return the columns with a row's, from left to right; None where a cell stands in two, or two stand in one."""
    if len(row.cells) < 2 or any(after.left < cell.right for cell, after in pairwise(row.cells)):
        return None
    kept = list(columns)
    for cell in row.cells:
        touched = [column for column in kept if cell.left < column.right and column.left < cell.right]
        if len(touched) > 1:
            return None
        kept = [column for column in kept if column not in touched]
        edges = [*touched, cell]
        kept.append(Cell("", min(edge.left for edge in edges), max(edge.right for edge in edges)))
    kept.sort(key=lambda column: column.left)
    if any(after.left < column.right for column, after in pairwise(kept)):
        return None
    places = [_column(cell, kept) for cell in row.cells]
    return kept if len(set(places)) == len(places) else None


def _column(cell: Cell, columns: list[Cell]) -> int:
    return next(at for at, column in enumerate(columns) if column.left <= cell.left and cell.right <= column.right)


def _filled(row: Row, columns: list[Cell]) -> list[str]:
    texts = {_column(cell, columns): cell.text for cell in row.cells}
    return [texts.get(at, "") for at in range(len(columns))]


def _without_stray_names(rows: list[list[str]]) -> list[list[str]]:
    """Merge a column name that stood so far aside that it was taken for a column of its own into its column."""
    at = 0
    while at + 1 < len(rows[0]):
        named, other = ([row[place] for row in rows] for place in (at, at + 1))
        if not any(one and another for one, another in zip(named, other, strict=True)) and (
            not any(named[1:]) or not any(other[1:])
        ):
            rows = [[*row[:at], row[at] or row[at + 1], *row[at + 2 :]] for row in rows]
        else:
            at += 1
    return rows


def _is_table(rows: list[Row], first: int, stop: int, columns: list[Cell]) -> bool:
    table = rows[first:stop]
    cells: list[list[Cell]] = [[] for _ in columns]
    for row in table:
        for cell in row.cells:
            cells[_column(cell, columns)].append(cell)
    if not all(cells):  # what has no width stands in its neighbour
        return False
    if len(columns) <= _MOST_OF_CONTENTS and _is_contents([[cell.text for cell in row.cells] for row in table]):
        return False
    if len(columns) == 2 and _are_marks([cell.text for cell in cells[0]]):
        return False
    if 2 * sum(map(len, cells)) < len(table) * len(columns):  # a drawing
        return False
    long = sum(sum(len(cell.text) for cell in column) > _LONG * len(column) for column in cells)
    size = table[0].size
    return (
        long < 2
        and all(_is_aligned(column, size) for column in cells)
        and not any(
            _runs_over(beyond, inner, columns)
            for beyond, inner in (
                (rows[first - 1] if first else None, table[0]),
                (rows[stop] if stop < len(rows) else None, table[-1]),
            )
        )
    )


def _is_contents(rows: list[list[str]]) -> bool:
    """Return whether rows are those of a table of contents: numbered titles, or some with dots, and rising pages."""
    pages = [row[-1] for row in rows]
    if not all(map(_PAGE.fullmatch, pages)):
        return False
    numbers = [int(page) for page in pages if page.isdecimal()]
    entries = sum(1 for row in rows if _ENTRY.match(row[0]) or any(map(_LEADERS.search, row)))
    return numbers == sorted(numbers) and 2 * entries >= len(rows)


def _are_marks(texts: list[str]) -> bool:
    """Return whether texts are the marks of a list's items: numbers, bullets, or one letter of a font for symbols."""
    symbol = len(texts[0]) == 1 and len(set(texts)) == 1
    return symbol or all(_ITEM.match(text) or has_mark(text) for text in texts)


def _is_aligned(column: list[Cell], size: float) -> bool:
    """Return whether a column's cells begin, end, or are centred at one place; its name may stand elsewhere above."""
    below = column[1:] or column
    edges = (
        [cell.left for cell in below],
        [cell.right for cell in below],
        [(cell.left + cell.right) / 2 for cell in below],
    )
    return any(max(places) - min(places) <= 2 * _AT_ONE_PLACE * size for places in edges)


def _runs_over(beyond: Row | None, inner: Row, columns: list[Cell]) -> bool:
    """Return whether a row close to a table belongs to it, as a row or as overflow of its outermost row's cells."""
    if beyond is None or not beyond.cells or abs(beyond.bottom - inner.bottom) > _CLOSE * inner.size:
        return False
    return len(beyond.cells) > 1 or any(
        column.left - inner.size <= cell.left and cell.right <= column.right + inner.size
        for cell in beyond.cells
        for column in columns
    )
