"""XLS: the workbooks of the time before 2007, written as the newer ones are."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import xlrd
from xlrd.book import Book
from xlrd.sheet import Cell

from documents.readers.number_format import BUILT_IN, GENERAL, shown
from documents.readers.sheet import Row, write_sheet
from documents.text import Extracted, Writer, require_length
from errors import TaskError

#: What xlrd raises on damaged files besides its own error.
_DAMAGE = (xlrd.XLRDError, xlrd.compdoc.CompDocError, struct.error, AssertionError, LookupError, ValueError, TypeError)
_TRUTH = {0: "FALSE", 1: "TRUE"}


def read(path: Path, encoding: str | None = None) -> Extracted:
    """Read a workbook; `encoding` is what its strings are in when it is older than Excel 97 and names none.

    Raises:
      TaskError: corrupt, encrypted, too_large.
    """
    try:
        book: Book = xlrd.open_workbook(
            str(path),
            logfile=io.StringIO(),  # what it has to complain of is told by its errors
            formatting_info=True,
            on_demand=True,
            encoding_override=encoding,
        )
        return _write(book)
    except _DAMAGE as error:
        if "encrypted" in str(error):
            raise TaskError("encrypted", "the workbook is protected by a password") from error
        raise TaskError("corrupt", f"the workbook cannot be read: {type(error).__name__}: {error}") from error


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
    """The rows of a sheet that hold something."""
    sheet = book.sheet_by_index(index)
    found: list[Row] = []
    length = 0
    for number in range(sheet.nrows):
        row: Row = {}
        for column in range(sheet.row_len(number)):
            if text := _text(book, sheet.cell(number, column)).strip():
                row[column] = text
                length += len(text)
        if row:
            found.append(row)
            require_length(length)
    return found


def _text(book: Book, cell: Cell) -> str:
    """What a cell shows; of a formula that is its last result."""
    match cell.ctype:
        case xlrd.XL_CELL_TEXT:
            return str(cell.value)
        case xlrd.XL_CELL_NUMBER | xlrd.XL_CELL_DATE:
            return shown(cell.value, _code(book, cell.xf_index), since_1904=book.datemode == 1)
        case xlrd.XL_CELL_BOOLEAN:
            return _TRUTH.get(cell.value, str(cell.value))
        case xlrd.XL_CELL_ERROR:
            return str(xlrd.error_text_from_code.get(cell.value, "#ERROR"))
    return ""


def _code(book: Book, style: int | None) -> str:
    """The number format of a cell style."""
    if style is None:
        return GENERAL
    key = book.xf_list[style].format_key
    known = book.format_map.get(key)
    return BUILT_IN.get(key) or (str(known.format_str) if known else GENERAL)
