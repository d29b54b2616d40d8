"""Images: PNG, JPEG, WebP, and TIFF of one page or several; text recognition reads them as it reads scanned pages."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from documents.readers.shared.picture_size import sizes
from documents.readers.shared.pictures import Pictures
from documents.reading.formats import FORMATS, Format
from documents.text import Extracted, Writer
from errors import TaskError

#: Pages of one file: at 2 s a page no stage has time for more.
MOST_PAGES = 2000


def read(path: Path, encoding: str | None = None) -> Extracted:
    """Read an image; it has no encoding.

    Raises:
      TaskError: corrupt, needs_ocr, too_large; timeout where there was no time to read any page.
    """
    picture = path.read_bytes()
    format = _format(picture)
    try:
        count = len(list(islice(sizes(picture), MOST_PAGES + 1)))
    except ValueError as error:
        raise TaskError("corrupt", f"{format.label} is damaged: {error}") from error
    if count > MOST_PAGES:
        raise TaskError("too_large", f"the file has more than {MOST_PAGES:,} pages")
    account, writer = Pictures("page"), Writer()
    for number in range(1, count + 1):
        writer.page(number)
        account.read(number, [picture], writer, page=number - 1)
    account.require_text(f"{format.name.upper()} file")
    return writer.finish(format.name, pages=count, warnings=account.warnings(count))


def _format(picture: bytes) -> Format:
    return next(
        format for format in FORMATS if format.reader == __name__ and format.signature and format.signature(picture)
    )
