"""A chunk never holds more tokens than were asked for, by whatever they are counted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from documents.sandbox.pool import Sandbox
from documents.splitting.chunking import lead, split
from documents.splitting.measure import BYTES, CHARACTERS, LOCAL, TOKENS, measure
from documents.text import Anchor
from errors import TaskError
from tests.documents.splitting.test_chunking import documents

CORPUS = [
    "The quick brown fox jumps over the lazy dog. It is not amused, and neither are we.",
    "敏捷的棕色狐狸跳过了懒狗。员工每年享有十五天年假，请假须提前申请。",
    "def tokens(text): return [token for token in text.split()]",
]


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A byte-level BPE of 600 tokens, as models have them, that adds a mark before and after each text."""
    from tokenizers.processors import TemplateProcessing

    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    made.train_from_iterator(
        CORPUS * 10,
        trainers.BpeTrainer(vocab_size=600, initial_alphabet=alphabet, special_tokens=["<s>"], show_progress=False),
    )
    made.post_processor = TemplateProcessing(single="<s> $A <s>", special_tokens=[("<s>", 0)])
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    made.save(str(path))
    return path


Count = Callable[[str], int]


def real_count(path: Path) -> Count:
    """What the model itself is given for a text, marks included."""
    tokenizer = Tokenizer.from_file(str(path))
    return lambda text: len(tokenizer.encode(text).ids)


def counts(path: Path) -> dict[str, Count]:
    return {
        CHARACTERS: len,
        LOCAL: lambda text: len(TOKENS.findall(text)),
        BYTES: lambda text: len(text.encode("utf-8", "surrogatepass")) + 2,
        str(path): real_count(path),
    }


@given(document=documents(), at_least=st.integers(12, 60))
@settings(max_examples=100)
def test_no_chunk_holds_more_than_its_size(
    tokenizer: Path, document: tuple[str, list[Anchor], int, int], at_least: int
) -> None:
    text, anchors, size, overlap = document
    size += at_least
    for name, count in counts(tokenizer).items():
        covered = 0
        for chunk in split(text, anchors, size, overlap, measure=measure(name, text)):
            assert not text[covered : chunk.start].strip(), "something is missing"
            assert chunk.end > covered
            assert count(text[chunk.start : chunk.end]) <= size, name
            covered = chunk.end
        assert not text[covered:].strip(), "the end is missing"


@pytest.mark.parametrize("name", [LOCAL, BYTES, "tokenizer"])
def test_what_is_embedded_with_a_chunk_counts_too(tokenizer: Path, name: str) -> None:
    title = "A handbook of foxes and dogs"
    text = f"# {title}\n\n" + " ".join(CORPUS[:2] * 20)
    anchors = [Anchor(0, "heading", len(title) + 2, level=1, title=title)]
    name = str(tokenizer) if name == "tokenizer" else name
    count = counts(tokenizer)[name]
    chunks = split(text, anchors, 100, 20, measure=measure(name, text))
    embedded = [f"{lead(chunk.heading_path, chunk.context)}\n{text[chunk.start : chunk.end]}" for chunk in chunks]
    assert all(chunk.heading_path == [title] for chunk in chunks)
    assert max(map(count, embedded)) <= 100
    assert len(chunks) < 2.5 * count(text) / 60, "they are filled, too"


def test_bytes_never_count_fewer_tokens_than_there_are(tokenizer: Path) -> None:
    real = real_count(tokenizer)
    for text in ["", "a", "🇨🇳👩‍👩‍👧", "\x00\ufffd", *CORPUS]:
        budget = measure(BYTES, text)
        assert real(text) <= budget.of(text) + budget.reserved


def test_a_tokenizer_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{}")
    sandbox = Sandbox(1)
    try:
        for path in (tmp_path / "tokenizer.json", tmp_path / "missing.json"):
            with pytest.raises(TaskError, match=f"EMBEDDING_TOKENIZER cannot be used: .*{path.name}"):
                sandbox.split("Text.", [], 100, 0, measured_in=str(path), timeout=20)
    finally:
        sandbox.close()
