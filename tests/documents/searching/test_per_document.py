"""One document's chunks do not crowd out all others where that was asked for."""

from __future__ import annotations

from array import array

import pytest
from sqlalchemy import Engine

from documents.searching.search import Hit, Mode, Question, search
from documents.splitting.tokens import query_tokens
from models import database as models_database
from tests.documents.searching.paraphrases import NEARNESS
from tests.documents.searching.test_fusion import EMBEDDER, fill

NEAR, FAR = array("f", [0.9, 0.4358899]), array("f", [0.76, 0.6499231])


def ask(kbs: list[str], mode: Mode, limit: int, per_document: int | None = None) -> list[Hit]:
    """The best hits for `tea`."""
    question = Question(query_tokens("tea"), array("f", [1.0, 0.0]), EMBEDDER, NEARNESS)
    with models_database.transaction(repeatable=True) as session:
        return search(session, dict.fromkeys(kbs, question), mode=mode, limit=limit, per_document=per_document).hits


@pytest.mark.parametrize("mode", ["text", "vector", "hybrid"])
def test_a_document_gives_no_more_hits_than_was_asked_for(database: Engine, mode: Mode) -> None:
    """Although it has more chunks that are better than any other's than are looked at first."""
    fill("kb", [("tea tea tea", NEAR)] * 250, "large")
    fill("kb", [("tea and what else there is to say", FAR)] * 3, "small")
    assert {hit.document_id for hit in ask(["kb"], mode, 4)} == {"large"}
    assert [hit.document_id for hit in ask(["kb"], mode, 4, per_document=2)] == ["large", "large", "small", "small"]
    assert [hit.document_id for hit in ask(["kb"], mode, 10, per_document=1)] == ["large", "small"]


@pytest.mark.parametrize("mode", ["text", "vector", "hybrid"])
def test_the_best_of_all_kbs_come_first(database: Engine, mode: Mode) -> None:
    fill("one", [("tea tea", NEAR), ("tea and what else there is to say", FAR)])
    fill("two", [("tea tea tea tea", NEAR), ("nothing", FAR)])
    hits = ask(["one", "two", "three"], mode, 3)
    assert {hit.kb_id for hit in hits[:2]} == {"one", "two"}
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert len(ask(["one", "two"], mode, 1)) == 1
