"""The formats of documents: one row each says who reads it, what its files are called, and how they are recognised.

To add a format, write its reader and its row.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

#: Says whether a file's beginning is that of a format.
Signature = Callable[[bytes], object]

_MAIL = re.compile(
    # At least one of the headers that every mail has some of, among others.
    rb"\s*(?:From [^\n]*\n)?(?:[!-9;-~]+:[^\n]*\n(?:[ \t][^\n]*\n)*){0,60}?"
    rb"(?:From|To|Subject|Date|Received|Return-Path|Message-ID|MIME-Version|Delivered-To|Content-Type):",
    re.IGNORECASE,
)
_MARK = re.compile(rb"\A(?:\xff\xfe|\xfe\xff|\xef\xbb\xbf)")
_MAIL_HEADERS = {b"from", b"to", b"subject", b"date", b"received", b"message-id", b"mime-version", b"return-path"}


def _begins(pattern: bytes, flags: int = 0) -> Signature:
    return re.compile(pattern, re.DOTALL | flags).match


def _begins_as_mail(head: bytes) -> bool:
    """Return whether a file that is named as a mail begins with mail headers, also in UTF-16."""
    return bool(_MAIL.match(head) or _MAIL.match(_MARK.sub(b"", head).replace(b"\0", b"")))


def _is_mail(head: bytes) -> bool:
    """Return whether a file without a name or type is a mail. A text may begin with `From:`, but has fewer headers."""
    headers = head.replace(b"\r", b"").partition(b"\n\n")[0]
    names = {line.partition(b":")[0].lower() for line in headers.splitlines() if b":" in line}
    return bool(_MAIL.match(head)) and len(names & _MAIL_HEADERS) >= 3


@dataclass(frozen=True, slots=True)
class Format:
    """A format of documents.

    Parameters:
      reader: the module that reads it, loaded when the first such file comes. None for a format that is only known,
        so that a file of it is refused by its label, with the hint.
      suffixes, media_types: what its files and their types are called.
      is_text: its files are text, and what is named so is taken for it. Any other format is recognised by its bytes,
        and what is merely named so is damaged.
      signature: how its files begin, whatever they are called.
      named_signature: how those begin that are named so; unnamed_signature: those that nothing names.
      content_type: for office documents, a pattern of what the zip's list of types says of the main part; main_part
        is that part's name, for a zip whose list says nothing.
      mimetypes: what the member `mimetype` of the zip says.
      streams: for documents of old office programs, the names of streams of which such a container has one.
      may_be_text: what is named so and is text is read as such, and is not damaged.
    """

    name: str
    reader: str | None = None
    suffixes: tuple[str, ...] = ()
    media_types: tuple[str, ...] = ()
    label: str = ""
    hint: str = ""
    is_text: bool = False
    signature: Signature | None = None
    named_signature: Signature | None = None
    unnamed_signature: Signature | None = None
    content_type: bytes | None = None
    main_part: str | None = None
    mimetypes: tuple[str, ...] = ()
    streams: tuple[str, ...] = ()
    may_be_text: bool = False

    @property
    def is_recognised(self) -> bool:
        """Whether its files are known by their bytes, whatever they are called."""
        return not self.is_text or self.signature is not None


#: A zip or a compound file is one of the documents that come in such a container, or the container itself.
ZIP = Format("zip", label="an archive", signature=_begins(rb"PK(?:\x03\x04|\x05\x06)"))
COMPOUND = Format(
    "compound",
    label="an office document of the time before 2007",
    signature=_begins(rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"),
)
#: What a compound file is whose document is encrypted, whatever else it holds.
ENCRYPTED = Format("encrypted", label="protected by a password", streams=("EncryptedPackage",))
#: What is neither recognised nor named is read as this.
TEXT = Format("text", "documents.readers.text.plain", is_text=True)

FORMATS: tuple[Format, ...] = (
    Format(
        "pdf",
        "documents.readers.pdf.reader",
        suffixes=("pdf",),
        media_types=("application/pdf",),
        signature=_begins(rb"\s*%PDF-"),
        named_signature=_begins(rb".{0,1019}%PDF-"),
    ),
    Format(
        "docx",
        "documents.readers.office.docx",
        suffixes=("docx", "docm", "dotx"),
        media_types=("application/vnd.openxmlformats-officedocument.wordprocessingml.document",),
        content_type=(rb"wordprocessingml\.(document|template)\.main|ms-word\.(document|template)\.macroEnabled\.main"),
        main_part="word/document.xml",
    ),
    Format(
        "pptx",
        "documents.readers.office.pptx",
        suffixes=("pptx", "pptm", "ppsx", "potx"),
        media_types=("application/vnd.openxmlformats-officedocument.presentationml.presentation",),
        content_type=(
            rb"presentationml\.(presentation|slideshow|template)\.main"
            rb"|ms-powerpoint\.(presentation|slideshow|template)\.macroEnabled\.main"
        ),
        main_part="ppt/presentation.xml",
    ),
    Format(
        "xlsx",
        "documents.readers.office.xlsx",
        suffixes=("xlsx", "xlsm", "xltx"),
        media_types=("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",),
        content_type=rb"spreadsheetml\.(sheet|template)\.main|ms-excel\.(sheet|template)\.macroEnabled\.main",
        main_part="xl/workbook.xml",
    ),
    Format(
        "odt",
        "documents.readers.office.odt",
        suffixes=("odt", "ott"),
        media_types=("application/vnd.oasis.opendocument.text",),
        mimetypes=("application/vnd.oasis.opendocument.text", "application/vnd.oasis.opendocument.text-template"),
    ),
    Format(
        "rtf",
        "documents.readers.rtf.reader",
        suffixes=("rtf",),
        media_types=("application/rtf", "text/rtf"),
        signature=_begins(rb"\s*\{\\rtf"),
    ),
    Format(
        "epub",
        "documents.readers.web.epub",
        suffixes=("epub",),
        media_types=("application/epub+zip",),
        main_part="META-INF/container.xml",
        mimetypes=("application/epub+zip",),
    ),
    Format(
        "eml",
        "documents.readers.web.eml",
        suffixes=("eml",),
        media_types=("message/rfc822", "message/global"),
        named_signature=_begins_as_mail,
        unnamed_signature=_is_mail,
    ),
    Format(
        "html",
        "documents.readers.web.html",
        suffixes=("html", "htm", "xhtml"),
        media_types=("text/html", "application/xhtml+xml"),
        is_text=True,
        signature=_begins(
            rb"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE
        ),
    ),
    Format(
        "markdown",
        "documents.readers.text.markdown",
        suffixes=("md", "markdown", "mdown", "mkd"),
        media_types=("text/markdown", "text/x-markdown"),
        is_text=True,
    ),
    Format("csv", "documents.readers.sheets.csv", suffixes=("csv",), media_types=("text/csv",), is_text=True),
    Format(
        "tsv",
        "documents.readers.sheets.tsv",
        suffixes=("tsv", "tab"),
        media_types=("text/tab-separated-values",),
        is_text=True,
    ),
    Format(
        "ipynb",
        "documents.readers.text.notebook",
        suffixes=("ipynb",),
        media_types=("application/x-ipynb+json",),
        is_text=True,
        unnamed_signature=_begins(rb'\s*\{\s*"cells"\s*:\s*\[\s*\{.{0,4000}?"cell_type"\s*:'),
    ),
    Format(
        "json",
        "documents.readers.text.json",
        suffixes=("json", "geojson", "jsonl", "ndjson"),
        media_types=("application/json", "application/geo+json", "application/jsonl", "application/x-ndjson"),
        is_text=True,
        unnamed_signature=_begins(rb'\s*(?:\[\s*)?\{\s*"(?:[^"\\\n]|\\.){1,200}"\s*:'),
    ),
    Format(
        "org",
        "documents.readers.text.org",
        suffixes=("org",),
        media_types=("text/org", "text/x-org"),
        is_text=True,
    ),
    Format(
        "rst",
        "documents.readers.text.rst",
        suffixes=("rst", "rest"),
        media_types=("text/x-rst", "text/prs.fallenstein.rst"),
        is_text=True,
    ),
    Format(
        "srt",
        "documents.readers.text.subtitles",
        suffixes=("srt",),
        media_types=("application/x-subrip",),
        is_text=True,
    ),
    Format(
        "vtt",
        "documents.readers.text.subtitles",
        suffixes=("vtt",),
        media_types=("text/vtt",),
        is_text=True,
        signature=_begins(rb"WEBVTT(?:[ \t][^\r\n]*)?[\r\n].{0,4000}?\d[.,]\d{3}[ \t]+-->"),
    ),
    TEXT,
    Format(
        "png",
        "documents.readers.image.reader",
        suffixes=("png",),
        media_types=("image/png",),
        label="the PNG image",
        signature=_begins(rb"\x89PNG\r\n\x1a\n"),
    ),
    Format(
        "jpeg",
        "documents.readers.image.reader",
        suffixes=("jpg", "jpeg", "jpe"),
        media_types=("image/jpeg", "image/jpg"),
        label="the JPEG image",
        signature=_begins(rb"\xff\xd8\xff"),
    ),
    Format(
        "tiff",
        "documents.readers.image.reader",
        suffixes=("tif", "tiff"),
        media_types=("image/tiff",),
        label="the TIFF image",
        signature=_begins(rb"II\*\x00|MM\x00\*"),
    ),
    Format(
        "webp",
        "documents.readers.image.reader",
        suffixes=("webp",),
        media_types=("image/webp",),
        label="the WebP image",
        signature=_begins(rb"RIFF.{4}WEBP"),
    ),
    # Those of old office programs are recognised by their streams, the first of these first.
    COMPOUND,
    ENCRYPTED,
    Format(
        "doc",
        "documents.readers.legacy.doc",
        suffixes=("doc", "dot"),
        media_types=("application/msword",),
        label="a Word document of the time before 2007",
        hint="save it as .docx",
        streams=("WordDocument",),
        # Word opens any text of that name, and many programs have written some.
        may_be_text=True,
    ),
    Format(
        "ppt",
        "documents.readers.legacy.ppt",
        suffixes=("ppt", "pps", "pot"),
        media_types=("application/vnd.ms-powerpoint",),
        label="a PowerPoint presentation of the time before 2007",
        hint="save it as .pptx",
        streams=("PowerPoint Document",),
    ),
    Format(
        "msg",
        "documents.readers.web.msg",
        suffixes=("msg",),
        media_types=("application/vnd.ms-outlook",),
        streams=("__properties_version1.0",),
    ),
    Format(
        "xls",
        "documents.readers.sheets.xls",
        suffixes=("xls", "xlt"),
        media_types=("application/vnd.ms-excel",),
        streams=("Workbook", "Book"),
    ),
    # What has no reader.
    ZIP,
    Format(
        "xlsb",
        label="an Excel workbook in binary form",
        hint="save it as .xlsx",
        content_type=rb"ms-excel\.sheet\.binary\.macroEnabled\.main",
    ),
    Format(
        "ods",
        label="an OpenDocument spreadsheet",
        hint="save it as .xlsx",
        mimetypes=("application/vnd.oasis.opendocument.spreadsheet",),
    ),
    Format(
        "odp",
        label="an OpenDocument presentation",
        hint="save it as .pptx",
        mimetypes=("application/vnd.oasis.opendocument.presentation",),
    ),
    Format("gif", label="a GIF image", signature=_begins(rb"GIF8")),
    Format("riff", label="a RIFF media file", signature=_begins(rb"RIFF")),
    Format("mp3", label="an MP3 recording", signature=_begins(rb"ID3")),
    Format("mp4", label="an MP4 recording", signature=_begins(rb".{4}ftyp")),
    Format("ogg", label="an Ogg recording", signature=_begins(rb"OggS")),
    Format("tar", label="a tar archive", signature=_begins(rb".{257}ustar")),
    Format("gzip", label="a gzip archive", signature=_begins(rb"\x1f\x8b")),
    Format("bzip2", label="a bzip2 archive", signature=_begins(rb"BZh")),
    Format("xz", label="an xz archive", signature=_begins(rb"\xfd7zXZ\x00")),
    Format("7z", label="a 7z archive", signature=_begins(rb"7z\xbc\xaf\x27\x1c")),
    Format("rar", label="a RAR archive", signature=_begins(rb"Rar!\x1a\x07")),
    Format("elf", label="a program", signature=_begins(rb"\x7fELF|\xca\xfe\xba\xbe")),
    Format("exe", label="a Windows program", signature=_begins(rb"MZ\x90\x00")),
    Format("sqlite", label="an SQLite database", signature=_begins(rb"SQLite format 3\x00")),
    Format("ico", label="an icon", signature=_begins(rb"\x00\x00\x01\x00")),
    Format("postscript", label="a PostScript document", signature=_begins(rb"%!PS")),
    Format("woff", label="a font", signature=_begins(rb"wOFF")),
    Format("wasm", label="a WebAssembly program", signature=_begins(rb"\x00asm")),
)

_BY_SUFFIX = {suffix: format for format in FORMATS for suffix in format.suffixes}
_BY_MEDIA_TYPE = {media_type: format for format in FORMATS for media_type in format.media_types}
BY_NAME = {format.name: format for format in FORMATS}


def format_named(suffix: str, media_type: str) -> Format | None:
    """Return the format that a suffix says, else the one that a media type says, both in small letters; else None."""
    return _BY_SUFFIX.get(suffix) or _BY_MEDIA_TYPE.get(media_type)
