"""The ruled lines of a page of a PDF, and the grids that they make."""

from __future__ import annotations

import ctypes
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pypdfium2
import pypdfium2.raw as pdfium

#: A ruled line is no thicker and no shorter than this, in points.
_THICKEST, _SHORTEST = 3.0, 8.0
#: Lines meet, and are one, give or take so many points.
_NEAR = 3.0
#: A page with more lines than this is a drawing, and one with more objects than this is not looked at.
_MOST_LINES, _MOST_OBJECTS, _MOST_SEGMENTS = 400, 20_000, 1000
#: Segments of all shapes of a page that are looked at one by one, which takes 3 microseconds each.
_MOST_OF_PAGE = 50_000
_MOST_CROSSINGS = 4000


@dataclass(slots=True)
class Rule:
    """A ruled line: where it stands across its direction, and from where to where it goes, in points."""

    at: float
    first: float
    last: float


class Grid:
    """A grid of ruled lines: `columns` are the upright ones from left to right, `rows` the others from the top down."""

    def __init__(self, level: list[Rule], upright: list[Rule]) -> None:
        self._level, self._upright = level, upright
        left, right = min(rule.first for rule in level), max(rule.last for rule in level)
        lower, upper = min(rule.first for rule in upright), max(rule.last for rule in upright)
        self.columns = _distinct([left, right, *(rule.at for rule in upright)])
        self.rows = _distinct([lower, upper, *(rule.at for rule in level)])[::-1]
        self._cells = self._joined()

    def holds(self, x: float, y: float) -> bool:
        """Return whether a place is within the grid."""
        return self.columns[0] <= x <= self.columns[-1] and self.rows[-1] <= y <= self.rows[0]

    def cell(self, x: float, y: float) -> tuple[int, int]:
        """Return row and column of a place in the grid: the upper left of cells between which no line is drawn."""
        column = min(max(bisect_right(self.columns, x) - 1, 0), len(self.columns) - 2)
        row = min(max(bisect_right(self.rows, -y, key=lambda at: -at) - 1, 0), len(self.rows) - 2)
        return self._cells[row, column]

    def _joined(self) -> dict[tuple[int, int], tuple[int, int]]:
        """Return for each cell of the grid the upper left cell of the merged cell that it belongs to."""
        rows, columns = range(len(self.rows) - 1), range(len(self.columns) - 1)
        roots = {(row, column): (row, column) for row in rows for column in columns}

        def root(cell: tuple[int, int]) -> tuple[int, int]:
            while roots[cell] != cell:
                cell = roots[cell]
            return cell

        for row, column in roots:
            for other, wall in (
                ((row, column + 1), self._has_wall_at_right),
                ((row + 1, column), self._has_wall_below),
            ):
                if other in roots and not wall(row, column):
                    first, second = sorted((root((row, column)), root(other)))
                    roots[second] = first
        return {cell: root(cell) for cell in roots}

    def _has_wall_at_right(self, row: int, column: int) -> bool:
        middle = (self.rows[row] + self.rows[row + 1]) / 2
        return _drawn(self._upright, self.columns[column + 1], middle)

    def _has_wall_below(self, row: int, column: int) -> bool:
        middle = (self.columns[column] + self.columns[column + 1]) / 2
        return _drawn(self._level, self.rows[row + 1], middle)


def grids_of(page: pypdfium2.PdfPage) -> list[Grid]:
    """Return the grids of a page that stands upright, of two rows and two columns at least."""
    level, upright = _rules(page)
    if not level or not upright or len(level) + len(upright) > _MOST_LINES:
        return []
    level, upright = _merged(level), _merged(upright)
    grids = [Grid(*part) for part in _connected(level, upright) if len(part[0]) * len(part[1]) <= _MOST_CROSSINGS]
    return [grid for grid in grids if len(grid.rows) > 2 and len(grid.columns) > 2]


def _rules(page: pypdfium2.PdfPage) -> tuple[list[Rule], list[Rule]]:
    """Return the level and the upright lines of a page."""
    rules: tuple[list[Rule], list[Rule]] = ([], [])
    raw = page.raw  # which ctypes takes at once, other than its wrapper
    count = pdfium.FPDFPage_CountObjects(raw)
    if page.get_rotation() or count > _MOST_OBJECTS:
        return rules
    edges, left_to_see = [ctypes.c_float() for _ in range(4)], _MOST_OF_PAGE
    shape_at, type_of, wanted = pdfium.FPDFPage_GetObject, pdfium.FPDFPageObj_GetType, pdfium.FPDF_PAGEOBJ_PATH
    for index in range(count):
        shape = shape_at(raw, index)
        if type_of(shape) != wanted:
            continue
        if not pdfium.FPDFPageObj_GetBounds(shape, *edges):
            continue
        left, bottom, right, top = (edge.value for edge in edges)
        if min(right - left, top - bottom) <= _THICKEST:
            _note(rules, left, bottom, right, top)
        elif left_to_see > 0 and _is_drawn(shape):
            left_to_see -= pdfium.FPDFPath_CountSegments(shape)
            for ends in _strokes(shape):
                _note(rules, *ends)
        if sum(map(len, rules)) > _MOST_LINES:
            break
    return rules


def _note(rules: tuple[list[Rule], list[Rule]], left: float, bottom: float, right: float, top: float) -> None:
    if top - bottom <= _THICKEST and right - left >= _SHORTEST:
        rules[0].append(Rule((top + bottom) / 2, left, right))
    elif right - left <= _THICKEST and top - bottom >= _SHORTEST:
        rules[1].append(Rule((left + right) / 2, bottom, top))


def _is_drawn(shape: pdfium.FPDF_PAGEOBJECT) -> bool:
    """Return whether the outline of a shape is drawn, which a background has not."""
    fill, stroke = ctypes.c_int(), ctypes.c_int()
    return bool(pdfium.FPDFPath_GetDrawMode(shape, fill, stroke) and stroke.value)


def _strokes(shape: pdfium.FPDF_PAGEOBJECT) -> Iterator[tuple[float, float, float, float]]:
    """Yield the straight lines of a shape: their left, lower, right and upper ends on the page."""
    matrix, x, y = pdfium.FS_MATRIX(), ctypes.c_float(), ctypes.c_float()
    count = pdfium.FPDFPath_CountSegments(shape)
    if not pdfium.FPDFPageObj_GetMatrix(shape, matrix) or count > _MOST_SEGMENTS:
        return
    begin = at = (0.0, 0.0)
    for index in range(count):
        segment = pdfium.FPDFPath_GetPathSegment(shape, index)
        pdfium.FPDFPathSegment_GetPoint(segment, x, y)
        place = (
            matrix.a * x.value + matrix.c * y.value + matrix.e,
            matrix.b * x.value + matrix.d * y.value + matrix.f,
        )
        kind = pdfium.FPDFPathSegment_GetType(segment)
        if kind == pdfium.FPDF_SEGMENT_MOVETO:
            begin = place
        elif kind == pdfium.FPDF_SEGMENT_LINETO:
            yield _box(at, place)
        at = place
        if pdfium.FPDFPathSegment_GetClose(segment):
            yield _box(at, begin)
            at = begin


def _box(one: tuple[float, float], other: tuple[float, float]) -> tuple[float, float, float, float]:
    return min(one[0], other[0]), min(one[1], other[1]), max(one[0], other[0]), max(one[1], other[1])


def _merged(rules: list[Rule]) -> list[Rule]:
    """Return the lines, with those made one that go on in each other: tables are often drawn cell by cell."""
    merged: list[Rule] = []
    places = _distinct(rule.at for rule in rules)
    for rule in sorted(rules, key=lambda rule: (_nearest(places, rule.at), rule.first)):
        last = merged[-1] if merged else None
        if last and abs(last.at - rule.at) <= _NEAR and rule.first <= last.last + _NEAR:
            last.last = max(last.last, rule.last)
        else:
            merged.append(Rule(rule.at, rule.first, rule.last))
    return merged


def _connected(level: list[Rule], upright: list[Rule]) -> Iterator[tuple[list[Rule], list[Rule]]]:
    """Yield the lines that meet each other, directly or by others."""
    rest = (list(level), list(upright))
    while rest[0]:
        part: tuple[list[Rule], list[Rule]] = ([rest[0].pop()], [])
        new = [(0, part[0][0])]
        while new:
            kind, rule = new.pop()
            met = [other for other in rest[1 - kind] if _meet(rule, other)]
            for other in met:
                rest[1 - kind].remove(other)
                part[1 - kind].append(other)
                new.append((1 - kind, other))
        if part[1]:
            yield part


def _meet(rule: Rule, other: Rule) -> bool:
    return rule.first - _NEAR <= other.at <= rule.last + _NEAR and other.first - _NEAR <= rule.at <= other.last + _NEAR


def _drawn(rules: Iterable[Rule], at: float, middle: float) -> bool:
    return any(abs(rule.at - at) <= _NEAR and rule.first <= middle <= rule.last for rule in rules)


def _distinct(places: Iterable[float]) -> list[float]:
    """Return the places in their order, one of those that are near each other."""
    merged: list[float] = []
    for place in sorted(places):
        if not merged or place - merged[-1] > _NEAR:
            merged.append(place)
    return merged


def _nearest(places: list[float], place: float) -> int:
    return bisect_right(places, place) - 1
