"""A new version of a document is cut where the one before was, as far as its text is the same."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from documents.splitting.chunking import Chunk, split
from documents.splitting.previous_version import PreviousVersion
from documents.text import Anchor
from tests.documents.splitting.test_chunking import documents

Edit = Callable[[random.Random, str], str]

WORDS = {
    "en": [f"{beginning}{end}" for beginning in ("re", "in", "con", "de", "trans") for end in ("form", "duct", "late")],
    "zh": ["公司", "员工", "每年", "享有", "带薪", "休假", "规定", "请假", "需要", "提前", "申请", "批准", "部门"],
}

EDITS: dict[str, Edit] = {
    "a sentence is added": lambda rng, paragraph: paragraph + sentence(rng),
    "a sentence comes first": lambda rng, paragraph: sentence(rng) + paragraph,
    "it is halved": lambda rng, paragraph: paragraph[: len(paragraph) // 2],
    "it is written anew": lambda rng, paragraph: paragraph_of(rng, len(paragraph) // 40 + 1),
    "it is taken out": lambda rng, paragraph: "",
    "a letter changes": lambda rng, paragraph: paragraph.replace("e", "3", 1).replace("员", "圆", 1),
    "a paragraph follows it": lambda rng, paragraph: paragraph + "\n\n" + paragraph_of(rng, 3),
}


def sentence(rng: random.Random) -> str:
    if rng.random() < 0.5:
        words = rng.choices(WORDS["en"], k=rng.randint(4, 18))
        return " ".join(words).capitalize() + f" {rng.randrange(1000)}. "
    return "".join(rng.choices(WORDS["zh"], k=rng.randint(4, 18))) + f"{rng.randrange(1000)}。"


def paragraph_of(rng: random.Random, sentences: int) -> str:
    return "".join(sentence(rng) for _ in range(sentences)).strip()


def spans(chunks: list[Chunk]) -> list[tuple[int, int]]:
    return [(chunk.start, chunk.end) for chunk in chunks]


@pytest.mark.parametrize(("size", "overlap"), [(1000, 200), (600, 0)])
@pytest.mark.parametrize("edit", EDITS)
def test_an_edited_paragraph_of_500_changes_three_chunks_at_most(edit: str, size: int, overlap: int) -> None:
    rng = random.Random(f"{edit} {size} {overlap}")
    paragraphs = [paragraph_of(rng, rng.randint(1, 9)) for _ in range(500)]
    text = "\n\n".join(paragraphs)
    first = split(text, [], size, overlap)
    known = {text[chunk.start : chunk.end] for chunk in first}
    for place in rng.sample(range(500), 3):
        edited = [*paragraphs]
        edited[place] = EDITS[edit](rng, edited[place])
        after = "\n\n".join(edited)
        chunks = split(after, [], size, overlap, PreviousVersion(text, spans(first)))
        assert sum(after[chunk.start : chunk.end] not in known for chunk in chunks) <= 3


LONGEST = 40  # characters of a phrase and what parts it from the next; they decide how full a chunk is for certain


def phrases(rng: random.Random, count: int) -> list[str]:
    return ["".join(rng.choices("abc", k=rng.randint(2, LONGEST - 3))).capitalize() + "." for _ in range(count)]


@given(st.integers(0, 2**32), st.integers(3, 400), st.integers(4 * LONGEST, 1000), st.floats(0, 0.9))
@settings(max_examples=100)
def test_three_chunks_at_most_change_with_a_paragraph_that_fits_one(
    seed: int, different: int, size: int, repeated: float
) -> None:
    """Beside the paragraph, the first and the last chunk that change hold a chunk's worth each.

    Parameters:
      different: phrases that the text is made of; where there are few, it repeats itself.
      repeated: the overlap as a share of the size.
    """
    rng = random.Random(seed)
    known = phrases(rng, different)
    paragraphs = [" ".join(rng.choices(known, k=rng.randint(1, 12))) for _ in range(40)]
    text = "\n\n".join(paragraphs)
    chunks = split(text, [], size, int(size * repeated))
    for _ in range(6):
        place, more = rng.randrange(len(paragraphs)), rng.randint(0, 1)
        longest = rng.choice([0, LONGEST, size // 2, size]) - 3 * LONGEST
        new = " ".join(rng.choices(known + phrases(rng, 3), k=40))[: max(0, longest)].strip()
        paragraphs[place : place + 1] = [*paragraphs[place : place + more], *([new] if new else [])]
        after = "\n\n".join(paragraphs)
        edited = split(after, [], size, int(size * repeated), PreviousVersion(text, spans(chunks)))
        had = {text[chunk.start : chunk.end] for chunk in chunks}
        assert sum(after[chunk.start : chunk.end] not in had for chunk in edited) <= 3
        text, chunks = after, edited


def test_a_text_that_repeats_itself_is_cut_where_it_was() -> None:
    """Chunks that begin alike are not taken for one another."""
    rng = random.Random(3)
    lines = [f"2026-01-01 INFO worker {rng.randrange(3)} finished its task and went to sleep." for _ in range(500)]
    before, after = "\n".join(lines), "\n".join([*lines[:250], "Someone wrote this by hand.", *lines[250:]])
    first = split(before, [], 1000, 200)
    chunks = split(after, [], 1000, 200, PreviousVersion(before, spans(first)))
    same = {chunk.end for chunk in first} & {chunk.end for chunk in chunks}
    moved = {chunk.end + len(after) - len(before) for chunk in first} & {chunk.end for chunk in chunks}
    assert len(same) + len(moved) >= len(first) - 2


def test_five_megabytes_that_repeat_themselves_are_cut_again_as_fast() -> None:
    text = "A sentence of English words, as usual. " * 128_000
    earlier = PreviousVersion(text, spans(split(text, [], 1000, 200)))
    started = time.process_time()
    split(f"Another begins it. {text}And another ends it.", [], 1000, 200, earlier)
    assert time.process_time() - started < 4


def test_a_hundred_edits_leave_no_remains() -> None:
    """Chunks that an edit left short are made whole by the next one near them."""
    rng = random.Random(7)
    paragraphs = [paragraph_of(rng, rng.randint(1, 9)) for _ in range(100)]
    text = "\n\n".join(paragraphs)
    chunks = split(text, [], 1000, 200)
    for _ in range(100):
        edit = EDITS[rng.choice(list(EDITS))]
        place = rng.randrange(100)
        paragraphs[place] = edit(rng, paragraphs[place])
        after = "\n\n".join(paragraphs)
        chunks = split(after, [], 1000, 200, PreviousVersion(text, spans(chunks)))
        text = after
    assert len(chunks) <= 1.3 * len(split(text, [], 1000, 200))


def test_what_is_added_at_the_end_continues_the_last_chunk() -> None:
    text = ""
    chunks: list[Chunk] = []
    for number in range(200):
        after = f"{text}Line {number} of a log that grows.\n"
        chunks = split(after, [], 1000, 0, PreviousVersion(text, spans(chunks)))
        text = after
    assert len(chunks) <= len(split(text, [], 1000, 0)) + 1


@given(documents(), documents())
@settings(max_examples=150)
def test_the_contract_holds_whatever_was_there_before(
    document: tuple[str, list[Anchor], int, int], earlier: tuple[str, list[Anchor], int, int]
) -> None:
    text, anchors, size, overlap = document
    for before in (earlier[0], earlier[0] + text, text + earlier[0], text[: len(text) // 2] + earlier[0]):
        covered = 0
        for chunk in split(
            text, anchors, size, overlap, PreviousVersion(before, spans(split(before, [], size, overlap)))
        ):
            assert chunk.end - chunk.start <= size
            assert not text[covered : chunk.start].strip(), "something is missing"
            assert chunk.end > covered
            assert covered - chunk.start <= overlap
            covered = chunk.end
        assert not text[covered:].strip(), "the end is missing"


@given(documents())
@settings(max_examples=150)
def test_the_same_text_is_cut_as_it_was(document: tuple[str, list[Anchor], int, int]) -> None:
    text, anchors, size, overlap = document
    first = split(text, anchors, size, overlap)
    assert split(text, anchors, size, overlap, PreviousVersion(text, spans(first))) == first
