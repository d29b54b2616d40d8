"""The embedder that needs no key, no network and no model: words and pieces of words, hashed into a vector.

Two texts are near when they share words, parts of words, or pairs of Chinese characters. It knows no meaning.
"""

from __future__ import annotations

import math
import re
import unicodedata
from array import array
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from zlib import crc32

from documents.embedding.interface import Curve, Embedded, Kind, Nearness
from documents.splitting.measure import SPACELESS

DIMENSION = 1024

#: A run of these, or a word of any other script.
_RUNS = re.compile(f"([{SPACELESS}]+)|[^\\W_{SPACELESS}]+")

#: Weights beside a whole word's, and a pair of characters', of 1. Found by `make bench-retrieval`.
PIECES = 0.5
CHARACTER = 0.8

#: Words are also compared by their pieces of this length, so that "embedding" is near "embedder".
PIECE_LENGTH = 4


class LocalEmbedder:
    """Hashed n-grams with a static idf: lexical, deterministic, the same on every machine."""

    name = f"local:hashed-ngrams:{DIMENSION}"
    dimension = DIMENSION
    batch_size = 256
    batch_tokens = 1_000_000
    #: The same words in another guise, so it settles ties and little more. Chosen on half of the English questions of
    #: `make bench-retrieval`: recall@10 as before, and an MRR that is lower by .0016.
    nearness = Nearness(
        floor=0.0,
        ceiling=1.0,
        weight=0.01,
        hybrid=Curve(base=-4.6, best=25.6),
        vector=Curve(base=-5.7, best=26.8),
    )

    def embed(self, texts: Sequence[str], kind: Kind) -> Embedded:
        """Return one vector of length 1 for each text; a text without a word or number has the zero vector.

        Queries and documents are treated alike, and no tokens are billed.
        """
        return Embedded([embed(text) for text in texts], 0)


def embed(text: str) -> array[float]:
    """Return the vector of one text: DIMENSION single-precision floats whose Euclidean norm is 1 (or 0)."""
    vector = [0.0] * DIMENSION
    words, characters, pairs = _counts(text)
    for word, count in words.items():
        weight = _damped(count)
        for place, share in _word(word):
            vector[place] += weight * share
    for character, count in characters.items():
        place, share = _character(character)
        vector[place] += _damped(count) * share
    rarity = _rarities().get
    for pair, count in pairs.items():
        # The hot loop of a Chinese document, hence not a call of `_place`.
        code = crc32(pair.encode())
        share = (rarity(pair[0], 1.0) + rarity(pair[1], 1.0)) / 2
        if count > 1:
            share *= _damped(count)
        vector[code >> 8 & DIMENSION - 1] += share if code & 1 else -share
    norm = math.hypot(*vector) or 1.0
    return array("f", [value / norm for value in vector])


def _damped(count: int) -> float:
    """Return what `count` occurrences weigh: a tenth one adds less than a second."""
    return 1.0 + math.log(count)


def _counts(text: str) -> tuple[Counter[str], Counter[str], Counter[str]]:
    """Return how often each word, each character of a script without spaces, and each pair of these occurs."""
    words: list[str] = []
    characters: Counter[str] = Counter()
    pairs: Counter[str] = Counter()
    for match in _RUNS.finditer(_folded(text)):
        run = match[1]
        if run is None:
            words.append(match[0])
        else:
            characters.update(run)
            pairs.update(map(str.__add__, run, run[1:]))
    return Counter(words), characters, pairs


def _folded(text: str) -> str:
    """Return a text without the difference of upper and lower case, or of full and half width."""
    return text.lower() if text.isascii() else unicodedata.normalize("NFKC", text).lower()


# Words repeat (Zipf): 8,192 of them, at some 500 bytes each, cover most of a corpus.
@lru_cache(maxsize=8192)
def _word(word: str) -> list[tuple[int, float]]:
    """Return where a word and its pieces fall, and with how much weight."""
    weight = _rarities().get(word, 1.0)
    places = [_place(word, weight)]
    padded = f"<{word}>"
    count = max(1, len(padded) - PIECE_LENGTH + 1)
    share = weight * PIECES / math.sqrt(count)
    # A word of a thousand letters is no word; its first pieces will do.
    return places + [_place("#" + padded[i : i + PIECE_LENGTH], share) for i in range(min(count, 64))]


@lru_cache(maxsize=8192)
def _character(character: str) -> tuple[int, float]:
    return _place(character, _rarities().get(character, 1.0) * CHARACTER)


def _place(feature: str, weight: float) -> tuple[int, float]:
    """Return the dimension of a feature, and its weight with the sign that makes collisions cancel on average.

    CRC-32 is the same on every machine and in every process, which Python's `hash` is not.
    """
    code = crc32(feature.encode())
    return code >> 8 & DIMENSION - 1, weight if code & 1 else -weight


@lru_cache(maxsize=1)
def _rarities() -> dict[str, float]:
    """Return the share of a rare unit's weight that a frequent word or character has; see bench/frequent.py."""
    weights = {}
    for line in (Path(__file__).parent / "frequent.txt").read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            level, *units = line.split(" ")
            weights.update(dict.fromkeys(units, int(level) / 100))
    return weights
