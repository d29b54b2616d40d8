"""Which format a file has: by its content first, then by its name and its declared type."""

from __future__ import annotations

import codecs
import re
from mmap import mmap
from pathlib import PurePath

from documents.decoding import wide_encoding
from errors import TaskError

#: The formats that have a reader.
READABLE = (
    *("pdf", "docx", "pptx", "xlsx", "xls", "odt", "rtf", "epub", "eml"),
    *("html", "markdown", "csv", "tsv", "json", "text"),
)
#: Those that are told by their bytes: a file that is merely named so is damaged, or something else.
TOLD_BY_BYTES = frozenset(("pdf", "docx", "pptx", "xlsx", "xls", "odt", "rtf", "epub", "eml"))

_BY_SUFFIX = {
    "pdf": "pdf",
    "docx": "docx",
    "docm": "docx",
    "dotx": "docx",
    "pptx": "pptx",
    "pptm": "pptx",
    "ppsx": "pptx",
    "potx": "pptx",
    "xlsx": "xlsx",
    "xlsm": "xlsx",
    "xltx": "xlsx",
    "xls": "xls",
    "xlt": "xls",
    "epub": "epub",
    "odt": "odt",
    "ott": "odt",
    "rtf": "rtf",
    "eml": "eml",
    "htm": "html",
    "html": "html",
    "xhtml": "html",
    "md": "markdown",
    "markdown": "markdown",
    "mdown": "markdown",
    "mkd": "markdown",
    "csv": "csv",
    "tsv": "tsv",
    "tab": "tsv",
    "json": "json",
    "geojson": "json",
    "jsonl": "json",
    "ndjson": "json",
}
_BY_TYPE = {
    "application/pdf": "pdf",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": "pptx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "application/vnd.ms-excel": "xls",
    "application/epub+zip": "epub",
    "application/vnd.oasis.opendocument.text": "odt",
    "application/rtf": "rtf",
    "text/rtf": "rtf",
    "message/rfc822": "eml",
    "message/global": "eml",
    "text/html": "html",
    "application/xhtml+xml": "html",
    "text/markdown": "markdown",
    "text/x-markdown": "markdown",
    "text/csv": "csv",
    "text/tab-separated-values": "tsv",
    "application/json": "json",
    "application/geo+json": "json",
    "application/jsonl": "json",
    "application/x-ndjson": "json",
}
#: How files that have no reader begin.
_MAGIC = {
    b"\x89PNG\r\n": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"GIF8": "a GIF image",
    b"II*\x00": "a TIFF image",
    b"MM\x00*": "a TIFF image",
    b"RIFF": "a RIFF media file",
    b"ID3": "an MP3 recording",
    b"OggS": "an Ogg recording",
    b"\x1f\x8b": "a gzip archive",
    b"BZh": "a bzip2 archive",
    b"\xfd7zXZ\x00": "an xz archive",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"Rar!\x1a\x07": "a RAR archive",
    b"\x7fELF": "a program",
    b"MZ\x90\x00": "a Windows program",
    b"\xca\xfe\xba\xbe": "a program",
    b"SQLite format 3\x00": "an SQLite database",
    b"\x00\x00\x01\x00": "an icon",
    b"%!PS": "a PostScript document",
    b"wOFF": "a font",
    b"\x00asm": "a WebAssembly program",
}
_COMPOUND = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
#: By the streams that it holds, what such a container is.
_STREAMS = {
    format: re.compile(b"|".join(re.escape(f"{name}\0".encode("utf-16-le")) for name in names), re.IGNORECASE)
    for format, names in {
        "encrypted": ["EncryptedPackage"],
        "doc": ["WordDocument"],
        "ppt": ["PowerPoint Document"],
        "msg": ["__properties_version1.0"],
        "xls": ["Workbook", "Book"],
    }.items()
}
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_HTML = re.compile(rb"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body)\b", re.I | re.S)
_JSON = re.compile(rb'\s*(?:\[\s*)?\{\s*"(?:[^"\\\n]|\\.){1,200}"\s*:')
#: The first lines of a mail: at least two headers that every mail has some of.
_MAIL = re.compile(
    rb"\s*(?:From [^\n]*\n)?(?:[!-9;-~]+:[^\n]*\n(?:[ \t][^\n]*\n)*){0,60}?"
    rb"(?:From|To|Subject|Date|Received|Return-Path|Message-ID|MIME-Version|Delivered-To|Content-Type):",
    re.IGNORECASE,
)
_MAIL_HEADERS = {b"from", b"to", b"subject", b"date", b"received", b"message-id", b"mime-version", b"return-path"}
_CONTROL = bytes(byte for byte in range(32) if byte not in b"\t\n\v\f\r\x1b") + b"\x7f"
#: More control characters than this share of the bytes is no text of any kind.
_BINARY_SHARE = 0.02


def format_of(head: bytes, filename: str | None = None, content_type: str | None = None) -> str:
    """The format of a file: one of `READABLE`, or `zip` or `compound` when only what the file holds can tell.

    head is the file's beginning, best 64 KB of it.

    Raises:
      TaskError: unsupported_format for what has no reader, corrupt for a file that is not what its name says.
    """
    named = named_format(filename, content_type)
    if head.startswith(_ZIP):
        return "zip"
    if head.lstrip().startswith(b"%PDF-") or (named == "pdf" and b"%PDF-" in head[:1024]):
        return "pdf"
    if head.startswith(_COMPOUND):
        return "compound"
    if head.lstrip().startswith(b"{\\rtf"):
        return "rtf"
    _refuse_magic(head, filename)
    if named == "eml" and _MAIL.match(head):
        return "eml"
    if named in TOLD_BY_BYTES and not _HTML.match(head):
        raise TaskError("corrupt", f"{_name(filename)} does not begin as a file of the format {named} does")
    if _is_binary(head):
        raise TaskError("unsupported_format", f"{_name(filename)} holds binary data of a kind that has no reader")
    if _HTML.match(head.removeprefix(codecs.BOM_UTF8)):
        return "html"
    if named is None and not PurePath(filename or "").suffix:
        if _is_mail(head):
            return "eml"
        if _JSON.match(head.removeprefix(codecs.BOM_UTF8)):
            return "json"
    return "text" if named is None else named


def named_format(filename: str | None, content_type: str | None) -> str | None:
    """The format that the name says, else the one that the declared type says, else None."""
    suffix = PurePath(filename or "").suffix.lower().removeprefix(".")
    media = (content_type or "").partition(";")[0].strip().lower()
    return _BY_SUFFIX.get(suffix) or _BY_TYPE.get(media)


def _refuse_magic(head: bytes, filename: str | None) -> None:
    for magic, what in _MAGIC.items():
        if head.startswith(magic):
            raise TaskError("unsupported_format", f"{_name(filename)} is {what}, which has no reader")
    if head[4:8] == b"ftyp":
        raise TaskError("unsupported_format", f"{_name(filename)} is an MP4 recording, which has no reader")


def compound_format(data: bytes | mmap, named: str | None) -> str:
    """The format of a file in the container of old office programs: a key of `_STREAMS`, or `compound`.

    Documents may hold each other, so of several the one that the file is named as counts, else the first.
    """
    # A stream's name opens its entry in the directory, whose entries have 128 bytes each.
    found = [
        format for format, names in _STREAMS.items() if any(match.start() % 128 == 0 for match in names.finditer(data))
    ]
    return named if named in found and "encrypted" not in found else (found or ["compound"])[0]


def _is_mail(head: bytes) -> bool:
    """Whether a file that nothing names is a mail: a text may well begin with `From:`, but with less of the rest."""
    headers = head.replace(b"\r", b"").partition(b"\n\n")[0]
    names = {line.partition(b":")[0].lower() for line in headers.splitlines() if b":" in line}
    return bool(_MAIL.match(head)) and len(names & _MAIL_HEADERS) >= 3


def _is_binary(head: bytes) -> bool:
    """Whether bytes are no text; UTF-16 and UTF-32 are text although they hold NULs and other such bytes."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)):
        return False
    sample = head[:65536]
    return _controls(sample) > len(sample) * _BINARY_SHARE and wide_encoding(sample) is None


def _controls(sample: bytes) -> int:
    return len(sample) - len(sample.translate(None, _CONTROL))


def _name(filename: str | None) -> str:
    return PurePath(filename).name if filename else "the file"
