"""Tables of separated values: each row becomes a line that names its columns and can be understood alone."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from documents.reading.decoding import Decoded, decode
from documents.text import Anchor, Extracted, clean, clean_warning, require_length
from errors import TaskError

_DELIMITERS = ",;\t|"
_SAMPLE = 64 * 1024
_SAMPLE_ROWS = 200
_LONGEST_FIELD = 10_000_000
_NUMBER = re.compile(r"[-+(]?[$€£¥]?\s?\d[\d.,:/ -]*%?\)?$")


def read(path: Path, encoding: str | None = None) -> Extracted:
    """Read a CSV file. With a header: `Name: Ada | Born: 1815` for each row; without: `Ada | 1815`.

    Raises:
      TaskError: undecodable, corrupt, too_large.
    """
    decoded = decode(path.read_bytes(), encoding)
    return read_rows(decoded, "csv", delimiter_of(clean(decoded.text[:_SAMPLE])[0]))


def read_rows(decoded: Decoded, format: str, delimiter: str, quoted: bool = True) -> Extracted:
    """Read the rows of a table as lines, before them the names of columns that hold nothing.

    quoted: whether quotation marks enclose values, or are characters like others.

    Raises:
      TaskError: corrupt, too_large.
    """
    text, removed = clean(decoded.text)
    sample = _sample_rows(text[:_SAMPLE], delimiter, quoted)
    header = sample[0] if has_header(sample) else None
    csv.field_size_limit(_LONGEST_FIELD)
    lines: list[str] = []
    length = 0
    unsaid = dict(enumerate(header or ()))  # the names of columns that no row has said yet
    try:
        rows = (row for row in _reader(text, delimiter, quoted) if any(cell.strip() for cell in row))
        for number, row in enumerate(rows):
            if header is not None and number == 0:
                continue
            for column in [column for column in unsaid if column < len(row) and row[column].strip()]:
                del unsaid[column]
            if line := _line(row, header):
                lines.append(line)
                length += len(line) + 1
                require_length(length)
    except csv.Error as error:
        raise TaskError("corrupt", f"row {len(lines) + 1} of the table cannot be read: {error}") from error
    names = " | ".join(filter(None, map(_flat, unsaid.values())))
    result = "\n".join([names, *lines] if names else lines)
    return Extracted(
        result,
        [Anchor(0, "table", len(result))] if result else [],
        format,
        encoding=decoded.encoding,
        warnings=[*decoded.warnings, *clean_warning(removed)],
        properties={"rows": len(lines), **({"columns": [_flat(name) for name in header]} if header else {})},
    )


def delimiter_of(sample: str) -> str:
    """Return the delimiter that cuts the sample into rows of one width, and of the greatest."""
    return max(_DELIMITERS, key=lambda delimiter: evenness(sample, delimiter))


def evenness(sample: str, delimiter: str) -> float:
    """Return how well a delimiter cuts a sample into rows of one width, and of a great one; 0 when it cuts nothing."""
    rows = _sample_rows(sample, delimiter)
    widths = Counter(map(len, rows))
    if not widths:
        return 0.0
    width, count = widths.most_common(1)[0]
    return (count / len(rows)) * min(width - 1, 20) ** 0.5 if width > 1 else 0.0


def _reader(text: str, delimiter: str, quoted: bool) -> Iterator[list[str]]:
    quoting: Any = csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE
    return csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quoting=quoting)


def _sample_rows(sample: str, delimiter: str, quoted: bool = True) -> list[list[str]]:
    return [row for row in _rows(sample, delimiter, quoted) if any(cell.strip() for cell in row)]


def _rows(sample: str, delimiter: str, quoted: bool) -> Iterator[list[str]]:
    """Yield the first rows of a sample; a sample that ends inside a quotation is no error here."""
    try:
        for _, row in zip(range(_SAMPLE_ROWS), _reader(sample, delimiter, quoted), strict=False):
            yield row
    except csv.Error:
        return


def has_header(rows: list[list[str]]) -> bool:
    """Return whether the first row names the columns: words that differ, none of them a number."""
    if len(rows) < 2:
        return False
    first = [cell.strip() for cell in rows[0]]
    names = [name for name in first if name]
    if len(names) < max(1, len(first) // 2) or len(set(names)) < len(names):
        return False
    return not any(_NUMBER.match(name) or len(name) > 100 for name in names)


def _line(row: list[str], header: list[str] | None) -> str:
    cells = [_flat(cell) for cell in row]
    if header is None:
        return " | ".join(cells) if any(cells) else ""
    names = [_flat(name) for name in header] + [""] * (len(cells) - len(header))
    pairs = zip(names, cells, strict=False)
    return " | ".join(f"{name}: {cell}" if name else cell for name, cell in pairs if cell)


def _flat(cell: str) -> str:
    return " ".join(cell.split())
