"""PDFs as long as handbooks: chapters and sections, running headers, page numbers, paragraphs with divided words."""

from __future__ import annotations

import random
from collections.abc import Iterator

from tests.documents.samples import Line, pdf

_SYLLABLES = (
    "ba",
    "co",
    "de",
    "fi",
    "gu",
    "ha",
    "ki",
    "lo",
    "mu",
    "ne",
    "pa",
    "qui",
    "ro",
    "su",
    "te",
    "lan",
    "mor",
    "gal",
)
#: Characters of a line, and points of a page from its header to its last line and on to its number.
_WIDTH = 88
_HEIGHT = 660
_NUMBER = 700
_PAGES_OF_A_CHAPTER = 20


def long_pdf(pages: int, seed: int = 1, outline: bool = True) -> bytes:
    """A PDF of so many pages, the same for the same seed; without an outline only sizes tell its headings."""
    chance = random.Random(seed)
    vocabulary = ["".join(chance.choices(_SYLLABLES, k=chance.randint(1, 4))) for _ in range(4000)]
    lines = _lines(chance, vocabulary)
    bookmarks = []
    made: list[list[Line | str]] = []
    for number in range(1, pages + 1):
        page = [Line(f"Handbook of {vocabulary[0]}", size=8)]
        if number % _PAGES_OF_A_CHAPTER == 1:
            title = f"Chapter {number // _PAGES_OF_A_CHAPTER + 1} of {chance.choice(vocabulary)}"
            page.append(Line(title, size=20, drop=40))
            bookmarks.append((title, number - 1))
        page.append(Line(f"Section {number}: {' '.join(chance.choices(vocabulary, k=3))}", size=13, drop=36))
        # No word is divided over two pages, of which each begins with a heading.
        while sum(line.drop for line in page) < _HEIGHT or page[-1].text.endswith("-"):
            page.append(next(lines))
        page.append(Line(f"Page {number} of {pages}", size=8, drop=_NUMBER - sum(line.drop for line in page)))
        made.append([*page])
    return pdf(made, bookmarks if outline else ())


def _lines(chance: random.Random, vocabulary: list[str]) -> Iterator[Line]:
    """The lines of paragraphs without end. Words are divided where they do not fit."""
    weights = [1 / rank for rank in range(1, len(vocabulary) + 1)]
    while True:
        words = chance.choices(vocabulary, weights, k=chance.randint(40, 140))
        text = " ".join(" ".join(words[at : at + 12]).capitalize() + "." for at in range(0, len(words), 12))
        drop = 20
        while text:
            end = len(text) if len(text) <= _WIDTH else text.rfind(" ", 0, _WIDTH) + 1
            part, divided = text[end : _WIDTH - 1], ""
            if len(text) > _WIDTH and len(part) > 2 and (part + text[_WIDTH - 1]).isalpha():
                end, divided = _WIDTH - 1, "-"
            yield Line(text[:end].rstrip() + divided, drop=drop)
            text, drop = text[end:], 13
