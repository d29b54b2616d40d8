"""Headings of a PDF without an outline: large lines, and bold ones with numbers; never a stamp in the margin."""

from __future__ import annotations

from tests.documents import samples
from tests.documents.extracted import Read, headings
from tests.documents.samples import Line

PROSE: list[Line | str] = [
    f"Line {word} of a paragraph that says a good deal of what there is to be said." for word in "abcdef"
]
TITLE = Line("Dense Passage Retrieval", size=16)


def heading(text: str) -> Line:
    return Line(text, bold=True, drop=24)


def test_bold_lines_with_numbers_are_headings_below_the_title(read: Read) -> None:
    titles = ["1 Introduction", "2 Background", "2.1 Overview", "2.1.1 Details", "2.2 Methods", "3. Results"]
    lines = [TITLE, *(line for title in titles for line in (heading(title), *PROSE))]
    assert headings(read("a.pdf", samples.pdf([lines]))) == [
        (1, "Dense Passage Retrieval"),
        (2, "1 Introduction"),
        (2, "2 Background"),
        (3, "2.1 Overview"),
        (4, "2.1.1 Details"),
        (3, "2.2 Methods"),
        (2, "3. Results"),
    ]


def test_lines_with_numbers_that_are_not_bold_or_in_no_order_are_no_headings(read: Read) -> None:
    plain = [Line("1 Introduction", drop=24), *PROSE, Line("2 Background", drop=24), *PROSE, Line("3 Results", drop=24)]
    assert headings(read("a.pdf", samples.pdf([[*plain, *PROSE]]))) == []
    mixed = [line for number in (7, 3, 9, 1) for line in (heading(f"{number} pieces of silver"), *PROSE)]
    assert headings(read("a.pdf", samples.pdf([mixed]))) == []
    sentences = [line for number in (1, 2, 3) for line in (heading(f"{number} Read this first."), *PROSE)]
    assert headings(read("a.pdf", samples.pdf([sentences]))) == []


def test_a_stamp_in_the_margin_is_no_heading(read: Read) -> None:
    stamp = Line("arXiv:2004.04906v3 [cs.CL] 30 Sep 2020", size=20, left=30, drop=300, turned=True)
    extracted = read("a.pdf", samples.pdf([[TITLE, *PROSE, stamp], [*PROSE, "The end."]]))
    assert headings(extracted) == [(1, "Dense Passage Retrieval")]
    assert "arXiv" in extracted.text


def test_the_lines_of_a_page_that_lies_on_its_side_are_headings_as_elsewhere(read: Read) -> None:
    page = [
        Line(text, size=size, left=left, drop=drop, turned=True)
        for text, size, left, drop in [
            ("Sideways", 16, 60, 500),
            *((str(line), 10, 90 + 12 * n, 0) for n, line in enumerate(PROSE)),
        ]
    ]
    assert headings(read("a.pdf", samples.pdf([page]))) == [(1, "Sideways")]


def test_a_large_line_or_two_head_no_hundred_pages(read: Read) -> None:
    pages: list[list[Line | str]] = [[f"Page {n}: {line}" for line in PROSE] for n in range(80)]
    pages[3].insert(0, Line("Options", size=14))
    assert headings(read("a.pdf", samples.pdf(pages))) == []
    assert headings(read("a.pdf", samples.pdf(pages[:20]))) == [(1, "Options")]
