"""Tables of values separated by tabs, in which a quotation mark is mostly a character like any other."""

from __future__ import annotations

import re
from pathlib import Path

from documents.readers.sheets.csv import delimiter_of, evenness, read_rows
from documents.reading.decoding import decode
from documents.text import Extracted

_SAMPLE = 64 * 1024
_OPENING = re.compile(r'(?:^|[\t\r\n])"')
_QUOTED = re.compile(r'"[^"]*(?:""[^"]*)*"(?=[\t\r\n]|$)')


def read(path: Path, encoding: str | None = None) -> Extracted:
    """Read a TSV file, row by row as a CSV file is. One whose values are separated otherwise is told of.

    Raises:
      TaskError: undecodable, corrupt, too_large.
    """
    decoded = decode(path.read_bytes(), encoding)
    if "\t" not in decoded.text:
        sample = decoded.text[:_SAMPLE]
        delimiter = delimiter_of(sample)
        if evenness(sample, delimiter) >= 1:
            decoded.warnings.append(f"the table is named as tsv, but its values are separated by {delimiter!r}")
            return read_rows(decoded, "csv", delimiter)
    return read_rows(decoded, "tsv", "\t", _quotes(decoded.text))


def _quotes(text: str) -> bool:
    """Return whether quotation marks enclose values, as spreadsheets write them: each that opens a value closes one."""
    at = 0
    while opening := _OPENING.search(text, at):
        quoted = _QUOTED.match(text, opening.end() - 1)
        if quoted is None:
            return False
        at = quoted.end()
    return True
