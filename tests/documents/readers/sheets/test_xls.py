"""Workbooks of the time before 2007, and what else lies in the same container."""

from __future__ import annotations

import struct

import pytest

from errors import TaskError
from tests.documents.extracted import CHINESE, ENGLISH, Read, headings
from tests.documents.office import Cell, compound, xls


@pytest.mark.parametrize("text", [ENGLISH, CHINESE])
def test_a_text_comes_back(read: Read, text: str) -> None:
    extracted = read("a.xls", xls({"假期": [["Name", "Note"], ["Ada", text]], "Empty": []}))
    assert extracted.text == f"# 假期\n\n| Name | Note |\n| --- | --- |\n| Ada | {text} |"
    assert headings(extracted) == [(1, "假期")]
    assert extracted.format == "xls"


def test_numbers_and_dates_are_as_they_are_shown(read: Read) -> None:
    data = xls({"S": [["a", "b", "c"], [1815, (45292, 1), (1234.5, 2)]]}, ["#,##0.00"])
    assert read("a.xls", data).text.endswith("| 1815 | 2024-01-01 | 1,234.50 |")


def test_what_lies_around_the_cells_may_be_damaged(read: Read) -> None:
    data = xls({"S": [["Ada", 0.5]]})
    assert data.count(b"\xfc\x00") == 1
    at = data.index(b"\xfc\x00") + 4
    claims = data[:at] + struct.pack("<II", 1000, 1000) + data[at + 8 :]  # strings that are not there
    capitals = data.replace("Workbook".encode("utf-16-le"), "WORKBOOK".encode("utf-16-le"))
    comment = struct.pack("<HH4HHB", 0x001C, 8 + 3 + 4, 0, 0, 0, 1, 1, 0) + b"A" + bytes(3)  # longer than its author
    end = data.rindex(struct.pack("<HH", 0x000A, 0))
    noted = data[:end] + comment + data[end : -len(comment)]  # in place of what fills the last sector
    for damaged in (claims, capitals, noted):
        assert read("a.xls", damaged).text == read("a.xls", data).text


def test_a_cell_far_away_makes_no_million_of_them(read: Read) -> None:
    rows: list[list[Cell]] = [["first", "second"], *([] for _ in range(65_534)), [*([None] * 255), "last"]]
    extracted = read("a.xls", xls({"S": rows}))
    assert extracted.text.endswith("| first | second |  |\n| --- | --- | --- |\n|  |  | last |")


@pytest.mark.parametrize(
    ("code", "name", "data"),
    [
        ("empty", "a.xls", xls({"S": []})),
        ("corrupt", "a.xls", xls({"S": [["a", 1.5]]})[:1600]),
        ("corrupt", "a.xls", b"Name,Days\nAda,15\n"),
        ("encrypted", "a.xls", compound({"EncryptedPackage": b"x"})),
        ("unsupported_format", "a.doc", compound({"WordDocument": b"x"})),
        ("unsupported_format", "a.doc", compound({"WordDocument": b"x", "Workbook": b"x"})),
        ("unsupported_format", "a.ppt", compound({"PowerPoint Document": b"x"})),
        ("unsupported_format", "a.xls", compound({"Contents": b"x"})),
    ],
)
def test_it_refuses_with_the_right_code(read: Read, code: str, name: str, data: bytes) -> None:
    with pytest.raises(TaskError) as caught:
        read(name, data)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("stream", "hint"),
    [("WordDocument", ".docx"), ("PowerPoint Document", ".pptx")],
)
def test_what_has_no_reader_is_named_with_what_to_save_it_as(read: Read, stream: str, hint: str) -> None:
    with pytest.raises(TaskError, match=f"save it as {hint}"):
        read("a.txt", compound({stream: b"x"}))


def test_a_workbook_is_known_by_its_bytes(read: Read) -> None:
    extracted = read("a.xlsx", xls({"S": [["a"]]}))
    assert extracted.format == "xls"
    assert "was read as xls" in extracted.warnings[0]
