"""Frames on pipes and sockets: a length, and so many bytes. A child waits as it reads and writes them."""

from __future__ import annotations

import struct
from typing import BinaryIO

#: Length of a frame in bytes, before the frame itself.
HEADER = struct.Struct("!Q")


def read(source: BinaryIO) -> bytes | None:
    """Return the next frame; None when the other side has closed, also in the midst of one."""
    header = source.read(HEADER.size)
    if len(header) < HEADER.size:
        return None
    (length,) = HEADER.unpack(header)
    frame = source.read(length)
    return frame if len(frame) == length else None


def write(sink: BinaryIO, frame: bytes) -> None:
    """Send a frame."""
    sink.write(HEADER.pack(len(frame)))
    sink.write(frame)
    sink.flush()
