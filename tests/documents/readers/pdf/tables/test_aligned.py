"""Tables of a PDF become Markdown where they are certain; whatever is no table stays as it is, in its order."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from documents.readers.pdf.tables.aligned import tables_of
from documents.readers.shared.layout import Line as PdfLine
from documents.text import table_lines
from tests.documents import samples
from tests.documents.extracted import Read, spans
from tests.documents.samples import Line

SETTINGS = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
ENGLISH = ["Ada", "Grace Hopper", "navy", "paid (late)", "on trial", "a-b"]
CHINESE = ["张三", "研发部", "试用期内", "可以累积", "无备注", "北京公司"]
GRIDS = st.sampled_from([ENGLISH, CHINESE]).flatmap(
    lambda words: st.integers(2, 5).flatmap(
        lambda width: st.lists(st.lists(st.sampled_from(words), min_size=width, max_size=width), min_size=3, max_size=8)
    )
)
PROSE = "It was the best of times and the worst of times, and nobody knew which of both it would be in the end."


def table(rows: list[list[str]], left: float = 72, step: float = 90) -> list[Line | str]:
    """The rows of a table, each cell in its column."""
    return [
        Line(cell, left=left + column * step, drop=0 if column else 18)
        for row in rows
        for column, cell in enumerate(row)
        if cell
    ]


def lines_in(text: str) -> list[str]:
    """The rows of a Markdown table but for its delimiter and an empty header."""
    return [line for line in text.split("\n") if line.strip("|- ")]


@given(GRIDS, st.sampled_from([80.0, 100.0]))
@SETTINGS
def test_a_table_comes_back_as_markdown(read: Read, rows: list[list[str]], step: float) -> None:
    extracted = read("a.pdf", samples.pdf([["Before it.", *table(rows, step=step), Line("After it.", drop=30)]]))
    assert [lines_in(text) for text in spans(extracted, "table")] == [lines_in(table_lines(rows))]
    assert extracted.text.startswith("Before it.")
    assert extracted.text.endswith("After it.")


def test_the_first_row_is_the_header_where_it_names_the_columns(read: Read) -> None:
    rows = [["姓名", "部门", "天数"], ["张三", "研发部", "15"], ["李四", "", "10"], ["王五", "财务部", "8"]]
    assert spans(read("a.pdf", samples.pdf([table(rows)])), "table") == [table_lines(rows)]
    numbers = [["1", "2"], ["3", "4"], ["5", "6"]]
    assert spans(read("a.pdf", samples.pdf([table(numbers)])), "table") == []
    amounts = [["rent", "1200"], ["food", "300"], ["books", "80"]]
    assert spans(read("a.pdf", samples.pdf([table(amounts)])), "table") == [table_lines([["", ""], *amounts])]


def test_a_name_at_the_other_side_of_its_column_is_still_its_name(read: Read) -> None:
    made = [Line("Year", left=72), Line("Ducks", left=200, drop=0)]
    for year, ducks in ((2019, 120), (2020, 135), (2021, 150)):
        made += [Line(str(year), left=120, drop=16), Line(str(ducks), left=208, drop=0)]
    wanted = table_lines([["Year", "Ducks"], ["2019", "120"], ["2020", "135"], ["2021", "150"]])
    assert spans(read("a.pdf", samples.pdf([made])), "table") == [wanted]


def test_a_drawing_with_words_is_no_table(read: Read) -> None:
    made = [
        Line(f"step {number}", left=72 + 40 * number + 200 * side, drop=0 if side else 18)
        for number in range(5)
        for side in (0, 1)
    ]
    assert spans(read("a.pdf", samples.pdf([made])), "table") == []


def test_cells_of_too_few_rows_stay_apart_and_on_lines_of_their_own(read: Read) -> None:
    made = ["员工每年享有十五天带薪年假，五年后增加", *table([["姓名", "部门"], ["张三", "研发部"]])]
    assert read("a.pdf", samples.pdf([made])).text.split("\n")[-2:] == ["姓名 部门", "张三 研发部"]


@given(
    st.lists(st.sampled_from([*PROSE.split(), "年假", "员工每年享有", "5", "-"]), min_size=1, max_size=120), st.data()
)
@SETTINGS
def test_prose_loses_nothing_and_keeps_its_order(read: Read, words: list[str], data: st.DataObject) -> None:
    made: list[Line | str] = []
    at, rest = 72.0, list(words)
    while rest:
        count = data.draw(st.integers(1, 12))
        made.append(Line(" ".join(rest[:count]), left=at + data.draw(st.sampled_from([0.0, 20.0]))))
        rest = rest[count:]
    extracted = read("a.pdf", samples.pdf([made]))
    assert "".join(extracted.text.split()).replace("-", "") == "".join(words).replace("-", "")
    assert spans(extracted, "table") == []


@pytest.mark.parametrize(
    "rows",
    [
        [["1.", "Open the door"], ["2.", "Go in"], ["3.", "Close the door"]],
        [["•", "Bread"], ["•", "Milk"], ["•", "Salt"]],
        [["r", "Bread"], ["r", "Milk"], ["r", "Salt"]],
    ],
)
def test_lists_are_no_tables(read: Read, rows: list[list[str]]) -> None:
    extracted = read("a.pdf", samples.pdf([table(rows, step=30)]))
    assert spans(extracted, "table") == []
    assert extracted.text.split() == [word for row in rows for cell in row for word in cell.split()]


def test_columns_of_an_article_stay_apart(read: Read) -> None:
    left = [f"{number} left goes on for a good while and" for number in ("one", "two", "three", "four")]
    right = [f"{number} right says something else than" for number in ("one", "two", "three", "four")]
    made: list[Line | str] = [*(Line(text) for text in left), Line(right[0], left=310, drop=-36)]
    extracted = read("a.pdf", samples.pdf([[*made, *(Line(text, left=310) for text in right[1:])]]))
    assert spans(extracted, "table") == []
    assert extracted.text.split() == " ".join([*left, *right]).split()
    across = [[one, other] for one, other in zip(left, right, strict=True)]
    assert spans(read("a.pdf", samples.pdf([table(across, step=240)])), "table") == []


def test_rows_of_which_a_cell_runs_over_are_no_certain_table(read: Read) -> None:
    rows = [["Name", "Remark"], ["Ada", "first"], ["Grace", "none but this that"]]
    extracted = read("a.pdf", samples.pdf([[*table(rows, step=150), Line("goes on", left=222, drop=12)]]))
    assert spans(extracted, "table") == []


@given(
    st.lists(
        st.lists(st.tuples(st.sampled_from([0.0, 30.0, 60.0, 90.0]), st.sampled_from([0.0, 25.0, 30.0])), max_size=4),
        min_size=3,
        max_size=6,
    )
)
def test_cells_without_width_are_no_table_and_no_trouble(rows: list[list[tuple[float, float]]]) -> None:
    lines = [
        PdfLine("x", left, left + width, 700 - 12 * number, 700 - 12 * number, 10)
        for number, row in enumerate(rows)
        for left, width in sorted(row)
    ]
    for table in tables_of(lines, set()):
        assert all(any(column) for column in zip(*table.rows, strict=True))


@pytest.mark.parametrize("dash", ["—", "–"])
def test_rows_that_end_in_a_dash_stay_rows(read: Read, dash: str) -> None:
    """PDFium leaves out the ends of such lines where they are so close."""
    rows = [["Cash", "1,180", f"{dash} "], ["Restricted cash", "250", "631"], ["Held for sale", "517", f"{dash} "]]
    rows += [["Total", "9,882", "8,819"], ["Goodwill", "8,420", f"{dash} "]]
    lines = [
        Line(cell, left=72 + column * 120, drop=0 if column else 7) for row in rows for column, cell in enumerate(row)
    ]
    lines[0].drop = 40
    text = read("a.pdf", samples.pdf([["The sheet:", *lines]])).text
    assert [line for line in text.split("\n") if "8" in line or dash in line] == [
        f"| Cash | 1,180 | {dash} |",
        f"| Held for sale | 517 | {dash} |",
        "| Total | 9,882 | 8,819 |",
        f"| Goodwill | 8,420 | {dash} |",
    ]


CONTENTS = [["1", "Trees", "8"], ["2", "Limits", "19"], ["2.1", "Data", "19"], ["3", "Neighbours", "29"]]


@pytest.mark.parametrize(
    "rows",
    [
        CONTENTS,
        [[f"{number} {title}", page] for number, title, page in CONTENTS],
        [[f"{title} . . . . . . . .", page] for _, title, page in CONTENTS],
        [["Preface ......", "iv"], *([f"{title} ......", page] for _, title, page in CONTENTS)],
        [["第一章 总则", "1"], ["第二章 休假", "3"], ["第三章 薪酬", "12"], ["附则", "20"]],
    ],
)
def test_a_table_of_contents_is_none(read: Read, rows: list[list[str]]) -> None:
    extracted = read("a.pdf", samples.pdf([["Before it.", *table(rows, step=140), Line("After it.", drop=30)]]))
    assert spans(extracted, "table") == []
    lines = [" ".join(line.replace("…", "").replace(".", "").split()) for line in extracted.text.split("\n")]
    assert {" ".join(" ".join(row).replace(".", "").split()) for row in rows} <= set(lines)


@pytest.mark.parametrize(
    "rows",
    [
        [["1", "Ada", "15"], ["2", "Bob", "12"], ["3", "Eve", "20"]],
        [["No", "Name", "Page"], *CONTENTS],
        [["rent", "300"], ["food", "400"], ["books", "500"]],
    ],
)
def test_a_table_that_ends_in_numbers_is_one(read: Read, rows: list[list[str]]) -> None:
    assert len(spans(read("a.pdf", samples.pdf([table(rows, step=140)])), "table")) == 1
