"""Workbooks: sheets are headings, rows are tables with their header near, values are as they are shown."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from documents.readers.sheets.sheet import write_sheet
from documents.splitting.chunking import split
from documents.splitting.measure import CHARACTERS, LOCAL, measure
from documents.text import Writer, table_lines
from errors import TaskError
from tests.documents import office, samples
from tests.documents.extracted import CHINESE, ENGLISH, Read, headings, spans
from tests.documents.office import Cell, xlsx


@pytest.mark.parametrize("text", [ENGLISH, CHINESE])
@pytest.mark.parametrize("inline", [True, False])
def test_a_text_comes_back_from_a_cell(read: Read, text: str, inline: bool) -> None:
    extracted = read("a.xlsx", xlsx({"假期 & Leave": [["Name", "Note"], ["Ada", text]]}, inline=inline))
    assert extracted.text == f"# 假期 & Leave\n\n| Name | Note |\n| --- | --- |\n| Ada | {text} |"
    assert headings(extracted) == [(1, "假期 & Leave")]
    assert extracted.format == "xlsx"


def test_numbers_and_dates_are_as_they_are_shown(read: Read) -> None:
    row: list[Cell] = [1815, 0.1 + 0.2, (45292, 14), (0.256, 9), (1234.5, 100), (45292.5, 101)]
    names = ["a", "b", "c", "d", "e", "f"]
    rows: list[list[Cell]] = [[*names], row]
    formats = ["#,##0.00", 'yyyy"年"m"月"d"日" h:mm']
    wanted = table_lines([names, ["1815", "0.3", "2024-01-01", "26%", "1,234.50", "2024年1月1日 12:00"]])
    assert spans(read("a.xlsx", xlsx({"S": rows}, formats)), "table") == [wanted]
    assert "| 2028-01-02 |" in read("a.xlsx", xlsx({"S": rows}, formats, since_1904=True)).text


@pytest.mark.parametrize("measured_in", [CHARACTERS, LOCAL])
def test_each_row_is_there_once_and_its_header_is_with_every_chunk(read: Read, measured_in: str) -> None:
    rows = [["Name", "天数"], *([f"Person {number}", f"{number} 天"] for number in range(2000))]
    extracted = read("a.xlsx", xlsx({"假期": rows, "Other": rows[:3]}))
    table = spans(extracted, "table")[0]
    assert table == table_lines(rows)
    assert extracted.text.startswith(f"# 假期\n\n{table}\n\n# Other\n\n| Name | 天数 |\n")
    chunks = split(extracted.text, extracted.anchors, 300, 50, measure=measure(measured_in, extracted.text))
    start = extracted.text.index(table)
    inside = [chunk for chunk in chunks if start < chunk.start and chunk.end <= start + len(table)]
    assert len(inside) > 50
    for chunk in inside:
        assert (chunk.context, chunk.heading_path) == ("| Name | 天数 |\n| --- | --- |", ["假期"])
        assert set(extracted.text[chunk.start : chunk.end].split("\n")) <= set(table.split("\n"))


@given(st.lists(st.lists(st.sampled_from(["", "Ada", "15", "假期", "0.5", "a b"]), min_size=2, max_size=4)))
def test_no_row_is_lost_or_said_twice(rows: list[list[str]]) -> None:
    writer = Writer()
    write_sheet(writer, "S", [row for cells in rows if (row := {at: cell for at, cell in enumerate(cells) if cell})])
    said = [piece for cells in rows for cell in cells for piece in cell.split()]
    text = writer.finish("xlsx").text.replace("|", " ")
    assert [piece for piece in text.split()[2:] if set(piece) != {"-"}] == said


def test_a_table_without_a_header_has_an_empty_one(read: Read) -> None:
    assert spans(read("a.xlsx", xlsx({"S": [[1, 2], [3, 4]]})), "table") == [
        table_lines([["", ""], ["1", "2"], ["3", "4"]])
    ]


def test_a_title_above_gaps_and_merged_cells(read: Read) -> None:
    head: list[list[Cell]] = [["Leave 2024"], [], ["Name", None, "Days"]]
    rows: list[list[Cell]] = [*head, ["Ada", None, 15], [], ["Bob", None, 10], [None, None, 3]]
    assert read("a.xlsx", xlsx({"S": rows, "Empty": []})).text == (
        "# S\n\nLeave 2024\n\n| Name | Days |\n| --- | --- |\n| Ada | 15 |\n| Bob | 10 |\n|  | 3 |"
    )


def test_a_single_column_is_no_table(read: Read) -> None:
    extracted = read("a.xlsx", xlsx({"Notes": [["First line"], ["第二行"], [None], [3]]}))
    assert extracted.text == "# Notes\n\nFirst line\n第二行\n3"


def test_strings_in_runs_escapes_truths_errors_and_formulas(read: Read) -> None:
    cells = (
        '<c t="inlineStr"><is><r><rPr/><t>ri</t></r><r><t>ch</t></r><rPh><t>unseen</t></rPh></is></c>'
        '<c t="inlineStr"><is><t>a_x005F_x0041_b</t></is></c><c t="b"><v>1</v></c><c t="e"><v>#DIV/0!</v></c>'
        '<c t="str"><f>A1&amp;"!"</f><v>rich!</v></c><c t="d"><v>2024-01-01</v></c>'
    )
    sheet = f"<worksheet><sheetData><row>{cells}</row></sheetData></worksheet>"
    text = read("a.xlsx", xlsx({"S": []}, more={"xl/worksheets/sheet1.xml": sheet})).text
    assert "| rich | a_x0041_b | TRUE | #DIV/0! | rich! | 2024-01-01 |" in text


def test_comments_and_boxes_are_read(read: Read) -> None:
    beside = {"c": ("comments", "../comments1.xml"), "d": ("drawing", "../drawings/drawing1.xml")}
    more = {
        "xl/worksheets/_rels/sheet1.xml.rels": office.relations(beside),
        "xl/comments1.xml": '<comments><commentList><comment ref="B2"><text><r><t>Why?</t></r></text></comment>'
        "</commentList></comments>",
        "xl/drawings/drawing1.xml": '<d xmlns:a="urn:a"><txBody><a:p><a:r><a:t>A box</a:t></a:r></a:p></txBody></d>',
    }
    assert read("a.xlsx", xlsx({"S": [["x"]]}, more=more)).text == "# S\n\nx\n\nB2: Why?\n\nA box"


def test_cells_that_do_not_hold_what_they_say_cost_only_themselves(read: Read) -> None:
    cells = (
        '<c r="A1" t="s"><v>0</v></c><c r="B1" t="s"><v>7</v></c><c r="C1" s=""><v>2</v></c><c r="D1"><v>n/a</v></c>'
    )
    data = f"<worksheet><sheetData><row>{cells}</row></sheetData></worksheet>"
    extracted = read("a.xlsx", xlsx({"S": [["text"]]}, more={"xl/worksheets/sheet1.xml": data}))
    assert extracted.text == "# S\n\n| text | 2 | n/a |\n| --- | --- | --- |"
    assert extracted.warnings == ["the texts of 1 cells are not in the workbook"]


def test_a_sheet_that_is_not_there_is_told_of(read: Read) -> None:
    relations = {"rId1": ("worksheet", "worksheets/sheet1.xml"), "t": ("sharedStrings", "sharedStrings.xml")}
    more = {"xl/_rels/workbook.xml.rels": office.relations(relations)}
    extracted = read("a.xlsx", xlsx({"S": [["here"]], "Module": [["gone"]]}, more=more))
    assert extracted.text == "# S\n\nhere"
    assert "'Module'" in extracted.warnings[0]


@pytest.mark.parametrize("renamed", [str.upper, lambda name: name.replace("/", "\\")])
def test_parts_are_found_however_their_names_are_written(read: Read, renamed: Callable[[str], str]) -> None:
    with zipfile.ZipFile(io.BytesIO(xlsx({"假期": [["Ada"]]}))) as archive:
        parts = {renamed(name): archive.read(name) for name in archive.namelist()}
    assert read("a.xlsx", office.package(parts)).text == "# 假期\n\nAda"


def test_cells_far_apart_take_no_room(read: Read) -> None:
    sheet = (
        '<worksheet><sheetData><row r="1"><c r="A1"><v>1</v></c></row>'
        '<row r="1048576"><c r="XFD1048576"><v>2</v></c></row></sheetData></worksheet>'
    )
    text = read("a.xlsx", xlsx({"S": []}, more={"xl/worksheets/sheet1.xml": sheet})).text
    assert text == "# S\n\n1\n2"


@pytest.mark.parametrize(
    ("code", "data"),
    [
        ("empty", xlsx({"Sheet1": [], "Sheet2": [[None]]})),
        ("corrupt", xlsx({"S": [["a"]]})[:-400]),
        ("corrupt", xlsx({"S": [["a"]]}, more={"xl/worksheets/sheet1.xml": "<worksheet><sheetData>"})),
        ("corrupt", xlsx({"S": [["a"]]}, more={"xl/sharedStrings.xml": "<sst/>"})),
        ("corrupt", xlsx({"S": []}, more={"xl/worksheets/sheet1.xml": '<!DOCTYPE w [<!ENTITY e "e">]><w/>'})),
        ("corrupt", b"Name,Days\nAda,15\n"),
        ("encrypted", samples.ENCRYPTED_OFFICE),
    ],
)
def test_it_refuses_with_the_right_code(read: Read, code: str, data: bytes) -> None:
    with pytest.raises(TaskError) as caught:
        read("a.xlsx", data)
    assert caught.value.code == code


def test_a_workbook_is_known_by_its_bytes(read: Read) -> None:
    extracted = read("table.csv", xlsx({"S": [["a", "b"]]}))
    assert extracted.format == "xlsx"
    assert "was read as xlsx" in extracted.warnings[0]
