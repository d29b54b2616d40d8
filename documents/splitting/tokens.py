"""The words of a text, for its index, and of a query, which is understood without the index's dictionary."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator

from documents.splitting.simplified import simplified

#: A word longer than this is cut; PostgreSQL refuses lexemes above 2 kB, and nobody types so much.
LONGEST_TOKEN = 64
#: The longest piece of Chinese that a query is cut into; longer words are indexed with their parts.
LONGEST_GRAM = 4

_HAN = "\u3005\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
#: Scripts without spaces that the dictionary does not know: kana, Thai, Lao, Burmese, Khmer.
_UNSPACED = "\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"
_RUNS = re.compile(f"(?P<han>[{_HAN}]+)|(?P<unspaced>[{_UNSPACED}]+)|(?P<word>(?:(?![{_HAN}{_UNSPACED}])[^\\W_])+)")

_UNSPACED_BEGINNING = re.compile(f"[{_HAN}{_UNSPACED}]")


def index_tokens(text: str) -> list[str]:
    """Return the words of a text in no particular order, each as often as it occurs; Chinese is cut by rjieba.

    The dictionary takes 33 MB, so this is called in a child of the sandbox only.
    """
    words: list[str] = []
    chinese: list[str] = []
    for match in _RUNS.finditer(normalised(text)):
        run = match.group()
        match match.lastgroup:
            case "word":
                words.append(run[:LONGEST_TOKEN])
            case "han":
                chinese.append(run)
            case _:
                words.extend(_grams(run, 2) if len(run) > 1 else [run])
    if chinese:
        import rjieba  # loads its dictionary

        # One call for all: a line end is no part of any word.
        # Guessing at unknown words (hmm) glues neighbours together that a query does not have: see `_with_pairs`.
        words.extend(_with_pairs(rjieba.cut_for_search("\n".join(chinese), False)))
    return words


def _with_pairs(words: Iterable[str]) -> Iterator[str]:
    """Yield the words that a dictionary found, and each two single characters that follow each other.

    A word that the dictionary lacks falls apart into characters (年假); its pairs make it findable. On CMRC 2018
    this lifts the mean reciprocal rank from .973 to .981, and recall@10 from .995 to .999.
    """
    before = ""
    for word in words:
        if word == "\n":
            before = ""
            continue
        yield word[:LONGEST_TOKEN]
        single = len(word) == 1
        if single and before:
            yield before + word
        before = word if single else ""


def query_tokens(text: str) -> list[str]:
    """Return all that an index may hold of a query, each once: its words, every piece of 1 to 4 Chinese characters.

    Whoever searches keeps those that the index knows: its vocabulary stands in for the dictionary. Pieces that hold
    traditional characters come last: only what was indexed before they were made simplified ones knows them.
    """
    as_typed = folded(text)
    words = _asked(simplified(as_typed))
    return list(dict.fromkeys(words + _asked(as_typed) if as_typed != simplified(as_typed) else words))


def _asked(text: str) -> list[str]:
    words: list[str] = []
    for _, run, spaced in runs(text):
        if spaced:
            words.append(run[:LONGEST_TOKEN])
        else:
            for length in range(1, LONGEST_GRAM + 1):
                words.extend(_grams(run, length))
    return words


def runs(text: str) -> Iterator[tuple[int, str, bool]]:
    """Yield the words and the runs of a script without spaces in a normalised text.

    Each with its offset, and whether it is a word that spaces set apart.
    """
    for match in _RUNS.finditer(text):
        yield match.start(), match.group(), match.lastgroup == "word"


def is_spaced(token: str) -> bool:
    """Return whether a token is a word that spaces set apart, not a piece of Chinese or the like."""
    return _UNSPACED_BEGINNING.match(token) is None


def is_covered(token: str, known: Iterable[str]) -> bool:
    """Return whether a piece of Chinese is part of a longer one that is known; words set apart by spaces never are."""
    return not is_spaced(token) and any(token in other for other in known if len(other) > len(token))


def normalised(text: str) -> str:
    """Normalise a text as its tokens are compared: NFKC, without case, in simplified characters."""
    return simplified(folded(text))


def folded(text: str) -> str:
    """Return a text in NFKC, without case."""
    text = unicodedata.normalize("NFKC", text).casefold()
    return text if text.isascii() else unicodedata.normalize("NFKC", text)


def _grams(run: str, length: int) -> Iterable[str]:
    return (run[at : at + length] for at in range(len(run) - length + 1))
