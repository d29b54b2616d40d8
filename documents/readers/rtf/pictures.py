"""The pictures of an RTF document, which stand among its text in hexadecimal digits or as they are."""

from __future__ import annotations

import re
from collections.abc import Iterator

_PICTURE = re.compile(rb"\\pict(?![a-z])")
_PIECE = re.compile(
    rb"(?P<digits>[0-9a-fA-F\s]+)|\\bin(?P<count>\d{1,9}) ?|\\\*|\\[a-z]+-?\d* ?|(?P<brace>[{}])|[^\\{}]"
)
#: What the same picture is within once more, for older readers.
_DOUBLE = b"\\nonshppict"


def pictures(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield a name for each picture, and its bytes."""
    at = number = 0
    while match := _PICTURE.search(data, at):
        content, at = _content(data, match.end())
        if _DOUBLE not in data[max(match.start() - 20, 0) : match.start()]:
            number += 1
            yield f"picture {number}", content


def _content(data: bytes, at: int) -> tuple[bytes, int]:
    """Return the bytes of the picture whose group goes on at an offset, and its end; groups within are no bytes."""
    digits, raw, depth = [], [], 0
    while depth >= 0 and (piece := _PIECE.match(data, at)):
        at = piece.end()
        if brace := piece["brace"]:
            depth += 1 if brace == b"{" else -1
        elif piece["count"]:
            raw.append(data[at : at + int(piece["count"])])
            at += int(piece["count"])
        elif piece["digits"] and depth == 0:
            digits.append(b"".join(piece["digits"].split()))
    hexadecimal = b"".join(digits)
    return b"".join(raw) or bytes.fromhex(hexadecimal[: len(hexadecimal) & ~1].decode()), at
