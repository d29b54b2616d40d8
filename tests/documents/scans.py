"""Scans: pages of a PDF that are pictures of text, in English and in Chinese, straight or turned."""

from __future__ import annotations

import ctypes
import io
import struct
import zlib
from collections.abc import Sequence
from ctypes.util import find_library
from pathlib import Path
from tempfile import TemporaryDirectory

import pypdfium2
import pypdfium2.raw as pdfium

#: The font of Debian's package fonts-droid-fallback.
FONT = Path("/usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf")
WIDTH, HEIGHT = 595, 842


def written(pages: Sequence[Sequence[str]], size: float = 14) -> pypdfium2.PdfDocument:
    """A PDF with these lines on its pages, in letters and characters of `FONT`."""
    document = pypdfium2.PdfDocument.new()
    data = FONT.read_bytes()
    buffer = (ctypes.c_uint8 * len(data)).from_buffer_copy(data)
    font = pdfium.FPDFText_LoadFont(document, buffer, len(data), pdfium.FPDF_FONT_TRUETYPE, True)
    for lines in pages:
        page = document.new_page(WIDTH, HEIGHT)
        for number, line in enumerate(lines, 1):
            text = pdfium.FPDFPageObj_CreateTextObj(document, font, size)
            letters = (ctypes.c_ushort * (len(line) + 1))(*map(ord, line), 0)
            assert pdfium.FPDFText_SetText(text, letters)
            pdfium.FPDFPageObj_Transform(text, 1, 0, 0, 1, 72, HEIGHT - 72 - number * size * 2)
            pdfium.FPDFPage_InsertObject(page, text)
        page.gen_content()
    return document


def scanned(document: pypdfium2.PdfDocument, pages: Sequence[int] | None = None, turned: int = 0) -> bytes:
    """The same with pictures in place of the pages of these indices, or of all, turned by so many degrees."""
    made = pypdfium2.PdfDocument.new()
    for index, page in enumerate(document):
        if pages is not None and index not in pages:
            made.import_pages(document, [index])
            continue
        picture = pypdfium2.PdfImage.new(made)
        bitmap = page.render(scale=200 / 72, rotation=turned)
        picture.set_bitmap(bitmap)
        width, height = bitmap.width * 72 / 200, bitmap.height * 72 / 200
        picture.set_matrix(pypdfium2.PdfMatrix().scale(width, height))
        sheet = made.new_page(width, height)
        sheet.insert_obj(picture)
        sheet.gen_content()
    return saved(made)


def picture(document: pypdfium2.PdfDocument) -> bytes:
    """A PNG of the first page of a document."""
    bitmap = document[0].render(scale=200 / 72, grayscale=True)
    pixels = bytes(bitmap.buffer)
    rows = (pixels[at : at + bitmap.width] for at in range(0, bitmap.stride * bitmap.height, bitmap.stride))
    return png(bitmap.width, bitmap.height, b"".join(b"\0" + row for row in rows))


def png(width: int, height: int, rows: bytes) -> bytes:
    """A PNG in shades of grey, of rows that each begin with the number of their filter."""
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )


def tiff(pages: Sequence[tuple[int, int]], order: str = "<", last: int = 0) -> bytes:
    """A white TIFF with pages of these sizes, a bit a pixel; behind the last directory comes the one at `last`."""
    made = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(order + "I", 8)
    for number, (width, height) in enumerate(pages, 1):
        pixels = b"\xff" * ((width + 7) // 8 * height)
        shorts = {256: width, 257: height, 258: 1, 259: 1, 262: 1, 277: 1, 278: height}
        count = len(shorts) + 2
        data = len(made) + 2 + 12 * count + 4
        longs = {273: data, 279: len(pixels)}
        entries = [struct.pack(order + "HHIHH", tag, 3, 1, value, 0) for tag, value in shorts.items()]
        entries += [struct.pack(order + "HHII", tag, 4, 1, value) for tag, value in longs.items()]
        following = data + len(pixels) if number < len(pages) else last
        made += struct.pack(order + "H", count) + b"".join(
            sorted(entries, key=lambda entry: struct.unpack_from(order + "H", entry))
        )
        made += struct.pack(order + "I", following) + pixels
    return made


def image(form: str, pictures: Sequence[bytes]) -> bytes:
    """PNGs as a file of another form: `jpeg`, `webp`, or `tiff`, which alone holds several, in turn packed and not.

    Written by Leptonica, which comes with Tesseract.
    """
    leptonica = ctypes.CDLL(find_library("lept") or find_library("leptonica") or "liblept.so.5")
    leptonica.pixReadMem.restype = ctypes.c_void_p
    leptonica.pixReadMem.argtypes = (ctypes.c_char_p, ctypes.c_size_t)
    leptonica.pixWrite.argtypes = (ctypes.c_char_p, ctypes.c_void_p, ctypes.c_int)
    leptonica.pixWriteTiff.argtypes = (ctypes.c_char_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p)
    with TemporaryDirectory() as folder:
        path = Path(folder) / form
        for number, data in enumerate(pictures):
            pixels = leptonica.pixReadMem(data, len(data))
            if form == "tiff":
                failed = leptonica.pixWriteTiff(bytes(path), pixels, (9, 4)[number % 2], b"a" if number else b"w")
            else:
                failed = leptonica.pixWrite(bytes(path), pixels, {"jpeg": 2, "webp": 15}[form])
            assert not failed
        return path.read_bytes()


def saved(document: pypdfium2.PdfDocument) -> bytes:
    """The bytes of a PDF."""
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


#: A PNG without text.
BLANK = png(20, 20, (b"\0" + b"\xff" * 20) * 20)
