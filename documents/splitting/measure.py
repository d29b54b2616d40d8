"""How much a piece of a text holds: in characters, or in tokens of an embedder."""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from tokenizers import Tokenizer

#: The measures that have a name; any other name is the file of a tokenizer.
CHARACTERS, LOCAL, BYTES = "characters", "local", "bytes"

#: Chinese, Japanese and Korean, whose words no space divides, or only some.
SPACELESS = "\u3005-\u3007\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
#: The local embedder's tokens: a character of a script without spaces, up to 16 of any other letters and digits, any
#: other mark that is seen.
TOKENS = re.compile(f"[{SPACELESS}]|[^\\W_{SPACELESS}]{{1,16}}|[^\\w\\s]|_")

#: A tokenizer is given a text in blocks, since its answer takes a hundred times as much memory.
_BLOCK = re.compile(r".{1,20000}(?=\s|$)|.{1,20000}", re.DOTALL)
#: Tokens with which models mark where a text begins and ends, where their tokenizer is not at hand to tell.
_SPECIAL = 2


class Measure(Protocol):
    """Measures the pieces of one text."""

    reserved: int
    """What a model adds to each piece, such as the marks of its beginning and its end."""
    approximate: bool
    """Whether `size` may be less than what a piece holds by itself."""

    def size(self, start: int, end: int) -> int:
        """Return what `text[start:end]` holds; of a tokenizer's, as it was cut in the whole text."""

    def reach(self, start: int, amount: int) -> int:
        """Return the farthest place up to which there is no more than an amount."""

    def of(self, text: str) -> int:
        """Return what any text holds by itself."""


class Characters:
    """Counts characters."""

    reserved = 0
    approximate = False

    def size(self, start: int, end: int) -> int:
        return end - start

    def reach(self, start: int, amount: int) -> int:
        return start + amount

    def of(self, text: str) -> int:
        return len(text)


class Bytes:
    """Counts bytes of UTF-8: no tokenizer whose tokens are bytes, or longer, makes more tokens of a text."""

    reserved = _SPECIAL
    approximate = False

    def __init__(self, text: str) -> None:
        self._text = text

    def size(self, start: int, end: int) -> int:
        return self.of(self._text[start:end])

    def reach(self, start: int, amount: int) -> int:
        held = self._text[start : start + amount].encode("utf-8", "surrogatepass")[:amount]
        return start + len(held.decode("utf-8", "ignore"))

    def of(self, text: str) -> int:
        return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


class Tokens:
    """Counts tokens by their places in a text.

    Parameters:
      spans: where each token begins and ends, in the order of the text.
    """

    reserved = 0
    approximate = False

    def __init__(self, text: str, spans: Iterator[tuple[int, int]]) -> None:
        self._length = len(text)
        self._starts, self._ends = array("L"), array("L")
        for start, end in spans:
            self._starts.append(start)
            self._ends.append(end)

    def size(self, start: int, end: int) -> int:
        return bisect_left(self._starts, end) - bisect_right(self._ends, start)

    def reach(self, start: int, amount: int) -> int:
        after = bisect_right(self._ends, start) + amount
        return self._starts[after] if after < len(self._starts) else self._length

    def of(self, text: str) -> int:
        return sum(1 for _ in TOKENS.finditer(text))


class ModelTokens(Tokens):
    """Counts the tokens of a model's own tokenizer."""

    approximate = True

    def __init__(self, text: str, tokenizer: Tokenizer) -> None:
        super().__init__(text, _encoded(text, tokenizer))
        self._tokenizer = tokenizer
        self.reserved = tokenizer.num_special_tokens_to_add(False)

    def of(self, text: str) -> int:
        return len(self._tokenizer.encode(text, add_special_tokens=False).ids)


def measure(name: str, text: str) -> Measure:
    """Return the measure of a text.

    Parameters:
      name: `characters`; `local`, the local embedder's tokens; `bytes`; or the path of a `tokenizer.json`.

    Raises:
      OSError, ValueError: the file cannot be read, or is no tokenizer.
    """
    if name == CHARACTERS:
        return Characters()
    if name == LOCAL:
        return Tokens(text, (match.span() for match in TOKENS.finditer(text)))
    if name == BYTES:
        return Bytes(text)
    return ModelTokens(text, _tokenizer(name))


@lru_cache(maxsize=2)
def _tokenizer(path: str) -> Tokenizer:
    from tokenizers import Tokenizer

    Path(path).open("rb").close()  # tokenizers would say of a missing file that it is no tokenizer
    try:
        tokenizer = Tokenizer.from_file(path)
    except Exception as error:
        raise ValueError(f"{path} is no tokenizer: {error}") from None
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _encoded(text: str, tokenizer: Tokenizer) -> Iterator[tuple[int, int]]:
    for block in _BLOCK.finditer(text):
        for start, end in tokenizer.encode(block.group(), add_special_tokens=False).offsets:
            yield block.start() + start, block.start() + end
