"""How large a picture is, told by its header: before anything is decoded that claims to be millions of pixels wide."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator

#: Width and height in pixels.
Size = tuple[int, int]

_PGM = re.compile(rb"P5\s+(\d{1,9})\s+(\d{1,9})\s")
#: Markers of JPEG: those that stand alone, and those of the frame, which says the size (ITU T.81, table B.1).
_ALONE = {0x01, *range(0xD0, 0xDA)}
_FRAMES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
#: Tags of TIFF 6.0 (section 8), and the format of their values by type: a short or a long number.
_WIDTH, _HEIGHT = 256, 257
_NUMBERS = {3: "H", 4: "I"}


def sizes(picture: bytes) -> Iterator[Size]:
    """Yield the size of each page of a picture; only a TIFF may have several.

    Raises:
      ValueError: no size can be found.
    """
    for begins, of in _FORMS:
        if re.match(begins, picture, re.DOTALL):
            try:
                yield from of(picture)
            except struct.error:
                raise ValueError("it ends before it says how large it is") from None
            return
    raise ValueError("it is in no form that is known")


def _png(picture: bytes) -> Iterator[Size]:
    if picture[12:16] != b"IHDR":
        raise ValueError("it does not begin with a header")
    yield struct.unpack_from(">II", picture, 16)


def _jpeg(picture: bytes) -> Iterator[Size]:
    at = 2
    while True:
        filler, marker = struct.unpack_from(">BB", picture, at)
        if filler != 0xFF:
            raise ValueError("its segments do not follow each other")
        if marker == 0xFF:  # a byte that fills up
            at += 1
        elif marker in _ALONE:
            at += 2
        elif marker in _FRAMES:
            height, width = struct.unpack_from(">HH", picture, at + 5)
            yield width, height
            return
        else:
            at += 2 + max(2, *struct.unpack_from(">H", picture, at + 2))


def _webp(picture: bytes) -> Iterator[Size]:
    kind = picture[12:16]
    if kind == b"VP8X":
        (low_width, width, low_height, height) = struct.unpack_from("<HBHB", picture, 24)
        yield (low_width | width << 16) + 1, (low_height | height << 16) + 1
    elif kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", picture, 21)
        yield (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    elif kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", picture, 26)
        yield width & 0x3FFF, height & 0x3FFF
    else:
        raise ValueError("it does not begin with a header")


def _gif(picture: bytes) -> Iterator[Size]:
    yield struct.unpack_from("<HH", picture, 6)


def _bmp(picture: bytes) -> Iterator[Size]:
    width, height = struct.unpack_from("<ii", picture, 18)
    yield abs(width), abs(height)


def _pgm(picture: bytes) -> Iterator[Size]:
    if (match := _PGM.match(picture)) is None:
        raise ValueError("it does not begin with a header")
    yield int(match[1]), int(match[2])


def _tiff(picture: bytes) -> Iterator[Size]:
    """Follow the directories, one for each page, to the end or to where they are cut off or go round in a circle."""
    order = "<" if picture[:1] == b"I" else ">"
    (at,) = struct.unpack_from(order + "I", picture, 4)
    seen: set[int] = set()
    while at and at not in seen:
        seen.add(at)
        try:
            size, at = _directory(picture, at, order)
        except (struct.error, ValueError):
            if len(seen) == 1:
                raise
            return
        yield size


def _directory(picture: bytes, at: int, order: str) -> tuple[Size, int]:
    """Return the size that a directory says, and where the next one lies: at 0 if there is none."""
    (count,) = struct.unpack_from(order + "H", picture, at)
    said: dict[int, int] = {}
    for entry in range(at + 2, at + 2 + 12 * count, 12):
        tag, kind = struct.unpack_from(order + "HH", picture, entry)
        if tag in (_WIDTH, _HEIGHT) and kind in _NUMBERS:
            (said[tag],) = struct.unpack_from(order + _NUMBERS[kind], picture, entry + 8)
    if said.keys() != {_WIDTH, _HEIGHT}:
        raise ValueError("a page does not say how large it is")
    (following,) = struct.unpack_from(order + "I", picture, at + 2 + 12 * count)
    return (said[_WIDTH], said[_HEIGHT]), following


#: How each form begins that is given to Tesseract.
_FORMS: tuple[tuple[bytes, Callable[[bytes], Iterator[Size]]], ...] = (
    (rb"P5\s", _pgm),
    (rb"\x89PNG\r\n\x1a\n", _png),
    (rb"\xff\xd8\xff", _jpeg),
    (rb"GIF8[79]a", _gif),
    (rb"II\*\0|MM\0\*", _tiff),
    (rb"BM", _bmp),
    (rb"RIFF....WEBP", _webp),
)
