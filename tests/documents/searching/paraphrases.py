"""Questions that share no content word with the passage that answers them, and the vectors of a multilingual model.

`paraphrases.json` holds 24 passages and questions in English and 24 in Chinese, and other passages beside them.
`paraphrases.i8` holds their vectors in the order of `passages` and then `questions`: 384 bytes each, made by
multilingual-e5-small with its prefixes.
"""

from __future__ import annotations

import json
import math
from array import array
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from documents.embedding import Nearness
from documents.embedding.nearness import HYBRID, VECTOR, WEIGHT

DIMENSION = 384
#: What the model's cosines mean, as `measured` finds it.
NEARNESS = Nearness(0.755, 0.912, WEIGHT, HYBRID, VECTOR)

_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Paraphrase:
    """A question, its vector, the number of the passage that answers it, and the language of both."""

    text: str
    vector: array[float]
    passage: int
    language: str


def passages() -> list[tuple[str, array[float]]]:
    """All passages, with their vectors."""
    texts = [passage for _, passage, _ in _pairs()] + _read()["others"]
    return list(zip(texts, _vectors(), strict=False))


def paraphrases() -> list[Paraphrase]:
    """All questions."""
    pairs = _pairs()
    vectors = _vectors()[-len(pairs) :]
    return [
        Paraphrase(question, vector, number, language)
        for number, ((language, _, question), vector) in enumerate(zip(pairs, vectors, strict=True))
    ]


def _pairs() -> list[tuple[str, str, str]]:
    content = _read()
    return [(language, passage, question) for language in ("en", "zh") for passage, question in content[language]]


def _read() -> dict[str, Any]:
    content: dict[str, Any] = json.loads((_HERE / "paraphrases.json").read_text(encoding="utf-8"))
    return content


def _vectors() -> list[array[float]]:
    values = array("b", (_HERE / "paraphrases.i8").read_bytes())
    rows = [values[start : start + DIMENSION] for start in range(0, len(values), DIMENSION)]
    return [array("f", [value / math.hypot(*row) for value in row]) for row in rows]
