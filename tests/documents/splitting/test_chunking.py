"""What every chunk of every text keeps to, and where a reader would expect a text to be cut."""

from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from documents.splitting.chunking import Chunk, split
from documents.text import Anchor

_PIECES = st.sampled_from(
    [
        *(
            "Leave is granted. ",
            "Dr. Smith said no! ",
            "Really? ",
            "a ",
            "word, ",
            "supercalifragilistic",
            "e.g. this. ",
        ),
        *(
            "年假十五天。",
            "请假须提前申请；",
            "“真的吗？”",
            "他说……",
            "中文",
            "！",
            "\n",
            "\n\n",
            "\r\n",
            "\r\n\r\n",
            " ",
            "\t",
        ),
        *(
            "- item\n",
            "| a | b |\n",
            "1. first\n",
            "é",
            "e\u0301",
            "👩‍👩‍👧",
            "🇨🇳",
            "𠮷",
            "\u3000",
            "\f",
            '"',
            "https://a.b/c?d=e",
        ),
    ]
)
_TEXTS = st.one_of(st.text(max_size=300), st.lists(_PIECES, max_size=120).map("".join))


@st.composite
def documents(draw: st.DrawFn) -> tuple[str, list[Anchor], int, int]:
    text = draw(_TEXTS)
    places = st.integers(0, max(len(text), 1))
    anchors = []
    for kind in draw(st.lists(st.sampled_from(["heading", "table", "code", "page"]), max_size=6)):
        start = draw(places)
        end = draw(st.one_of(st.none(), st.integers(start, start + 40)))
        anchors.append(Anchor(start, kind, end, page=3, level=draw(st.integers(0, 6)), title="T"))
    size = draw(st.integers(1, 200))
    return text, anchors, size, draw(st.integers(0, size - 1))


@given(documents())
@settings(max_examples=400)
def test_the_contract_holds_for_any_text(document: tuple[str, list[Anchor], int, int]) -> None:
    text, anchors, size, overlap = document
    chunks = split(text, anchors, size, overlap)
    covered = 0
    for index, chunk in enumerate(chunks):
        assert chunk.index == index
        assert 0 <= chunk.start < chunk.end <= len(text)
        assert chunk.end - chunk.start <= size
        assert text[chunk.end - 1].strip()
        assert not text[covered : chunk.start].strip(), "something is missing"
        assert chunk.end > covered, "a chunk that adds nothing"
        assert covered - chunk.start <= overlap
        covered = chunk.end
    assert not text[covered:].strip(), "the end is missing"


@given(_TEXTS, st.integers(20, 200))
@settings(max_examples=200)
def test_no_word_is_cut_where_a_space_was_near(text: str, size: int) -> None:
    for chunk in split(text, [], size, 0):
        after = text[chunk.end : chunk.end + 1]
        before = text[chunk.end - 1]
        if after.isascii() and after.isalpha() and before.isascii() and before.isalpha():
            assert not any(character.isspace() for character in text[chunk.start : chunk.end])
        assert not unicodedata.category(after or "a").startswith("M") or size - (chunk.end - chunk.start) == 0


SENTENCES_EN = [
    "The cat sat on the mat.",
    "Dr. Smith paid $3.50, i.e. too much!",
    "Why not?",
    'He said "yes." Then he left.',
]
SENTENCES_ZH = [
    "员工每年享有十五天年假。",
    "他说：“今天下雨了！”",
    "为什么不去呢？",
    "一是申请；",
    "后来……",
    "（完）。",
]


@given(st.lists(st.sampled_from(SENTENCES_ZH), min_size=1, max_size=60), st.integers(30, 120), st.integers(0, 29))
def test_chinese_sentences_stay_whole(sentences: list[str], size: int, overlap: int) -> None:
    text = "".join(sentences)
    ends: set[int] = set()
    for sentence in sentences:
        ends.add(max(ends, default=0) + len(sentence))
    for chunk in split(text, [], size, overlap):
        assert text[chunk.end - 1] in "。！？；…”）"
        assert chunk.start == 0 or text[chunk.start - 1] in "。！？；…”）"
        assert text[chunk.start] not in "。！？；…”"


@given(st.lists(st.sampled_from(SENTENCES_EN[:3]), min_size=1, max_size=60), st.integers(40, 200), st.integers(0, 39))
def test_english_sentences_stay_whole_and_overlap_is_whole_sentences(
    sentences: list[str], size: int, overlap: int
) -> None:
    text = " ".join(sentences)
    starts, at = set(), 0
    for sentence in sentences:
        starts.add(at)
        at += len(sentence) + 1
    for chunk in split(text, [], size, overlap):
        assert chunk.start in starts
        assert chunk.end + 1 in starts or chunk.end == len(text)


@given(st.data(), st.integers(60, 300), st.integers(0, 50))
def test_no_heading_is_left_behind(data: st.DataObject, size: int, overlap: int) -> None:
    parts, anchors, at = [], [], 0
    bodies: dict[str, tuple[int, int]] = {}
    for number in range(data.draw(st.integers(1, 8))):
        title = f"# Part {number}"
        body = " ".join(data.draw(st.lists(st.sampled_from(SENTENCES_EN[:3]), min_size=1, max_size=10)))
        anchors.append(Anchor(at, "heading", at + len(title), level=1, title=title[2:]))
        parts += [title, body]
        bodies[title[2:]] = (at + len(title) + 2, at + len(title) + 2 + len(body))
        at += len(title) + len(body) + 4
    text = "\n\n".join(parts)
    for chunk in split(text, anchors, size, overlap):
        last = text[chunk.start : chunk.end].rsplit("\n\n", 1)[-1]
        assert not last.startswith("# Part")
        held = {title: min(chunk.end, end) - max(chunk.start, start) for title, (start, end) in bodies.items()}
        (title,) = chunk.heading_path
        if held[title] < 0.25 * sum(length for length in held.values() if length > 0):
            assert held[title] >= 0.9 * max(held.values()), "another heading governs most of the chunk"


def texts(text: str, chunks: list[Chunk]) -> list[str]:
    return [text[chunk.start : chunk.end] for chunk in chunks]


def test_sections_are_kept_apart_and_chunks_know_their_place() -> None:
    intro, one, two = "All of it. " * 10, "One is this. " * 10, "Two is that. " * 10
    text = f"# Book\n\n{intro}\n\n## One\n\n{one}\n\n## Two\n\n{two}"
    anchors = [Anchor(0, "page", page=1), Anchor(0, "heading", 6, level=1, title="Book")]
    for title in ("One", "Two"):
        start = text.index(f"## {title}")
        anchors.append(Anchor(start, "heading", start + 6, level=2, title=title))
    anchors.append(Anchor(text.index("## Two"), "page", page=2))

    chunks = split(text, anchors, 200, 50)

    assert [chunk.heading_path for chunk in chunks] == [["Book"], ["Book", "One"], ["Book", "Two"]]
    assert [chunk.page for chunk in chunks] == [1, 1, 2]
    assert texts(text, chunks)[1].startswith("## One\n\nOne is this.")


def test_paragraphs_are_preferred_to_sentences() -> None:
    text = "A first one. " * 5 + "\n\n" + "Second here. " * 5
    assert texts(text, split(text, [], 100, 0))[0] == ("A first one. " * 5).strip()


def test_a_long_sentence_is_cut_at_a_clause() -> None:
    text = "when the sun goes down over the hills, the birds begin to sing their songs about the day"
    assert texts(text, split(text, [], 60, 10))[0] == "when the sun goes down over the hills,"


def test_code_is_cut_between_lines_and_keeps_its_indentation() -> None:
    text = "def f():\n    return 1\n    # Really. Yes.\n    pass"
    chunks = split(text, [Anchor(0, "code", len(text))], 24, 0)
    assert texts(text, chunks) == ["def f():\n    return 1", "    # Really. Yes.", "    pass"]


TABLE = "| name | days |\n| --- | --- |\n" + "\n".join(f"| person {n} | {n} |" for n in range(40))
CODE = "```python\n" + "\n".join(f"    value_{n} = {n}" for n in range(40)) + "\n```"


@pytest.mark.parametrize(
    ("kind", "block", "repeated"), [("table", TABLE, "| name | days |\n| --- | --- |"), ("code", CODE, "```python")]
)
def test_a_table_or_code_that_is_split_says_again_what_it_is(kind: str, block: str, repeated: str) -> None:
    text = f"Before it.\n\n{block}\n\nAfter it."
    start = text.index(block)
    chunks = split(text, [Anchor(start, kind, start + len(block))], 120, 20)
    lines = set(text.split("\n"))
    assert len(chunks) > 5
    for chunk in chunks:
        body = text[chunk.start : chunk.end]
        assert set(body.split("\n")) <= lines, "a line was cut"
        inside = start < chunk.start < start + len(block)
        assert chunk.context == (repeated if inside else ""), "what is repeated is no part of the text"
        assert not body.endswith(repeated), "a header without a row"
        assert body != "```", "a fence without its code"


@given(st.lists(st.sampled_from(["🇨🇳", "e\u0301", "👩‍👩‍👧", "क्षि", "한", "𠮷"]), min_size=1), st.integers(8, 40))
def test_what_is_seen_as_one_character_stays_whole(characters: list[str], size: int) -> None:
    text, ends = "", {0}
    for character in characters:
        text += character
        ends.add(len(text))
    for chunk in split(text, [], size, 0):
        assert {chunk.start, chunk.end} <= ends


def test_text_in_small_letters_has_sentences_too() -> None:
    text = "this is one. here comes the next. and so it goes on. never a capital anywhere. "
    assert texts(text, split(text, [], 40, 0))[0] == "this is one. here comes the next."


@pytest.mark.parametrize(("size", "overlap"), [(0, 0), (10, 10), (10, -1), (-5, -6)])
def test_impossible_sizes_are_refused(size: int, overlap: int) -> None:
    with pytest.raises(ValueError, match="overlap"):
        split("text", [], size, overlap)


@pytest.mark.parametrize(
    "piece",
    ["A sentence of English words, as usual. ", "这是一个普通的中文句子，没有什么特别的。", "x", "...", "\n \n"],
)
def test_five_megabytes_take_seconds_of_work(piece: str) -> None:
    text = piece * (5_000_000 // len(piece.encode()))
    started = time.process_time()
    split(text, [], 1000, 200)
    assert time.process_time() - started < 8
