"""Presentations: slides are pages, titles headings, tables Markdown, and the speaker's notes are read."""

from __future__ import annotations

import pytest

from documents.text import table_lines
from errors import TaskError
from tests.documents import office, samples
from tests.documents.extracted import CHINESE, ENGLISH, Read, headings, pages, spans
from tests.documents.office import content, grid, pptx, run, shape, title


@pytest.mark.parametrize("text", [ENGLISH, CHINESE])
def test_a_text_comes_back_from_every_place(read: Read, text: str) -> None:
    extracted = read("a.pptx", pptx([title(text), shape(run(text)), content([text]) + grid([[text, "b"]])], {2: text}))
    assert pages(extracted) == [
        f"# {text}",
        f"{text}\n\nNotes: {text}",
        f"- {text}\n\n| {text} | b |\n| --- | --- |",
    ]
    assert extracted.format == "pptx"


def test_slides_come_in_the_order_of_the_presentation(read: Read) -> None:
    slides = [content(["before the title"]) + title(f"Slide {number}") for number in range(1, 13)]
    extracted = read("a.pptx", pptx(slides))
    assert extracted.pages == 12
    assert headings(extracted) == [(1, f"Slide {number}") for number in range(1, 13)]
    assert pages(extracted)[11] == "# Slide 12\n\n- before the title"


def test_lists_tables_groups_and_line_ends(read: Read) -> None:
    listed = shape(
        run("one")
        + run("inner", '<a:pPr lvl="1"/>')
        + run("no bullet", "<a:pPr><a:buNone/></a:pPr>")
        + run("first", '<a:pPr><a:buAutoNum type="arabicPeriod"/></a:pPr>')
        + run("second", '<a:pPr><a:buAutoNum type="arabicPeriod"/></a:pPr>'),
        'type="body" idx="1"',
    )
    broken = shape("<a:p><a:r><a:t>up</a:t></a:r><a:br/><a:fld><a:t>down</a:t></a:fld></a:p>")
    choice = (
        f"<mc:AlternateContent><mc:Choice>{broken}</mc:Choice><mc:Fallback>{broken}</mc:Fallback></mc:AlternateContent>"
    )
    footers = shape(run("page 7"), 'type="sldNum"') + shape(run("© Company"), 'type="ftr"')
    extracted = read(
        "a.pptx", pptx([listed + f"<p:grpSp>{choice}</p:grpSp>" + grid([["A", "B|C"], ["1", ""]]) + footers])
    )
    assert extracted.text == (
        "- one\n  - inner\nno bullet\n1. first\n2. second\n\nup\ndown\n\n| A | B\\|C |\n| --- | --- |\n| 1 |  |"
    )
    assert spans(extracted, "table") == ["| A | B\\|C |\n| --- | --- |\n| 1 |  |"]


def test_diagrams_are_read(read: Read) -> None:
    frame = '<p:graphicFrame><d:relIds xmlns:d="urn:d" r:dm="d1"/></p:graphicFrame>'
    points = "".join(f"<d:pt><d:t>{run(text)}</d:t></d:pt>" for text in ("Plan", "Do"))
    data = f'<d:dataModel xmlns:d="urn:d" xmlns:a="urn:a">{points}</d:dataModel>'
    more = {
        "ppt/slides/_rels/slide1.xml.rels": office.relations({"d1": ("diagramData", "../diagrams/data1.xml")}),
        "ppt/diagrams/data1.xml": data,
    }
    assert read("a.pptx", pptx([frame], more=more)).text == "- Plan\n- Do"


def test_charts_are_read_with_what_they_show(read: Read) -> None:
    frame = '<p:graphicFrame><c:chart xmlns:c="urn:c" r:id="c1"/></p:graphicFrame>'
    data = office.chart("营业额", ["华东", "001"], {"2024": ["0.1", "0.25"], "2025": ["0.3"]}, "0%")
    more = {
        "ppt/slides/_rels/slide1.xml.rels": office.relations({"c1": ("chart", "../charts/chart1.xml")}),
        "ppt/charts/chart1.xml": data,
    }
    extracted = read("a.pptx", pptx([frame], more=more))
    assert spans(extracted, "table") == [
        table_lines([["", "2024", "2025"], ["华东", "10%", "30%"], ["001", "25%", ""]])
    ]
    assert extracted.text.startswith("营业额\n\n|")


def test_series_of_other_labels_have_a_table_of_their_own(read: Read) -> None:
    def series(name: str, labels: str) -> str:
        values = office.points("num", ["1.5", "2"], "General")
        return f"<c:ser><c:tx>{office.points('str', [name])}</c:tx>{labels}<c:val>{values}</c:val></c:ser>"

    levels = "".join(
        f"<c:lvl>{inner}</c:lvl>"
        for inner in (
            '<c:pt idx="0"><c:v>Jan</c:v></c:pt><c:pt idx="1"><c:v>Feb</c:v></c:pt>',
            '<c:pt idx="0"><c:v>2024</c:v></c:pt>',
        )
    )
    deep = f"<c:cat><c:multiLvlStrRef><c:multiLvlStrCache>{levels}</c:multiLvlStrCache></c:multiLvlStrRef></c:cat>"
    inner = series("A", deep) + series("B", deep) + series("C", "")
    frame = '<p:graphicFrame><c:chart xmlns:c="urn:c" r:id="c1"/></p:graphicFrame>'
    more = {
        "ppt/slides/_rels/slide1.xml.rels": office.relations({"c1": ("chart", "../charts/chart1.xml")}),
        "ppt/charts/chart1.xml": f'<c:chartSpace xmlns:c="urn:c">{inner}</c:chartSpace>',
    }
    assert spans(read("a.pptx", pptx([frame], more=more)), "table") == [
        table_lines([["", "A", "B"], ["2024 Jan", "1.5", "1.5"], ["2024 Feb", "2", "2"]]),
        table_lines([["", "C"], ["", "1.5"], ["", "2"]]),
    ]


def test_a_shape_in_a_typeface_of_code_is_code(read: Read) -> None:
    def line(text: str, font: str) -> str:
        return run(text).replace("<a:rPr/>", f'<a:rPr><a:latin typeface="{font}"/></a:rPr>')

    code = line("def f():", "Consolas") + "<a:p/>" + line("    return 1", "Courier New")
    extracted = read("a.pptx", pptx([title("T") + shape(code) + shape(line("x", "Consolas") + line("y", "Arial"))]))
    assert extracted.text == "# T\n\n```\ndef f():\n\n    return 1\n```\n\nx\ny"
    assert spans(extracted, "code") == ["```\ndef f():\n\n    return 1\n```"]


def test_slides_that_are_pictures_are_named(read: Read) -> None:
    extracted = read("a.pptx", pptx(["<p:pic/>", title("Words"), "<p:pic/>"]))
    assert "slides 1, 3" in extracted.warnings[0]
    with pytest.raises(TaskError, match="slides 1-2") as caught:
        read("a.pptx", pptx(["<p:pic/>", "<p:pic/>"]))
    assert caught.value.code == "needs_ocr"


@pytest.mark.parametrize(
    ("code", "data"),
    [
        ("empty", pptx([""])),
        ("corrupt", pptx([title("T")])[:-300]),
        ("corrupt", pptx(["<p:sp>"])),
        ("corrupt", pptx([title("T")], more={"ppt/_rels/presentation.xml.rels": office.relations({})})),
        ("corrupt", pptx([], more={"ppt/presentation.xml": '<!DOCTYPE p [<!ENTITY e "e">]><p>&e;</p>'})),
        ("corrupt", b"no presentation at all"),
    ],
)
def test_it_refuses_with_the_right_code(read: Read, code: str, data: bytes) -> None:
    with pytest.raises(TaskError) as caught:
        read("a.pptx", data)
    assert caught.value.code == code


def test_a_presentation_is_known_by_its_bytes(read: Read) -> None:
    extracted = read("a.docx", pptx([title("T")]))
    assert extracted.format == "pptx"
    assert "was read as pptx" in extracted.warnings[0]
    other = read("a.pptx", samples.docx(samples.paragraph("T")))
    assert other.format == "docx"
    assert "was read as docx" in other.warnings[0]


def placed(text: str, left: int, top: int, width: int = 100, height: int = 20, placeholder: str | None = None) -> str:
    """A shape with its place on the slide."""
    frame = f'<a:xfrm><a:off x="{left}" y="{top}"/><a:ext cx="{width}" cy="{height}"/></a:xfrm>'
    made = shape(run(text), placeholder)
    return made.replace("<p:txBody>", f"<p:spPr>{frame}</p:spPr><p:txBody>")


def test_shapes_are_read_in_the_order_of_their_places(read: Read) -> None:
    grid = [placed(f"{row}{column}", 200 * ord(column) - 13_000, 100 * row) for column in "AB" for row in (2, 1)]
    assert read("a.pptx", pptx(["".join(grid)])).text.split() == ["1A", "1B", "2A", "2B"]
    columns = [placed("R", 300, 0, height=500), *(placed(f"L{n}", 0, 130 * n, height=120) for n in (2, 0, 1))]
    assert read("a.pptx", pptx(["".join(columns)])).text.split() == ["L0", "L1", "L2", "R"]


def test_a_group_stays_together_and_what_has_no_place_follows_what_was_before_it(read: Read) -> None:
    frame = '<p:grpSpPr><a:xfrm><a:off x="0" y="50"/><a:ext cx="500" cy="100"/></a:xfrm></p:grpSpPr>'
    group = f"<p:grpSp>{frame}{placed('second', 0, 999)}{placed('first', 0, 0)}</p:grpSp>"
    slide = placed("below", 0, 200) + shape(run("nowhere")) + group + placed("above", 0, 0)
    assert read("a.pptx", pptx([slide])).text.split() == ["above", "first", "second", "below", "nowhere"]


def test_titles_that_are_numbers_stand_where_they_are_shown(read: Read) -> None:
    parts = [("4.", 400, "Price"), ("1.", 100, "Plan"), ("2.", 200, "Team")]
    numbers = "".join(placed(number, 0, top, 20, placeholder=f'type="title" idx="{top}"') for number, top, _ in parts)
    texts = "".join(placed(text, 50, top) for _, top, text in parts)
    heading = placed("Agenda", 0, 0, placeholder='type="title"')
    extracted = read("a.pptx", pptx([numbers + texts + heading]))
    assert extracted.text.split() == ["#", "Agenda", "1.", "Plan", "2.", "Team", "4.", "Price"]
    assert headings(extracted) == [(1, "Agenda")]
