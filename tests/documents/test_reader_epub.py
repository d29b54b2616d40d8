"""E-books: pages in the order of the spine, headings kept, the table of contents left out."""

from __future__ import annotations

from html import escape

import pytest

from errors import TaskError
from tests.documents.books import epub, page
from tests.documents.reading import CHINESE, ENGLISH, Read, headings

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
