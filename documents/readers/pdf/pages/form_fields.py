"""What was filled into a page of a PDF: fields of its form, and text typed on top, which pdfium has apart from it."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pypdfium2
import pypdfium2.raw as pdfium

from documents.readers.shared.layout import Line
from documents.text import clean

_HIDDEN = pdfium.FPDF_ANNOT_FLAG_INVISIBLE | pdfium.FPDF_ANNOT_FLAG_HIDDEN | pdfium.FPDF_ANNOT_FLAG_NOVIEW
_PASSWORD = 1 << 13  # a flag of a text field (ISO 32000-1, table 228)
_CHOICES = (pdfium.FPDF_FORMFIELD_COMBOBOX, pdfium.FPDF_FORMFIELD_LISTBOX)
#: Where a page holds nothing else, in points.
_SIZE = 10.0
#: Of a page with more lines, whatever is filled in comes last: to look for each one's place would take minutes.
_MOST_LINES = 2000


def with_fields(page: pypdfium2.PdfPage, lines: list[Line]) -> list[Line]:
    """Return the lines of a page with what was filled in: each after the words to its left, or else above it."""
    placed = list(lines)
    for text, box in sorted(_filled(page), key=lambda field: (-field[1].top, field[1].left)):
        if not any(text in line.text and _covers(box, line) for line in lines):
            _place(placed, text, box)
    return placed


def _place(lines: list[Line], text: str, box: pdfium.FS_RECTF) -> None:
    rows = [row for row in text.splitlines() if row.strip()]
    middle = (box.bottom + box.top) / 2 if len(rows) == 1 else box.top
    at = _after(lines, box.left, middle) if len(lines) <= _MOST_LINES else len(lines)
    before = lines[at - 1] if at else None
    size = before.size if before else _SIZE
    beside = before is not None and before.bottom <= middle <= before.bottom + 1.5 * size
    bottom = before.bottom if before is not None and beside else middle - size / 2
    filled = []
    for number, row in enumerate(rows):
        right = min(max(box.right, box.left), box.left + size * len(row))
        low = bottom - number * size
        filled.append(Line(row.strip(), box.left, right, low, low, size))
    lines[at:at] = filled


def _after(lines: list[Line], left: float, middle: float) -> int:
    """Return the index after the line that a field belongs to: the next one at its left, else the next one above."""
    row = [at for at, line in enumerate(lines) if line.bottom <= middle <= line.bottom + 1.5 * line.size]
    if beside := [at for at in row if lines[at].left < left]:
        return max(beside, key=lambda at: lines[at].left) + 1
    if row:
        return min(row)
    above = [at for at, line in enumerate(lines) if line.bottom >= middle]
    return min(above, key=lambda at: (lines[at].bottom, -at)) + 1 if above else 0


def _covers(box: pdfium.FS_RECTF, line: Line) -> bool:
    """Return whether some of a line stands in a box, which may reach into the lines above and below a little."""
    middle = line.bottom + line.size / 2
    return bool(line.left <= box.right and box.left <= line.right and box.bottom <= middle <= box.top)


def _filled(page: pypdfium2.PdfPage) -> Iterator[tuple[str, pdfium.FS_RECTF]]:
    """Yield what was filled into a page, with where it stands."""
    for index in range(pdfium.FPDFPage_GetAnnotCount(page)):
        with _annotation(page, index) as annotation:
            kind = pdfium.FPDFAnnot_GetSubtype(annotation)
            if kind not in (pdfium.FPDF_ANNOT_WIDGET, pdfium.FPDF_ANNOT_FREETEXT):
                continue
            if pdfium.FPDFAnnot_GetFlags(annotation) & _HIDDEN:
                continue
            text = _typed(annotation) if kind == pdfium.FPDF_ANNOT_FREETEXT else _value(page, annotation)
            box = pdfium.FS_RECTF()
            if text.strip() and pdfium.FPDFAnnot_GetRect(annotation, box):
                yield clean(text.replace("\r\n", "\n").replace("\r", "\n"))[0], box


@contextmanager
def _annotation(page: pypdfium2.PdfPage, index: int) -> Iterator[pdfium.FPDF_ANNOTATION]:
    annotation = pdfium.FPDFPage_GetAnnot(page, index)
    try:
        yield annotation
    finally:
        pdfium.FPDFPage_CloseAnnot(annotation)


def _typed(annotation: pdfium.FPDF_ANNOTATION) -> str:
    return _string(lambda buffer, size: pdfium.FPDFAnnot_GetStringValue(annotation, b"Contents", buffer, size))


def _value(page: pypdfium2.PdfPage, annotation: pdfium.FPDF_ANNOTATION) -> str:
    """Return what a field for text or a choice holds; ticked boxes say nothing without what stands beside them."""
    form = page.formenv
    if form is None:
        return ""
    kind = pdfium.FPDFAnnot_GetFormFieldType(form, annotation)
    if kind in _CHOICES:
        chosen = [
            at
            for at in range(pdfium.FPDFAnnot_GetOptionCount(form, annotation))
            if pdfium.FPDFAnnot_IsOptionSelected(form, annotation, at)
        ]
        if chosen:
            return "\n".join(_option(form, annotation, at) for at in chosen)
    elif kind != pdfium.FPDF_FORMFIELD_TEXTFIELD or (pdfium.FPDFAnnot_GetFormFieldFlags(form, annotation) & _PASSWORD):
        return ""
    return _string(lambda buffer, size: pdfium.FPDFAnnot_GetFormFieldValue(form, annotation, buffer, size))


def _option(form: pypdfium2.PdfFormEnv, annotation: pdfium.FPDF_ANNOTATION, at: int) -> str:
    return _string(lambda buffer, size: pdfium.FPDFAnnot_GetOptionLabel(form, annotation, at, buffer, size))


def _string(read: Callable[[ctypes.Array[ctypes.c_ushort] | None, int], int]) -> str:
    """Read a string of pdfium, which says how many bytes of UTF-16 it takes, its end included."""
    size = read(None, 0)
    if size <= 2:
        return ""
    buffer = (ctypes.c_ushort * (size // 2 + 1))()
    read(buffer, size)
    return bytes(buffer)[: size - 2].decode("utf-16-le", "replace")
