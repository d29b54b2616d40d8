"""E-books: pages in the order of the spine, headings kept, the table of contents left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from errors import TaskError
from tests.documents.books import Line, control_file, epub, navigation, page
from tests.documents.extracted import CHINESE, ENGLISH, Read, headings, spans

PROTECTED = (
    '<encryption xmlns="urn:oasis:names:tc:opendocument:xmlns:container" xmlns:e="http://www.w3.org/2001/04/xmlenc#">'
    '<e:EncryptedData><e:EncryptionMethod Algorithm="{}"/></e:EncryptedData></encryption>'
)


@pytest.mark.parametrize("text", [ENGLISH, CHINESE])
def test_a_text_comes_back(read: Read, text: str) -> None:
    extracted = read("a.epub", epub({"a.xhtml": f"<h1>{escape(text)}</h1><p>{escape(text)}</p>"}))
    assert extracted.text == f"# {text}\n\n{text}"
    assert headings(extracted) == [(1, text)]
    assert extracted.format == "epub"
    assert extracted.properties["title"] == "The Book"


def test_the_spine_orders_the_pages_and_the_contents_are_no_text(read: Read) -> None:
    pages = {
        "b.xhtml": "<h2>Two</h2>",
        "nav.xhtml": "<p>Contents</p>",
        "a.xhtml": "<h2>One</h2>",
        "x.xhtml": "<p>no</p>",
    }
    extracted = read("a.epub", epub(pages, ["nav.xhtml", "a.xhtml", "b.xhtml"]))
    assert extracted.text == "## One\n\n## Two"


def test_a_page_is_read_once_however_often_the_spine_lists_it(read: Read) -> None:
    pages = {"a.xhtml": "<h2>One</h2>", "b.xhtml": "<h2>Two</h2>"}
    assert read("a.epub", epub(pages, ["b.xhtml", "a.xhtml", "b.xhtml"])).text == "## Two\n\n## One"


def test_elements_that_close_at_once_swallow_nothing(read: Read) -> None:
    body = '<p><a id="p1" title="a > b"/>One<br/>line</p><script src="x.js"/><p>Two<img src="y"/></p>'
    more = {"OEBPS/a.xhtml": page(body, "<title/>")}
    assert read("a.epub", epub({"a.xhtml": ""}, more=more)).text == "One\nline\n\nTwo"


def test_a_page_in_another_encoding_is_read_by_what_it_declares(read: Read) -> None:
    old = page("<p>龙与凤</p>").replace("utf-8", "gb2312").encode("gb18030")
    assert read("a.epub", epub({"a.xhtml": ""}, more={"OEBPS/a.xhtml": old})).text == "龙与凤"


def test_a_package_with_an_old_document_type_is_read(read: Read) -> None:
    prolog = '<!DOCTYPE package PUBLIC "+//ISBN 0-9673008-1-9//DTD OEB 1.2 Package//EN" "http://oeb.org/oebpkg12.dtd">'
    assert read("a.epub", epub({"a.xhtml": "<p>x</p>"}, prolog=prolog)).text == "x"


def test_fonts_that_are_obfuscated_hide_nothing(read: Read) -> None:
    protection = {"META-INF/encryption.xml": PROTECTED.format("http://www.idpf.org/2008/embedding")}
    assert read("a.epub", epub({"a.xhtml": "<p>x</p>"}, more=protection)).text == "x"


def book(kind: str, pages: Mapping[str, str], lines: Sequence[Line]) -> bytes:
    """An e-book with a table of contents of EPUB 3 or of EPUB 2."""
    if kind == "nav":
        return epub({**pages, "nav.xhtml": navigation(lines)}, list(pages))
    return epub(pages, more={"OEBPS/toc.ncx": control_file(lines)})


@pytest.mark.parametrize("kind", ["nav", "ncx"])
class TestContents:
    """Titles of the table of contents stand in for headings that the pages lack."""

    def test_a_page_without_a_heading_has_the_title_that_leads_to_it(self, read: Read, kind: str) -> None:
        pages = {"a.xhtml": "<p>First.</p>", "ü b.xhtml": '<p>Second.</p><p id="x">Third.</p>', "c.xhtml": "<p>On.</p>"}
        lines: list[Line] = [
            ("第一章 & <总则>", "a.xhtml", []),
            ("Two", "%C3%BC%20b.xhtml", [("Two b", "ü b.xhtml#x", [])]),
        ]
        extracted = read("a.epub", book(kind, pages, lines))
        assert extracted.text == "# 第一章 & <总则>\n\nFirst.\n\n# Two\n\nSecond.\n\n## Two b\n\nThird.\n\nOn."
        assert headings(extracted) == [(1, "第一章 & <总则>"), (1, "Two"), (2, "Two b")]

    @pytest.mark.parametrize(
        "body",
        [
            "<h2>One</h2><p>x</p>",
            '<h2><a id="x"></a>Chapter 1: One</h2><p>x</p>',
            '<div id="x"><img src="i"/><h2>I. One</h2></div><p>x</p>',
            '<p id="x">Motto</p><h2>ONE!</h2><p>x</p>',
        ],
    )
    @pytest.mark.parametrize("target", ["a.xhtml", "a.xhtml#x"])
    def test_a_heading_of_the_page_s_own_counts(self, read: Read, kind: str, body: str, target: str) -> None:
        lines: list[Line] = [("One", target, [])]
        assert read("a.epub", book(kind, {"a.xhtml": body}, lines)).text == read("a.epub", epub({"a.xhtml": body})).text

    @pytest.mark.parametrize(
        ("body", "text", "span"),
        [
            ("<p>One Two</p><p>x</p>", "# One Two\n\nx", "# One Two"),
            ("<p>Chapter 7. One Two</p><p>x</p>", "# Chapter 7. One Two\n\nx", "# Chapter 7. One Two"),
            ("<p>第一章 One Two</p><p>x</p>", "# 第一章 One Two\n\nx", "# 第一章 One Two"),
            ("<p>There was never a one; two</p>", "# One Two\n\nThere was never a one; two", "# One Two"),
            ("<p>Text.</p>", "# One Two\n\nText.", "# One Two"),
            ("<p>one: </p><div>two</div><p>x</p>", "# one:\n\ntwo\n\nx", "# one:"),
            ("<p><b>One two.</b> x</p>", "One two. x", "One two"),
            ("<p>One<br/>Two<br/>x</p>", "One\nTwo\nx", "One\nTwo"),
            ("<p>One two three.</p>", "# One Two\n\nOne two three.", "# One Two"),
            ("<ul><li>One two</li></ul>", "# One Two\n\n- One two", "# One Two"),
            ("<h1><img src='a'/></h1><p>x</p>", "# One Two\n\nx", "# One Two"),
            ("<pre>x</pre>", "# One Two\n\n```\nx\n```", "# One Two"),
            ("<table><tr><td>1<td>2</table>", "# One Two\n\n| 1 | 2 |\n| --- | --- |", "# One Two"),
        ],
    )
    def test_a_title_that_the_page_shows_is_not_written_twice(
        self, read: Read, kind: str, body: str, text: str, span: str
    ) -> None:
        extracted = read("a.epub", book(kind, {"a.xhtml": body}, [("One Two", "a.xhtml", [])]))
        assert extracted.text == text
        assert headings(extracted) == [(1, "One Two")]
        assert spans(extracted, "heading") == [span]

    def test_a_part_stands_above_its_chapters_whatever_their_headings_are(self, read: Read, kind: str) -> None:
        pages = {"a.xhtml": "<h2>One</h2><p>x</p>", "b.xhtml": "<p>y</p>", "c.xhtml": "<h2>Three</h2><p>z</p>"}
        chapters: list[Line] = [("One", "a.xhtml", []), ("Two", "b.xhtml", []), ("Three", "c.xhtml", [])]
        first = ("Part", "a.xhtml" if kind == "ncx" else None, chapters)
        extracted = read("a.epub", book(kind, pages, [first]))
        assert headings(extracted) == [(1, "Part"), (2, "One"), (2, "Two"), (2, "Three")]
        assert extracted.text == "# Part\n\n## One\n\nx\n\n## Two\n\ny\n\n## Three\n\nz"

    def test_titles_of_pages_without_text_are_none_of_the_next_page(self, read: Read, kind: str) -> None:
        pages = {"a.xhtml": "<img src='cover.png'/>", "b.xhtml": "<p>Text.</p>"}
        assert read("a.epub", book(kind, pages, [("Cover", "a.xhtml", [])])).text == "Text."


def test_contents_that_cannot_be_read_cost_no_text(read: Read) -> None:
    extracted = read("a.epub", epub({"a.xhtml": "<p>x</p>"}, more={"OEBPS/toc.ncx": "<ncx"}))
    assert extracted.text == "x"
    assert extracted.warnings[0].startswith("the table of contents was not read: corrupt")


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sections=st.lists(st.lists(st.sampled_from(["heading", "title", "text"]), max_size=4), min_size=1, max_size=4),
    kind=st.sampled_from(["nav", "ncx"]),
)
def test_every_entry_is_a_heading_once_and_no_text_is_lost(read: Read, sections: list[list[str]], kind: str) -> None:
    """title: the page shows it as a paragraph; heading: as a heading; text: not at all."""
    pages, lines, wanted = {}, list[Line](), []
    for number, kinds in enumerate(sections):
        body = ""
        for at, shown in enumerate(kinds):
            title = f"Section {number} {at} 节"
            mark = {"heading": f"<h1>{title}</h1>", "title": f"<p>{title}</p>", "text": ""}[shown]
            body += f'<div id="s{at}">{mark}<p>Text of {number} {at}.</p></div>'
            lines.append((title, f"{number}.xhtml#s{at}", []))
            wanted.append(f"# {title}\n\nText of {number} {at}.")
        pages[f"{number}.xhtml"] = body or "<p>Nothing.</p>"
        wanted += [] if body else ["Nothing."]
    assert read("a.epub", book(kind, pages, lines)).text == "\n\n".join(wanted)


@pytest.mark.parametrize(
    ("code", "data"),
    [
        ("encrypted", epub({"a.xhtml": "<p>x</p>"}, more={"META-INF/encryption.xml": PROTECTED.format("urn:shop")})),
        ("empty", epub({"a.xhtml": "<p> </p>"})),
        ("corrupt", epub({"a.xhtml": "<p>x</p>"})[:-200]),
        ("corrupt", epub({"a.xhtml": "<p>x</p>"}, more={"OEBPS/book.opf": "<package>"})),
        ("corrupt", epub({"a.xhtml": "<p>x</p>"}, prolog='<!DOCTYPE p [<!ENTITY e "e">]>')),
        ("corrupt", b"Once upon a time"),
    ],
)
def test_it_refuses_with_the_right_code(read: Read, code: str, data: bytes) -> None:
    with pytest.raises(TaskError) as caught:
        read("a.epub", data)
    assert caught.value.code == code


def test_an_e_book_is_known_by_its_bytes(read: Read) -> None:
    extracted = read("book.docx", epub({"a.xhtml": "<p>x</p>"}))
    assert extracted.format == "epub"
    assert "was read as epub" in extracted.warnings[0]
