"""The benchmark of readers and splitters counts as it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import documents

WORDS = "one two three four five six seven eight nine ten"


def test_sequences_of_eight_words_are_counted_however_they_are_written() -> None:
    truth = documents.grams(WORDS)
    assert truth.total() == 3
    assert documents.grams("One, TWO\nthree – four (five) six | seven eight. Nine ten!") == truth
    assert documents.grams("\uff4fne two three four five six seven eight nine ten") == truth, "NFKC"
    assert documents.grams("one two three four five six seven").total() == 0
    assert documents.grams("每一个汉字都是一个词").total() == 3


@pytest.mark.parametrize(
    ("read", "recall", "precision", "f1"),
    [
        (WORDS, 1.0, 1.0, 1.0),
        (f"{WORDS} eleven", 1.0, 3 / 4, 6 / 7),
        (WORDS.removesuffix(" ten"), 2 / 3, 1.0, 4 / 5),
        (f"{WORDS} {WORDS}", 1.0, 3 / 13, 3 / 8),
        ("", 0.0, 0.0, 0.0),
    ],
)
def test_what_is_missing_costs_recall_and_what_is_too_much_precision(
    read: str, recall: float, precision: float, f1: float
) -> None:
    pair = documents.scores(read, documents.grams(WORDS))
    assert pair == pytest.approx((recall, precision))
    assert documents.harmonic(*pair) == pytest.approx(f1)


def test_a_chunk_ends_well_where_a_sentence_or_a_block_does() -> None:
    text = 'A title\n\nIt said "Stop."  Then it\nwent on without\n- an item\n- another\n\n他走了。然后呢'
    chunks = ["A title", 'It said "Stop."', "Then it", "went on without", "- an item", "- another", "他走了。", "然后"]
    assert list(documents.well_ended(text, chunks)) == [True, True, False, True, True, True, True, False]
    assert list(documents.well_ended(text, ["然后呢"])) == [True], "the end of the text"


def test_what_is_measured_is_a_process_that_reads_and_one_that_cuts(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(f"<p>{WORDS}</p>")
    (tmp_path / "page.txt").write_text(f"{WORDS}. " * 100)
    (tmp_path / "empty.html").touch()
    assert documents.judged(tmp_path) == {".html": [(tmp_path / "page.html", tmp_path / "page.txt")]}
    read = documents.run("read", "ours", [tmp_path / "page.html", tmp_path / "empty.html"])
    assert [made and str(made).strip() for made in read.made] == [WORDS, None]
    assert read.seconds > 0
    assert 5 < read.peak < 500
    (chunks,) = documents.run("split", "ours", [tmp_path / "page.txt"]).made
    assert isinstance(chunks, list)
    assert len(chunks) > 5
    assert max(map(len, chunks)) <= 1000
