"""Hybrid search keeps what words find and what vectors find, and its scores say something."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import replace

import pytest
from sqlalchemy import Engine, text

from documents.searching.ranking import COVERAGE
from documents.searching.scope import EVERYTHING, scope_of
from documents.searching.search import Hit, Mode, Question, search
from documents.searching.word_search import by_words, weighed
from documents.splitting.tokens import index_tokens, query_tokens
from documents.storing import copying
from models import database as models_database
from models.base import new_id
from tests.documents.searching.paraphrases import NEARNESS, paraphrases, passages

COLUMNS = "version_id index kb_id start_offset end_offset heading_path text hash embedder tokens token_count embedding"
EMBEDDER = "test:vectors"


def fill(kb_id: str, chunks: Sequence[tuple[str, array[float]]], document_id: str = "d") -> None:
    """Give a KB a document with these chunks."""
    version = new_id()
    tokens = [index_tokens(body) for body, _ in chunks]
    rows = [
        [
            copying.uuid(version), copying.integer(index), copying.text(kb_id), copying.integer(0),
            copying.integer(len(body)), copying.texts([]), copying.text(body), b"", copying.text(EMBEDDER),
            copying.ts_vector(words), copying.integer(len(words)), copying.half_vector(vector),
        ]
        for index, ((body, vector), words) in enumerate(zip(chunks, tokens, strict=True))
    ]  # fmt: skip
    values = {
        "kb_id": kb_id,
        "name": document_id,
        "version": version,
        "embedder": EMBEDDER,
        "chunks": len(chunks),
        "tokens": sum(map(len, tokens)),
    }
    with models_database.transaction() as session:
        session.execute(
            text("""
                INSERT INTO versions (id, kb_id, document_id, format, sha256, size, characters, text, anchors)
                VALUES (:version, :kb_id, :name, 'text', '', 1, 1, '', '[]')
            """),
            values,
        )
        copying.copy(session, "chunks", COLUMNS.split(), rows)
        session.execute(
            text("""
                INSERT INTO documents (kb_id, document_id, version_id, embedder, chunks, tokens)
                VALUES (:kb_id, :name, :version, :embedder, :chunks, :tokens)
            """),
            values,
        )


def ask(kb_id: str, query: str, vector: array[float], mode: Mode = "hybrid", min_score: float = 0.0) -> list[Hit]:
    """The ten best hits."""
    question = Question(query_tokens(query), vector, EMBEDDER, NEARNESS)
    with models_database.transaction(repeatable=True) as session:
        return search(session, {kb_id: question}, mode=mode, min_score=min_score).hits


def number(hit: Hit) -> int:
    """Which chunk a hit is."""
    return int(hit.chunk_id.rpartition(":")[2])


def test_hybrid_keeps_what_vectors_find_in_other_words(database: Engine) -> None:
    fill("kb", passages())
    recall: dict[tuple[str, Mode], float] = {}
    modes: tuple[Mode, ...] = ("text", "vector", "hybrid")
    for mode in modes:
        for language in ("en", "zh"):
            asked = [question for question in paraphrases() if question.language == language]
            hits = [
                question.passage in map(number, ask("kb", question.text, question.vector, mode)) for question in asked
            ]
            recall[language, mode] = sum(hits) / len(hits)
    for language in ("en", "zh"):
        better = max(recall[language, "text"], recall[language, "vector"])
        assert recall[language, "hybrid"] >= better - 0.05


BOTH = ("How do I reset my password?", array("f", [1.0, 0.0]))
NEAR, FAR = array("f", [0.9, 0.4358899]), array("f", [0.76, 0.6499231])


def test_a_passage_that_is_nearer_and_holds_more_of_the_words_is_first(database: Engine) -> None:
    fill("kb", [("reset the password", FAR), ("reset your password here, I do", NEAR), ("do it", NEAR), ("no", FAR)])
    hits = ask("kb", *BOTH)
    assert number(hits[0]) == 1
    for hit in hits:
        words, vector = hit.scores.words, hit.scores.vector
        assert words is not None
        assert vector is not None
        assert 0 <= words <= 1
        assert 0 <= vector <= 1
        assert hit.score == pytest.approx((1 - NEARNESS.weight) * words**COVERAGE + NEARNESS.weight * vector, abs=1e-5)


def test_what_one_list_lacks_is_looked_up(database: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of each list the first alone is kept, and each first is asked for what the other list says of it."""
    monkeypatch.setattr("documents.searching.search.DEPTH", 1)
    fill("kb", [("reset my password", FAR), ("password", NEAR), ("something else", FAR)])
    question = Question(query_tokens(BOTH[0]), BOTH[1], EMBEDDER, replace(NEARNESS, floor=0.0, ceiling=1.0, weight=0.5))
    with models_database.transaction(repeatable=True) as session:
        hits = {number(hit): hit.scores for hit in search(session, {"kb": question}, limit=1).hits}
        assert len(hits) == 1
        scope = scope_of(session, "kb", EVERYTHING)
        assert scope is not None
        words = weighed(session, scope, question.tokens)
        ((first, share),) = by_words(session, scope, words, 1)
        assert first[1] == 0
    (scores,) = hits.values()
    assert scores.vector is not None
    assert scores.vector > 0.7
    assert scores.words is not None
    assert scores.words > 0
    assert share > 0


def test_each_mode_says_what_it_looked_at(database: Engine) -> None:
    fill("kb", [("reset my password", NEAR)])
    (by_text,) = ask("kb", *BOTH, mode="text")
    (by_vector,) = ask("kb", *BOTH, mode="vector")
    assert by_text.scores.vector is None
    assert by_text.score == by_text.scores.words
    assert by_vector.scores.words is None
    assert by_vector.score == by_vector.scores.vector


@pytest.mark.parametrize("mode", ["text", "hybrid"])
@pytest.mark.parametrize("query", ["How do I feed my hedgehog?", "我的刺猬吃什么？"])
def test_what_does_not_answer_scores_little(database: Engine, mode: Mode, query: str) -> None:
    """The best hit of a KB is not 1.0 for being the best."""
    others = [(f"How do I do what I do? 我什么都不吃 {index}", FAR) for index in range(20)]
    fill("kb", [*others, ("What do I do with my my my password? 我的密码", FAR)])
    hits = ask("kb", query, BOTH[1], mode)
    assert hits
    assert hits[0].score < 0.35


@pytest.mark.parametrize("mode", ["text", "vector", "hybrid"])
def test_hits_below_the_least_score_are_left_out(database: Engine, mode: Mode) -> None:
    fill("kb", [("reset my password", NEAR), ("my own", FAR), ("my other", FAR)])
    every = ask("kb", *BOTH, mode)
    assert len(every) == 3
    assert ask("kb", *BOTH, mode, min_score=every[0].score) == every[:1]
    assert ask("kb", *BOTH, mode, min_score=every[0].score + 0.0001) == []
