"""How likely a KB answers is read off the best score, by the curve of what made the score."""

from __future__ import annotations

from array import array
from typing import Any

import pytest
from sqlalchemy import Engine

from documents.embedding import Curve
from documents.searching.confidence import WORDS
from documents.searching.search import Hit, Mode, Question, search
from documents.splitting.tokens import query_tokens
from documents.storing.filter import Filter
from models import database as models_database
from tests.documents.searching.paraphrases import NEARNESS
from tests.documents.searching.test_fusion import EMBEDDER, fill

NEAR, FAR = array("f", [0.9, 0.4358899]), array("f", [0.76, 0.6499231])


def test_the_better_the_best_score_and_its_lead_the_likelier() -> None:
    curve = Curve(base=-6.0, best=20.0)
    assert curve.at([0.3, 0.29]) == 0.5
    assert 0 < curve.at([0.0]) < 0.01
    assert 0.99 < curve.at([1.0]) < 1
    leading = Curve(base=-6.0, best=5.0, lead=20.0, usual=0.25)
    apart, together = [0.5, *[0.1] * 9], [0.5, *[0.45] * 9]
    assert leading.at(apart) > 0.9 > 0.1 > leading.at(together)
    assert leading.at([0.5, 0.1]) == leading.at([0.5, *[0.25] * 9]), "of a KB of few chunks"
    assert leading.at([]) == 0


@pytest.mark.parametrize(("mode", "curve"), [("text", WORDS), ("vector", NEARNESS.vector), ("hybrid", NEARNESS.hybrid)])
def test_each_mode_has_a_curve_of_its_own(database: Engine, mode: Mode, curve: Curve) -> None:
    fill("one", [("green tea", NEAR), ("nothing", FAR)])
    fill("two", [("something of tea", FAR)])
    question = Question(query_tokens("green tea"), array("f", [1.0, 0.0]), EMBEDDER, NEARNESS)

    def ask(*kbs: str) -> tuple[list[Hit], float]:
        questions = dict.fromkeys(kbs, question)
        with models_database.transaction(repeatable=True) as session:
            answer = search(session, questions, mode=mode, limit=1)
        return answer.hits, answer.confidence

    (hit,), likely = ask("one")
    assert likely == pytest.approx(curve.at([hit.score]), abs=0.001)
    assert likely > ask("two")[1]
    assert ask("one", "two")[1] == likely
    assert ask("none") == ([], 0.0)


def test_what_leaves_hits_out_changes_nothing_and_a_filter_is_about_what_it_leaves(database: Engine) -> None:
    fill("one", [("green tea", NEAR), ("green leaves", FAR), ("nothing", FAR)])
    question = {"one": Question(query_tokens("green tea"), array("f", [1.0, 0.0]), EMBEDDER, NEARNESS)}

    def confidence(**asked: Any) -> float:
        with models_database.transaction(repeatable=True) as session:
            return search(session, question, **asked).confidence

    whole = confidence()
    assert confidence(limit=1) == confidence(min_score=0.99) == confidence(per_document=1) == whole
    assert confidence(filter=Filter(["nowhere"])) == 0.0 < whole
