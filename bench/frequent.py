"""Makes documents/embedding/frequent.txt, the static idf of the local embedder, from two free word lists.

    python -m pip download --no-deps symspellpy==6.10.1 jieba==0.42.1 && python -m bench.frequent FOLDER

English: symspellpy's frequency_dictionary_en_82_765.txt (MIT; made of Google Books Ngram and SCOWL).
Chinese: jieba's dict.txt (MIT). No text that is used for measuring takes part.
"""

from __future__ import annotations

import argparse
import math
import tarfile
import zipfile
from collections import Counter, defaultdict
from pathlib import Path

TARGET = Path(__file__).resolve().parent.parent / "documents" / "embedding" / "frequent.txt"

#: Words, and Chinese characters, in a chunk of 800 characters of prose.
WORDS_PER_CHUNK = 120
CHARACTERS_PER_CHUNK = 400

#: Beyond these a rarer word says no more than a rare one: about 1 chunk in 55, and 1 in 20.
WORD_CEILING = 4.0
CHARACTER_CEILING = 3.0

#: Weights from here on, in hundredths, count as 100: hundreds of English words more gain nothing.
RARE_WORD = 70
RARE_CHARACTER = 100

HEADER = """\
# What frequent words and characters weigh, in hundredths of a rare one.
# Made by bench/frequent.py from the word lists of symspellpy (MIT) and jieba (MIT).
"""


def english(folder: Path) -> Counter[str]:
    """Occurrences of each word."""
    with zipfile.ZipFile(next(folder.glob("symspellpy-*.whl"))) as wheel:
        text = wheel.read("symspellpy/frequency_dictionary_en_82_765.txt").decode("utf-8-sig")
    return Counter({word: int(count) for word, count in map(str.split, text.splitlines())})


def chinese(folder: Path) -> Counter[str]:
    """Occurrences of each character, in the words that hold it."""
    with tarfile.open(next(folder.glob("jieba-*.tar.gz"))) as archive:
        member = next(name for name in archive.getnames() if name.endswith("/jieba/dict.txt"))
        file = archive.extractfile(member)
        assert file is not None
        text = file.read().decode()
    characters: Counter[str] = Counter()
    for line in text.splitlines():
        word, count, _ = line.split(" ")
        for character in word:
            characters[character] += int(count)
    return characters


def levels(counts: Counter[str], length: int, ceiling: float, rare: int) -> dict[int, list[str]]:
    """Return the frequent ones by their weight in hundredths, in steps of 5, below `rare`; all others weigh 100.

    The weight is the idf by `ceiling`, where the idf is -log of the share of chunks that hold the unit, of all that
    have `length` units.
    """
    total = counts.total()
    by_level: dict[int, list[str]] = defaultdict(list)
    for unit, count in counts.most_common():
        idf = -math.log(-math.expm1(-length * count / total))
        level = 5 * round(20 * idf / ceiling)
        if level >= rare:
            break
        by_level[level].append(unit)
    return by_level


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, help="where symspellpy's wheel and jieba's archive lie")
    folder = parser.parse_args().folder
    lines = [HEADER]
    for counts, per_chunk, ceiling, rare in (
        (english(folder), WORDS_PER_CHUNK, WORD_CEILING, RARE_WORD),
        (chinese(folder), CHARACTERS_PER_CHUNK, CHARACTER_CEILING, RARE_CHARACTER),
    ):
        lines += [
            f"{level} {' '.join(units)}\n" for level, units in sorted(levels(counts, per_chunk, ceiling, rare).items())
        ]
    TARGET.write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
