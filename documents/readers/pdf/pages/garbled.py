"""Text whose characters are mere numbers in its fonts, which do not say what characters they are."""

from __future__ import annotations

import re
from collections.abc import Callable

from documents.readers.shared.layout import MARKS, Line

#: Characters that no page shows. More than this share of them is nonsense: among the letters of words that lack vowels,
#: which those of no language that is written with them do, or whatever else they are among.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_OTHER_CONTROL = re.compile("[\x00\x01\x03-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")  # not those of divided words and lines
_LETTERS, _VOWELS = re.compile("[A-Za-z]"), re.compile("[aeiouAEIOU]")
_NO_WORDS, _NO_TEXT, _FEWEST_VOWELS = 0.03, 0.3, 0.25
#: A shorter line says too little: it may be a bullet of a font for symbols.
_SHORTEST = 8


def is_garbled(text: str) -> bool:
    """Return whether a text is such, as a whole."""
    if not _CONTROL.search(text):  # as on most pages
        return False
    shown = re.sub(rf"[\s{MARKS}]", "", text)
    controls = len(_CONTROL.findall(shown))
    if controls <= _NO_WORDS * len(shown):
        return False
    letters = len(_LETTERS.findall(shown))
    is_latin = 2 * letters >= len(shown) and len(_VOWELS.findall(shown)) < _FEWEST_VOWELS * letters
    return is_latin or controls > _NO_TEXT * len(shown)


def garbled_lines(text: str, lines: list[Line], starts: list[int], font: Callable[[int], bytes]) -> set[int]:
    """Return the lines of a page that are such, by their indexes, and all that are in the fonts of these.

    text: the page's, in which the lines begin at `starts`. font: the name of the font at a place of it.
    """
    if not _OTHER_CONTROL.search(text):
        return set()
    garbled = {at for at, line in enumerate(lines) if len(line.text) >= _SHORTEST and is_garbled(line.text)}
    fonts = {font(starts[at]) for at in garbled} & {font(starts[at] + len(lines[at].text) - 1) for at in garbled} - {
        b""
    }
    if fonts:
        garbled |= {
            at
            for at, (line, start) in enumerate(zip(lines, starts, strict=True))
            if font(start) in fonts and font(start + len(line.text) - 1) in fonts
        }
    return garbled
