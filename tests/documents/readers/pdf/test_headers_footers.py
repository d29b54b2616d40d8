"""Headers, footers and page numbers of a PDF are left out and told; what merely looks like them stays."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from documents.readers.pdf.headers_footers import HeadersFooters
from documents.readers.pdf.headings import Outline
from documents.readers.pdf.pages.page import Page
from documents.readers.shared.layout import Line as Placed
from tests.documents import samples
from tests.documents.extracted import Read, headings, pages
from tests.documents.samples import Line

WORDS = ["Ada wrote the first program.", "Grace found the bug.", "Alan broke the code.", "Edsger went the short way."]


def page(number: int, top: str | None, bottom: str | None, body: str) -> list[Line | str]:
    """A page with a header, a body and a footer far below it."""
    lines: list[Line | str] = [Line(top)] if top else []
    lines += [Line(body, drop=40), Line(f"It was in the year {1843 + number * 7}.", drop=14)]
    return [*lines, Line(bottom, drop=650 if top else 662)] if bottom else lines


def test_headers_and_page_numbers_are_left_out_and_told(read: Read) -> None:
    made = [page(n, "Company Handbook", f"Page {n} of 4", word) for n, word in enumerate(WORDS, 1)]
    extracted = read("a.pdf", samples.pdf(made))
    assert pages(extracted) == [f"{word} It was in the year {1850 + at * 7}." for at, word in enumerate(WORDS)]
    assert extracted.warnings == [
        "headers and footers that the pages repeat were left out: 'Company Handbook' (4 times), 'Page 1 of 4' (4 times)"
    ]


def test_bare_page_numbers_count_from_anywhere(read: Read) -> None:
    text = read("a.pdf", samples.pdf([page(n, None, f"- {n + 16} -", word) for n, word in enumerate(WORDS)])).text
    assert "- 1" not in text
    assert all(word in text for word in WORDS)


def test_a_header_on_half_of_the_pages_stays(read: Read) -> None:
    made = [page(n, "Odd" if n % 2 else "Even", None, word) for n, word in enumerate(WORDS)]
    extracted = read("a.pdf", samples.pdf(made))
    assert [extracted.text.count("Odd"), extracted.text.count("Even"), extracted.warnings] == [2, 2, []]


def test_two_pages_are_too_few_to_judge(read: Read) -> None:
    extracted = read("a.pdf", samples.pdf([page(n, "Handbook", str(n), word) for n, word in enumerate(WORDS[:2])]))
    assert extracted.text.count("Handbook") == 2


CHAPTERS = ["First Steps", "Wide Rivers", "Late Summers"]
SECTIONS = ["Shoes and Socks", "Boats and Bridges", "Hats and Long Shadows of Trees"]


def book(head: Callable[[int, int], str], opening: bool = False) -> list[Page]:
    """Chapters of four pages each, with a head on each page; or on each but the first, if `opening`."""
    made = []
    for index in range(12):
        at, opens = index // 4, index % 4 == 0
        said = [] if opens and opening else [(head(index + 1, at), 10.0)]
        said += [(f"{at + 1} {CHAPTERS[at]}", 16.0), (f"{at + 1}.1 {SECTIONS[at]}", 13.0)] if opens else []
        said += [(f"We saw {index * 7 + 3} birds.", 10.0), ("Then it rained.", 10.0)]
        heights = [800.0 - 20 * row for row in range(len(said))]
        lines = [Placed(text, 72, 400, y, y, size) for y, (text, size) in zip(heights, said, strict=True)]
        made.append(Page(lines, 0, 842, "text"))
    return made


def kept(pages: list[Page], outline: Outline) -> list[list[str]]:
    """What is left of each page."""
    repeated = HeadersFooters(pages, outline)
    return [[line.text for line in repeated.without(index, page.lines)] for index, page in enumerate(pages)]


@pytest.mark.parametrize(
    "head",
    [
        lambda number, at: f"{number} Chapter {at + 1}. {CHAPTERS[at]}",
        lambda number, at: f"{at + 1}.1. {SECTIONS[at]} {number}" if number % 2 else f"{number} {CHAPTERS[at].upper()}",
        lambda number, at: f"CHAPTER {at + 1}. {CHAPTERS[at].upper()} {at + 1}.1. {SECTIONS[at].upper()[:12]} …",
        lambda number, at: CHAPTERS[at],
    ],
)
@pytest.mark.parametrize("opening", [True, False])
def test_running_heads_that_name_the_outline_are_left_out(head: Callable[[int, int], str], opening: bool) -> None:
    outline = Outline((at * 4, level, title[at]) for at in range(3) for level, title in ((1, CHAPTERS), (2, SECTIONS)))
    pages = book(head, opening)
    for index, (left, page) in enumerate(zip(kept(pages, outline), pages, strict=True)):
        at = index // 4
        assert left == [line.text for line in page.lines if line.text != head(index + 1, at)]


def test_without_an_outline_a_running_head_stays_where_it_is_first_said() -> None:
    left = kept(book(lambda number, at: f"Of {CHAPTERS[at]}"), Outline([]))
    assert [f"Of {CHAPTERS[index // 4]}" in lines for index, lines in enumerate(left)] == [
        True,
        False,
        False,
        False,
    ] * 3


def test_titles_of_slides_and_first_lines_that_the_outline_does_not_name_stay(read: Read) -> None:
    made: list[list[Line | str]] = [
        [Line(f"Slide about {word}"), Line(word, drop=40), "And more of it."] for word in WORDS
    ]
    outline = [(f"Slide about {word}", at) for at, word in enumerate(WORDS)]
    for marks in (outline, outline[:1], []):
        text = read("a.pdf", samples.pdf(made, marks)).text
        assert [text.count(f"Slide about {word}") for word in WORDS] == [1] * 4


def test_sums_and_years_at_the_end_of_each_page_stay(read: Read) -> None:
    made = [page(n, None, f"Total {n * n + 5}", word) for n, word in enumerate(WORDS)]
    extracted = read("a.pdf", samples.pdf(made))
    assert [f"Total {n * n + 5}" in extracted.text for n in range(4)] == [True] * 4


def test_what_repeats_in_the_middle_of_pages_stays(read: Read) -> None:
    parts = ("One", "Two", "Three", None, "Four", "Five", "Six")
    made = [[f"{word} {part}" if part else "Signed: Ada" for part in parts] for word in WORDS]
    assert read("a.pdf", samples.pdf(made)).text.count("Signed: Ada") == 4


def test_pages_that_are_alike_are_all_kept(read: Read) -> None:
    assert read("a.pdf", samples.pdf([["The same form."]] * 5)).text.count("The same form.") == 5


def test_a_heading_below_the_header_is_still_one(read: Read) -> None:
    made = [page(n, "Company Handbook", None, word) for n, word in enumerate(WORDS)]
    extracted = read("a.pdf", samples.pdf(made, [("Grace found the bug", 1)]))
    assert headings(extracted) == [(1, "Grace found the bug.")]


def test_what_short_pages_have_in_common_far_from_their_edge_stays(read: Read) -> None:
    made = [[Line("Header"), Line(f"{word}", drop=60), Line("This is a clause.", drop=30)] for word in WORDS]
    extracted = read("a.pdf", samples.pdf(made))
    assert [extracted.text.count("Header"), extracted.text.count("This is a clause.")] == [0, 4]
