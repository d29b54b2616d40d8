"""Ruled tables of a PDF have a row for each of their rows, however many lines its cells have; frames make no tables."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from documents.readers.pdf import reader
from documents.text import table_lines
from tests.documents import samples
from tests.documents.extracted import Read, headings, spans
from tests.documents.readers.pdf.tables.test_aligned import CHINESE, ENGLISH, PROSE, lines_in
from tests.documents.readers.pdf.test_parts import in_parts, write
from tests.documents.samples import Line, Stroke

SETTINGS = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
LEFT, TOP, PITCH = 72.0, 740.0, 12.0
#: The lines of a cell; its text is what they say.
Cells = list[list[list[str]]]


@st.composite
def tables(draw: st.DrawFn) -> Cells:
    """Rows of cells of one or two lines each, a few of them empty."""
    chance = Random(draw(st.integers(0, 2**32)))
    words, width = chance.choice([ENGLISH, CHINESE]), chance.randint(2, 5)

    def cell() -> list[str]:
        return [chance.choice(words) for _ in range(chance.choice([0, 1, 1, 1, 2, 2]))]

    rows = [[cell() for _ in range(width)] for _ in range(chance.randint(2, 9))]
    full = [[[word] for word in chance.choices(words, k=width)] for _ in range(3)]
    return [full[0], *rows, *full[1:]]


def page(cells: Cells, ruled: str, across: bool, step: float = 80) -> list[Line | str | Stroke]:
    """A page with a ruled table: drawn cell by cell or, if `across`, line by line."""
    placed: list[tuple[float, float, str]] = []
    heights = [TOP]
    for row in cells:
        placed += sorted(
            (
                (heights[-1] - PITCH * (line + 1), LEFT + step * column + 4, text)
                for column, cell in enumerate(row)
                for line, text in enumerate(cell)
            ),
            key=lambda entry: -entry[0] if across else 0,
        )
        heights.append(heights[-1] - PITCH * max(1, *map(len, row)) - 6)
    made: list[Line | str | Stroke] = [Line("Before it.", drop=20)]
    at = 760.0
    for height, left, text in placed:
        made.append(Line(text, left=left, drop=at - height))
        at = height
    made.append(Line("After it.", drop=at - heights[-1] + 30))
    return [*_rules(heights, [LEFT + step * column for column in range(len(cells[0]) + 1)], ruled), *made]


def _rules(heights: list[float], places: list[float], ruled: str) -> list[Stroke]:
    if ruled == "frames":
        return [
            Stroke(left, bottom, right, top, framed=True)
            for top, bottom in pairwise(heights)
            for left, right in pairwise(places)
        ]
    inner = places[1:-1] if ruled == "open" else places
    return [
        *(Stroke(places[0], height, places[-1], height) for height in heights),
        *(Stroke(place, heights[-1], place, heights[0]) for place in inner),
    ]


def texts(cells: Cells) -> list[list[str]]:
    return [["".join(cell) if samples.is_chinese("".join(cell)) else " ".join(cell) for cell in row] for row in cells]


@given(tables(), st.sampled_from(["lines", "frames", "open"]), st.booleans())
@SETTINGS
def test_a_ruled_table_has_a_row_for_each_row(tmp_path: Path, cells: Cells, ruled: str, across: bool) -> None:
    path = write(tmp_path, samples.pdf([page(cells, ruled, across)]))
    extracted = reader.read(path)
    assert [lines_in(text) for text in spans(extracted, "table")] == [lines_in(table_lines(texts(cells)))]
    assert extracted.text.startswith("Before it.\n\n|")
    assert extracted.text.endswith("|\n\nAfter it.")
    assert in_parts(tmp_path, path, 1) == extracted


def test_rows_without_lines_between_them_are_told_by_their_numbers(read: Read) -> None:
    cells = [[["Fruit"], ["2019"], ["2020"]], [["Apples", "Pears", "Plums"], ["1.5", "2.5", "3.5"], ["4", "5", "6"]]]
    wanted = [["Fruit", "2019", "2020"], ["Apples", "1.5", "4"], ["Pears", "2.5", "5"], ["Plums", "3.5", "6"]]
    extracted = read("a.pdf", samples.pdf([page(cells, "lines", across=True)]))
    assert [lines_in(text) for text in spans(extracted, "table")] == [lines_in(table_lines(wanted))]


def test_a_text_beside_numbers_may_have_several_lines(read: Read) -> None:
    cells = [[["Fruit"], ["Count"]], [["Apples", "of all kinds", "Pears"], ["1200", "", "300"]]]
    wanted = [["Fruit", "Count"], ["Apples of all kinds", "1200"], ["Pears", "300"]]
    extracted = read("a.pdf", samples.pdf([page(cells, "lines", across=True)]))
    assert [lines_in(text) for text in spans(extracted, "table")] == [lines_in(table_lines(wanted))]


def test_a_cell_of_dates_is_one_row(read: Read) -> None:
    rows = [["Ada", "2026-", "01-01"], ["Grace", "2025-", "12-31"], ["Alan", "10", "12"]]
    cells = [[["Name"], ["When"]], *([[name], list(when)] for name, *when in rows)]
    wanted = [["Name", "When"], *([name, " ".join(when)] for name, *when in rows)]
    extracted = read("a.pdf", samples.pdf([page(cells, "lines", across=True)]))
    assert [lines_in(text) for text in spans(extracted, "table")] == [lines_in(table_lines(wanted))]


@given(
    st.lists(st.sampled_from(["a", "it", "word", "longer/word", "年假", "员工每年享有"]), min_size=1, max_size=12),
    st.data(),
)
@SETTINGS
def test_a_line_that_ruled_lines_cross_loses_and_doubles_nothing(
    read: Read, words: list[str], data: st.DataObject
) -> None:
    made: list[Line | str | Stroke] = []
    places = [60.0, *sorted(data.draw(st.lists(st.floats(70, 500), min_size=1, max_size=6))), 590.0]
    made += [Stroke(60, 770 - 20 * at, 590, 770 - 20 * at) for at in range(6)]
    made += [Stroke(place, 670, place, 770) for place in places]
    for at in range(5):
        made.append(Line(" ".join(words), left=72, drop=(16 if not at else 20)))
        made.append(Line("beside", left=540, drop=0))
    text = read("a.pdf", samples.pdf([made])).text.replace("---", "").replace("|", "")
    assert sorted("".join(text.split())) == sorted("".join([*words, "beside"]) * 5)


def test_a_line_that_runs_through_cells_is_cut_at_their_border(read: Read) -> None:
    """What is drawn without a gap is one line to pdfium."""
    made = page([[["Name"], ["Place"]], [["Ada"], ["here"]], [["Grace"], ["there"]]], "lines", across=True, step=60)
    made += [Stroke(LEFT, 600, LEFT + 120, 600), Stroke(LEFT, 620, LEFT + 120, 620), Stroke(LEFT, 640, LEFT + 120, 640)]
    made += [Stroke(LEFT + at, 600, LEFT + at, 640) for at in (0, 60, 120)]
    y = TOP - 3 * 18 - 30 - 6
    made += [Line("张三研发部", left=LEFT + 30, drop=y - 625), Line("李四财务部", left=LEFT + 30, drop=20)]
    content = spans(read("a.pdf", samples.pdf([made])), "table")
    assert "| 张三研 | 发部 |" in content[-1]
    assert "| 李四财 | 务部 |" in content[-1]


@pytest.mark.parametrize("across", [True, False])
@pytest.mark.parametrize("headed", [True, False])
def test_text_in_framed_columns_is_no_table(read: Read, across: bool, headed: bool) -> None:
    words = PROSE.split() * 3
    left, right = ([" ".join(words[at : at + 8]) for at in range(first, 40, 8)] for first in (0, 5))
    cells = [[["A head of"], ["two columns"]], [left, right]] if headed else [[left, right]]
    extracted = read("a.pdf", samples.pdf([page(cells, "lines", across, step=230)]))
    assert spans(extracted, "table") == []
    wanted = ["Before it. After it.", *left, *right, *(["A head of two columns"] if headed else [])]
    assert sorted(extracted.text.split()) == sorted(" ".join(wanted).split())


def test_long_texts_in_frames_are_no_table(read: Read) -> None:
    long = [" ".join(PROSE.split()[at : at + 8]) for at in range(0, 16, 4)] * 2
    extracted = read(
        "a.pdf", samples.pdf([page([[long, long], [long, long], [long, long]], "frames", False, step=230)])
    )
    assert spans(extracted, "table") == []


def test_an_underlined_line_and_a_frame_are_no_table(read: Read) -> None:
    made = [*page([[["One"]], [["Two"]]], "frames", across=True), *page([[["A"], ["B"]]], "lines", across=True)]
    assert spans(read("a.pdf", samples.pdf([made])), "table") == []


def test_a_heading_in_a_frame_is_still_one(read: Read) -> None:
    cells = [[["Leave"], ["Days"]], [["none"], ["some"]], [["all"], ["more"]]]
    extracted = read("a.pdf", samples.pdf([page(cells, "lines", across=False)], [("Leave", 0)]))
    assert (1, "Leave") in headings(extracted)
    assert spans(extracted, "table") == []
