"""A PDF written by hand: A4 pages in Helvetica, which every reader has, without compression, which differs by zlib."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from samples.source import Block

WIDTH, HEIGHT, MARGIN = 595, 842, 72
DATE = b"(D:20261124000000Z)"

#: Widths of the characters from the space to the tilde in thousandths of the size (Adobe's metrics of Helvetica).
_WIDTHS = [
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556, 556, 556, 556, 556,
    556, 556, 556, 278, 278, 584, 584, 584, 556, 1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556,
    833, 722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556, 333, 556, 556, 500,
    556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556, 556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500,
    334, 260, 334, 584,
]  # fmt: skip


@dataclass(frozen=True)
class Face:
    """How a kind of text is set, in points."""

    font: bytes
    size: float
    leading: float
    before: float


#: By the level of a heading; 0 is the body.
FACES = {
    0: Face(b"F1", 11, 15.5, 7),
    1: Face(b"F2", 24, 30, 0),
    2: Face(b"F2", 17, 22, 20),
    3: Face(b"F2", 13, 18, 14),
}


def pdf(blocks: Sequence[Block]) -> bytes:
    """Write headings and paragraphs on pages; a chapter begins on a new page, but for the first."""
    pages = [_content(page) for page in _pages(blocks)]
    kids = b" ".join(b"%d 0 R" % (6 + 2 * index) for index in range(len(pages)))
    font = b"<< /Type /Font /Subtype /Type1 /BaseFont /%s /Encoding /WinAnsiEncoding >>"
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R /Lang (en) >>",
        b"<< /Type /Pages /Kids [%s] /Count %d >>" % (kids, len(pages)),
        font % b"Helvetica",
        font % b"Helvetica-Bold",
        b"<< /Title (%s) /CreationDate %s >>" % (_escaped(blocks[0].text), DATE),
    ]
    for content in pages:
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 %d %d] /Contents %d 0 R"
            b" /Resources << /Font << /F1 3 0 R /F2 4 0 R >> >> >>" % (WIDTH, HEIGHT, len(objects) + 2)
        )
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content))
    return _file(objects)


def _pages(blocks: Sequence[Block]) -> list[list[Block]]:
    pages: list[list[Block]] = [[]]
    for block in blocks:
        if block.level == 2 and any(other.level == 2 for other in pages[-1]):
            pages.append([])
        pages[-1].append(block)
    return pages


def _content(page: Sequence[Block]) -> bytes:
    """Return the text of a page from top to bottom.

    Raises:
      ValueError: it does not fit.
    """
    commands: list[bytes] = []
    at: float = HEIGHT - MARGIN
    for index, block in enumerate(page):
        face = FACES[block.level]
        at -= face.before if index else 0
        for line in _lines(block.text, face):
            at -= face.leading
            text = _escaped(line)
            commands.append(b"BT /%s %g Tf 1 0 0 1 %d %g Tm (%s) Tj ET" % (face.font, face.size, MARGIN, at, text))
    if at < MARGIN:
        raise ValueError(f"a page is {MARGIN - at:g} points too long: {page[0].text}")
    return b"\n".join(commands)


def _lines(text: str, face: Face) -> list[str]:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".lstrip()
        if sum(_WIDTHS[ord(sign) - 32] for sign in longer) * face.size / 1000 > WIDTH - 2 * MARGIN:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def _escaped(text: str) -> bytes:
    return text.encode("ascii").replace(b"\\", b"\\\\").replace(b"(", b"\\(").replace(b")", b"\\)")


def _file(objects: Sequence[bytes]) -> bytes:
    # Four bytes above ASCII tell whoever copies the file that it is binary.
    out = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
    offsets = []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    out += b"trailer\n<< /Size %d /Root 1 0 R /Info 5 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start)
    return bytes(out)
