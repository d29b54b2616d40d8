"""A cell that reaches over several rows of a table stands in each of them, in every format."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Sequence

import pytest

from tests.documents import books, office, samples
from tests.documents.extracted import Read

#: What the cells of a table say; GOES_ON with the cell above.
GOES_ON = None
Rows = Sequence[Sequence[str | None]]

TABLE: Rows = [["Quarter", "City", "Sales"], ["Q1", "Bath", "5"], [GOES_ON, "York", "6"], [GOES_ON, GOES_ON, "7"]]
LONG: Rows = [["a", "b"], ["x" * 201, "1"], [GOES_ON, "2"]]


def height(rows: Rows, row: int, column: int) -> int:
    below = 1
    while row + below < len(rows) and rows[row + below][column] is GOES_ON:
        below += 1
    return below


def html(rows: Rows) -> str:
    parts = [
        "".join(
            f"<td rowspan={height(rows, number, column)}>{cell}"
            for column, cell in enumerate(row)
            if cell is not GOES_ON
        )
        for number, row in enumerate(rows)
    ]
    return "<html><table>" + "".join(f"<tr>{part}" for part in parts) + "</table>"


def docx(rows: Rows) -> bytes:
    merged = '<w:tcPr><w:vMerge w:val="restart"/></w:tcPr>'
    parts = [
        "".join(
            f"<w:tc><w:tcPr><w:vMerge/></w:tcPr>{samples.paragraph('')}</w:tc>"
            if cell is GOES_ON
            else f"<w:tc>{merged if height(rows, number, column) > 1 else ''}{samples.paragraph(cell)}</w:tc>"
            for column, cell in enumerate(row)
        )
        for number, row in enumerate(rows)
    ]
    return samples.docx("<w:tbl>" + "".join(f"<w:tr>{part}</w:tr>" for part in parts) + "</w:tbl>")


def pptx(rows: Rows) -> bytes:
    plain = office.grid([[cell or "" for cell in row] for row in rows])
    first, *cells = plain.split("<a:tc>")
    merged = ['<a:tc vMerge="1">' if cell is GOES_ON else "<a:tc>" for row in rows for cell in row]
    return office.pptx([first + "".join(tag + cell for tag, cell in zip(merged, cells, strict=True))])


def odt(rows: Rows) -> bytes:
    parts = [
        "".join(
            "<table:covered-table-cell/>"
            if cell is GOES_ON
            else f'<table:table-cell table:number-rows-spanned="{height(rows, number, column)}">'
            f"<text:p>{cell}</text:p></table:table-cell>"
            for column, cell in enumerate(row)
        )
        for number, row in enumerate(rows)
    ]
    inner = "".join(f"<table:table-row>{part}</table:table-row>" for part in parts)
    return books.odt(f"<table:table>{inner}</table:table>")


def rtf(rows: Rows) -> bytes:
    parts = []
    for row in rows:
        defined = "".join(
            rf"{chr(92)}clvmrg\cellx{n}" if cell is GOES_ON else rf"\cellx{n}" for n, cell in enumerate(row)
        )
        parts.append(rf"\trowd{defined}\pard\intbl " + "".join(rf"{cell or ''}\cell " for cell in row) + r"\row")
    return (r"{\rtf1\ansi " + "\n".join(parts) + r"\pard }").encode()


def xlsx(rows: Rows) -> bytes:
    plain = office.xlsx({"S": [[cell or "" for cell in row] for row in rows]})
    merged = "".join(
        f'<mergeCell ref="{"ABC"[column]}{number + 1}:{"ABC"[column]}{number + height(rows, number, column)}"/>'
        for number, row in enumerate(rows)
        for column, cell in enumerate(row)
        if cell is not GOES_ON and height(rows, number, column) > 1
    )
    with zipfile.ZipFile(io.BytesIO(plain)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    sheet = parts["xl/worksheets/sheet1.xml"].decode()
    parts["xl/worksheets/sheet1.xml"] = sheet.replace(
        "</worksheet>", f"<mergeCells>{merged}</mergeCells></worksheet>"
    ).encode()
    return office.package(parts)


WRITERS: dict[str, Callable[[Rows], bytes | str]] = {
    "html": html,
    "docx": docx,
    "pptx": pptx,
    "odt": odt,
    "rtf": rtf,
    "xlsx": xlsx,
}


@pytest.mark.parametrize("format", WRITERS)
def test_a_value_stands_in_each_row_that_it_is_for(read: Read, format: str) -> None:
    assert read(f"a.{format}", WRITERS[format](TABLE)).text.removeprefix("# S\n\n").split("\n") == [
        "| Quarter | City | Sales |",
        "| --- | --- | --- |",
        "| Q1 | Bath | 5 |",
        "| Q1 | York | 6 |",
        "| Q1 | York | 7 |",
    ]


@pytest.mark.parametrize("format", WRITERS)
def test_a_long_text_stands_in_its_first_row_only(read: Read, format: str) -> None:
    assert read(f"a.{format}", WRITERS[format](LONG)).text.split("\n")[-1] == "|  | 2 |"
