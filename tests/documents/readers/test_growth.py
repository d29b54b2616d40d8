"""What it takes to read a document grows with its size, not with its square, whoever made it so."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from lxml import etree

from documents import text
from documents.readers.office import drawings, xlsx
from documents.readers.office.slide_order import Box, reading_order
from documents.readers.pdf.code import Code
from documents.readers.pdf.tables import ruling_lines
from documents.readers.shared.layout import Line
from documents.readers.shared.numerals import numeral
from documents.readers.sheets.sheet import Merged
from documents.readers.text import markdown
from documents.readers.web import html_nodes
from documents.readers.web.epub_contents import Entry, places_of
from documents.readers.web.html import declared_encoding, tree_of
from documents.text import table_lines
from errors import TaskError
from tests.documents import samples
from tests.documents.extracted import Read

#: Seconds of computing: some times what each of these takes, and a fraction of what its square would.
MOST = 8.0


def emojis() -> bytes:
    """Each place behind a character of two halves is looked up by itself."""
    lines = [samples.Line(f"for i in range {at}: print, this il iii", typed=True) for at in range(16_000)]
    return samples.pdf([[samples.Line("😀"), *lines]])


def notes() -> bytes:
    """Each note is put beside the words at its left."""
    filled = [samples.Filled(f"note {at}", at % 400, 100 + at % 601, "FreeText") for at in range(30_000)]
    return samples.pdf([["Notes"]], filled=filled)


def doubles() -> bytes:
    """What RTF has in Unicode once more, in what it has in Unicode once more."""
    return b"{\\rtf1 " + b"{\\upr{\\ud a" * 20_000 + b"}}" * 20_000 + b"}"


def lists() -> bytes:
    """Each list that begins looks through all that are open."""
    return b"<ul><li>a" * 60_000 + b"<ul><li>b</li></ul>" * 1_000


@pytest.mark.parametrize(
    ("name", "make", "begins"),
    [("a.html", lists, "- a\n  - a"), ("a.pdf", emojis, "😀"), ("a.pdf", notes, "Notes"), ("a.rtf", doubles, "aaa")],
)
def test_it_is_read_in_time(read: Read, name: str, make: Callable[[], bytes], begins: str) -> None:
    data = make()
    started = time.process_time()
    assert read(name, data).text.startswith(begins)
    assert time.process_time() - started < MOST


def test_a_head_of_tags_that_never_end_is_searched_once() -> None:
    started = time.process_time()
    assert [declared_encoding(b"<meta" * 20_000) for _ in range(5)] == [None] * 5
    assert time.process_time() - started < MOST


def test_one_wide_row_makes_no_table_of_a_hundred_million_characters() -> None:
    with pytest.raises(TaskError, match="100,000,000 characters") as refused:
        table_lines([[""] * 6000, *[[""]] * 6000])
    assert refused.value.code == "too_large"


def test_rows_that_a_few_cells_cover_are_refused_before_all_are_filled(
    read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled, cells = [], html_nodes._cells
    monkeypatch.setattr(text, "MAX_CHARACTERS", 1_000_000)
    monkeypatch.setattr(html_nodes, "_cells", lambda *row: filled.append(row) or cells(*row))  # type: ignore[func-returns-value]
    covering, row = "<td colspan=50 rowspan=0>x" * 20, "<tr><td>y"
    with pytest.raises(TaskError, match="1,000,000 characters"):
        read("a.html", f"<html><table><tr>{covering}{row * 2000}</table>")
    assert len(filled) < 500


def test_labels_of_a_chart_in_two_levels_are_found_by_halves() -> None:
    level = "".join(f'<pt idx="{at}"><v>{at}</v></pt>' for at in range(30_000))
    series = etree.fromstring(f"<ser><cat><lvl>{level}</lvl><lvl>{level}</lvl></cat></ser>")
    started = time.process_time()
    assert drawings._labels(series)[29_999] == "29999 29999"
    assert time.process_time() - started < MOST


def test_headings_in_headings_are_read_once() -> None:
    tree = tree_of(f"<body>{'<h1><div>' * 16_000}x<p id=p>")
    started = time.process_time()
    assert [place.own for place in places_of(tree, [Entry("p", 1, "x")])] == [1]
    assert time.process_time() - started < MOST


def test_a_number_beyond_all_letters_is_no_longer_than_eight() -> None:
    assert [numeral(number, "lowerLetter") for number in (1, 27, 10**18)] == ["a", "aa", "n" * 8]


def test_lines_that_nearly_touch_are_no_code_with_a_million_empty_lines() -> None:
    """They are slanted: the end of one is where no other line begins."""
    lines = [Line("print(i)", 0, 48, bottom, bottom + 9, 10, typed=("print(i)", 6, True)) for bottom in _bottoms()]
    prose = Line("Prose without end. " * 9, 0, 500, 50, 50, 10)
    assert sum(len(listing.text) for listing in Code([*lines, prose]).listings(lines, {})) < 100


def _bottoms() -> Iterator[float]:
    yield from (100.0, 100 - 2**-20, 90 - 2**-20)


def test_a_drawing_is_not_taken_for_ruled_lines_segment_by_segment(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    seen, strokes = [], ruling_lines._strokes
    monkeypatch.setattr(ruling_lines, "_MOST_OF_PAGE", 100)
    monkeypatch.setattr(ruling_lines, "_strokes", lambda shape: seen.append(shape) or strokes(shape))  # type: ignore[func-returns-value]
    cells = [samples.Line(f"{row} {at}", left=72 + 90 * at, drop=0 if at else 20) for row in range(5) for at in (0, 1)]
    drawing = [samples.Stroke(10 + at % 300, 20, 200, 400 + at % 77) for at in range(500)]
    assert "4 1" in read("a.pdf", samples.pdf([[*cells, *drawing]])).text
    assert len(seen) == 50


@pytest.mark.parametrize("name", ["# a", "---\ntitle: a", "---\ntitle:\n- a", "a | b\n-"])
def test_a_line_of_markdown_is_read_in_time_however_long_its_blanks_are(name: str) -> None:
    started = time.process_time()
    text = f"{name}{' ' * 200_000}x\n---\nText."
    markdown.front_matter(text)
    markdown.scan(text)
    assert time.process_time() - started < MOST


def test_merged_cells_that_are_none_are_looked_for_in_time() -> None:
    started = time.process_time()
    for nearly in (b"mergeCell ", b"<mergeCell ", b"<" + b"a" * 50):
        assert not xlsx._MERGED.findall(nearly * 100_000)
    assert time.process_time() - started < MOST


def test_cells_merged_without_text_are_not_gone_through_for_each_row() -> None:
    merged = Merged((1, 1_000_000, column) for column in range(16_000))
    for number in range(1, 100_000):
        merged.complete(number, {0: "a"} if number > 1 else {})
    assert not merged._reaching


def test_shapes_in_a_spiral_are_put_in_order() -> None:
    """Each cut takes one shape off, at the top, left, bottom and right in turn."""
    boxes: list[Box | None] = []
    left, top, right, bottom = 0.0, 0.0, 10_000.0, 10_000.0
    for _ in range(300):
        boxes += [(left, top, right, top + 1), (left, top + 2, left + 1, bottom), (left + 2, bottom - 1, right, bottom)]
        boxes.append((right - 1, top + 2, right, bottom - 2))
        left, top, right, bottom = left + 2, top + 2, right - 2, bottom - 2
    order = reading_order(boxes)
    assert sorted(order) == list(range(1200))
    assert order[:2] == [0, 1]
