"""XLS: the workbooks of the time before 2007, written as the newer ones are."""

from __future__ import annotations

import io
import struct
from bisect import bisect_left
from pathlib import Path
from typing import Any

import xlrd
from xlrd.book import Book, unpack_SST_table
from xlrd.sheet import Cell, Sheet

from documents.readers.sheets.number_format import BUILT_IN, GENERAL, shown
from documents.readers.sheets.sheet import Merged, Row, write_sheet
from documents.text import Extracted, Writer, require_length
from errors import TaskError

#: What xlrd raises on damaged files besides its own error.
_DAMAGE = (xlrd.XLRDError, xlrd.compdoc.CompDocError, struct.error, AssertionError, LookupError, ValueError, TypeError)
_TRUTH = {0: "FALSE", 1: "TRUE"}
#: How a number and a date are shown where it is not known how they look.
_UNTOLD = {xlrd.XL_CELL_NUMBER: GENERAL, xlrd.XL_CELL_DATE: "yyyy-mm-dd hh:mm"}


def read(path: Path, encoding: str | None = None) -> Extracted:
    """Read a workbook; `encoding` is what its strings are in when it is older than Excel 97 and names none.

    Raises:
      TaskError: corrupt, encrypted, too_large.
    """
    try:
        try:
            return _write(_opened(path, encoding, formats=True))
        except _DAMAGE:  # perhaps only in how its cells look
            return _write(_opened(path, encoding, formats=False))
    except _DAMAGE as error:
        if "encrypted" in str(error):
            raise TaskError("encrypted", "the workbook is protected by a password") from error
        raise TaskError("corrupt", f"the workbook cannot be read: {type(error).__name__}: {error}") from error


def _opened(path: Path, encoding: str | None, *, formats: bool) -> Book:
    return xlrd.open_workbook(
        str(path),
        logfile=io.StringIO(),  # what it has to complain of is told by its errors
        formatting_info=formats,
        on_demand=True,
        ragged_rows=True,  # one cell far away must not make a million of them
        ignore_workbook_corruption=True,  # of where its sectors lie: what they hold is judged by itself
        encoding_override=encoding,
    )


def _strings(records: list[bytes], count: int) -> tuple[list[str], dict[int, Any]]:
    """Return the strings that cells name by number, in xlrd's way, though the workbook claims to have more of them."""
    try:
        return unpack_SST_table(records, count)  # type: ignore[no-any-return]
    except _DAMAGE:
        return unpack_SST_table(records, bisect_left(range(count), 1, key=lambda at: _fails(records, at + 1)))  # type: ignore[no-any-return]


def _fails(records: list[bytes], count: int) -> bool:
    try:
        unpack_SST_table(records, count)
    except _DAMAGE:
        return True
    return False


# Put in place of xlrd's own, which has no hooks; nothing else in a child uses it.
xlrd.book.unpack_SST_table = _strings
# What the names of ranges stand for is of no use here, and formulas that xlrd does not know would end it.
Book.names_epilogue = lambda _: None
Sheet.handle_note = lambda *_: None  # nor are comments read, of which some have more than xlrd expects


def _write(book: Book) -> Extracted:
    writer = Writer()
    for index, name in enumerate(book.sheet_names()):
        write_sheet(writer, name, _rows(book, index))
        book.unload_sheet(index)
    properties: dict[str, object] = {"sheets": book.sheet_names()}
    if book.user_name and book.user_name.strip():
        properties["author"] = book.user_name.strip()
    return writer.finish("xls", properties=properties)


def _rows(book: Book, index: int) -> list[Row]:
    """Return the rows of a sheet that hold something."""
    sheet = book.sheet_by_index(index)
    rows: list[Row] = []
    length = 0
    merged = Merged((first, after - 1, column) for first, after, column, _ in sheet.merged_cells)
    for number in range(sheet.nrows):
        row: Row = {}
        for column in range(sheet.row_len(number)):
            if text := _text(book, sheet.cell(number, column)).strip():
                row[column] = text
                length += len(text)
        length += merged.complete(number, row)
        if row:
            rows.append(row)
            require_length(length)
    return rows


def _text(book: Book, cell: Cell) -> str:
    """Return what a cell shows; of a formula that is its last result."""
    match cell.ctype:
        case xlrd.XL_CELL_TEXT:
            return str(cell.value)
        case xlrd.XL_CELL_NUMBER | xlrd.XL_CELL_DATE:
            code = _code(book, cell.xf_index) if cell.xf_index is not None else _UNTOLD[cell.ctype]
            return shown(cell.value, code, since_1904=book.datemode == 1)
        case xlrd.XL_CELL_BOOLEAN:
            return _TRUTH.get(cell.value, str(cell.value))
        case xlrd.XL_CELL_ERROR:
            return str(xlrd.error_text_from_code.get(cell.value, "#ERROR"))
    return ""


def _code(book: Book, style: int) -> str:
    """Return the number format of a cell style."""
    key = book.xf_list[style].format_key
    known = book.format_map.get(key)
    return BUILT_IN.get(key) or (str(known.format_str) if known else GENERAL)
