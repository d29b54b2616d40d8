"""A paragraph that runs over the end of a page stays one, and each page still begins where it does."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from random import Random
from textwrap import wrap

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from documents.readers.pdf import reader
from documents.splitting.chunking import split
from documents.text import Extracted
from tests.documents import samples
from tests.documents.extracted import Read, pages
from tests.documents.readers.pdf.test_parts import in_parts, write
from tests.documents.reading.test_decoding import DAILY
from tests.documents.samples import Line

SETTINGS = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
SYLLABLES = ("ba", "co", "de", "fi", "gu", "ha", "ki", "lan", "mor", "gal", "te")
WIDTH = 90


@dataclass
class Page:
    """Lines of a page, each with whether a paragraph begins with it, and what is to stand before the page."""

    lines: list[tuple[str, bool]]
    joint: str

    def squeezed(self, goes_on: bool) -> str:
        """Its text without white space, and without the hyphen that divides its last word where that goes on."""
        text = "".join("".join(line.split()) for line, _ in self.lines)
        return text.removesuffix("-") if goes_on else text


def english(chance: Random) -> list[str]:
    """The lines of a paragraph in sentences."""
    words = ["".join(chance.choices(SYLLABLES, k=chance.randint(1, 4))) for _ in range(chance.randint(3, 90))]
    text = " ".join(" ".join(words[at : at + 13]).capitalize() + "." for at in range(0, len(words), 13))
    return wrap(text, WIDTH)


def chinese(chance: Random) -> list[str]:
    """The same in Chinese, where no line begins with a full stop."""
    text = "".join(
        "".join(chance.choices(DAILY["zh"][:3000], k=chance.randint(9, 60))) + "。" for _ in range(chance.randint(1, 4))
    )
    lines = [""]
    for character in text:
        if len(lines[-1]) >= WIDTH // 2 and character != "。":
            lines.append("")
        lines[-1] += character
    return lines


@st.composite
def books(draw: st.DrawFn) -> list[Page]:
    """Pages of paragraphs, which end anywhere, within a word too."""
    chance = Random(draw(st.integers(0, 2**32)))
    paragraph = chance.choice([english, chinese])
    flow = [(line, at == 0) for _ in range(chance.randint(1, 12)) for at, line in enumerate(paragraph(chance))]
    made: list[Page] = []
    while flow:
        count = chance.randint(2, 9)
        lines, flow = flow[:count], flow[count:]
        before = made[-1].lines[-1][0] if made else ""
        ended = lines[0][1] or before.endswith((".", "。"))
        if flow and not flow[0][1] and chance.random() < 0.7:
            divide(lines, flow)
        made.append(Page(lines, "\n\n" if ended else "" if paragraph is chinese or before[-1] == "-" else " "))
    return made


def divide(lines: list[tuple[str, bool]], flow: list[tuple[str, bool]]) -> None:
    """Have a page end within a word, if there is a long one for it."""
    word, _, others = flow[0][0].partition(" ")
    if len(word) > 6 and word.isascii() and word.isalpha() and word.islower() and not lines[-1][0].endswith("."):
        lines[-1] = (f"{lines[-1][0]} {word[:3]}-", lines[-1][1])
        flow[0] = (f"{word[3:]} {others}", False)


def as_pdf(book: list[Page], furnished: bool) -> bytes:
    """The pages, with a head and a foot if `furnished`."""
    made: list[list[Line | str]] = []
    for number, page in enumerate(book, 1):
        lines: list[Line | str] = [Line("Handbook of Tea", size=8, drop=20)] if furnished else []
        lines += [Line(text, drop=24 if begins or not at else 12) for at, (text, begins) in enumerate(page.lines)]
        if furnished:
            drop = 700 - sum(line.drop for line in lines if isinstance(line, Line))
            lines.append(Line(f"Page {number} of {len(book)}", size=8, drop=drop))
        made.append(lines)
    return samples.pdf(made)


@given(books(), st.booleans())
@SETTINGS
def test_paragraphs_run_over_the_ends_of_pages(tmp_path: Path, book: list[Page], furnished: bool) -> None:
    path = write(tmp_path, as_pdf(book, furnished and len(book) > 3))
    extracted = reader.read(path)
    text, starts = extracted.text, [anchor.start for anchor in extracted.anchors]
    ends = [*starts[1:], len(text)]
    for page, after, start, end in zip(book, [*book[1:], None], starts, ends, strict=True):
        assert "".join(text[start:end].split()) == page.squeezed(after is not None and after.joint == "")
        assert text[len(text[:start].rstrip()) : start] == (page.joint if start else "")
    assert [in_parts(tmp_path, path, size) for size in (1, 2, 3)] == [extracted] * 3
    for chunk in split(text, extracted.anchors, 200, 20):
        assert chunk.page == sum(start <= chunk.start for start in starts)


def read_pages(read: Read, *made: list[Line | str]) -> Extracted:
    return read("a.pdf", samples.pdf(made))


FULL = "This is a line that is as long as the lines of this page are and it does not end here"
NEXT = "but goes on with this other line that is nearly as long as the one that was before it"
CHINESE = "员工每年享有十五天带薪年假在本公司工作满五年的员工每年可以再多休五天年假但是不得"


@pytest.mark.parametrize(
    ("end", "begin"),
    [
        (f"{FULL}.", NEXT),
        (f"{FULL}:", NEXT),
        (f"{CHINESE}。", CHINESE),
        (f"{CHINESE}：", CHINESE),
        (FULL, NEXT.capitalize()),
        (FULL, f"• {NEXT}"),
        (FULL, f"a) {NEXT}"),
        (CHINESE, f"一、{CHINESE}"),
        (CHINESE, f"第十二条 {CHINESE}"),
        (FULL, Line(NEXT, 12)),
        (Line(FULL, 8), NEXT),
        ("Sincerely", NEXT),
        ("员工手册", CHINESE),
        ("xvii", "but"),
        (CHINESE, Line(CHINESE, left=96)),
    ],
)
def test_what_begins_anew_stays_apart(read: Read, end: Line | str, begin: Line | str) -> None:
    body = CHINESE if samples.is_chinese(begin) else FULL
    extracted = read_pages(read, [FULL, end], [begin, body])
    texts = pages(extracted)
    for text, line in zip(texts, (end, begin), strict=True):
        assert (line.text if isinstance(line, Line) else line) in text
    start = extracted.anchors[1].start
    assert extracted.text[start - 2 : start] == "\n\n"


def test_headings_and_tables_are_no_part_of_a_sentence(read: Read) -> None:
    table = [Line(cell, left=72 + 120 * at, drop=0 if at else 18) for row in range(4) for at, cell in enumerate("ab")]
    assert len(pages(read_pages(read, [FULL, FULL], [*table]))) == 2
    headed = read("a.pdf", samples.pdf([[FULL, FULL], [NEXT, FULL]], [(NEXT, 1)]))
    assert pages(headed)[1].startswith(f"{NEXT}\n\n")


def test_a_sentence_goes_on_behind_a_page_without_text(read: Read) -> None:
    extracted = read_pages(read, [FULL], [], [NEXT])
    assert extracted.text == f"{FULL} {NEXT}"
    assert [anchor.start for anchor in extracted.anchors] == [0, len(FULL) + 1, len(FULL) + 1]


@pytest.mark.parametrize("foot", ["Page 1", None])
def test_a_hyphen_stays_where_other_words_have_it(read: Read, foot: str | None) -> None:
    def page(number: int, *lines: str) -> list[Line | str]:
        return [*lines, *([Line(f"Page {number}", drop=690)] if foot else [])]

    text = "All of it is self-made here and was known to be so long ago in this town and in others too, which is self-"
    extracted = read_pages(read, page(1, text), page(2, "made as well."), page(3, "Other words."))
    assert extracted.text == f"{text}made as well.\n\nOther words."


def test_a_hyphen_before_a_number_stays(read: Read) -> None:
    lines = ["This is the first of two lines, and the second of them begins with the number of COVID-", "19 and ends."]
    assert "COVID-19 and" in read("a.pdf", samples.pdf([lines])).text


@given(st.randoms(use_true_random=False), st.floats(1.2, 2.5), st.integers(0, 12))
@SETTINGS
def test_a_chinese_paragraph_is_one_whatever_its_spacing(read: Read, chance: Random, spacing: float, code: int) -> None:
    text = "".join(chance.choices(DAILY["zh"][:3000], k=100)) + "。"
    lines = [text[:38], *(text[at : at + 40] for at in range(38, len(text), 40))]
    made: list[Line | str] = [Line(f"print({number})") for number in range(code)]
    for number, line in enumerate(lines):
        made.append(Line(line, left=72 if number else 92, drop=10 * spacing if number else 30))
    made.append(Line("下一段从这里开始，说的是另外一件事。", left=92, drop=10 * spacing))
    extracted = read("a.pdf", samples.pdf([made]))
    assert text in extracted.text
    assert f"{text}下" not in extracted.text


def test_a_page_in_double_spacing_with_notes_below_keeps_its_paragraphs(read: Read) -> None:
    text = "the author is in fact a person who has lived for a long time in the country and who as narrator tells " * 5
    note = "1 A note at the foot of the page is set more closely, and says what hardly anybody wants to know of it " * 3
    lines = [Line(line, size=12, drop=24) for line in wrap(text, 75)]
    notes = [Line(line, size=9, drop=10.5) for line in wrap(note, 100)]
    notes[0].drop = 30
    extracted = read("a.pdf", samples.pdf([[*lines, *notes]]))
    assert extracted.text == f"{text.strip()}\n\n{note.strip()}"
