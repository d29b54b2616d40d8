"""What a search is restricted to, in a KB that is too large to be summed for each search."""

from __future__ import annotations

import time

import pytest
from sqlalchemy import Engine, text

from documents.searching import scope
from documents.searching.scope import EVERYTHING, Scope, scope_of
from models import database
from tests.documents.searching.test_word_search import add


@pytest.fixture(autouse=True)
def large(database: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A KB with a chunk is a large one."""
    monkeypatch.setattr(scope, "LARGE", 0)
    monkeypatch.setattr(scope, "_remembered", {})


def present() -> Scope | None:
    with database.transaction(repeatable=True) as session:
        return scope_of(session, "kb", EVERYTHING)


def sizes() -> tuple[int, int]:
    """Chunks and tokens of the KB."""
    kb = present()
    assert kb is not None
    return kb.kb_chunks, kb.kb_tokens


def test_the_sums_of_a_large_kb_are_remembered_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    add("a.txt", "one two three")
    assert sizes() == (1, 3)
    add("b.txt", "four")
    assert sizes() == (1, 3)
    later = time.monotonic() + scope.REMEMBERED
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert sizes() == (2, 4)


def test_a_kb_that_has_become_empty_is_empty_at_once() -> None:
    add("a.txt", "one two three")
    assert present() is not None
    with database.transaction() as session:
        session.execute(text("DELETE FROM documents"))
    assert present() is None


def test_the_embedder_of_a_large_kb_is_the_present_one() -> None:
    add("a.txt", "one two three")
    sizes()
    with database.transaction() as session:
        session.execute(text("UPDATE documents SET embedder = 'test:2'"))
    kb = present()
    assert kb is not None
    assert kb.embedder == "test:2"
