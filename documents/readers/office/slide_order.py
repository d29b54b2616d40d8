"""The order in which people read the shapes of a slide: by where they stand, not as the file lists them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

#: A shape's place on its slide, in any unit: left, top, right, bottom; None where it is not known.
Box = tuple[float, float, float, float]
#: Shapes may overlap by this share of the smaller one, and still stand beside or below each other.
_OVERLAP = 0.25
#: How often what was cut is cut again; shapes in a spiral could be cut as often as there are shapes.
_DEEPEST = 50


@dataclass(frozen=True, slots=True)
class _Placed:
    index: int
    box: Box


def reading_order(boxes: Sequence[Box | None]) -> list[int]:
    """Return the indexes of shapes as they are read: rows from top to bottom, within a row from left to right.

    Where a gap runs over the whole width, what is above it comes first; else where one runs over the whole height, what
    is left of it. A shape of which the place is not known comes behind the one before it in the file.
    """
    placed = [_Placed(index, box) for index, box in enumerate(boxes) if box is not None]
    order = [shape.index for shape in _read(placed, _DEEPEST)]
    known = {index: place for place, index in enumerate(order)}
    at, keys = -1, []
    for index in range(len(boxes)):
        at = known.get(index, at)
        keys.append((at, index not in known, index))
    return [index for *_, index in sorted(keys)]


def _read(shapes: list[_Placed], depth: int) -> list[_Placed]:
    if len(shapes) < 2:
        return shapes
    for start in (1, 0) if depth > 0 else ():  # from top to bottom, then from left to right
        groups = _cut(shapes, start)
        if len(groups) > 1:
            return [shape for group in groups for shape in _read(group, depth - 1)]
    return sorted(shapes, key=lambda shape: (shape.box[1], shape.box[0], shape.index))


def _cut(shapes: list[_Placed], start: int) -> list[list[_Placed]]:
    """Cut shapes where a gap runs between them; `start` is 1 for rows and 0 for columns."""
    ranked = sorted(shapes, key=lambda shape: (shape.box[start], shape.index))
    groups: list[list[_Placed]] = []
    reach = float("-inf")
    for shape in ranked:
        first, last = shape.box[start], shape.box[start + 2]
        if not groups or first >= reach - _OVERLAP * (last - first):
            groups.append([shape])
            reach = last
        else:
            groups[-1].append(shape)
            reach = max(reach, last)
    return groups
