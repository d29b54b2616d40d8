"""Which format a file has: by its content first, then by its name and its declared type."""

from __future__ import annotations

import codecs
import mmap
from pathlib import Path, PurePath

from documents.reading.containers import compound_format, zip_format
from documents.reading.decoding import wide_encoding
from documents.reading.formats import COMPOUND, ENCRYPTED, FORMATS, TEXT, ZIP, Format, format_named
from errors import TaskError

#: Bytes of a file's beginning that are looked at.
HEAD = 64 * 1024
_CONTROL = bytes(byte for byte in range(32) if byte not in b"\t\n\v\f\r\x1b") + b"\x7f"
#: More control characters than this share of the bytes is no text of any kind.
_BINARY_SHARE = 0.02


def format_of(path: Path, filename: str | None = None, content_type: str | None = None) -> Format:
    """Return the format of a file, which has a reader.

    Raises:
      TaskError: unsupported_format for what has no reader, corrupt for a file that is not what its name says;
        encrypted, archive_bomb.
    """
    with path.open("rb") as file:
        format = format_of_head(file.read(HEAD), filename, content_type)
        if format is COMPOUND:
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                format = compound_format(data, named_format(filename, content_type))
    if format is ZIP:
        format = zip_format(path)
    if format is ENCRYPTED:
        raise TaskError("encrypted", f"{shown(filename)} is {format.label}")
    if format.reader is None:
        raise _unsupported(filename, format)
    return format


def format_of_head(head: bytes, filename: str | None = None, content_type: str | None = None) -> Format:
    """Return the format by a file's beginning: one with a reader, or `ZIP` or `COMPOUND`, which the rest must tell.

    head is best `HEAD` bytes. Raises what `format_of` does.
    """
    named = named_format(filename, content_type)
    if named is not None and named.named_signature is not None and named.named_signature(head):
        return named
    for format in FORMATS:
        if not format.is_text and format.signature is not None and format.signature(head):
            if format.reader is None and format is not ZIP and format is not COMPOUND:
                raise _unsupported(filename, format)
            return format
    marked = head.removeprefix(codecs.BOM_UTF8)
    text = next(
        (format for format in FORMATS if format.is_text and format.signature and format.signature(marked)), None
    )
    if text is None and named is not None and named.may_be_text and not _is_binary(head):
        return TEXT
    if text is None and named is not None and not named.is_text:
        raise TaskError("corrupt", f"{shown(filename)} does not begin as a file of the format {named.name} does")
    if _is_binary(head):
        raise TaskError("unsupported_format", f"{shown(filename)} holds binary data of a kind that has no reader")
    if text is None and named is None and not PurePath(filename or "").suffix:
        text = next(
            (format for format in FORMATS if format.unnamed_signature and format.unnamed_signature(marked)), None
        )
    return text or named or TEXT


def named_format(filename: str | None, content_type: str | None) -> Format | None:
    """Return the format that the name says, else the one that the declared type says, else None."""
    suffix = PurePath(filename or "").suffix.lower().removeprefix(".")
    return format_named(suffix, (content_type or "").partition(";")[0].strip().lower())


def shown(filename: str | None) -> str:
    """Return what a file is called in a message."""
    return PurePath(filename).name if filename else "the file"


def _unsupported(filename: str | None, format: Format) -> TaskError:
    hint = f" ({format.hint})" if format.hint else ""
    return TaskError("unsupported_format", f"{shown(filename)} is {format.label}{hint}, which has no reader")


def _is_binary(head: bytes) -> bool:
    """Return whether bytes are no text; UTF-16 and UTF-32 are text although they hold NULs and other such bytes."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)):
        return False
    sample = head[:65536]
    return _controls(sample) > len(sample) * _BINARY_SHARE and wide_encoding(sample) is None


def _controls(sample: bytes) -> int:
    return len(sample) - len(sample.translate(None, _CONTROL))
