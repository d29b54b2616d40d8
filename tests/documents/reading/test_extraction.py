"""Every kind of file that cannot be read ends in its own error, and a lie about a file is found out."""

from __future__ import annotations

import base64
import struct
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from documents.reading.extraction import extract
from documents.text import Writer, clean
from errors import TaskError
from tests.documents import books, office, outlook, samples, scans


def read(folder: Path, name: str, data: bytes, **facts: Any) -> tuple[str, list[str]]:
    path = folder / "payload"
    path.write_bytes(data)
    extracted = extract(path, filename=name, **facts)
    return extracted.text, extracted.warnings


def refusal(folder: Path, name: str, data: bytes) -> TaskError:
    with pytest.raises(TaskError) as caught:
        read(folder, name, data)
    assert len(caught.value.message) > 20
    return caught.value


BINARY_WORKBOOK = office.package({"[Content_Types].xml": "application/vnd.ms-excel.sheet.binary.macroEnabled.main"})
GOOD_DOCX = samples.docx(samples.paragraph("Hello"))
#: Its directory claims to lie behind where it lies, so its parts begin before the file does.
MISPLACED_DOCX = GOOD_DOCX[:-6] + struct.pack("<IH", 1 << 20, 0)

REFUSED = [
    ("corrupt", "a.pdf", samples.pdf([["Hello"]])[:300]),
    ("corrupt", "a.pdf", b"%PDF-1.4\n" + b"rubbish " * 100),
    ("corrupt", "a.pdf", b"This is no PDF at all."),
    ("corrupt", "a.docx", GOOD_DOCX[: len(GOOD_DOCX) // 2]),
    ("corrupt", "a.docx", MISPLACED_DOCX),
    ("corrupt", "a.docx", b"This is no Word document."),
    ("corrupt", "a.docx", samples.docx("<w:p><w:r>")),
    ("corrupt", "a.docx", samples.docx("<w:p/>", prolog='<!DOCTYPE a [<!ENTITY b "c">]>')),
    ("encrypted", "a.pdf", samples.pdf([["Hello"]], password="secret")),
    ("encrypted", "a.docx", samples.ENCRYPTED_OFFICE),
    ("empty", "a.txt", b""),
    ("empty", "a.txt", b" \r\n\t\n"),
    ("empty", "a.html", b"<html><head><title>T</title></head><body><script>x</script></body></html>"),
    ("empty", "a.docx", samples.docx("<w:p/>")),
    ("empty", "a.pdf", samples.pdf([[], []])),
    ("needs_ocr", "a.pdf", samples.pdf([None, None, None])),
    ("needs_ocr", "a.png", scans.BLANK),
    ("needs_ocr", "a.txt", scans.BLANK),
    ("corrupt", "a.png", scans.BLANK[:20]),
    ("corrupt", "a.jpg", b"\xff\xd8\xff\xe0\x00\x10JFIF"),
    ("corrupt", "a.webp", b"RIFF\x00\x00\x00\x00WEBPVP8 "),
    ("corrupt", "a.tiff", b"II*\0\x08\0\0\0\x01"),
    ("corrupt", "a.tiff", b"This is no image."),
    ("unsupported_format", "a.gif", b"GIF89a" + bytes(100)),
    ("unsupported_format", "a.txt", b"GIF89a" + bytes(100)),
    ("unsupported_format", "a.xlsx", BINARY_WORKBOOK),
    ("unsupported_format", "a.doc", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(2000)),
    ("unsupported_format", "a.bin", bytes(range(256)) * 20),
    ("unsupported_format", "a.txt", bytes(1000)),
    ("undecodable", "a.txt", b"\x81\x8d\x8f words " * 50),
]


@pytest.mark.parametrize(("code", "name", "data"), REFUSED, ids=lambda value: value if isinstance(value, str) else "")
def test_it_refuses_with_the_right_code(tmp_path: Path, code: str, name: str, data: bytes) -> None:
    assert refusal(tmp_path, name, data).code == code


def test_the_pages_without_text_are_named(tmp_path: Path) -> None:
    assert "pages 1-3" in refusal(tmp_path, "scan.pdf", samples.pdf([None, None, None])).message
    text, warnings = read(tmp_path, "half.pdf", samples.pdf([["Words"], None, ["More"], None]))
    assert text == "Words\n\nMore"
    assert "pages 2, 4" in warnings[0]


@pytest.mark.parametrize("declared", [None, 1000, 1 << 28])
def test_a_bomb_is_refused_at_once_even_when_it_lies_about_its_size(tmp_path: Path, declared: int | None) -> None:
    path = samples.bomb(tmp_path / "bomb.docx", 10 << 30, declared)
    started = time.process_time()
    with pytest.raises(TaskError) as caught:
        extract(path, filename="bomb.docx")
    assert caught.value.code == "archive_bomb"
    assert time.process_time() - started < 6, "inflating it whole would take longer"


def test_content_counts_before_name(tmp_path: Path) -> None:
    text, warnings = read(tmp_path, "report.pdf", b"<!DOCTYPE html><p>Please log in</p>")
    assert text == "Please log in"
    assert "was read as html" in warnings[0]
    text, warnings = read(tmp_path, "page.html", samples.pdf([["Hello"]]))
    assert text == "Hello"
    assert "was read as pdf" in warnings[0]


def test_a_text_that_is_named_as_a_document_of_word_is_read(tmp_path: Path) -> None:
    assert read(tmp_path, "notes.doc", "第一章 总则\n正文。".encode("gb18030"))[0] == "第一章 总则\n正文。"
    assert read(tmp_path, "report.doc", b"<html><body><p>Weekly report</p></body></html>")[0] == "Weekly report"
    assert refusal(tmp_path, "a.doc", bytes(range(256)) * 20).code == "corrupt"


def test_the_type_counts_where_the_name_says_nothing(tmp_path: Path) -> None:
    assert read(tmp_path, "download", "<p>名字</p>".encode("gbk"), content_type="text/html; charset=gbk")[0] == "名字"


def test_what_a_database_cannot_hold_is_removed_and_told(tmp_path: Path) -> None:
    text, warnings = read(tmp_path, "a.txt", b"Good" + b" words" * 100 + b"\x00\x07.")
    assert text == "Good" + " words" * 100 + "."
    assert "2 control characters" in warnings[0]


@given(st.text())
def test_clean_text_can_be_stored(text: str) -> None:
    cleaned, changed = clean(text)
    cleaned.encode()
    assert "\x00" not in cleaned
    assert changed == 0 or cleaned != text


SEEDS = {
    "a.pdf": samples.pdf([["Hello there, this is a line.", "And another."], None], [("Hello", 0)]),
    "a.docx": samples.docx(samples.paragraph("Title", "t") + samples.table([["a", "b"], ["c", "d"]])),
    "a.html": b"<html><body><h1>T</h1><ul><li>a<li>b</ul><table><tr><td>1<td>2</table><pre>x</pre></body></html>",
    "a.md": b"---\na: b\n---\n# T\n\n```\ncode\n```\n\n| a | b |\n|---|---|\n| c | d |\n",
    "a.pptx": office.pptx([office.title("Title") + office.content(["one", "two"])], {1: "Notes"}),
    "a.xlsx": office.xlsx({"Sheet": [["a", 1], ["b", (45292, 14)]]}),
    "a.epub": books.epub(
        {
            "a.xhtml": "<h1>T</h1><p>x</p>",
            "b.xhtml": '<p>Two. y</p><p id="i">z</p>',
            "nav.xhtml": books.navigation([("Part", None, [("Two", "b.xhtml", []), ("Three", "b.xhtml#i", [])])]),
        }
    ),
    "a.odt": books.odt("<text:h>T</text:h><text:list><text:list-item><text:p>x</text:p></text:list-item></text:list>"),
    "a.rtf": rb"{\rtf1\ansicpg936{\fonttbl{\f0\fcharset134 S;}{\f1\fmodern M;}}{\stylesheet{\s1 heading 1;}}\s1 T\par"
    rb"\pard{\listtext 1.}\ilvl1 x\par\pard{\pntext 2.}{\*\pn\pnlvl2}\li9 y\par\pard\f1 code\par\pard\plain x"
    rb"\'d6\'d0\u20013\'d6{\footnote n}\cell\row}",
    "a.eml": b"Subject: =?gbk?B?1tA=?=\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nText\n"
    b"--b\nContent-Type: text/csv\nContent-Disposition: attachment; filename=a.csv\n\nn,m\n1,2\n"
    b"--b\nContent-Type: message/rfc822\n\nSubject: S\n\nInner\n"
    b"--b\nContent-Type: application/zip\nContent-Transfer-Encoding: base64\n\n"
    + base64.encodebytes(office.package({"a.txt": "Text", "b.eml": "Subject: S\n\nInner"}))
    + b"--b--\n",
    "a.msg": outlook.compound(
        outlook.mail({0x37: "S", 0x1013: b"<html><p>x" + b" " * 5000}, [outlook.attachment("a.csv", b"n,m\n1,2\n")])
    ),
    "a.xls": office.xls({"S": [["a", 1], ["b", (45292, 1)]]}),
    "a.tsv": b'name\tage\n"Ada ""L"""\t36\n',
    "a.json": b'[{"a": [1, {"b": null}], "c": "d\\u4e2d"}, "e"]',
    "a.ipynb": b'{"cells": [{"cell_type": "markdown", "source": ["# T\\n", "x"]}, '
    b'{"cell_type": "code", "source": "x = 1", "outputs": [{"output_type": "stream", "text": "1"}, '
    b'{"data": {"image/png": "i", "text/plain": "p"}}]}]}',
    "a.org": b"#+TITLE: T\n* TODO [#A] One :tag:\n:PROPERTIES:\n:ID: 1\n:END:\n- a [[u][l]]\n\n| a | b |\n|---+---|\n"
    b"| 1 | 2 |\n#+begin_src c\n,* x\n#+end_src\n: fixed\n",
    "a.rst": b"===\nTtl\n===\n\n:Author: A\n\nOne\n---\n- a `l <u>`_::\n\n    x\n\n"
    b".. |s| replace:: t\n.. note:: |s|\n   ``y``\n\n"
    b"+---+---+\n| a | b |\n+===+===+\n| 1 | 2 |\n+---+---+\n\n=== ===\na   b\n=== ===\n1   2\n=== ===\n\n"
    b".. list-table::\n   :header-rows: 1\n\n   * - a\n     - b\n   * - 1\n     - 2\n\n.. code::\n\n   z\n",
    "a.srt": b"1\n00:00:01,000 --> 00:00:02,500\n<i>One</i>\n- two\n\n2\n00:00:09,000 --> 00:00:10,000\n{\\an8}three\n",
    "a.vtt": b"WEBVTT\n\nNOTE n\n\n00:01.000 --> 00:02.000 align:start\n<v Ada>One <00:01.500><c.x>two</c>\n",
    "a.csv": b'name,age\n"Ada, L.",36\nBob,40\n',
}


#: Those that hold no text unless it is recognised: blank, of 20 times 20 pixels on each page.
IMAGES = {
    "a.png": scans.BLANK,
    "a.jpg": base64.b85decode(
        "|JeWF01!$>Nk#wx0RR9200961|JwjV00;&K2L=TQ2L}fU2?z=d6b%du3k(?&6Au&}8Xq1V8XO!TBrYc)A}k{u94I#_EHE)NG&CP4IXyTsJT5ad"
        "GXKB;3kU!d02BcM5di<h03QGV0R;g80RaI400000000000RjUA1qKHQ2?`7U!~nGr00IF60|EpC1qB2I0004f0RjU61Q7)iAu&M)6H#FYB5@Qlf"
        "svsIBSNvk6;jdgBr{@if(Z&17Z@2DB_<~*DJnEIHa9pqIzvQ7Mn_0VN>fx-R##YAT4Q8oW@l(=YIAgTc6WGrdV_?8hKGoWijtF*m6n&7nVO=bq@"
        "|{(sHv*5v$VCgx45~w!o$SH#>dFX%F@%+)z;V8+1laa<K*S$=jiF`@$&QZ_4fDp`TGCb00;pA002J#_xdQJiYTIr|Je"
    ),
    "a.tiff": scans.tiff([(20, 20), (20, 20)]),
    "a.webp": base64.b85decode("Qb|TeG5`PoS4BclR!}$~CIA2c&;kIR0V)&#6aYSLG?quCBO)Ov2mpW$iD>`;J)@ui{`(<-000"),
}


@pytest.mark.parametrize("name", [*SEEDS, *IMAGES])
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    places=st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 255)), min_size=1, max_size=8), cut=st.integers(0, 3)
)
def test_a_damaged_file_is_read_or_refused_but_nothing_else(
    tmp_path: Path, name: str, places: list[tuple[int, int]], cut: int
) -> None:
    data = bytearray((SEEDS | IMAGES)[name])
    for place, byte in places:
        data[place % len(data)] = byte
    path = tmp_path / "payload"
    path.write_bytes(data[: len(data) - cut * 20])
    try:
        extracted = extract(path, filename=name)
    except TaskError:
        return
    extracted.text.encode()
    for anchor in extracted.anchors:
        assert 0 <= anchor.start <= (len(extracted.text) if anchor.end is None else anchor.end) <= len(extracted.text)


def test_what_is_told_of_a_document_can_be_stored_as_its_text_can() -> None:
    made = Writer().finish("pdf", properties={"title": "a\0b\ud800"}, warnings=["the attachment x\0y was not read"])
    assert made.properties == {"title": "ab\ufffd"}
    assert made.warnings == ["the attachment xy was not read"]
