"""What each reader makes of the structure of a document: headings, lists, tables, code, pages."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from documents.text import Anchor
from tests.documents import office, samples
from tests.documents.extracted import headings, spans
from tests.documents.samples import Line, paragraph, table


class TestPdf:
    def test_lines_become_paragraphs_and_pages_are_known(self, read) -> None:  # type: ignore[no-untyped-def]
        first = ["A line of text that fills the whole width of the page as lines in books do until", "it ends. Again."]
        second = [Line("Second paragraph.", drop=30)]

        extracted = read("a.pdf", samples.pdf([[*first, *second], ["Page two."]]))

        assert extracted.text == f"{first[0]} {first[1]}\n\nSecond paragraph.\n\nPage two."
        pages = {anchor.page: anchor.start for anchor in extracted.anchors if anchor.kind == "page"}
        assert extracted.text[pages[2] :] == "Page two."
        assert extracted.pages == 2

    def test_a_divided_word_is_joined(self, read) -> None:  # type: ignore[no-untyped-def]
        lines = ["This long line goes on until the end and then it has to divide the word contri-", "butions here."]
        assert "contributions here." in read("a.pdf", samples.pdf([lines])).text

    def test_headings_by_the_outline(self, read) -> None:  # type: ignore[no-untyped-def]
        page = [Line("2.1 Leave", 10), Line("Everybody has fifteen days of leave.", 10, drop=24)]
        extracted = read("a.pdf", samples.pdf([page], [("Leave", 0)]))
        assert headings(extracted) == [(1, "2.1 Leave")]
        assert spans(extracted, "heading") == ["2.1 Leave"]

    def test_headings_by_size(self, read) -> None:  # type: ignore[no-untyped-def]
        body = ["Many words are in the body of this page so that its size is the usual one."] * 8
        extracted = read("a.pdf", samples.pdf([[Line("Handbook", 24), Line("Leave", 16, drop=30), *body]]))
        assert headings(extracted) == [(1, "Handbook"), (2, "Leave")]


class TestDocx:
    def test_headings_by_style_inherited_style_and_outline_level(self, read) -> None:  # type: ignore[no-untyped-def]
        body = (
            paragraph("Handbook", "t")
            + paragraph("Leave", "1")
            + paragraph("Details", "own")
            + paragraph("Deep", None, '<w:outlineLvl w:val="2"/>')
            + paragraph("Text.")
        )
        extracted = read("a.docx", samples.docx(body))
        assert headings(extracted) == [(0, "Handbook"), (1, "Leave"), (2, "Details"), (3, "Deep")]
        assert extracted.text == "# Handbook\n\n# Leave\n\n## Details\n\n### Deep\n\nText."

    def test_lists_are_numbered_as_word_shows_them(self, read) -> None:  # type: ignore[no-untyped-def]
        def item(text: str, number: int, depth: int = 0) -> str:
            properties = f'<w:numPr><w:ilvl w:val="{depth}"/><w:numId w:val="{number}"/></w:numPr>'
            return paragraph(text, None, properties)

        body = item("one", 1) + item("sub", 1, 1) + item("two", 1) + item("dot", 2) + item("甲", 3) + item("乙", 3)
        text = read("a.docx", samples.docx(body)).text
        assert text == "1. one\n  1.a) sub\n2. two\n- dot\n第一条 甲\n第二条 乙"

    def test_lines_in_a_style_of_code_are_one_block_of_code(self, read) -> None:  # type: ignore[no-untyped-def]
        style = '<w:style w:type="paragraph" w:styleId="{}"><w:name w:val="{}"/></w:style>'
        styles = style.format("code", "Source Code") + style.format("pre", "HTML Preformatted")
        body = (
            paragraph("Before.")
            + paragraph("def f():", "code")
            + paragraph("", "code")
            + paragraph("    return 1", "code")
            + table([["A", "B"], ["1", "2"]])
            + paragraph("x = 1", "pre")
        )
        parts: dict[str, str | bytes] = {"word/styles.xml": f'<w:styles xmlns:w="{samples.WORD}">{styles}</w:styles>'}
        extracted = read("a.docx", samples.docx(body, parts))
        assert spans(extracted, "code") == ["```\ndef f():\n\n    return 1\n```", "```\nx = 1\n```"]
        assert extracted.text.startswith("Before.\n\n```\ndef f()")

    def test_lines_in_a_style_with_a_typeface_of_code_are_code(self, read) -> None:  # type: ignore[no-untyped-def]
        style = '<w:style w:type="paragraph" w:styleId="{0}"{2}><w:name w:val="{0}"/>{1}{3}</w:style>'
        font = '<w:rPr><w:rFonts w:ascii="Courier New"/></w:rPr>'
        styles = style.format("Normal", "", ' w:default="1"', font) + style.format("Listing", "", "", font)
        styles += style.format("Inner", '<w:basedOn w:val="Listing"/>', "", "")
        styles += style.format("Text", '<w:basedOn w:val="Normal"/>', "", "")
        styles += style.format("heading 1", '<w:basedOn w:val="Listing"/>', "", "")
        body = "".join(paragraph(name, name) for name in ("heading 1", "Normal", "Text", "Listing", "Inner"))
        parts: dict[str, str | bytes] = {"word/styles.xml": f'<w:styles xmlns:w="{samples.WORD}">{styles}</w:styles>'}
        text = read("a.docx", samples.docx(body, parts)).text
        assert text == "# heading 1\n\nNormal\n\nText\n\n```\nListing\nInner\n```"

    def test_its_properties_are_known(self, read) -> None:  # type: ignore[no-untyped-def]
        core = (
            '<c:coreProperties xmlns:c="urn:c" xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>员工手册</dc:title>'
            "<dc:creator>人事部</dc:creator><dc:language>zh-CN</dc:language></c:coreProperties>"
        )
        extracted = read("a.docx", samples.docx(paragraph("Text."), {"docProps/core.xml": core}))
        assert extracted.properties == {"title": "员工手册", "author": "人事部", "language": "zh-CN"}

    def test_tables_are_markdown(self, read) -> None:  # type: ignore[no-untyped-def]
        extracted = read("a.docx", samples.docx(table([["Name", "Days"], ["Ada|Bob", "15"]])))
        assert spans(extracted, "table") == ["| Name | Days |\n| --- | --- |\n| Ada\\|Bob | 15 |"]

    def test_boxes_controls_and_notes_are_read_once_and_deleted_text_is_not(self, read) -> None:  # type: ignore[no-untyped-def]
        box = (
            "<w:p><w:r><w:t>Anchor</w:t></w:r><w:r><mc:AlternateContent><mc:Choice><wps:txbxContent>"
            f"{paragraph('Boxed')}</wps:txbxContent></mc:Choice><mc:Fallback><w:pict><v:textbox><w:txbxContent>"
            f"{paragraph('Boxed')}</w:txbxContent></v:textbox></w:pict></mc:Fallback></mc:AlternateContent></w:r></w:p>"
        )
        control = f"<w:sdt><w:sdtContent>{paragraph('Controlled')}</w:sdtContent></w:sdt>"
        deleted = (
            "<w:p><w:del><w:r><w:delText>gone</w:delText></w:r></w:del><w:ins><w:r><w:t>new</w:t></w:r></w:ins></w:p>"
        )
        noted = '<w:p><w:r><w:t>Noted</w:t><w:footnoteReference w:id="2"/></w:r></w:p>'
        note = f'<w:footnote w:id="2">{paragraph("The note.")}</w:footnote>'
        notes = f'<w:footnotes xmlns:w="{samples.WORD}">{note}</w:footnotes>'
        data = samples.docx(box + control + deleted + noted, {"word/footnotes.xml": notes})
        assert read("a.docx", data).text == "Anchor\n\nBoxed\n\nControlled\n\nnew\n\nNoted[^1]\n\n[^1]: The note."

    @pytest.mark.parametrize(
        ("font", "number", "wanted"),
        [
            *(("Wingdings 2", "F052", "☑"), ("Wingdings 2", "00A3", "□"), ("Wingdings", "F0FE", "☑")),
            *(("Symbol", "F061", "α"), ("Symbol", "F0B3", "≥"), ("Calibri", "2211", "∑")),
            *(("Wingdings", "F0FF", ""), ("Symbol", "no", ""), ("Arial", "D800", "")),
        ],
    )
    def test_symbols_are_characters(self, read, font: str, number: str, wanted: str) -> None:  # type: ignore[no-untyped-def]
        body = f'<w:p><w:r><w:t>甲</w:t><w:sym w:font="{font}" w:char="{number}"/><w:t>乙</w:t></w:r></w:p>'
        assert read("a.docx", samples.docx(body)).text == f"甲{wanted}乙"

    def test_charts_and_diagrams_are_read_where_they_stand(self, read) -> None:  # type: ignore[no-untyped-def]
        def drawing(inner: str) -> str:
            names = 'xmlns:d="urn:d" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'
            return f"<w:p><w:r><w:drawing {names}>{inner}</w:drawing></w:r></w:p>"

        chart, diagram = drawing('<d:chart r:id="c"/>'), drawing('<d:relIds r:dm="d"/>')
        cells = f"<w:tr><w:tc>{samples.paragraph('A')}</w:tc><w:tc>{chart}</w:tc></w:tr>"
        parts: dict[str, str | bytes] = {
            "word/_rels/document.xml.rels": office.relations(
                {"c": ("chart", "charts/chart1.xml"), "d": ("diagramData", "diagrams/data1.xml")}
            ),
            "word/charts/chart1.xml": office.chart("Sales", ["Q1"], {"2024": ["0.1"]}),
            "word/diagrams/data1.xml": f'<d:m xmlns:d="urn:d" xmlns:a="urn:a"><d:t>{office.run("计划")}</d:t></d:m>',
        }
        body = samples.paragraph("Before") + chart + samples.paragraph("between") + diagram + f"<w:tbl>{cells}</w:tbl>"
        figures = "Sales\n\n|  | 2024 |\n| --- | --- |\n| Q1 | 0.1 |"
        wanted = ["Before", figures, "between", "- 计划", "| A |  |\n| --- | --- |", figures]
        assert read("a.docx", samples.docx(body, parts)).text == "\n\n".join(wanted)

    def test_a_million_nested_elements_are_refused(self, read) -> None:  # type: ignore[no-untyped-def]
        from errors import TaskError

        body = "<w:p>" + "<w:r>" * 100_000 + "</w:r>" * 100_000 + "</w:p>"
        with pytest.raises(TaskError, match="corrupt"):
            read("a.docx", samples.docx(body))


class TestHtml:
    PAGE = """<!doctype html><html><head><title>The  title</title><style>p{}</style></head><body><nav>Menu</nav>
    <h1>Leave<a class="headerlink">¶</a></h1><p>Fifteen <b>days</b>
    a year.<br>Really.</p><ul><li>one<ul><li>inner</li></ul></li><li>two</li></ul><ol start="3"><li>three</ol>
    <table><tr><th>A<th>B|C</tr><tr><td>1<td>2</tr></table><pre>x = 1
      y = 2</pre><script>evil()</script><p hidden>unseen</p></body></html>"""

    def test_structure_survives_and_headers_and_footers_do_not(self, read) -> None:  # type: ignore[no-untyped-def]
        extracted = read("a.html", self.PAGE)
        assert extracted.text == (
            "# Leave\n\nFifteen days a year.\nReally.\n\n- one\n  - inner\n- two\n\n3. three\n\n"
            "| A | B\\|C |\n| --- | --- |\n| 1 | 2 |\n\n```\nx = 1\n      y = 2\n```"
        )
        assert headings(extracted) == [(1, "Leave")]
        assert extracted.properties["title"] == "The title"

    @settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(data=st.data(), width=st.integers(2, 5), height=st.integers(1, 5))
    def test_cells_that_reach_over_rows_and_columns_move_no_other(self, read, data, width: int, height: int) -> None:  # type: ignore[no-untyped-def]
        wanted: list[list[str | None]] = [[None] * width for _ in range(height)]
        page = ""
        for row in range(height):
            page += "<tr>"
            for column in range(width):
                if wanted[row][column] is None:
                    right = column + 1
                    while right < width and wanted[row][right] is None and data.draw(st.booleans()):
                        right += 1
                    below = data.draw(st.integers(row + 1, height))
                    for at in range(row, below):
                        wanted[at][column:right] = [f"{row}/{column}", *[""] * (right - column - 1)]
                    page += f'<td colspan="{right - column}" rowspan="{below - row}">{row}/{column}</td>'
            page += "</tr>"
        first, _, *others = spans(read("a.html", f"<table>{page}</table>"), "table")[0].split("\n")
        own = [row for number, row in enumerate(wanted) if any(str(cell).startswith(f"{number}/") for cell in row)]
        assert [first, *others] == [f"| {' | '.join(map(str, row))} |" for row in own]

    @pytest.mark.parametrize(
        ("reference", "note"),
        [
            ('<sup><a href="#n">1</a></sup>', '<ol><li id="n"><p>Why. <a href="#r">↩︎</a></p></li></ol>'),
            ('<a href="#n"><sup>[1]</sup></a>', '<p id="n"><a href="#r">1</a> Why.</p>'),
            ('<a role="doc-noteref" href="#n">1</a>', '<div id="n"><p><a href="#r">[1]</a> Why.</p></div>'),
            ('<a epub:type="noteref" href="a.xhtml#n">1</a>', '<aside id="n"><p>Why.</p></aside>'),
            ('<sup><a href="#n">1</a></sup>', '<p><a id="n" href="#r">1</a> Why.</p>'),
        ],
    )
    def test_notes_are_marked_as_such(self, read, reference: str, note: str) -> None:  # type: ignore[no-untyped-def]
        page = f"<html><body><p>Fifteen days{reference} a year.</p>{note}</body></html>"
        assert read("a.html", page).text == "Fifteen days[^1] a year.\n\n[^1]: Why."

    def test_links_that_are_no_notes_stay_as_they_are(self, read) -> None:  # type: ignore[no-untyped-def]
        body = '<p>See <a href="#n">1</a>, <sup><a href="x">2</a></sup> and <sup><a href="#n">that page</a></sup>.</p>'
        assert read("a.html", f'<html>{body}<p id="n">x</p>').text == "See 1, 2 and that page.\n\nx"

    def test_items_are_numbered_as_a_browser_shows_them(self, read) -> None:  # type: ignore[no-untyped-def]
        page = '<ol type="a"><li>x<li value="4">y<li>z</ol><ol type="I" start="9"><li>x<ul><li>y</ul><li>z</ol>'
        assert read("a.html", f"<html>{page}").text == "a. x\nd. y\ne. z\n\nIX. x\n  - y\nX. z"
        page = "<ol><li>x<li value=0>y<li>z<li value=-1>w</ol>"
        assert read("a.html", f"<html>{page}").text == "1. x\n0. y\n1. z\n2. w"

    def test_a_cell_reaches_to_the_end_of_its_rows_and_no_further(self, read) -> None:  # type: ignore[no-untyped-def]
        head = "<thead><tr><th rowspan=9>n<th>m</thead>"
        page = f"<html><table>{head}<tbody><tr><td rowspan=0>a<td>1<tr><td>2<tr><td>3</tbody><tr><td>b<td>4</table>"
        rows = ["| n | m |", "| --- | --- |", "| a | 1 |", "| a | 2 |", "| a | 3 |", "| b | 4 |"]
        assert read("a.html", page).text == "\n".join(rows)

    def test_cells_in_thousands_of_columns_are_kept(self, read) -> None:  # type: ignore[no-untyped-def]
        wide = "<td colspan=50 rowspan=0>x" * 3000
        text = read("a.html", f"<html><table><tr>{wide}<tr>{'<td>y' * 9}</table>").text
        assert (text.count("x"), text.count("y")) == (3000 + 1000 // 50, 9)
        assert len(text.split("\n")[0].split("|")) < 5000

    def test_its_properties_are_known(self, read) -> None:  # type: ignore[no-untyped-def]
        head = '<title>T</title><meta name="Author" content="Ada  L."><meta name="description" content="About.">'
        extracted = read(
            "a.html", f'<!doctype html><html lang="en"><head>{head}</head><body><p>Text.</p></body></html>'
        )
        assert extracted.properties == {"title": "T", "author": "Ada L.", "subject": "About.", "language": "en"}

    def test_the_charset_that_the_page_names_is_used(self, read) -> None:  # type: ignore[no-untyped-def]
        page = '<html><head><meta charset="gb2312"></head><body><p>龙</p></body></html>'.encode("gb18030")
        extracted = read("a.html", page)
        assert (extracted.text, extracted.encoding) == ("龙", "gb18030")

    def test_the_charset_is_found_behind_a_long_head(self, read) -> None:  # type: ignore[no-untyped-def]
        page = f"<html><head><style>{'a {} ' * 5000}</style><meta charset=windows-1251></head><p>Привет, мир</p>"
        assert read("a.html", page.encode("cp1251")).text == "Привет, мир"

    def test_a_page_nested_deeper_than_any_stack_is_read(self, read) -> None:  # type: ignore[no-untyped-def]
        assert read("a.html", "<div>" * 50_000 + "deep" + "</div>" * 50_000).text == "deep"


class TestMarkdown:
    TEXT = (
        "---\ntitle: Guide\n---\n\n# One #\n\nText\n\nTwo\n---\n\n"
        "```sh\n# no heading\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n"
    )

    @pytest.mark.parametrize("end", ["\n", "\r\n"])
    def test_the_text_stays_and_the_structure_is_known(self, read, end: str) -> None:  # type: ignore[no-untyped-def]
        text = self.TEXT.replace("\n", end)
        extracted = read("a.md", text)
        assert extracted.text == "# Guide\n\n" + text[text.index("# One") :]
        assert headings(extracted) == [(0, "Guide"), (1, "One"), (2, "Two")]
        assert spans(extracted, "code") == [f"```sh{end}# no heading{end}```"]
        assert spans(extracted, "table") == [f"| a | b |{end}|---|---|{end}| 1 | 2 |"]
        assert extracted.properties == {"title": "Guide"}

    def test_front_matter_is_metadata_and_no_text(self, read) -> None:  # type: ignore[no-untyped-def]
        front = "---\ntitle: 'Guide: one'\n# a remark\ntags:\n  - leave\n  - 年假\ndraft: false\n"
        front += "description: >-\n  How to\n  rest.\n---\n"
        extracted = read("a.md", f"{front}\n## Rest\n\nText.\n")
        assert extracted.text == "# Guide: one\n\nHow to rest.\n\n## Rest\n\nText.\n"
        assert headings(extracted) == [(0, "Guide: one"), (2, "Rest")]
        assert extracted.properties == {
            "title": "Guide: one", "tags": "leave, 年假", "draft": "false", "description": "How to rest."
        }  # fmt: skip

    @pytest.mark.parametrize(
        ("text", "kept"),
        [
            ("---\ntitle: One\n---\n# One\n\nText.\n", "# One\n\nText.\n"),
            ("---\nlayout: x\n...\nText.\n", "Text.\n"),
            ("---\nSome words between lines.\n---\n", "---\nSome words between lines.\n---\n"),
            ("---\nnever: ended\n\nText.\n", "---\nnever: ended\n\nText.\n"),
            ("---\nNote: this\n---\nText.\n", "---\nNote: this\n---\nText.\n"),
            ("# A ##  \n\nText.\n", "# A ##  \n\nText.\n"),
            ("---\nall: there is\n---\n", "---\nall: there is\n---\n"),
        ],
    )
    def test_what_is_no_front_matter_stays(self, read, text: str, kept: str) -> None:  # type: ignore[no-untyped-def]
        assert read("a.md", text).text == kept


class TestCsv:
    @pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
    def test_each_row_names_its_columns(self, read, delimiter: str) -> None:  # type: ignore[no-untyped-def]
        rows = [["Name", "Born", "City"], ["Ada", "1815", ""], ["Grace Hopper", "1906", "New York"]]
        extracted = read("a.csv", "\n".join(delimiter.join(row) for row in rows))
        assert extracted.text == "Name: Ada | Born: 1815\nName: Grace Hopper | Born: 1906 | City: New York"
        assert extracted.properties["columns"] == rows[0]

    @given(
        st.lists(st.lists(st.sampled_from(["", "1", "Ada", "年假"]), min_size=4, max_size=4), min_size=1, max_size=5),
        st.integers(0, 2),
    )
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_no_name_and_no_value_is_lost(self, read, rows, blank) -> None:  # type: ignore[no-untyped-def]
        names = ["Name", "Born", "City", "备注"]
        text = read("a.csv", ",\n" * blank + "\n".join(map(",".join, [names, *rows]))).text
        assert all(name in text for name in names)
        assert Counter(re.findall(r"\b(?:1|Ada|年假)\b", text)) == Counter(cell for row in rows for cell in row if cell)

    def test_a_table_without_a_header_keeps_its_first_row(self, read) -> None:  # type: ignore[no-untyped-def]
        assert read("a.csv", "1,2\n3,4\n").text == "1 | 2\n3 | 4"

    def test_quoted_delimiters_and_line_ends_stay_in_their_cell(self, read) -> None:  # type: ignore[no-untyped-def]
        text = read("a.csv", 'Name,Note\n"Lovelace, Ada","first\nsecond"\nBob,x,extra\n').text
        assert text == "Name: Lovelace, Ada | Note: first second\nName: Bob | Note: x | extra"


class TestTsv:
    ROWS = (("Name", "Note"), ("Ada", '5" pipe, "quoted" words'), ('"Grace" Hopper', "中文，逗号"))

    def test_quotation_marks_inside_values_are_kept(self, read) -> None:  # type: ignore[no-untyped-def]
        extracted = read("a.tsv", "\r\n".join("\t".join(row) for row in self.ROWS))
        assert extracted.format == "tsv"
        assert extracted.text == ('Name: Ada | Note: 5" pipe, "quoted" words\nName: "Grace" Hopper | Note: 中文，逗号')

    def test_values_that_a_spreadsheet_quoted_lose_their_quotation_marks(self, read) -> None:  # type: ignore[no-untyped-def]
        text = read("a.tsv", 'Name\tNote\n"Ada ""L"""\t"one\ttwo"\n').text
        assert text == 'Name: Ada "L" | Note: one two'

    def test_commas_under_the_name_of_tabs_are_found_out(self, read) -> None:  # type: ignore[no-untyped-def]
        extracted = read("a.tsv", "名称,天数\n年假,15\n病假,10\n")
        assert extracted.format == "csv"
        assert extracted.text == "名称: 年假 | 天数: 15\n名称: 病假 | 天数: 10"
        assert "separated by ','" in extracted.warnings[0]

    def test_a_single_column_stays_one(self, read) -> None:  # type: ignore[no-untyped-def]
        assert read("a.tsv", "Remark\nFirst, second\nOnly\n").text == "Remark: First, second\nRemark: Only"


class TestPlain:
    def test_headings_of_chinese_and_english_books_are_known(self, read) -> None:  # type: ignore[no-untyped-def]
        text = (
            "员工手册\n\n第一章 总则\n本手册适用于全体员工。\n第二章 休假\n第三章的内容见下。\n\n"
            "Chapter 3 Pay\nMoney.\n\nTitle\n=====\n"
        )
        extracted = read("a.txt", text)
        assert extracted.text == text
        assert headings(extracted) == [(2, "第一章 总则"), (2, "第二章 休假"), (2, "Chapter 3 Pay"), (1, "Title")]

    def test_form_feeds_are_page_ends(self, read) -> None:  # type: ignore[no-untyped-def]
        extracted = read("a.txt", "one\n\ftwo\n\f")
        assert extracted.pages == 2
        assert extracted.anchors == [Anchor(0, "page", page=1), Anchor(5, "page", page=2)]
