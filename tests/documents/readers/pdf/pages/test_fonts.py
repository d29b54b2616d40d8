"""What is read of a PDF that does not bring its fonts depends on no font of the machine."""

from __future__ import annotations

import ctypes
from pathlib import Path

import pypdfium2
import pypdfium2.raw as pdfium
import pytest

from documents.readers.pdf.pages.fonts import use_squares
from documents.reading.extraction import extract
from tests.documents import samples

#: What of a PDF in simplified Chinese has to be replaced for one in another script.
SCRIPTS = {
    "simplified": ((b"STSong-Light", b"(GB1)", b"UniGB-UCS2-H"), "年假。需要提前申请，经理批准后生效；"),
    "traditional": ((b"MSung-Light", b"(CNS1)", b"UniCNS-UCS2-H"), "員工年假。需要提前申請，經理批准；"),
    "japanese": ((b"HeiseiMin-W3", b"(Japan1)", b"UniJIS-UCS2-H"), "年次休暇。申請は上司が承認する、"),
    "korean": ((b"HYSMyeongJo-Medium", b"(Korea1)", b"UniKS-UCS2-H"), "연차휴가신청은미리해야한다"),
}


def one_by_one(text: str) -> list[samples.Line]:
    """A line whose characters are placed one after the other, as many programs do."""
    return [samples.Line(sign, 10, left=72 + 10 * at, drop=0 if at else 12) for at, sign in enumerate(text)]


@pytest.mark.parametrize("script", SCRIPTS)
def test_characters_that_are_placed_one_by_one_are_all_read(tmp_path: Path, script: str) -> None:
    replacements, text = SCRIPTS[script]
    data = samples.pdf([one_by_one(text)])
    for old, new in zip(SCRIPTS["simplified"][0], replacements, strict=True):
        assert old in data
        data = data.replace(old, new)
    path = tmp_path / "a.pdf"
    path.write_bytes(data)
    assert extract(path, filename="a.pdf").text == text


def test_a_font_that_is_missing_is_one_of_squares_on_every_machine(tmp_path: Path) -> None:
    use_squares()
    with pypdfium2.PdfDocument(samples.pdf([[samples.Line("年。", 10)]])) as document:
        page = document[0].get_textpage()
        for at in range(2):
            left, right, bottom, top = (ctypes.c_double() for _ in range(4))
            pdfium.FPDFText_GetCharBox(page.raw, at, left, right, bottom, top)
            assert (right.value - left.value, top.value - bottom.value) == pytest.approx((10, 10), abs=0.2)
