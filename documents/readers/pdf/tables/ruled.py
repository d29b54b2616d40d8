"""Tables of a PDF whose cells are ruled: a text belongs to the cell in which it stands, however many lines it has."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Container, Iterator
from dataclasses import replace
from itertools import groupby, pairwise

import pypdfium2

from documents.readers.pdf.monospace import Edges
from documents.readers.pdf.tables.aligned import Table
from documents.readers.pdf.tables.ruling_lines import Grid, grids_of
from documents.readers.shared.layout import Line, glue, same_row

#: A cell of more characters than this, and cells of more than this on average, are text set in frames.
_LONGEST, _LONG = 1000, 200
#: The least share of cells that hold something.
_FILLED = 1 / 3
#: The middle of a line's letters is so far above its lower edge, in sizes of its font.
_MIDDLE = 0.4
#: A word that goes beyond a ruled line by less than this, in sizes of its font, belongs before it.
_TOUCHES = 0.75
#: So many lines stand beside others where a table is; the gaps between them are wider than this.
_FEWEST_BESIDE, _APART = 3, 0.6
_MARK = re.compile(r"[\d.]+\s*|\W?\w?\W?\s*")
_NUMBER = re.compile(r"[-+−±~<>$€£¥( ]*\d(?:[\d.,:/ −-]*\d)?[%‰$€£¥*) ]*")


def with_cells(page: pypdfium2.PdfPage, lines: list[Line], starts: list[int | None], edges: Edges) -> list[Line]:
    """Return the lines of a page, those of ruled tables with their cells, and cut where a ruled line cuts them.

    starts: the places in the page's text at which the lines begin; None for what was filled in, which is not in it.
    """
    if not _may_have_any(lines):
        return lines
    for number, grid in enumerate(grids_of(page)):
        inside = [at for at, line in enumerate(lines) if _is_inside(grid, line)]
        placed = [piece for at in inside for piece in _cut(lines[at], starts[at], grid, number, edges)]
        placed = _with_rows(placed)
        if _is_table(placed):
            first = inside[0]
            held = set(inside)
            kept = [at for at in range(len(lines)) if at not in held]
            before = sum(at < first for at in kept)
            lines = [*(lines[at] for at in kept[:before]), *placed, *(lines[at] for at in kept[before:])]
            starts = [*(starts[at] for at in kept[:before]), *[0] * len(placed), *(starts[at] for at in kept[before:])]
    return lines


def _may_have_any(lines: list[Line]) -> bool:
    """Return whether enough lines stand side by side, or have cells; to look for rules on each page takes too long."""
    beside = sum(before.last_bottom - line.bottom < line.size / 2 for before, line in pairwise(lines))
    return beside + sum(1 for line in lines if line.gaps and _has_cells(line)) >= _FEWEST_BESIDE


def _has_cells(line: Line) -> bool:
    """Return whether a line has a gap that is wide, follows no number of a heading or an item, and is none of code."""
    if line.typed is not None and line.typed[2]:
        return False
    return any(
        right - left > _APART * line.size and not _MARK.fullmatch(line.text, 0, at) for at, left, right in line.gaps
    )


def ruled_tables(lines: list[Line], headings: Container[int]) -> list[Table]:
    """Return the tables of a page whose lines have their cells; none with a heading in it."""
    tables = []
    for number, run in groupby(range(len(lines)), key=lambda at: _number(lines[at])):
        indexes = list(run)
        if number is not None and not any(index in headings for index in indexes):
            tables.append(Table(indexes[0], indexes[-1] + 1, _rows([lines[index] for index in indexes]), begins=True))
    return tables


def _number(line: Line) -> int | None:
    return line.cell[0] if line.cell is not None else None


def _is_inside(grid: Grid, line: Line) -> bool:
    height = line.bottom + _MIDDLE * line.size
    return (
        line.cell is None
        and line.left < line.right
        and all(grid.holds(x, height) for x in (line.left + line.size / 4, line.right - line.size / 4))
    )


def _cut(line: Line, start: int | None, grid: Grid, number: int, edges: Edges) -> Iterator[Line]:
    """Yield the pieces of a line that stand in different cells."""
    height = line.bottom + _MIDDLE * line.size
    if start is None:
        yield replace(line, cell=(number, *grid.cell((line.left + line.right) / 2, height)))
        return
    cuts = [0]
    for border in grid.columns[1:-1]:
        if line.left < border < line.right and grid.cell(border - 1, height) != grid.cell(border + 1, height):
            cuts.append(max(cuts[-1], _cut_at(line, start, border, edges)))
    for first, stop in pairwise([*cuts, len(line.text)]):
        text = line.text[first:stop].strip()
        if text:
            begin = line.text.index(text, first)
            left, right = edges(start + begin)[0], edges(start + begin + len(text) - 1)[1]
            cell = grid.cell((left + right) / 2, height)
            yield replace(line, text=text, left=left, right=right, gaps=[], typed=None, cell=(number, *cell))


def _cut_at(line: Line, start: int, border: float, edges: Edges) -> int:
    """Return the index of the first character behind a border; a word that only touches the border is not cut."""
    at = bisect_left(range(len(line.text)), border, key=lambda at: sum(edges(start + at)) / 2)
    begin, end = line.text.rfind(" ", 0, at) + 1, line.text.find(" ", at)
    end = len(line.text) if end < 0 else end
    if begin < at < end:
        if edges(start + end - 1)[1] - border < _TOUCHES * line.size:
            return end
        if border - edges(start + begin)[0] < _TOUCHES * line.size:
            return begin
    return at


def _with_rows(lines: list[Line]) -> list[Line]:
    """Return the lines with their rows, where several stand between two ruled lines; none where that is uncertain."""
    bands: dict[int, list[Line]] = defaultdict(list)
    for line in lines:
        if line.cell is not None:
            bands[line.cell[1]].append(line)
    kept: list[Line] = []
    count = 0
    for _, band in sorted(bands.items()):
        heights = _rows_within(band, certain=len(bands) > 2)
        if heights is None:
            return []
        for line in band:
            if line.cell is not None:
                number, _, column = line.cell
                row = sum(line.bottom < height + line.size / 2 for height in heights)
                kept.append(replace(line, cell=(number, count + row, column)))
        count += len(heights) + 1
    return kept


def _rows_within(band: list[Line], certain: bool) -> list[float] | None:
    """Return where further rows begin between two ruled lines: the lower edges of their first lines.

    Nobody breaks numbers over lines, and hardly do three cells or more have as many lines each. None where no more than
    two rows are ruled: the lines may be rows, or parts of a text in columns.
    """
    columns: dict[int, list[Line]] = defaultdict(list)
    for line in band:
        column = columns[line.cell[2] if line.cell else 0]
        if not column or not same_row(column[-1], line):
            column.append(line)
    numbers = [column for column in columns.values() if len(column) > 1 and all(map(_is_number, column))]
    tall = [column for column in columns.values() if len(column) > 1]
    if numbers and len(tall) > 1:
        return [line.bottom for line in max(numbers, key=len)[1:]]
    if not certain:
        return [] if len(tall) < 2 else None
    return [line.bottom for line in tall[0][1:]] if len(columns) > 2 and _are_rows(list(columns.values())) else []


def _are_rows(columns: list[list[Line]]) -> bool:
    """Return whether columns have three lines or more, as many each and at the same heights."""
    return len(columns[0]) > 2 and all(
        len(column) == len(columns[0]) and all(map(same_row, columns[0], column)) for column in columns
    )


def _is_number(line: Line) -> bool:
    return _NUMBER.fullmatch(line.text) is not None


def _is_table(lines: list[Line]) -> bool:
    """Return whether what stands in a grid is a table: no text set in frames, no drawing."""
    if not lines:
        return False
    texts = _texts(lines)
    lengths = [len(text) for text in texts.values()]
    rows, columns = ({cell[at] for cell in texts} for at in (0, 1))
    return (
        len(rows) > 1
        and len(columns) > 1
        and max(lengths) <= _LONGEST
        and sum(lengths) <= _LONG * len(lengths)
        and len(texts) >= _FILLED * len(rows) * len(columns)
    )


def _texts(lines: list[Line]) -> dict[tuple[int, int], str]:
    """Return, by row and column, what the lines say that stand below each other in one cell."""
    texts: dict[tuple[int, int], str] = defaultdict(str)
    for line in lines:
        if line.cell is not None:
            _, row, column = line.cell
            before = texts[row, column]
            texts[row, column] = before + (glue(before, line.text) if before else "") + line.text
    return texts


def _rows(lines: list[Line]) -> list[list[str]]:
    texts = _texts(lines)
    rows, columns = (sorted({cell[at] for cell in texts}) for at in (0, 1))
    return [[texts.get((row, column), "") for column in columns] for row in rows]
