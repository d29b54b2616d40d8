"""Which document a container is: a zip by its parts, a compound file of old office programs by its streams."""

from __future__ import annotations

import os
import re
import zlib
from mmap import mmap
from pathlib import Path

from documents.reading.archive import Archive
from documents.reading.formats import BY_NAME, COMPOUND, ENCRYPTED, FORMATS, ZIP, Format

_TYPES = "[Content_Types].xml"
_MOST_OF_TYPES = 1_000_000
_LOCAL_HEADER = 30  # bytes before a member's name


def zip_format(path: Path) -> Format:
    """Tell the format of a zip file by the parts that it holds; `ZIP` where they say nothing.

    Raises:
      TaskError: corrupt, encrypted, archive_bomb.
    """
    if (format := _office_format(_first_types(path))) is not None:
        return format
    with Archive(path) as archive:
        if (format := _office_format(archive.read(_TYPES)[:_MOST_OF_TYPES])) is not None:
            return format
        if "mimetype" in archive:
            mimetype = archive.read("mimetype").strip().decode("ascii", "replace")
            return next((format for format in FORMATS if mimetype in format.mimetypes), ZIP)
        parts = (format for format in FORMATS if format.main_part is not None and format.main_part in archive)
        return next(parts, ZIP)


def _first_types(path: Path) -> bytes:
    """Return the list of types where it comes first, as office programs write it: the directory need not be read."""
    with path.open("rb") as file:
        header = file.read(_LOCAL_HEADER)
        length, extra = (int.from_bytes(header[at : at + 2], "little") for at in (26, 28))
        if header[8:10] != b"\x08\0" or file.read(length) != _TYPES.encode():
            return b""
        file.seek(extra, os.SEEK_CUR)
        try:
            return zlib.decompressobj(-15).decompress(file.read(_MOST_OF_TYPES), _MOST_OF_TYPES)
        except zlib.error:
            return b""


def _office_format(types: bytes) -> Format | None:
    """Return the format whose main part a list of types names."""
    return next((format for format in FORMATS if format.content_type and re.search(format.content_type, types)), None)


_STREAMS = {
    format.name: re.compile(b"|".join(re.escape(f"{name}\0".encode("utf-16-le")) for name in format.streams), re.I)
    for format in FORMATS
    if format.streams
}


def compound_format(data: bytes | mmap, named: Format | None) -> Format:
    """Return the format of a compound file, `ENCRYPTED`, or `COMPOUND`.

    Documents may hold each other, so of several formats the one that the file is named as counts, else the first.
    """
    # A stream's name opens its entry in the directory, whose entries have 128 bytes each.
    formats = [
        BY_NAME[name]
        for name, names in _STREAMS.items()
        if any(match.start() % 128 == 0 for match in names.finditer(data))
    ]
    return named if named in formats and ENCRYPTED not in formats else (formats or [COMPOUND])[0]
