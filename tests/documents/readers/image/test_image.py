"""Images are read page by page where Tesseract is installed, say what they lack where it is not, and are no bombs."""

from __future__ import annotations

import struct
import subprocess
from email.message import EmailMessage
from pathlib import Path

import pytest

from documents.readers.image import reader
from documents.readers.shared import ocr
from documents.readers.shared.picture_size import sizes
from errors import TaskError
from tests.documents import scans
from tests.documents.extracted import Read, pages
from tests.documents.readers.shared.test_ocr import CHINESE, ENGLISH, alike, english, tesseract  # noqa: F401  the last is a fixture
from tests.documents.reading.test_extraction import IMAGES
from tests.documents.reading.test_unpacking import archive, contents, unpacked


def mail(name: str, data: bytes) -> bytes:
    message = EmailMessage()
    message["Subject"] = "Scan"
    message.set_content("See the page.")
    message.add_attachment(data, maintype="application", subtype="octet-stream", filename=name)
    return message.as_bytes()


@pytest.mark.parametrize("name", IMAGES)
def test_the_header_says_how_large_each_page_is(name: str) -> None:
    assert list(sizes(IMAGES[name])) == [(20, 20)] * (2 if name == "a.tiff" else 1)


def test_the_pages_of_a_tiff_have_sizes_of_their_own_in_either_order_of_bytes() -> None:
    wanted = [(20, 30), (300, 7), (16, 1)]
    assert list(sizes(scans.tiff(wanted, "<"))) == list(sizes(scans.tiff(wanted, ">"))) == wanted


def test_the_pages_of_a_tiff_that_go_round_in_a_circle_or_are_cut_off_are_counted_once() -> None:
    assert list(sizes(scans.tiff([(20, 20), (30, 30)], last=8))) == [(20, 20), (30, 30)]
    assert list(sizes(scans.tiff([(20, 20), (30, 30)], last=1 << 30))) == [(20, 20), (30, 30)]


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (b"VP8X", struct.pack("<I", 0) + (4999).to_bytes(3, "little") + (69999).to_bytes(3, "little")),
        (b"VP8L", b"\x2f" + struct.pack("<I", 4999 | 9999 << 14)),
        (b"VP8 ", bytes(6) + struct.pack("<HH", 5000, 10000)),
    ],
)
def test_each_kind_of_webp_says_how_large_it_is(kind: bytes, fields: bytes) -> None:
    data = b"RIFF" + bytes(4) + b"WEBP" + kind + bytes(4) + fields
    assert list(sizes(data)) == [(5000, 70000 if kind == b"VP8X" else 10000)]


def test_a_tiff_of_more_pages_than_anybody_scans_is_too_large(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "MOST_PAGES", 3)
    with pytest.raises(TaskError, match="too_large: the file has more than 3 pages"):
        read("a.tiff", scans.tiff([(20, 20)] * 4))


class TestWithoutTesseract:
    @pytest.mark.parametrize("name", IMAGES)
    def test_an_image_needs_ocr_and_says_what_is_missing(self, read: Read, name: str) -> None:
        where = "pages 1-2" if name == "a.tiff" else "page 1"
        with pytest.raises(TaskError, match=rf"needs_ocr: the \w+ file .* recognition is not installed: {where}$"):
            read(name, IMAGES[name])

    def test_an_image_that_nothing_names_is_recognised(self, read: Read) -> None:
        for data in IMAGES.values():
            with pytest.raises(TaskError, match="needs_ocr"):
                read(None, data)

    def test_an_image_costs_the_mail_that_holds_it_nothing(self, read: Read) -> None:
        extracted = read("a.eml", mail("logo.png", scans.BLANK))
        assert extracted.text.endswith("See the page.\n\nAttachment: logo.png")
        assert extracted.warnings[0].startswith("the attachment logo.png was not read: needs_ocr: the PNG file")


def test_an_image_in_an_archive_is_a_document_of_its_own(tmp_path: Path) -> None:
    assert contents(unpacked(tmp_path, archive(IMAGES))) == IMAGES


@pytest.mark.usefixtures("tesseract")
class TestWithTesseract:
    @pytest.mark.parametrize("form", ["png", "jpeg", "webp", "tiff"])
    @pytest.mark.parametrize("language", ["english", "chinese"])
    def test_what_was_written_is_read(self, read: Read, form: str, language: str) -> None:
        document, lines = (english(ENGLISH), ENGLISH) if language == "english" else (scans.written([CHINESE]), CHINESE)
        picture = scans.picture(document)
        extracted = read(f"a.{form}", picture if form == "png" else scans.image(form, [picture]))
        assert alike(extracted.text, "".join(lines)) > 0.9, extracted.text
        assert (extracted.format, extracted.pages) == (form, 1)
        assert extracted.warnings == ["1 of 1 pages were read by OCR (chi_sim+eng): page 1"]

    def test_each_page_of_a_tiff_is_a_page(self, read: Read) -> None:
        written = [scans.picture(english(ENGLISH)), scans.BLANK, scans.picture(scans.written([CHINESE]))]
        extracted = read("a.tif", scans.image("tiff", written))
        assert extracted.pages == 3
        assert alike(pages(extracted)[0], "".join(ENGLISH)) > 0.9
        assert alike(pages(extracted)[-1], "".join(CHINESE)) > 0.9
        assert [anchor.page for anchor in extracted.anchors] == [1, 2, 3]
        assert extracted.warnings == [
            "2 of 3 pages were read by OCR (chi_sim+eng): pages 1, 3",
            "1 of 3 pages hold no text that OCR could read: page 2",
        ]

    def test_an_image_in_a_mail_is_read(self, read: Read) -> None:
        extracted = read("a.eml", mail("scan.png", scans.picture(english(ENGLISH))))
        assert alike(extracted.text.partition("Attachment: scan.png")[2], "".join(ENGLISH)) > 0.9

    def test_an_image_without_text_is_not_taken_for_success(self, read: Read) -> None:
        with pytest.raises(TaskError, match=r"needs_ocr: .* OCR found no text in them: page 1"):
            read("a.png", scans.BLANK)

    def test_an_image_that_claims_millions_of_pixels_is_never_decoded(
        self, read: Read, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        bomb = scans.png(60_000, 60_000, bytes(100))
        monkeypatch.setattr(subprocess, "run", None)
        with pytest.raises(
            TaskError, match=r"needs_ocr: .* 60,000 times 60,000 pixels, and at most 50,000,000 are read"
        ):
            read("a.png", bomb)
        with pytest.raises(ocr.Failed, match="40,000 times 10 pixels"):
            ocr.recognise(scans.png(40_000, 10, b""), 300)

    def test_a_page_that_is_too_large_costs_only_itself(self, read: Read) -> None:
        picture = scans.image("tiff", [scans.picture(english(ENGLISH)), scans.BLANK])
        at = picture.rindex(struct.pack("<HHI", 256, 3, 1)) + 8
        extracted = read("a.tif", picture[:at] + struct.pack("<H", 65_000) + picture[at + 2 :])
        assert alike(extracted.text, "".join(ENGLISH)) > 0.9
        assert extracted.warnings[1].startswith("page 2: the picture has 65,000 times 20 pixels")
