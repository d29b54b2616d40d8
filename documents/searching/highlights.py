"""Where the words of a query stand in a text, whatever their case, their width and their composition."""

from __future__ import annotations

import unicodedata
from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator
from functools import lru_cache

from documents.splitting.simplified import simplified
from documents.splitting.tokens import LONGEST_TOKEN, is_spaced, normalised, runs

#: The half-width marks of kana, which join what stands before them although Unicode does not call them combining.
_KANA_MARKS = "\uff9e\uff9f"
#: Vowels and finals of Hangul, which compose with the consonant before them.
_HANGUL_PARTS = ("\u1160", "\u11ff")
#: Characters that are remembered as they are normalised, some 100 bytes each.
CACHED = 16_384


def highlights(text: str, tokens: Collection[str]) -> list[tuple[int, int]]:
    """Find tokens in a text: offsets in characters, the end exclusive, in order and apart from each other.

    A word in letters must be a token as a whole. In a script without spaces every occurrence counts, and those that
    touch are one place.

    Parameters:
      tokens: as `query_tokens` gives them.
    """
    body, starts = _mapped(text)
    words = set(filter(is_spaced, tokens))
    pieces = {simplified(token) for token in tokens if token not in words}
    places: list[tuple[int, int]] = []
    for start, run, spaced in runs(body):
        if not spaced:
            places += ((start + first, start + last) for first, last in _occurrences(run, pieces))
        elif run[:LONGEST_TOKEN] in words:
            places.append((start, start + len(run)))
    # A character may become several, of which a place may begin or end within: all of it is meant.
    return _merged((starts[first], starts[bisect_right(starts, starts[last - 1])]) for first, last in places)


def _mapped(text: str) -> tuple[str, list[int]]:
    """Normalise a text, and return for each character, and for the end, the offset in `text` that it comes from."""
    if text.isascii() or all(map(_stays_one, set(text))):
        whole = normalised(text)
        # Of some scripts two characters become one that each by itself does not tell, as in decomposed Tamil.
        if len(whole) == len(text):
            return whole, list(range(len(text) + 1))
    parts: list[str] = []
    starts: list[int] = []
    for start, cluster in _clusters(text):
        part = _normalised(cluster)
        parts.append(part)
        starts += [start] * len(part)
    return "".join(parts), [*starts, len(text)]


# Some characters make up most of all texts: to normalise them again for each hit took most of a search's Python.
_normalised = lru_cache(CACHED)(normalised)


@lru_cache(CACHED)
def _stays_one(character: str) -> bool:
    """Return whether a character is normalised to one, whatever stands beside it."""
    form = normalised(character)
    return len(form) == 1 and not _joins(character) and not _joins(form)


def _clusters(text: str) -> Iterator[tuple[int, str]]:
    """Yield each character with the marks that compose with it, which normalising must see together."""
    begin = 0
    for offset in range(1, len(text) + 1):
        if offset == len(text) or not _joins(text[offset]):
            yield begin, text[begin:offset]
            begin = offset


def _joins(character: str) -> bool:
    return (
        unicodedata.combining(character) > 0
        or character in _KANA_MARKS
        or _HANGUL_PARTS[0] <= character <= _HANGUL_PARTS[1]
    )


def _occurrences(run: str, pieces: Iterable[str]) -> Iterator[tuple[int, int]]:
    for piece in pieces:
        at = run.find(piece)
        while at >= 0:
            yield at, at + len(piece)
            at = run.find(piece, at + 1)


def _merged(places: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Put the places in order; those that overlap or touch become one."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(places):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged
