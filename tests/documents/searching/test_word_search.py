"""Ranking by words where there is too much to count it all."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, event, text

from documents.searching import word_search
from documents.searching.scope import EVERYTHING, scope_of
from documents.searching.word_search import by_words, weighed
from documents.splitting.tokens import index_tokens, query_tokens
from documents.storing import copying
from documents.storing.filter import Filter
from models import database as models_database
from models.base import new_id

COLUMNS = "version_id index kb_id start_offset end_offset heading_path text hash embedder tokens token_count embedding"


def add(name: str, *chunks: str) -> None:
    """Show a document whose chunks are words with spaces between them."""
    version = new_id()
    values = {
        "version": version,
        "name": name,
        "chunks": len(chunks),
        "tokens": sum(len(chunk.split()) for chunk in chunks),
    }
    with models_database.transaction() as session:
        session.execute(
            text("""
                INSERT INTO versions (id, kb_id, document_id, format, sha256, size, characters, text, anchors)
                VALUES (:version, 'kb', :name, 'text', '', 1, 1, '', '[]')
            """),
            values,
        )
        rows = [
            [
                copying.uuid(version),
                copying.integer(index),
                copying.text("kb"),
                copying.integer(0),
                copying.integer(len(chunk)),
                copying.texts([]),
                copying.text(chunk),
                b"",
                copying.text("test:1"),
                copying.ts_vector(chunk.split()),
                copying.integer(len(chunk.split())),
                copying.half_vector([1.0]),  # type: ignore[arg-type]
            ]
            for index, chunk in enumerate(chunks)
        ]
        copying.copy(session, "chunks", COLUMNS.split(), rows)
        session.execute(
            text("""
                INSERT INTO documents (kb_id, document_id, version_id, embedder, chunks, tokens)
                VALUES ('kb', :name, :version, 'test:1', :chunks, :tokens)
            """),
            values,
        )


def find(query: str, filter: Filter = EVERYTHING, limit: int = 10) -> list[str]:
    """The texts of the best chunks, best first."""
    with models_database.transaction(repeatable=True) as session:
        scope = scope_of(session, "kb", filter)
        assert scope is not None
        ranked = by_words(session, scope, weighed(session, scope, query_tokens(query)), limit)
        statement = text("SELECT text FROM chunks WHERE version_id = :version AND index = :index")
        return [
            session.execute(statement, {"version": version, "index": index}).scalar_one()
            for (version, index), _ in ranked
        ]


@pytest.fixture(autouse=True)
def _few_are_many(database: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A word in more than 5 chunks is common, and more than 20 chunks are too many to look at."""
    monkeypatch.setattr(word_search, "COMMON_FROM", 5)
    monkeypatch.setattr(word_search, "COMMON_TO", 5)
    monkeypatch.setattr(word_search, "LOOKED_AT", 20)


def test_a_common_word_does_not_count_beside_a_rare_one() -> None:
    add("d", *["common"] * 30, "rare one", "common rare")
    assert sorted(find("common rare")) == ["common rare", "rare one"]


def test_where_all_words_are_common_the_chunk_that_holds_them_all_is_found() -> None:
    add("d", *["left"] * 30, *["right"] * 30, "left and right")
    assert find("left right", limit=1) == ["left and right"]


def test_common_words_that_never_meet_are_found_apart() -> None:
    add("d", *["left"] * 30, *["right"] * 30)
    assert len(find("left right", limit=3)) == 3


def test_one_common_word_is_found() -> None:
    add("d", *["left"] * 30)
    assert find("left", limit=2) == ["left", "left"]


def test_in_a_large_kb_a_common_word_is_counted_once(database: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(word_search, "LARGE", 10)
    monkeypatch.setattr(word_search, "_common", {})
    counted: list[list[str]] = []

    @event.listens_for(database, "before_cursor_execute")
    def note(_: object, __: object, ___: object, values: object, *____: object) -> None:
        if isinstance(values, dict) and "ceiling" in values:
            counted.append(values["tokens"])

    add("d", *["common"] * 30, "rare one", "common rare")
    first = sorted(find("common rare"))
    assert sorted(find("common rare")) == first == ["common rare", "rare one"]
    event.remove(database, "before_cursor_execute", note)
    assert [tokens for tokens in counted if tokens] == [["common", "rare"], ["rare"]]


def test_a_filter_is_searched_by_the_words_that_it_holds() -> None:
    add("wanted", "common here")
    add("other", *["common"] * 30, "rare")
    assert find("common rare", Filter(["wanted"])) == ["common here"]


@pytest.mark.parametrize("large", [0, 1_000_000], ids=["large", "small"])
def test_a_chinese_word_is_found_in_kbs_of_every_size(monkeypatch: pytest.MonkeyPatch, large: int) -> None:
    monkeypatch.setattr(word_search, "LARGE", large)
    add("d", "大学 学", "学", "茶")
    assert find("大学")[0] == "大学 学"
    assert find("茶") == ["茶"]


def test_of_a_long_query_the_first_words_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(word_search, "COUNTED", 3)
    add("d", "first", "last")
    assert find("first and then last") == ["first"]


def test_traditional_and_simplified_chinese_find_each_other() -> None:
    add("taiwan", *["茶"] * 3, " ".join(index_tokens("機器學習")))
    add("china", " ".join(index_tokens("机器学习")))
    for query in ("機器學習", "机器学习"):
        assert find(query, limit=2) == [" ".join(index_tokens("机器学习"))] * 2


def test_what_was_indexed_in_traditional_characters_is_still_found_by_them() -> None:
    add("d", "茶", "機器 學習")
    assert find("機器學習") == ["機器 學習"]


@pytest.mark.parametrize("typed", ["pasword", "passsword", "pessword", "passwrod", "passwor", "passwords", "PASSWROD"])
def test_a_word_of_one_wrong_letter_finds_what_was_meant(typed: str) -> None:
    add("d", "reset the password", "passage to the north", *["tea"] * 3)
    assert find(typed) == ["reset the password"]
    assert find(f"{typed} north")[0] == "passage to the north", "what was typed right weighs more"


@pytest.mark.parametrize("typed", ["paswrod", "xassword", "pass", "p4ssword", "p" * 64])
def test_a_word_that_is_farther_away_finds_nothing(typed: str) -> None:
    add("d", "reset the password", "past")
    assert find(typed) == []


def test_a_word_that_the_kb_holds_is_taken_as_it_is() -> None:
    add("d", "the passwort", "the password", "the password")
    assert find("passwort") == ["the passwort"]


def test_of_several_words_one_letter_away_the_one_of_most_chunks_is_meant() -> None:
    add("d", "casting", "costing here", "costing there")
    assert set(find("custing")) == {"costing here", "costing there"}
