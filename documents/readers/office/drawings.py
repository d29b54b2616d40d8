"""What drawings in office documents say: the figures of charts, and the words of diagrams; parts of their own."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from itertools import groupby

from lxml import etree

from documents.readers.shared.xml import Relation, child_of, name_of, parse, reference_of
from documents.readers.sheets.number_format import GENERAL, shown
from documents.reading.archive import Archive
from documents.text import Writer, table_lines

#: Elements that name a drawing's part, with the attribute that does.
REFERENCES = {"chart": "id", "relIds": "dm"}
#: What the columns of a chart stand for: categories, or the numbers of its other axis.
_LABELS = ("{*}cat", "{*}xVal")
_VALUES = ("{*}val", "{*}yVal")


def write_drawing(writer: Writer, archive: Archive, reference: etree._Element, known: dict[str, Relation]) -> None:
    """Write the chart or the diagram that an element called as one of REFERENCES names, if it is there.

    Raises:
      TaskError: corrupt, archive_bomb, too_large.
    """
    name = name_of(reference)
    part = known.get(reference_of(reference, REFERENCES[name]))
    if part is None or not (data := archive.read(part.target)):
        return
    tree = parse(data, part.target)
    if name == "chart":
        _chart(writer, tree)
    else:
        texts = [_paragraphs(point) for point in tree.iter("{*}t") if len(point)]
        writer.block("\n".join(f"- {text}" for text in texts if text))


def _chart(writer: Writer, tree: etree._Element) -> None:
    """Write the titles of a chart and of its axes, and its figures as one table for all series of the same labels."""
    writer.block("\n".join(filter(None, map(_title, tree.iter("{*}title")))))
    series = [(_labels(element), element) for element in tree.iter("{*}ser")]
    for labels, group in groupby(series, key=lambda pair: pair[0]):
        columns = [(_paragraphs(child_of(element, "tx")), _values(element)) for _, element in group]
        places = sorted(labels.keys() | {place for _, values in columns for place in values})
        if places:
            rows = [[labels.get(place, ""), *(values.get(place, "") for _, values in columns)] for place in places]
            writer.block(table_lines([["", *(name for name, _ in columns)], *rows]), "table")


def _title(title: etree._Element) -> str:
    return _paragraphs(child_of(title, "tx"))


def _labels(series: etree._Element) -> dict[int, str]:
    """Return what stands below each point of a series; of labels in several levels all, from the outermost."""
    texts: dict[int, str] = {}
    for holder in series.iterchildren(*_LABELS):
        levels = [_points(level) for level in holder.iter("{*}lvl")]
        if not levels:
            texts.update(_points(holder))
        outer = [(level, sorted(level)) for level in reversed(levels[1:])]
        for place in sorted(levels[0]) if levels else ():
            above = (_before(place, *level) for level in outer)
            texts[place] = " ".join(filter(None, (*above, levels[0][place])))
    return texts


def _before(place: int, level: dict[int, str], begins: list[int]) -> str:
    """Return the label of an outer level that covers a point: the last one that begins there or before."""
    at = bisect_right(begins, place)
    return level[begins[at - 1]] if at else ""


def _values(series: etree._Element) -> dict[int, str]:
    return {place: value for holder in series.iterchildren(*_VALUES) for place, value in _points(holder).items()}


def _points(holder: etree._Element) -> dict[int, str]:
    """Return the points below an element by their place, numbers as their format shows them."""
    code = next((element.text or GENERAL for element in holder.iter("{*}formatCode")), None)
    values = {}
    for point in holder.iter("{*}pt"):
        text = "".join(value.text or "" for value in point.iter("{*}v")).strip()
        place = point.get("idx") or ""
        if text and place.isdecimal():
            values[int(place)] = _shown(text, point.get("formatCode") or code)
    return values


def _shown(text: str, code: str | None) -> str:
    """Return a point as it is shown; one without a format is no number, though it may look like one."""
    try:
        return shown(float(text), code) if code else text
    except ValueError:
        return text


def _paragraphs(holder: etree._Element | None) -> str:
    """Return the text below an element in one line: paragraphs, or what was last in the cells that it refers to."""
    return " ".join(filter(None, _lines(holder)))


def _lines(holder: etree._Element | None) -> Iterator[str]:
    if holder is None:
        return
    for paragraph in holder.iter("{*}p"):
        yield "".join(run.text or "" for run in paragraph.iter("{*}t")).strip()
    for value in holder.iter("{*}v"):
        yield (value.text or "").strip()
