"""The scale of a model's cosines is found by asking it."""

from __future__ import annotations

import math
import random
from array import array
from collections.abc import Sequence

import pytest

from documents.embedding import Kind
from documents.embedding.nearness import PROBES, measured

PLACES = {text: place for place, pair in enumerate(PROBES) for text in pair}


@pytest.mark.parametrize(("answers", "others"), [(0.5, 0.1), (0.86, 0.76), (0.9, 0.0)])
def test_the_scale_runs_from_unrelated_texts_to_beyond_an_answer(answers: float, others: float) -> None:
    """All texts share one direction, and each question another one with its answer."""

    def embed(texts: Sequence[str], kind: Kind) -> list[array[float]]:
        vectors = []
        for text in texts:
            vector = array("f", bytes(4 * (1 + 3 * len(PROBES))))
            place = PLACES[text]
            vector[0] = math.sqrt(others)
            vector[1 + place] = math.sqrt(answers - others)
            vector[1 + place + len(PROBES) * (1 if kind == "query" else 2)] = math.sqrt(1 - answers)
            vectors.append(vector)
        return vectors

    nearness = measured(embed)
    assert nearness.floor == pytest.approx(others, abs=1e-3)
    assert nearness.ceiling == pytest.approx(min(1.0, others + 1.5 * (answers - others)), abs=1e-3)
    assert nearness.share(others - 0.5) == 0 < nearness.share(answers) < nearness.share(2) == 1


def test_a_model_that_tells_nothing_apart_is_taken_at_its_cosines() -> None:
    made = random.Random(3)
    vector = array("f", [made.random() for _ in range(4)])
    norm = math.hypot(*vector)
    same = array("f", [value / norm for value in vector])
    nearness = measured(lambda texts, kind: [same] * len(texts))
    assert (nearness.floor, nearness.ceiling) == (0.0, 1.0)
