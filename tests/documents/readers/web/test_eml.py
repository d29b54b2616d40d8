"""Mail: headers in every encoding, plain text before HTML, attachments by their own readers and within bounds."""

from __future__ import annotations

import base64
import re
from email.message import EmailMessage
from email.policy import SMTP

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from documents.reading import unpacking
from errors import TaskError
from tests.documents import samples
from tests.documents.extracted import CHINESE, ENGLISH, Read, headings, spans
from tests.documents.reading.test_unpacking import archive, archive_named


def mail(text: str = "Hello.", subject: str = "Leave", html: str | None = None) -> EmailMessage:
    message = EmailMessage()
    message["From"] = "Ada <ada@example.org>"
    message["To"] = "人事 <hr@example.org>"
    message["Date"] = "Wed, 25 Nov 2026 04:00:00 +0000"
    message["Subject"] = subject
    message["Message-ID"] = "<1@example.org>"
    message.set_content(text)
    if html is not None:
        message.add_alternative(html, subtype="html")
    return message


HEAD = "From: Ada <ada@example.org>\nTo: 人事 <hr@example.org>\nDate: Wed, 25 Nov 2026 04:00:00 +0000"


@pytest.mark.parametrize("text", [ENGLISH, CHINESE])
@pytest.mark.parametrize("policy", [SMTP, SMTP.clone(cte_type="7bit"), SMTP.clone(utf8=True)])
def test_a_text_comes_back_from_subject_and_body(read: Read, text: str, policy) -> None:  # type: ignore[no-untyped-def]
    extracted = read("a.eml", mail(text, text).as_bytes(policy=policy))
    assert extracted.text == f"Subject: {text}\n{HEAD}\n\n{text}"
    assert headings(extracted) == [(0, text)]
    assert spans(extracted, "heading") == [f"Subject: {text}"]
    assert extracted.format == "eml"


def test_its_properties_are_known(read: Read) -> None:
    known = {"title": "Leave", "author": "Ada <ada@example.org>", "created": "2026-11-25T04:00:00+00:00"}
    assert read("a.eml", mail().as_bytes()).properties == known
    assert read("a.eml", "Date: yesterday\nFrom: \n\nText").properties == {}


@pytest.mark.parametrize(
    ("charset", "text"), [("gb2312", "镕基的假期"), ("big5", "員工手冊"), ("iso-8859-1", "café €")]
)
def test_old_charsets_are_read_as_they_were_meant(read: Read, charset: str, text: str) -> None:
    raw = text.encode({"gb2312": "gbk", "iso-8859-1": "cp1252"}.get(charset, charset))
    data = b"Subject: " + raw + f"\nContent-Type: text/plain; charset={charset}\n\n".encode() + raw
    assert read("a.eml", data).text == f"Subject: {text}\n\n{text}"


def test_plain_text_is_read_rather_than_html_but_html_rather_than_nothing(read: Read) -> None:
    both = read("a.eml", mail("Plain.", html="<h1>Rich</h1>").as_bytes())
    assert both.text.endswith("\n\nPlain.")
    assert "Rich" not in both.text
    empty = read("a.eml", mail("  ", html="<h1>Rich</h1><p>text</p>").as_bytes())
    assert empty.text.endswith("\n\n# Rich\n\ntext")
    assert headings(empty) == [(0, "Leave"), (1, "Rich")]


def test_attachments_are_read_by_their_own_readers(read: Read) -> None:
    message = mail()
    message.add_attachment(
        samples.docx(samples.paragraph("Rules", "1") + samples.table([["a", "b"]])),
        maintype="application",
        subtype="octet-stream",
        filename="手册.docx",
    )
    message.add_attachment("n,m\nx,2\n", subtype="csv", filename="t.csv")
    extracted = read("a.eml", message.as_bytes())
    assert extracted.text == (
        f"Subject: Leave\n{HEAD}\n\nHello.\n\nAttachment: 手册.docx\n\n# Rules\n\n| a | b |\n| --- | --- |"
        "\n\nAttachment: t.csv\n\nn: x | m: 2"
    )
    assert headings(extracted) == [(0, "Leave"), (1, "Attachment: 手册.docx"), (2, "Rules"), (1, "Attachment: t.csv")]
    assert spans(extracted, "table") == ["| a | b |\n| --- | --- |", "n: x | m: 2"]
    assert extracted.warnings == []


def test_an_attachment_that_cannot_be_read_is_told_and_named(read: Read) -> None:
    message = mail()
    message.add_attachment(b"GIF89a" + bytes(50), maintype="image", subtype="gif", filename="chart.gif")
    message.add_attachment(samples.ENCRYPTED_OFFICE, maintype="application", subtype="pdf", filename="../pay.docx")
    extracted = read("a.eml", message.as_bytes())
    assert extracted.text.endswith("Hello.\n\nAttachment: chart.gif\n\nAttachment: pay.docx")
    assert ["unsupported_format" in extracted.warnings[0], "encrypted" in extracted.warnings[1]] == [True, True]


def test_mails_in_mails_are_read_down_to_a_depth(read: Read) -> None:
    message = mail("Level 0.", "S0")
    for level in range(1, 8):
        outer = mail(f"Level {level}.", f"S{level}")
        outer.add_attachment(message)
        message = outer
    extracted = read("a.eml", message.as_bytes())
    assert [f"Level {level}." in extracted.text for level in range(8)] == [False] * 3 + [True] * 5
    assert "S2.eml was not read: it lies more than 4 mails or archives deep" in " ".join(extracted.warnings)


def test_more_attachments_than_anybody_sends_are_not_read(read: Read) -> None:
    message = mail()
    for number in range(105):
        message.add_attachment(f"text {number}", filename=f"{number}.txt")
    extracted = read("a.eml", message.as_bytes())
    assert "text 99" in extracted.text
    assert "text 100" not in extracted.text
    assert len(extracted.warnings) == 5


def test_warnings_of_a_mail_with_thousands_of_attachments_are_counted(read: Read) -> None:
    part = "--b\r\nContent-Type: text/plain\r\nContent-Disposition: attachment; filename=a\r\n\r\nx\r\n"
    extracted = read("a.eml", f"Subject: S\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n{part * 2000}--b--")
    assert len(extracted.warnings) == 101
    assert extracted.warnings[-1] == "there are 1,800 more warnings"


def attached(data: bytes, filename: str, subtype: str = "zip") -> bytes:
    message = mail()
    message.add_attachment(data, maintype="application", subtype=subtype, filename=filename)
    return message.as_bytes()


@pytest.mark.parametrize("encoding", ["gbk", "utf-8", "big5"])
@pytest.mark.parametrize("subtype", ["zip", "x-zip-compressed", "octet-stream"])
def test_the_members_of_an_archive_are_read_under_their_names(read: Read, encoding: str, subtype: str) -> None:
    names = ["員工手冊/第一章 總則.txt", "員工手冊/請假制度.txt"]
    extracted = read("a.eml", attached(archive_named([name.encode(encoding) for name in names]), "手冊.zip", subtype))
    wanted = "".join(f"\n\nAttachment: 手冊.zip/{name}\n\n{CHINESE}" for name in names)
    assert extracted.text == f"Subject: Leave\n{HEAD}\n\nHello.{wanted}"
    assert headings(extracted)[1:] == [(1, f"Attachment: 手冊.zip/{name}") for name in names]


def test_members_that_cannot_be_read_are_told_and_the_others_are_read(read: Read) -> None:
    word = samples.docx(samples.paragraph("Rules", "1"))
    members = {"a.docx": word, "b.gif": b"GIF89a" + bytes(50), "c.docx": word[:300], "__MACOSX/._a": b"x"}
    extracted = read("a.eml", attached(archive(members), "a.zip"))
    assert extracted.text.endswith("Attachment: a.zip/a.docx\n\n# Rules\n\nAttachment: a.zip/c.docx")
    assert extracted.warnings[0].startswith("a.zip: b.gif was not read: unsupported_format")
    assert extracted.warnings[1].startswith("the attachment a.zip/c.docx was not read: corrupt")


@pytest.mark.parametrize(
    ("code", "data"),
    [
        ("archive_bomb", archive({"a.txt": bytes(100 * 2**20)})),
        ("corrupt", archive({"a.txt": b"text"})[:-30]),
        ("empty", archive({})),
        ("unsupported_format", archive({"a.gif": b"GIF89a" + bytes(50)})),
    ],
    ids=["archive_bomb", "corrupt", "empty", "unsupported_format"],
)
def test_an_archive_that_cannot_be_read_costs_the_mail_nothing(read: Read, code: str, data: bytes) -> None:
    extracted = read("a.eml", attached(data, "a.zip"))
    assert extracted.text.endswith("Hello.\n\nAttachment: a.zip")
    assert extracted.warnings[0].startswith(f"the attachment a.zip was not read: {code}")


def test_archives_and_mails_share_the_bounds_of_the_mail_that_holds_them(
    read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = archive({f"{number:03}.txt": f"text {number:03}".encode() for number in range(60)})
    message = mail()
    for name in ("a.zip", "b.zip"):
        message.add_attachment(many, maintype="application", subtype="zip", filename=name)
    extracted = read("a.eml", message.as_bytes())
    assert extracted.text.count("\n\ntext 0") == 100
    assert extracted.warnings == [
        "b.zip: the last 20 of its documents were not read: there are more than 100 attachments"
    ]
    monkeypatch.setattr(unpacking, "MAX_INFLATED", 700)
    warnings = read("a.eml", message.as_bytes()).warnings
    assert [warning[:58] for warning in warnings] == ["the attachment b.zip was not read: archive_bomb: the archi"]


def test_archives_and_mails_in_each_other_are_read_down_to_a_depth(read: Read) -> None:
    inner = mail("Level 0.", "S0").as_bytes()
    for level in range(1, 4):
        inner = attached(archive({"m.eml": inner}), f"{level}.zip").replace(b"Hello.", f"Level {level}.".encode())
    extracted = read("a.eml", inner)
    assert [f"Level {level}." in extracted.text for level in range(4)] == [False, True, True, True]
    assert extracted.warnings == [
        "3.zip/m.eml: 2.zip/m.eml: the attachment 1.zip was not read: it lies more than 4 mails or archives deep"
    ]


@pytest.mark.parametrize("encoded", [True, False])
def test_a_mail_in_a_mail_is_read_however_it_is_encoded(read: Read, encoded: bool) -> None:
    inner = mail(CHINESE, "内").as_bytes()
    body = b"Content-Transfer-Encoding: base64\n\n" + base64.encodebytes(inner) if encoded else b"\n" + inner
    outer = b"Subject: Out\nContent-Type: multipart/mixed; boundary=zz\n\n--zz\n\nText\n--zz\n"
    extracted = read("a.eml", outer + b"Content-Type: message/rfc822\n" + body + b"\n--zz--\n")
    assert extracted.text.count(CHINESE) == 1
    assert (1, "内") in [(level and level - 1, title) for level, title in headings(extracted)]
    assert extracted.warnings == []


Tree = str | tuple[str, list["Tree"]]


def trees(depth: int) -> st.SearchStrategy[Tree]:
    leaf: st.SearchStrategy[Tree] = st.just("text")
    if depth == 0:
        return leaf
    return leaf | st.tuples(st.sampled_from(["mail", "zip"]), st.lists(trees(depth - 1), min_size=1, max_size=3))


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(given_trees=st.lists(trees(3), min_size=1, max_size=3))
def test_every_text_in_any_mails_and_archives_is_read_once(read: Read, given_trees: list[Tree]) -> None:
    texts: list[str] = []

    def text() -> str:
        texts.append(f"Text number {len(texts):03} of them.")
        return texts[-1]

    def written(tree: Tree) -> tuple[str, bytes]:
        if isinstance(tree, str):
            return "a.txt", text().encode()
        if tree[0] == "zip":
            return "b.zip", archive({f"{n}{name}": data for n, (name, data) in enumerate(map(written, tree[1]))})
        return "c.eml", with_attachments(tree[1]).as_bytes()

    def with_attachments(below: list[Tree]) -> EmailMessage:
        message = mail(text())
        for name, data in map(written, below):
            message.add_attachment(data, maintype="application", subtype="octet-stream", filename=name)
        return message

    extracted = read("a.eml", with_attachments(given_trees).as_bytes())
    assert re.findall(r"Text number \d+ of them\.", extracted.text) == texts
    assert extracted.warnings == []


def test_headers_that_nobody_can_parse_do_no_harm(read: Read) -> None:
    data = b"From: =?utf-8?B?!!?= <@@\nSubject: =?no-such?Q?a?= b\nTo: \n\nBody"
    assert read("a.eml", data).text.endswith("\n\nBody")


def test_a_mail_is_known_by_its_bytes_where_nothing_names_it(read: Read) -> None:
    assert read(None, mail().as_bytes()).format == "eml"
    assert read("notes.txt", mail().as_bytes()).format == "text"
    assert read(None, "From: here\n\nA letter.").format == "text"
    assert read("mail.eml", samples.pdf([["Hello"]])).format == "pdf"


def test_a_text_under_the_name_of_a_mail_is_refused(read: Read) -> None:
    with pytest.raises(TaskError) as caught:
        read("a.eml", "Dear all,\n\nthis is no mail.")
    assert caught.value.code == "corrupt"


@pytest.mark.parametrize("codec", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig"])
@pytest.mark.parametrize("charset", ["us-ascii", "utf-16", "gb2312"])
def test_a_mail_that_was_saved_in_utf_16_is_read(read: Read, codec: str, charset: str) -> None:
    part = "Content-Type: text/plain; charset=gb2312\r\nContent-Transfer-Encoding: base64\r\n\r\nxOq82Q==\r\n"
    mail = (
        "Subject: 年假 leave\r\nFrom: Ada <a@b.c>\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n"
        f"--x\r\nContent-Type: text/plain; charset={charset}\r\n\r\n十五天 days\r\n--x\r\n{part}--x--\r\n"
    )
    extracted = read("a.eml", mail.encode(codec))
    assert extracted.text == "Subject: 年假 leave\nFrom: Ada <a@b.c>\n\n十五天 days\n\n年假"
