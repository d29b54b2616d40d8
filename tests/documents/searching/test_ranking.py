"""What is not looked up of a chunk would not have put it among the first."""

from __future__ import annotations

from random import Random
from uuid import UUID

import pytest

from documents.searching.ranking import Chunk, contending, fused, settled

WANTED = 10
#: Of `local`, and of a model.
WEIGHTS = [0.01, 0.4]


def chunk(number: int) -> Chunk:
    """A chunk of its own."""
    return UUID(int=number), 0


@pytest.mark.parametrize("weight", WEIGHTS)
@pytest.mark.parametrize("seed", range(20))
def test_the_first_are_the_same_whether_all_is_looked_up_or_what_contends(weight: float, seed: int) -> None:
    lot = Random(seed)
    words = {chunk(number): lot.random() ** 3 for number in range(60)}
    every = {chunk(number): lot.random() for number in range(100)}
    known = {key: every[key] for key in list(every)[40:]}
    asked = contending(words, known, weight, WANTED)
    assert not known.keys() & set(asked)
    with_asked = fused(words, known | {key: every[key] for key in asked}, weight)
    assert list(with_asked.items())[:WANTED] == list(fused(words, every, weight).items())[:WANTED]


def test_little_contends_where_vectors_count_little() -> None:
    words = {chunk(number): 1 - number / 100 for number in range(100)}
    assert len(contending(words, {}, 0.01, WANTED)) < 2 * WANTED
    assert len(contending(words, {}, 0.4, WANTED)) > 2 * WANTED
    few = dict(list(words.items())[:3])
    assert set(contending(few, {}, 0.01, WANTED)) == few.keys()


@pytest.mark.parametrize("seed", range(20))
def test_where_words_settle_the_first_no_other_chunk_is_among_them(seed: int) -> None:
    lot = Random(seed)
    words = {chunk(number): lot.random() for number in range(100)}
    vector = {key: lot.random() for key in words}
    assert settled(words, 0.01, WANTED)
    nearest = {chunk(-number % 2**32): 1.0 for number in range(1, 9)}
    words_of_nearest = dict.fromkeys(nearest, min(words.values()))
    assert (
        list(fused(words | words_of_nearest, vector | nearest, 0.01))[:WANTED]
        == list(fused(words, vector, 0.01))[:WANTED]
    )


def test_words_settle_nothing_where_vectors_count_or_scores_are_alike_or_few() -> None:
    words = {chunk(number): 1 - number / 100 for number in range(100)}
    assert settled(words, 0.01, WANTED)
    assert not settled({key: share / 2 for key, share in words.items()}, 0.4, WANTED)
    assert not settled(dict.fromkeys(words, 0.5), 0.01, WANTED)
    assert not settled(dict(list(words.items())[: WANTED - 1]), 0.01, WANTED)
    assert not settled({}, 0.01, WANTED)
