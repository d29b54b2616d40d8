"""Fonts that a PDF names and does not bring along, as a PDF in Chinese often does.

PDFium looks for them on the machine. Where it finds none, a character has no shape, and one that is placed by itself
is left out of the text: of some files, all are. So it is given one font for all that, in which each character is a
square: their widths are in the PDF. What is read is the same on each machine, whatever fonts it has.
"""

from __future__ import annotations

import ctypes
import struct
from functools import cache
from typing import Any

import pypdfium2.raw as pdfium

#: Windows' numbers of Japanese, Korean and both ways to write Chinese, for which PDFium has no font of its own.
_CHARSETS = frozenset({128, 129, 134, 136})
_FONT = 1
_EM, _ASCENT, _DESCENT = 1000, 880, -120


@cache
def use_squares() -> None:
    """Have PDFium take squares for what a PDF does not bring, from now on in this process."""
    data = squares()

    def find(_: object, weight: int, italic: int, charset: int, pitch: int, face: object, exact: object) -> int | None:
        return _FONT if charset in _CHARSETS else None

    def read(_: Any, font: Any, table: int, buffer: Any, size: int) -> int:
        if table:
            return 0
        if size >= len(data):
            ctypes.memmove(buffer, data, len(data))
        return len(data)

    answers = {"MapFont": find, "GetFontData": read, "GetFontCharset": lambda *_: 0, "GetFaceName": lambda *_: 0}
    info = pdfium.FPDF_SYSFONTINFO(version=1)
    for name, kind in pdfium.FPDF_SYSFONTINFO._fields_:
        if name != "version":
            setattr(info, name, kind(answers.get(name, lambda *_: None)))
    pdfium.FPDF_SetSystemFontInfo(info)
    _kept.append(info)


#: PDFium goes on using it, and what it calls.
_kept: list[pdfium.FPDF_SYSFONTINFO] = []


def squares() -> bytes:
    """Build a TrueType font that shows every character as a square.

    Its tables are those without which no font is read: https://learn.microsoft.com/typography/opentype/spec/otff; a
    character map of format 13 gives one shape to many characters.
    """
    box = struct.pack(">5h", 1, 0, _DESCENT, _EM, _ASCENT) + struct.pack(">2H4B", 3, 0, 1, 1, 1, 1)
    box += struct.pack(">8h", 0, 0, _EM, 0, _DESCENT, _EM, 0, -_EM)
    box += bytes(-len(box) % 4)
    tables = {
        b"cmap": struct.pack(">4HI2H6I", 0, 1, 3, 10, 12, 13, 0, 28, 0, 1, 0x21, 0x10FFFF, 1),
        b"glyf": box,
        b"head": struct.pack(
            ">4I2H2Q4h2H3h", 1 << 16, 0, 0, 0x5F0F3CF5, 0, _EM, 0, 0, 0, _DESCENT, _EM, _ASCENT, 0, 8, 2, 0, 0
        ),
        b"hhea": struct.pack(">I3hH11hH", 1 << 16, _ASCENT, _DESCENT, 0, _EM, 0, 0, _EM, 1, *[0] * 7, 2),
        b"hmtx": struct.pack(">Hh", _EM, 0) * 2,
        b"loca": struct.pack(">3H", 0, 0, len(box) // 2),
        b"maxp": struct.pack(">I14H", 1 << 16, 2, 4, 1, 0, 0, 2, *[0] * 8),
    }
    head, body = struct.pack(">I4H", 1 << 16, len(tables), 64, 2, len(tables) * 16 - 64), b""
    for name, table in tables.items():
        head += name + struct.pack(">3I", 0, 12 + 16 * len(tables) + len(body), len(table))
        body += table + bytes(-len(table) % 4)
    return head + body
