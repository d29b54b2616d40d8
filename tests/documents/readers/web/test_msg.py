"""Mails of Outlook: what their headers say, their text in every form, and their attachments as those of other mails."""

from __future__ import annotations

import struct

import pytest

from documents.readers.shared.compound import read_compound
from documents.readers.web.msg import inflated
from errors import TaskError
from tests.documents.extracted import Read, headings
from tests.documents.outlook import attached_mail, attachment, compound, mail

SUBJECT, BODY, HTML, RTF, NAME, ADDRESS, TO = 0x0037, 0x1000, 0x1013, 0x1009, 0x0C1A, 0x5D01, 0x0E04
HEADERS: dict[int, str | bytes] = {SUBJECT: "年假 leave", NAME: "Ada", ADDRESS: "ada@example.com", TO: "Bob; Eve"}
SENT = {0x0039: 133_000_000_000_000_000}
HEAD = "Subject: 年假 leave\nFrom: Ada <ada@example.com>\nTo: Bob; Eve\nDate: Sat, 18 Jun 2022 04:26:40 +0000"


@pytest.mark.parametrize("length", [1, 300, 50_000])
def test_a_text_comes_back_whatever_its_length(read: Read, length: int) -> None:
    text = "Fifteen days. 十五天。\r\n" * length
    extracted = read("a.msg", compound(mail({**HEADERS, BODY: text}, fixed=SENT)))
    assert extracted.text == HEAD + "\n\n" + text.replace("\r\n", "\n").strip("\n")
    assert extracted.format == "msg"
    assert headings(extracted) == [(0, "年假 leave")]
    assert extracted.properties == {
        "title": "年假 leave", "author": "Ada <ada@example.com>", "created": "2022-06-18T04:26:40+00:00"
    }  # fmt: skip


@pytest.mark.parametrize(("page", "number"), [("gb18030", 936), ("cp932", 932), ("big5", 950)])
def test_texts_are_read_in_their_code_page(read: Read, page: str, number: int) -> None:
    text = "天天大人中文" * 20
    made = mail({SUBJECT: "大人", BODY: text}, fixed={0x3FFD: number}, page=page)
    assert read("a.msg", compound(made)).text == f"Subject: 大人\n\n{text}"


@pytest.mark.parametrize(
    "body",
    [
        {HTML: "<html><p>Fifteen <b>days</b></p>"},
        {HTML: b"<html><meta charset=utf-8><p>Fifteen days</p>"},
        {BODY: " \r\n", HTML: b"<html><p>Fifteen days"},
    ],
)
def test_html_is_read_where_there_is_no_plain_text(read: Read, body: dict[int, str | bytes]) -> None:
    assert read("a.msg", compound(mail({SUBJECT: "S", **body}))).text == "Subject: S\n\nFifteen days"


def test_compressed_rtf_is_read_where_there_is_nothing_else(read: Read) -> None:
    # The example of MS-OXRTFCP, 3.1.
    packed = "2d0000002b0000004c5a4675f1c5c7a703000a007263706731323542320af32068656c090020627705b06c647d0a800fa0"
    assert inflated(bytes.fromhex(packed)) == b"{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n"
    plain = rb"{\rtf1\ansi Fifteen days}"
    stored = struct.pack("<II4sI", len(plain) + 12, len(plain), b"MELA", 0) + plain
    assert "Fifteen days" in read("a.msg", compound(mail({SUBJECT: "S", RTF: stored}))).text


def test_attachments_and_mails_in_mails_are_read(read: Read) -> None:
    inner = mail({SUBJECT: "Inner", BODY: "Deeper."}, [attachment("b.txt", "底".encode())], head=24)
    parts = [
        attachment("日程.csv", b"n,m\n1,2\n", "text/csv"),
        attached_mail(inner),
        attachment("x.mp3", b"ID3\3"),
    ]
    extracted = read("a.msg", compound(mail({SUBJECT: "S", BODY: "See."}, parts)))
    for wanted in ("See.", "Attachment: 日程.csv\n\nn: 1 | m: 2", "Subject: Inner\n\nDeeper.", "b.txt\n\n底"):
        assert wanted in extracted.text
    assert len(extracted.warnings) == 1
    assert "x.mp3" in extracted.warnings[0]


def test_a_mail_without_anything_is_empty(read: Read) -> None:
    with pytest.raises(TaskError) as caught:
        read("a.msg", compound({"__properties_version1.0": bytes(32)}))
    assert caught.value.code == "empty"


def test_streams_that_go_in_circles_are_refused(read: Read) -> None:
    data = bytearray(compound({"__properties_version1.0": bytes(5000)}))
    table = struct.unpack_from("<I", data, 76)[0]
    struct.pack_into("<2I", data, (table + 1) * 512, 1, 0)  # of the first two sectors, which follow each other
    with pytest.raises(TaskError, match="circle"):
        read_compound(bytes(data))
    with pytest.raises(TaskError, match="ends early"):
        read_compound(compound({"a": bytes(9000)})[:4000])


def test_streams_that_share_their_sectors_are_refused() -> None:
    data = bytearray(compound({"long": bytes(100_000), **{f"s{at}": bytes(5000) for at in range(9)}}))
    directory = (struct.unpack_from("<I", data, 48)[0] + 1) * 512
    for at in range(1, 11):
        struct.pack_into("<II", data, directory + at * 128 + 116, 0, 100_000)
    with pytest.raises(TaskError, match="more than the file"):
        read_compound(bytes(data))


def test_a_sector_of_the_table_that_is_named_twice_is_refused() -> None:
    data = bytearray(compound({"a": bytes(5000)}))
    struct.pack_into("<I", data, 80, struct.unpack_from("<I", data, 76)[0])
    with pytest.raises(TaskError, match="circle"):
        read_compound(bytes(data))


def test_a_stream_ends_where_its_size_says() -> None:
    """What follows in its chain is not looked at, though it goes in a circle."""
    data = bytearray(compound({"a": b"a" * 5000}))
    table = struct.unpack_from("<I", data, 76)[0]
    struct.pack_into("<I", data, (table + 1) * 512 + 9 * 4, 0)
    assert read_compound(bytes(data)).streams == {"a": b"a" * 5000}


@pytest.mark.parametrize("kind", ["message/rfc822", "multipart/mixed"])
def test_an_attachment_is_read_by_its_name_where_its_type_is_that_of_a_mail(read: Read, kind: str) -> None:
    parts = [attachment("a.eml", b"Subject: Inner\r\n\r\nDeeper.", kind), attachment("b.txt", b"Plain.", kind)]
    text = read("a.msg", compound(mail({SUBJECT: "S", BODY: "See."}, parts))).text
    assert "Subject: Inner\n\nDeeper." in text
    assert "b.txt\n\nPlain." in text


def test_the_headings_of_an_attached_mail_are_below_its_name(read: Read) -> None:
    part = attachment("a.msg", compound(mail({SUBJECT: "Inner", BODY: "Deeper."})))
    extracted = read("a.msg", compound(mail({SUBJECT: "S", BODY: "See."}, [part])))
    assert headings(extracted) == [(0, "S"), (1, "Attachment: a.msg"), (2, "Inner")]
