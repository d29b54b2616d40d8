"""OpenDocument texts: headings, lists, tables, notes and boxes, with white space as it is meant."""

from __future__ import annotations

from html import escape

import pytest

from errors import TaskError
from tests.documents.books import odt
from tests.documents.extracted import CHINESE, ENGLISH, Read, headings, spans


def paragraph(text: str) -> str:
    return f"<text:p>{text}</text:p>"


def table(rows: list[list[str]]) -> str:
    cells = ("".join(f"<table:table-cell>{paragraph(cell)}</table:table-cell>" for cell in row) for row in rows)
    return "<table:table>" + "".join(f"<table:table-row>{row}</table:table-row>" for row in cells) + "</table:table>"


@pytest.mark.parametrize("text", [ENGLISH, CHINESE])
def test_a_text_comes_back_from_every_place(read: Read, text: str) -> None:
    shown = escape(text)
    listed = f"<text:list><text:list-item>{paragraph(shown)}</text:list-item></text:list>"
    body = f'<text:h text:outline-level="2">{shown}</text:h>{paragraph(shown)}{listed}{table([[shown, "b"]])}'
    extracted = read("a.odt", odt(body))
    assert extracted.text == f"## {text}\n\n{text}\n\n- {text}\n\n| {text} | b |\n| --- | --- |"
    assert headings(extracted) == [(2, text)]
    assert extracted.format == "odt"


def test_white_space_is_as_it_is_meant(read: Read) -> None:
    body = (
        '<text:p>\u3000a\n   b<text:s text:c="3"/>c<text:tab/>d<text:line-break/>e <text:span> f</text:span></text:p>'
    )
    assert read("a.odt", odt(f"{paragraph('x')}{body}")).text == "x\n\na b   c\td\ne  f"


def test_the_title_numbers_and_nested_lists(read: Read) -> None:
    inner = f"<text:list><text:list-item>{paragraph('inner')}</text:list-item></text:list>"
    items = "".join(f"<text:list-item>{paragraph(text)}</text:list-item>" for text in ("one", "two"))
    last = f"<text:list-item>{paragraph('three')}{paragraph('more')}{inner}</text:list-item>"
    body = f'<text:p text:style-name="P1">手册</text:p><text:list text:style-name="L1">{items}{last}</text:list>'
    extracted = read("a.odt", odt(f"{body}{paragraph('after')}"))
    assert extracted.text == "# 手册\n\n1. one\n2. two\n3. three\n  more\n  - inner\n\nafter"
    assert headings(extracted) == [(0, "手册")]


def level(number: int, format: str, facts: str = "", kind: str = "list-level-style-number") -> str:
    return f'<text:{kind} text:level="{number}" style:num-format="{format}" {facts}/>'


NINTH = 'text:start-value="9"'


def items(texts: list[str], facts: str = "") -> str:
    return "".join(f"<text:list-item {facts}>{paragraph(text)}</text:list-item>" for text in texts)


def test_items_are_numbered_as_the_document_shows_them(read: Read) -> None:
    formats = level(1, "一, 二, 三, ...", 'style:num-suffix="、"')
    formats += level(2, "a", 'style:num-prefix="(" style:num-suffix=")" text:display-levels="1"')
    formats += level(3, "i", 'style:num-suffix=")" text:display-levels="2" text:start-value="4"')
    styles = f'<text:list-style style:name="N">{formats}</text:list-style>'
    deep = f"<text:list><text:list-item><text:list>{items(['f', 'g'])}</text:list></text:list-item></text:list>"
    inner = f"<text:list-item>{paragraph('b')}<text:list>{items(['c', 'd'])}</text:list></text:list-item>"
    first = f'<text:list text:style-name="N">{items(["a"])}{inner}<text:list-item>{deep}</text:list-item></text:list>'
    more = f'<text:list text:style-name="N" {{}}>{items(["h"])}{items(["i"], NINTH)}</text:list>'
    body = first + paragraph("x") + more.format('text:continue-numbering="true"') + paragraph("y") + more.format("")
    extracted = read("a.odt", odt(body, styles=styles))
    assert extracted.text == (
        "一、 a\n二、 b\n  (a) c\n  (b) d\n    a.iv) f\n    a.v) g\n\nx\n\n三、 h\n九、 i\n\ny\n\n一、 h\n九、 i"
    )


def test_headings_are_numbered_as_the_document_shows_them(read: Read) -> None:
    outline = level(1, "I", 'style:num-suffix="."', "outline-level-style")
    outline += level(2, "1", 'text:display-levels="2"', "outline-level-style")
    sheet = f'<text:outline-style style:name="Outline">{outline}</text:outline-style>'
    space = 'xmlns:text="urn:t" xmlns:style="urn:s"'
    more = {"styles.xml": f"<o:document-styles xmlns:o='o' {space}><o:styles>{sheet}</o:styles></o:document-styles>"}
    body = "".join(
        f'<text:h text:outline-level="{depth}" {facts}>{text}</text:h>'
        for depth, text, facts in [
            (1, "a", ""),
            (2, "b", ""),
            (2, "c", ""),
            (3, "d", ""),
            (1, "", ""),
            (1, "Preface", 'text:is-list-header="true"'),
            (1, "e", ""),
            (2, "f", ""),
        ]
    )
    titles = [title for _, title in headings(read("a.odt", odt(body, more)))]
    assert titles == ["I. a", "I.1 b", "I.2 c", "d", "Preface", "II. e", "II.1 f"]


def test_its_properties_are_known(read: Read) -> None:
    named = "".join(
        f"<m:{name}>{text}</m:{name}>"
        for name, text in [
            ("title", "手册"),
            ("initial-creator", "Ada"),
            ("creator", "Bob"),
            ("keyword", "leave"),
            ("keyword", "年假"),
            ("date", "2026-11-25"),
        ]
    )
    meta = {"meta.xml": f"<d xmlns:m='m'><m:meta>{named}</m:meta></d>"}
    assert read("a.odt", odt(paragraph("x"), meta)).properties == {
        **{"title": "手册", "author": "Ada", "keywords": "leave, 年假", "modified": "2026-11-25"}
    }


def test_tables_repeat_no_further_than_their_text(read: Read) -> None:
    far = '<table:table-cell table:number-columns-repeated="16384"/>'
    row = f"<table:table-row><table:table-cell>{paragraph('a|b')}</table:table-cell>{far}</table:table-row>"
    covered = (
        f"<table:table-row><table:table-cell>{paragraph('c')}{paragraph('d')}</table:table-cell>"
        f"<table:covered-table-cell/><table:table-cell>{paragraph('e')}</table:table-cell></table:table-row>"
    )
    below = f'<table:table-row table:number-rows-repeated="1048000">{far}</table:table-row>'
    rows = f"<table:table-header-rows>{row}</table:table-header-rows>{covered}{below}"
    extracted = read("a.odt", odt(f"<table:table>{rows}</table:table>"))
    assert spans(extracted, "table") == ["| a\\|b |  |  |\n| --- | --- | --- |\n| c d |  | e |"]


def test_notes_boxes_and_sections_are_read_and_deleted_text_is_not(read: Read) -> None:
    inner = f"<text:note-citation>1</text:note-citation><text:note-body>{paragraph('Why.')}</text:note-body>"
    note = f"<text:note>{inner}</text:note>"
    described = '<s:desc xmlns:s="urn:svg">a picture</s:desc>'
    box = f"<draw:frame><draw:text-box>{paragraph('Boxed')}</draw:text-box>{described}</draw:frame>"
    remark = f"<office:annotation>{paragraph('remark')}</office:annotation>"
    deleted = f"<text:tracked-changes><text:deletion>{paragraph('gone')}</text:deletion></text:tracked-changes>"
    body = f"{deleted}<text:section>{paragraph(f'Noted{note}{box}{remark} on')}</text:section>"
    assert read("a.odt", odt(body)).text == "Noted[^1] on\n\nBoxed\n\n[^1]: Why."


@pytest.mark.parametrize(
    ("code", "data"),
    [
        ("empty", odt(paragraph(" "))),
        ("corrupt", odt(paragraph("x"))[:-100]),
        ("corrupt", odt("<text:p>")),
        ("corrupt", odt("", {"content.xml": '<!DOCTYPE o [<!ENTITY e "e">]><o/>'})),
        ("corrupt", odt("", {"content.xml": "<office/>"})),
        ("encrypted", odt("x", {"META-INF/manifest.xml": "<m><encryption-data/></m>"})),
        ("unsupported_format", odt("x", mimetype="spreadsheet")),
        ("corrupt", b"No OpenDocument"),
    ],
)
def test_it_refuses_with_the_right_code(read: Read, code: str, data: bytes) -> None:
    with pytest.raises(TaskError) as caught:
        read("a.odt", data)
    assert caught.value.code == code


def test_a_text_is_known_by_its_bytes(read: Read) -> None:
    extracted = read("letter.docx", odt(paragraph("x")))
    assert extracted.format == "odt"
    assert "was read as odt" in extracted.warnings[0]


def test_preformatted_lines_are_one_block_of_code(read: Read) -> None:
    code = '<text:p text:style-name="Preformatted_20_Text">def f():</text:p>'
    code += '<text:p text:style-name="Preformatted_20_Text"><text:s text:c="4"/>return 1</text:p>'
    extracted = read("a.odt", odt(f"{paragraph('Before.')}{code}{paragraph('After.')}"))
    assert extracted.text == "Before.\n\n```\ndef f():\n    return 1\n```\n\nAfter."
    assert spans(extracted, "code") == ["```\ndef f():\n    return 1\n```"]


def test_paragraphs_whose_style_has_a_typeface_of_code_are_code(read: Read) -> None:
    style = '<style:style style:name="{}" style:family="{}"><style:text-properties {}="{}"/></style:style>'
    styles = (
        style.format("Listing", "paragraph", "style:font-name", "Liberation Mono1")
        + style.format("Verse", "paragraph", "style:font-family", "'Courier New'")
        + style.format("Standard", "paragraph", "style:font-name", "Courier")
        + style.format("Word", "text", "style:font-name", "Courier")
    )
    names = ("Listing", "Verse", "Standard", "Word")
    body = "".join(f'<text:p text:style-name="{name}">{name}</text:p>' for name in names)
    assert read("a.odt", odt(body, styles=styles)).text == "```\nListing\nVerse\n```\n\nStandard\n\nWord"
