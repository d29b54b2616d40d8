"""What must hold of any bytes whatever: they are read, or refused with a code; and whatever was read can be cut."""

from __future__ import annotations

import tempfile
from pathlib import Path

from documents.reading.extraction import extract
from documents.splitting.chunking import split
from documents.splitting.measure import BYTES, CHARACTERS, LOCAL, measure
from documents.text import Anchor
from errors import TaskError

#: The target that has no format.
CHUNKER = "chunker"
#: What was found, by target.
CORPUS = Path(__file__).parent / "corpus"
#: What a file may be refused with for what it is.
CODES = frozenset(
    ("corrupt", "encrypted", "empty", "needs_ocr", "too_large", "unsupported_format", "archive_bomb", "undecodable")
)
_PATH = Path(tempfile.gettempdir()) / "fuzzed"
_KINDS = ("heading", "table", "code", "page")


def read(data: bytes, target: str) -> None:
    """Read bytes as a file of a format, and cut what they hold.

    Raises:
      AssertionError: something does not hold. Anything else but MemoryError is an error of the reader's.
    """
    path = _PATH.with_name(f"{_PATH.name}-{target}")
    path.write_bytes(data)
    try:
        extracted = extract(path, filename=f"a.{target}")
    except TaskError as error:
        assert error.code in CODES, error
        return
    except MemoryError:
        return
    assert extracted.text.strip(), "an empty text is no success"
    extracted.text.encode()  # neither a lone surrogate
    assert "\0" not in extracted.text
    for anchor in extracted.anchors:
        end = len(extracted.text) if anchor.end is None else anchor.end
        assert 0 <= anchor.start <= end <= len(extracted.text), anchor
    cut(extracted.text, extracted.anchors, 50 + len(data) % 500, len(data) % 50, CHARACTERS)


def chunk(data: bytes) -> None:
    """Take a text, anchors and sizes from bytes, and cut the text."""
    if len(data) < 16:
        return
    text = data[16:].decode("utf-8", "surrogatepass" if data[0] & 1 else "replace") if _decodes(data) else ""
    anchors = []
    for at in range(4):
        start = int.from_bytes(data[at * 3 : at * 3 + 2], "little") % (len(text) + 1)
        length = data[at * 3 + 2]
        anchors.append(Anchor(start, _KINDS[length % 4], start + length, page=at + 1, level=length % 7, title="T"))
    size = 1 + data[12]
    cut(text, anchors, size, data[13] % size, (CHARACTERS, LOCAL, BYTES)[data[14] % 3])


def _decodes(data: bytes) -> bool:
    try:
        data[16:].decode("utf-8", "surrogatepass" if data[0] & 1 else "replace")
    except UnicodeDecodeError:
        return False
    return True


def cut(text: str, anchors: list[Anchor], size: int, overlap: int, measured_in: str) -> None:
    """Cut a text, and hold the contract of chunks against it."""
    measured = measure(measured_in, text)
    covered = 0
    for chunk in split(text, anchors, size, overlap, measure=measured):
        assert chunk.start < chunk.end <= len(text)
        assert not text[covered : chunk.start].strip(), "something is missing"
        assert chunk.end > covered, "a chunk that adds nothing"
        # A character of four bytes is more than a size of three: it is not torn.
        assert chunk.end - chunk.start == 1 or measured.of(text[chunk.start : chunk.end]) <= size
        covered = chunk.end
    assert not text[covered:].strip(), "the end is missing"
