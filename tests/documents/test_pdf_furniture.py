"""Headers, footers and page numbers of a PDF are left out and told; what merely looks like them stays."""

from __future__ import annotations

from tests.documents import samples
from tests.documents.reading import Read, headings, pages
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
