"""Documents made by hand, byte by byte, so that tests know exactly what is in them."""

from __future__ import annotations

import hashlib
import io
import struct
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_PADDING = bytes.fromhex("28BF4E5E4E758A4164004E56FFFA01082E2E00B6D0683E802F0CA9FE6453697A")
_FILE_ID = bytes(16)
#: What office documents behind a password have in common.
ENCRYPTED_OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(128 * 800 - 8) + "EncryptedPackage\0".encode("utf-16-le")


@dataclass
class Line:
    """A line of a PDF page."""

    text: str
    size: float = 10
    left: float = 72
    drop: float = 12  # below the line before
    typed: bool = False  # in a font for code
    bold: bool = False
    turned: bool = False  # written upwards


@dataclass
class Filled:
    """What was filled into a page: a field of a form, or text that was typed on top; left and bottom in points."""

    text: str
    left: float
    bottom: float
    kind: str = "Tx"  # text field; `Ch` a choice, `FreeText` what was typed on top
    page: int = 0
    hidden: bool = False
    facts: str = ""

    def body(self) -> bytes:
        """The object in the file."""
        box = f"/Rect [{self.left} {self.bottom} {self.left + 120} {self.bottom + 14}] /F {2 if self.hidden else 4}"
        value = f"<feff{self.text.encode('utf-16-be').hex()}>"
        if self.kind == "FreeText":
            return f"<< /Type /Annot /Subtype /FreeText {box} /Contents {value} {self.facts} >>".encode()
        name = f"/T (f{self.left}{self.bottom})"
        return f"<< /Type /Annot /Subtype /Widget /FT /{self.kind} {name} {box} /V {value} {self.facts} >>".encode()


@dataclass
class Stroke:
    """A straight line on a PDF page, or a frame if `framed`, from one corner to the opposite one."""

    left: float
    bottom: float
    right: float
    top: float
    framed: bool = False


def pdf(
    pages: Sequence[Sequence[Line | str | Stroke] | None],
    outline: Sequence[tuple[str, int]] = (),
    password: str | None = None,
    filled: Sequence[Filled] = (),
) -> bytes:
    """A PDF with the given lines on its pages; None makes a page that holds a picture only, [] a blank one.

    outline: title and page index of each bookmark. password: what is needed to open it (RC4, 40 bits).
    """
    objects: list[bytes] = []

    def add(body: bytes) -> int:
        objects.append(body)
        return len(objects)

    def put(number: int, body: bytes) -> None:
        objects[number - 1] = body

    catalogue, tree = add(b""), add(b"")
    font = add(b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>")
    courier = add(b"<< /Type /Font /Subtype /Type1 /BaseFont /Courier /Encoding /WinAnsiEncoding >>")
    bold = add(b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica-Bold /Encoding /WinAnsiEncoding >>")
    fonts = b"/F1 %d 0 R /F3 %d 0 R /F4 %d 0 R" % (font, courier, bold)
    if any(is_chinese(line) for page in pages for line in page or ()):
        inner = add(
            b"<< /Type /Font /Subtype /CIDFontType0 /BaseFont /STSong-Light /DW 1000 /W [1 95 500]"
            b" /CIDSystemInfo << /Registry (Adobe) /Ordering (GB1) /Supplement 2 >> >>"
        )
        names = b"/Type /Font /Subtype /Type0 /BaseFont /STSong-Light /Encoding /UniGB-UCS2-H"
        fonts += b" /F2 %d 0 R" % add(b"<< %s /DescendantFonts [%d 0 R] >>" % (names, inner))
    key, encryption = _encryption(password) if password else (None, b"")
    numbers = []
    fields = b""
    for index, page in enumerate(pages):
        annotations = b""
        for annotation in filled:
            if annotation.page == index:
                annotations += b"%d 0 R " % add(annotation.body())
                fields += b"" if annotation.kind == "FreeText" else b"%d 0 R " % len(objects)
        stream = _content(page)
        number = len(objects) + 1
        stream = _rc4(_object_key(key, number), stream) if key else stream
        content = add(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream))
        body = b"<< /Type /Page /Parent %d 0 R /MediaBox [0 0 595 842] /Contents %d 0 R" % (tree, content)
        numbers.append(add(body + b" /Annots [%s] /Resources << /Font << %s >> >> >>" % (annotations, fonts)))
    kids = b" ".join(b"%d 0 R" % number for number in numbers)
    put(tree, b"<< /Type /Pages /Kids [%s] /Count %d >>" % (kids, len(numbers)))
    root = b"<< /Type /Catalog /Pages %d 0 R" % tree
    if fields:
        root += b" /AcroForm << /Fields [%s] >>" % fields
    if outline:
        top = len(objects) + 1
        items = [top + 1 + at for at in range(len(outline))]
        add(b"<< /First %d 0 R /Last %d 0 R /Count %d >>" % (items[0], items[-1], len(items)))
        for at, (title, page_index) in enumerate(outline):
            after = b" /Next %d 0 R" % items[at + 1] if at + 1 < len(items) else b""
            place = b" /Dest [%d 0 R /Fit]" % numbers[page_index]
            add(b"<< /Title (%s) /Parent %d 0 R%s%s >>" % (title.encode("cp1252"), top, after, place))
        root += b" /Outlines %d 0 R" % top
    put(catalogue, root + b" >>")
    encrypt = add(encryption) if encryption else 0
    return _file(objects, catalogue, encrypt)


def swelling_pdf(size: int) -> bytes:
    """A PDF whose one page takes `size` bytes to draw: pdfium, which wants it whole, aborts when it cannot have it."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = compressor.compress(b"BT (x) Tj ET\n" * 80_660) + compressor.flush(zlib.Z_FULL_FLUSH)  # stands for itself
    stream = b"\x78\xda" + block * (size >> 20) + compressor.flush()
    return _file(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R >>",
            b"<< /Length %d /Filter /FlateDecode >>\nstream\n%s\nendstream" % (len(stream), stream),
        ],
        root=1,
        encrypt=0,
    )


def _file(objects: list[bytes], root: int, encrypt: int) -> bytes:
    out = bytearray(b"%PDF-1.4\n")
    offsets = []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    out += b"trailer\n<< /Size %d /Root %d 0 R" % (len(objects) + 1, root)
    if encrypt:
        out += b" /Encrypt %d 0 R /ID [<%s> <%s>]" % (encrypt, _FILE_ID.hex().encode(), _FILE_ID.hex().encode())
    out += b" >>\nstartxref\n%d\n%%%%EOF\n" % start
    return bytes(out)


def _content(page: Sequence[Line | str | Stroke] | None) -> bytes:
    if page is None:
        return b"q 200 0 0 200 100 400 cm BI /W 2 /H 2 /CS /G /BPC 8 ID \x00\xff\xff\x00 EI Q"
    parts, at = [], 780.0
    for item in page:
        if isinstance(item, Stroke):
            place = (item.left, item.bottom, item.right - item.left, item.top - item.bottom)
            drawn = b"%g %g %g %g re S" if item.framed else b"%g %g m %g %g l S"
            parts.append(drawn % (place if item.framed else (item.left, item.bottom, item.right, item.top)))
            continue
        line = Line(item) if isinstance(item, str) else item
        at -= line.drop
        if is_chinese(line):
            shown = b"<%s>" % line.text.encode("utf-16-be").hex().encode()
        else:
            text = line.text.encode("cp1252").replace(b"\\", b"\\\\").replace(b"(", b"\\(").replace(b")", b"\\)")
            shown = b"(%s)" % text
        font = b"F2" if is_chinese(line) else b"F3" if line.typed else b"F4" if line.bold else b"F1"
        turn = b"0 1 -1 0" if line.turned else b"1 0 0 1"
        parts.append(b"BT /%s %g Tf %s %g %g Tm %s Tj ET" % (font, line.size, turn, line.left, at, shown))
    return b"\n".join(parts)


def is_chinese(line: Line | str | Stroke) -> bool:
    """Whether a line needs a font of its own."""
    if isinstance(line, Stroke):
        return False
    text = line if isinstance(line, str) else line.text
    return any(character >= "\u2e80" for character in text)


def _encryption(password: str) -> tuple[bytes, bytes]:
    """The key and the dictionary of PDF's oldest protection (revision 2): enough to need a password."""
    padded = (password.encode() + _PADDING)[:32]
    owner = _rc4(hashlib.md5(padded, usedforsecurity=False).digest()[:5], padded)
    permissions = struct.pack("<i", -4)
    key = hashlib.md5(padded + owner + permissions + _FILE_ID, usedforsecurity=False).digest()[:5]
    user = _rc4(key, _PADDING)
    body = b"<< /Filter /Standard /V 1 /R 2 /O <%s> /U <%s> /P -4 >>" % (owner.hex().encode(), user.hex().encode())
    return key, body


def _object_key(key: bytes, number: int) -> bytes:
    extended = key + struct.pack("<I", number)[:3] + b"\x00\x00"
    return hashlib.md5(extended, usedforsecurity=False).digest()[: len(key) + 5]


def _rc4(key: bytes, data: bytes) -> bytes:
    state, j = list(range(256)), 0
    for i in range(256):
        j = (j + state[i] + key[i % len(key)]) % 256
        state[i], state[j] = state[j], state[i]
    out, i, j = bytearray(), 0, 0
    for byte in data:
        i = (i + 1) % 256
        j = (j + state[i]) % 256
        state[i], state[j] = state[j], state[i]
        out.append(byte ^ state[(state[i] + state[j]) % 256])
    return bytes(out)


def paragraph(text: str, style: str | None = None, extra: str = "") -> str:
    """A Word paragraph; `extra` goes into its properties."""
    named = f'<w:pStyle w:val="{style}"/>' if style else ""
    return f'<w:p><w:pPr>{named}{extra}</w:pPr><w:r><w:t xml:space="preserve">{escape(text)}</w:t></w:r></w:p>'


def table(rows: Sequence[Sequence[str]]) -> str:
    """A Word table."""
    cells = ("".join(f"<w:tc>{paragraph(cell)}</w:tc>" for cell in row) for row in rows)
    return "<w:tbl>" + "".join(f"<w:tr>{row}</w:tr>" for row in cells) + "</w:tbl>"


STYLES = f"""<w:styles xmlns:w="{WORD}">
<w:style w:type="paragraph" w:default="1" w:styleId="a"><w:name w:val="Normal"/></w:style>
<w:style w:type="paragraph" w:styleId="1"><w:name w:val="heading 1"/><w:basedOn w:val="a"/></w:style>
<w:style w:type="paragraph" w:styleId="2"><w:name w:val="heading 2"/><w:basedOn w:val="a"/></w:style>
<w:style w:type="paragraph" w:styleId="own"><w:name w:val="My chapter"/><w:basedOn w:val="2"/></w:style>
<w:style w:type="paragraph" w:styleId="t"><w:name w:val="Title"/></w:style>
</w:styles>"""

NUMBERING = f"""<w:numbering xmlns:w="{WORD}">
<w:abstractNum w:abstractNumId="0">
<w:lvl w:ilvl="0"><w:start w:val="1"/><w:numFmt w:val="decimal"/><w:lvlText w:val="%1."/></w:lvl>
<w:lvl w:ilvl="1"><w:start w:val="1"/><w:numFmt w:val="lowerLetter"/><w:lvlText w:val="%1.%2)"/></w:lvl>
</w:abstractNum>
<w:abstractNum w:abstractNumId="1">
<w:lvl w:ilvl="0"><w:numFmt w:val="bullet"/><w:lvlText w:val=""/></w:lvl>
</w:abstractNum>
<w:abstractNum w:abstractNumId="2">
<w:lvl w:ilvl="0"><w:start w:val="1"/><w:numFmt w:val="chineseCounting"/><w:lvlText w:val="第%1条"/></w:lvl>
</w:abstractNum>
<w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num><w:num w:numId="2"><w:abstractNumId w:val="1"/></w:num>
<w:num w:numId="3"><w:abstractNumId w:val="2"/></w:num>
</w:numbering>"""


def docx(body: str, parts: dict[str, str | bytes] | None = None, prolog: str = "") -> bytes:
    """A Word document with the given XML as its body."""
    main = (
        f'<?xml version="1.0" encoding="UTF-8"?>{prolog}<w:document xmlns:w="{WORD}" '
        'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006" '
        f'xmlns:wps="urn:wps" xmlns:v="urn:v"><w:body>{body}<w:sectPr/></w:body></w:document>'
    )
    types = (
        '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Override '
        'PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-officedocument.'
        'wordprocessingml.document.main+xml"/></Types>'
    )
    relations = (
        '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r" '
        'Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" '
        'Target="word/document.xml"/></Relationships>'
    )
    members: dict[str, str | bytes] = {
        "[Content_Types].xml": types,
        "_rels/.rels": relations,
        "word/document.xml": main,
        "word/styles.xml": STYLES,
        "word/numbering.xml": NUMBERING,
        **(parts or {}),
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def bomb(path: Path, size: int, declared: int | None = None) -> Path:
    """A Word document whose main part inflates to `size` bytes and claims to be of `declared` bytes."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = compressor.compress(b" " * (1 << 20)) + compressor.flush(zlib.Z_FULL_FLUSH)  # stands for itself
    packed = block * (size >> 20) + compressor.flush()
    name = b"word/document.xml"
    header = struct.pack("<4sHHHHHIIIHH", b"PK\x03\x04", 45, 0, 8, 0, 0, 0, 0, 0, len(name), 0) + name
    extra = struct.pack("<HHQQ", 1, 16, size if declared is None else declared, len(packed))
    record = (45, 45, 0, 8, 0, 0, 0, 0xFFFFFFFF, 0xFFFFFFFF, len(name), len(extra), 0, 0, 0, 0, 0)
    entry = struct.pack("<4sHHHHHHIIIHHHHHII", b"PK\x01\x02", *record) + name + extra
    start = len(header) + len(packed)
    path.write_bytes(
        header + packed + entry + struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 1, 1, len(entry), start, 0)
    )
    return path
