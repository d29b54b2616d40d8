"""Scanned pages are told one by one, and read where Tesseract is installed; without it, nothing else is lost."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from pathlib import Path

import pypdfium2
import pytest

from documents.readers.shared import ocr
from errors import TaskError
from tests.documents import samples, scans
from tests.documents.conftest import forget_tesseract
from tests.documents.extracted import Read, pages
from tests.packages import install

CHINESE = [
    "员工每年享有十五天带薪年假，",
    "未休完的部分可以在次年三月底以前使用。",
    "请假须提前三天提出申请，经主管批准后生效。",
]
ENGLISH = [
    "Employees have fifteen days of paid leave in a year, and those who stay longer have",
    "more. What is left of it can be taken until the end of March in the year after that.",
]
NOTICE = ["The office is open from 8:30 to 16:00, on 24 December 2024 until 12:00.", "Room 7, phone 0781-9606-0."]
#: With fewer characters than this a page is not worth its name as a text.
PLENTY = ["Words fill this line of the page until its very end, as they do in all documents."] * 3


def has_tesseract() -> bool:
    ocr.languages.cache_clear()
    return ocr.languages() == "chi_sim+eng" and scans.FONT.exists()


@pytest.fixture
def tesseract() -> Iterator[None]:
    install(has_tesseract, "tesseract-ocr", "tesseract-ocr-eng", "tesseract-ocr-chi-sim", "fonts-droid-fallback")
    yield
    forget_tesseract()


def alike(read: str, written: str) -> float:
    """The share of characters that are as they were, white space aside."""
    return SequenceMatcher(None, "".join(read.split()), "".join(written.split()), autojunk=False).ratio()


def english(*lines: list[str]) -> pypdfium2.PdfDocument:
    return pypdfium2.PdfDocument(samples.pdf(lines))


@pytest.mark.usefixtures("tesseract")
class TestWithTesseract:
    def test_a_chinese_scan_is_read(self, read: Read) -> None:
        extracted = read("a.pdf", scans.scanned(scans.written([CHINESE])))
        assert alike(extracted.text, "".join(CHINESE)) > 0.9, extracted.text
        assert extracted.warnings[0] == "1 of 1 pages are scans, read by OCR (chi_sim+eng): page 1"
        assert extracted.properties["coverage"] == {"ocr": [[1, 1]]}

    def test_only_the_pages_that_are_scans_are_read_so(self, read: Read) -> None:
        extracted = read("a.pdf", scans.scanned(english(PLENTY, ENGLISH, PLENTY), [1]))
        assert alike(pages(extracted)[1], "".join(ENGLISH)) > 0.95
        assert pages(extracted)[0] == pages(extracted)[2] == " ".join(PLENTY)
        assert extracted.properties["coverage"] == {"text": [[1, 1], [3, 3]], "ocr": [[2, 2]]}
        assert extracted.warnings == ["1 of 3 pages are scans, read by OCR (chi_sim+eng): page 2"]

    def test_a_page_that_lies_on_its_side_is_read(self, read: Read) -> None:
        assert alike(read("a.pdf", scans.scanned(english(ENGLISH * 2), turned=90)).text, "".join(ENGLISH * 2)) > 0.9

    def test_pictures_without_text_are_not_taken_for_success(self, read: Read) -> None:
        with pytest.raises(TaskError, match=r"needs_ocr: .* OCR found no text in them: pages 1-2"):
            read("a.pdf", samples.pdf([None, None]))

    def test_a_tesseract_that_fails_costs_only_the_pages_that_are_scans(
        self, read: Read, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real, broken = shutil.which("tesseract"), tmp_path / "bin" / "tesseract"
        broken.parent.mkdir()
        broken.write_text(f'#!/bin/sh\n[ "$1" = --list-langs ] && exec {real} "$@"\necho out of order >&2\nexit 3\n')
        broken.chmod(0o755)
        monkeypatch.setenv("PATH", f"{broken.parent}:{os.environ['PATH']}")
        extracted = read("a.pdf", scans.scanned(english(PLENTY, ENGLISH), [1]))
        assert extracted.text == " ".join(PLENTY)
        assert extracted.warnings[-1] == "page 2: Tesseract ended with 3: out of order"


class TestWithoutTesseract:
    def test_a_scan_needs_ocr_and_its_pages_are_named(self, read: Read) -> None:
        with pytest.raises(TaskError, match=r"needs_ocr: .* text recognition is not installed: pages 1-2"):
            read("a.pdf", scans.scanned(english(ENGLISH, ENGLISH)))

    def test_the_text_of_a_document_that_is_scanned_in_part_is_kept(self, read: Read) -> None:
        extracted = read("a.pdf", scans.scanned(english(PLENTY, ENGLISH, PLENTY), [0, 1]))
        assert extracted.text == " ".join(PLENTY)
        assert extracted.properties["coverage"] == {"picture": [[1, 2]], "text": [[3, 3]]}
        assert extracted.warnings == ["2 of 3 pages hold a picture and next to no text, and would need OCR: pages 1-2"]

    def test_a_stamp_on_each_scan_is_no_text_of_the_document(self, read: Read) -> None:
        with pytest.raises(TaskError, match="needs_ocr"):
            read("a.pdf", stamped(["Scanned with a phone"], ["Scanned with a phone"]))

    def test_a_title_on_a_picture_is_kept_with_a_warning(self, read: Read) -> None:
        title = ["The state of the union", "An address to both houses, and to all who listen"]
        extracted = read("a.pdf", stamped(title))
        assert extracted.text.split() == " ".join(title).split()
        assert "would need OCR: page 1" in extracted.warnings[0]

    def test_characters_that_fonts_do_not_name_are_no_text(self, read: Read) -> None:
        with pytest.raises(TaskError, match=r"needs_ocr: no page .* can be made out, .* not installed: pages 1-2"):
            read("a.pdf", unnamed(NOTICE, NOTICE))

    def test_pages_in_such_fonts_cost_only_themselves(self, read: Read) -> None:
        extracted = read("a.pdf", unnamed(NOTICE, others=[PLENTY]))
        assert extracted.text == " ".join(PLENTY)
        assert extracted.properties["coverage"] == {"garbled": [[1, 1]], "text": [[2, 2]]}
        assert "do not say which characters they show: page 1" in extracted.warnings[0]

    def test_lines_in_such_fonts_cost_only_themselves(self, read: Read) -> None:
        labels = ["Thought 1, first of 20", "Thought", "find 12 of them"]  # the second comes out as mere letters
        moved = ["".join(chr(ord(sign) - 29) for sign in line) for line in labels]
        page: list[samples.Line | str] = [*PLENTY, *(samples.Line(line, bold=True, drop=30) for line in moved)]
        names = b" ".join(b"/own%d" % number for number in range(3, 98))
        own = b"/BaseFont /Helvetica-Bold /Encoding << /Differences [3 %s] >>" % names
        data = samples.pdf([page]).replace(b"/BaseFont /Helvetica-Bold /Encoding /WinAnsiEncoding", own)
        extracted = read("a.pdf", data)
        assert extracted.text == " ".join(PLENTY)
        assert extracted.properties["coverage"] == {"text": [[1, 1]]}
        assert extracted.warnings == [
            "3 lines were left out: their fonts do not say which characters they show: page 1"
        ]


def unnamed(*pages_of_lines: list[str], others: Sequence[list[str]] = ()) -> bytes:
    """Pages in a font that has glyphs by number and says of none which character it is; the other pages are sound.

    Words in Latin letters come out with each letter moved by as much, and with control characters between them.
    """
    moved = [["".join(chr(ord(sign) - 29) for sign in line) for line in lines] for lines in pages_of_lines]
    made = samples.pdf([*moved, *others])
    names = b" ".join(b"/own%d" % number for number in range(3, 98))
    return made.replace(b"/Encoding /WinAnsiEncoding", b"/Encoding << /Differences [3 %s] >>" % names)


def stamped(*pages_of_lines: list[str]) -> bytes:
    """Pages with these lines of text on a picture that covers them."""
    document = english(*pages_of_lines)
    for page in document:
        picture = pypdfium2.PdfImage.new(document)
        picture.set_bitmap(pypdfium2.PdfDocument(samples.pdf([ENGLISH]))[0].render())
        picture.set_matrix(pypdfium2.PdfMatrix().scale(*page.get_size()))
        page.insert_obj(picture)
        page.gen_content()
    return scans.saved(document)
