"""Documents that hold pictures instead of text are read like scans, or say what they lack; others stay as they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from textwrap import wrap

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from documents.readers.shared import ocr
from documents.reading.archive import Archive
from errors import TaskError
from tests.documents import books, office, samples, scans
from tests.documents.extracted import Read, pages
from tests.documents.readers.shared.test_ocr import CHINESE, ENGLISH, alike, english, tesseract  # noqa: F401  the last is a fixture

BLANK = scans.BLANK
_R = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def docx(pictures: Sequence[bytes], text: str = "") -> bytes:
    """Pictures as Word places them, every other one as it did until 2007, and the first one once more."""
    drawings, targets, media = [], {}, {}
    for number, data in enumerate(pictures, 1):
        refers = f'<a:blip xmlns:a="a" r:embed="p{number}"/>' if number % 2 else f'<v:imagedata r:id="p{number}"/>'
        drawings.append(f'<w:p><w:r><w:drawing xmlns:r="{_R}">{refers}</w:drawing></w:r></w:p>')
        targets[f"p{number}"] = ("image", f"media/image{number}.png")
        media[f"word/media/image{number}.png"] = data
    body = samples.paragraph(text) + "".join(drawings + drawings[:1])
    return samples.docx(body, {"word/_rels/document.xml.rels": office.relations(targets), **media})


def odt(pictures: Sequence[bytes], text: str = "") -> bytes:
    """Pictures as LibreOffice places them, and the first one once more."""
    frames = "".join(
        f'<text:p><draw:frame><draw:image l:href="Pictures/{number}.png" xmlns:l="l"/></draw:frame></text:p>'
        for number in [*range(1, len(pictures) + 1), *([1] if pictures else [])]
    )
    media = {f"Pictures/{number}.png": data for number, data in enumerate(pictures, 1)}
    return books.odt(f"<text:p>{text}</text:p>{frames}", media)


def epub(pictures: Sequence[bytes], text: str = "") -> bytes:
    """A book with a picture on each page, by turns as HTML and as SVG refer to it, and the first one once more."""
    bodies, media = {}, {}
    for number, data in enumerate(pictures, 1):
        svg = f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="x"><image xlink:href="i/{number}%2B.png"/></svg>'
        bodies[f"{number}.xhtml"] = f'<img src="i/{number}+.png"/>' if number % 2 else svg
        media[f"OEBPS/i/{number}+.png"] = data
    return books.epub({**bodies, "z.xhtml": f'<p>{text}</p><img src="i/1+.png"/>'}, more=media)


def pptx(pictures: Sequence[bytes], text: str = "") -> bytes:
    """A picture on each slide, every other one as its background; then one with text."""
    slides, more = list[str](), dict[str, str | bytes]()
    for number, data in enumerate(pictures, 1):
        file = len(pictures) + bool(text) + 1 - number
        blip = f'<a:blip r:embed="p{number}"/>'
        slides.append(f"<p:pic><p:blipFill>{blip}</p:blipFill></p:pic>" if number % 2 else f"<p:bg>{blip}</p:bg>")
        relations = office.relations({f"p{number}": ("image", f"../media/{number}.png")})
        more |= {f"ppt/slides/_rels/slide{file}.xml.rels": relations, f"ppt/media/{number}.png": data}
    return office.pptx(slides + ([office.content([text])] if text else []), more=more)


def rtf(pictures: Sequence[bytes], text: str = "") -> bytes:
    """Pictures by turns in hexadecimal digits, as Word writes them twice, and as they are."""
    parts = []
    for number, data in enumerate(pictures):
        lines = "\r\n".join(wrap(data.hex(), 128)).encode()
        new = b"{\\*\\shppict{\\pict{\\*\\picprop}\\pngblip\\picw9 {\\*\\blipuid 00ff}" + lines + b"}}"
        old = b"{\\nonshppict {\\pict\\wmetafile8 0100}}"
        raw = b"{\\pict\\pngblip\\bin%d " % len(data) + data + b"}"
        parts.append(raw if number % 2 else new + old)
    return b"{\\rtf1\\ansi " + text.encode() + b"\\par ".join(parts) + b"}"


FORMATS: Mapping[str, Callable[..., bytes]] = {"docx": docx, "odt": odt, "epub": epub, "pptx": pptx, "rtf": rtf}


def noun(format: str) -> str:
    return "slide" if format == "pptx" else "picture"


@pytest.mark.parametrize("format", FORMATS)
class TestWithoutTesseract:
    @settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(count=st.integers(1, 6))
    def test_pictures_alone_need_ocr_and_are_named(self, read: Read, format: str, count: int) -> None:
        with pytest.raises(TaskError, match="text recognition is not installed") as caught:
            read(f"a.{format}", FORMATS[format]([BLANK + bytes([number]) for number in range(count)]))
        where = f"{noun(format)} 1" if count == 1 else f"{noun(format)}s 1-{count}"
        assert (caught.value.code, caught.value.message.rpartition(": ")[2]) == ("needs_ocr", where)

    def test_a_document_with_text_stays_as_it_is(self, read: Read, format: str) -> None:
        extracted = read(f"a.{format}", FORMATS[format]([BLANK, BLANK], "Text."))
        assert extracted.text.removeprefix("- ") == "Text."
        assert len(extracted.warnings) == (format == "pptx")

    def test_neither_text_nor_pictures_is_empty(self, read: Read, format: str) -> None:
        with pytest.raises(TaskError, match="empty: "):
            read(f"a.{format}", FORMATS[format]([]) if format != "pptx" else office.pptx([""]))


@pytest.mark.parametrize("format", ["docx", "odt", "epub"])
def test_a_picture_is_inflated_once_however_often_it_is_referred_to(
    read: Read, format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken, take = Counter[str](), Archive.read
    monkeypatch.setattr(Archive, "read", lambda archive, name: taken.update([name]) or take(archive, name))
    with pytest.raises(TaskError, match="needs_ocr"):
        read(f"a.{format}", FORMATS[format]([BLANK, BLANK + b"2"]))
    assert [count for name, count in taken.items() if name.endswith(".png")] == [1, 1]


@pytest.mark.usefixtures("tesseract")
class TestWithTesseract:
    @pytest.mark.parametrize("format", FORMATS)
    def test_pictures_are_read_in_their_order_each_once(self, read: Read, format: str) -> None:
        extracted = read(
            f"a.{format}",
            FORMATS[format]([scans.picture(english(ENGLISH)), scans.picture(scans.written([CHINESE])), BLANK]),
        )
        assert alike(extracted.text, "".join(ENGLISH + CHINESE)) > 0.9, extracted.text
        name = noun(format)
        assert extracted.warnings[:2] == [
            f"2 of 3 {name}s were read by OCR (chi_sim+eng): {name}s 1-2",
            f"1 of 3 {name}s hold no text that OCR could read: {name} 3",
        ]

    def test_only_slides_without_text_are_read_so(self, read: Read) -> None:
        extracted = read("a.pptx", pptx([scans.picture(english(ENGLISH))], "Text."))
        assert alike(pages(extracted)[0], "".join(ENGLISH)) > 0.9
        assert pages(extracted)[1] == "- Text."
        assert extracted.warnings == ["1 of 2 slides were read by OCR (chi_sim+eng): slide 1"]

    @pytest.mark.parametrize(
        "data",
        [BLANK, scans.png(20, 20, b""), b"\x01\x00\x00\x00 a metafile", b"GIF89a", b"BM"],
        ids=["blank", "torn", "metafile", "gif", "bmp"],
    )
    def test_pictures_that_nothing_can_be_read_in_are_not_taken_for_success(self, read: Read, data: bytes) -> None:
        with pytest.raises(TaskError, match=r"needs_ocr: .*: picture 1$"):
            read("a.docx", docx([data]))

    def test_a_picture_cannot_have_other_files_read(self, read: Read, tmp_path: Path) -> None:
        """Tesseract takes what it does not know for a list of the names of pictures."""
        (tmp_path / "secret.png").write_bytes(scans.picture(english(ENGLISH)))
        with pytest.raises(TaskError, match="in a form that text recognition does not read"):
            read("a.docx", docx([f"{tmp_path}/secret.png\n".encode()]))
        with pytest.raises(ocr.Failed):
            ocr.recognise(f"{tmp_path}/secret.png\n".encode(), 300)
