"""Running heads of a PDF: lines in its margins that name the chapter or section in which a page stands."""

from __future__ import annotations

import re
from collections.abc import Iterator

from documents.readers.pdf.headings import Outline, is_number, letters_of

#: A head looks so many pages back: those of left pages and of right ones may differ.
_BACK = 2
#: The least of a title that a head must name when it is cut off by an ellipsis, in characters.
_LEAST = 3
_CUT_OFF = re.compile(r"\s*(?:…|\.\.\.)\s*")
_PAGE_NUMBER = re.compile(r"^(\d{1,6})\s+|\s+(\d{1,6})$")

#: Of each page, the texts in a margin, each with the index of its line.
Texts = list[list[tuple[int, str]]]


def running(texts: Texts, outline: Outline) -> Iterator[tuple[int, int]]:
    """Yield the indexes of pages and lines that are running heads by what they say; where they stand is not judged.

    Such a line says nothing but titles that the outline has for this page, with their numbers and that of the page.
    Without an outline it says, but for the page's number, what one of the last pages said at its edge: where it is
    first said it stays.
    """
    titles = _in_force(outline, len(texts))
    said: dict[tuple[str, int | None], int] = {}
    for index, (margin, page_titles) in enumerate(zip(texts, titles, strict=True)):
        keys = {at: list(_keys(text, index)) for at, text in margin}
        for at, text in margin:
            if any(index - said.get(key, -_BACK - 1) <= _BACK for key in keys[at]) or _names(text, page_titles):
                yield index, at
        said |= {key: index for group in keys.values() for key in group}


def _in_force(outline: Outline, pages: int) -> Iterator[list[str]]:
    """Yield for each page the titles of the sections in which it begins and that begin on it, long ones first."""
    path: dict[int, str] = {}
    for index in range(pages):
        named = list(path.values())
        for level, title in outline.titles.get(index, ()):
            path = {above: other for above, other in path.items() if above < level} | {level: title}
            named.append(title)
        yield sorted(named, key=len, reverse=True)


def _keys(text: str, index: int) -> Iterator[tuple[str, int | None]]:
    """Yield a text as it is, and without the page's number: then with what the number counts from."""
    yield text, None
    if (match := _PAGE_NUMBER.search(text)) and (rest := text[: match.start()] + text[match.end() :]):
        yield rest, int(match.group(1) or match.group(2)) - index


def _names(text: str, titles: list[str]) -> bool:
    """Return whether a text consists of titles and numbers; the last title may be cut off by an ellipsis."""
    if not titles:
        return False
    pieces = []
    for piece in _CUT_OFF.split(_PAGE_NUMBER.sub("", text)):
        rest = letters_of(piece)
        for title in titles:
            rest = rest.replace(title, " ")
        pieces.append(rest)
    if len(pieces) > 1:
        pieces[:-1] = [_without_beginning(piece, titles) for piece in pieces[:-1]]
    named = " " in "".join(pieces)
    return named and all(is_number(rest) for piece in pieces for rest in piece.split())


def _without_beginning(rest: str, titles: list[str]) -> str:
    """Return what is left of a text that ends with the beginning of a title."""
    longest = max(
        (length for title in titles for length in range(_LEAST, len(title)) if rest.endswith(title[:length])), default=0
    )
    return rest[:-longest] + " " if longest else rest
