"""Mail: headers in every encoding, plain text before HTML, attachments by their own readers and within bounds."""

from __future__ import annotations

from email.message import EmailMessage
from email.policy import SMTP

import pytest

from errors import TaskError
from tests.documents import samples
from tests.documents.reading import CHINESE, ENGLISH, Read, headings, spans


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
    message.add_attachment(b"\x89PNG\r\n" + bytes(50), maintype="image", subtype="png", filename="chart.png")
    message.add_attachment(samples.ENCRYPTED_OFFICE, maintype="application", subtype="pdf", filename="../pay.docx")
    extracted = read("a.eml", message.as_bytes())
    assert extracted.text.endswith("Hello.\n\nAttachment: chart.png\n\nAttachment: pay.docx")
    assert ["unsupported_format" in extracted.warnings[0], "encrypted" in extracted.warnings[1]] == [True, True]


def test_mails_in_mails_are_read_down_to_a_depth(read: Read) -> None:
    message = mail("Level 0.", "S0")
    for level in range(1, 8):
        outer = mail(f"Level {level}.", f"S{level}")
        outer.add_attachment(message)
        message = outer
    extracted = read("a.eml", message.as_bytes())
    assert [f"Level {level}." in extracted.text for level in range(8)] == [False] * 3 + [True] * 5
    assert "mails too deep in mails" in " ".join(extracted.warnings)


def test_more_attachments_than_anybody_sends_are_not_read(read: Read) -> None:
    message = mail()
    for number in range(105):
        message.add_attachment(f"text {number}", filename=f"{number}.txt")
    extracted = read("a.eml", message.as_bytes())
    assert "text 99" in extracted.text
    assert "text 100" not in extracted.text
    assert len(extracted.warnings) == 5


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
