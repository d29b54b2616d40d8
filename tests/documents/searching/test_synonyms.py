"""Terms that a KB's owner says are one, found by each other's words."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from sqlalchemy import Engine, event

from documents.searching import word_search
from documents.searching.search import Found, ask, search
from documents.searching.synonyms import LONGEST_TERM, Meant, meant
from documents.splitting.tokens import index_tokens
from models import database as models_database
from models import kb
from tests.documents.searching.test_word_search import add

SYNONYMS = [["VPN", "virtual private network"], ["报销", "费用返还"], ["laptop", "notebook", "portable computer"]]


@pytest.fixture(autouse=True)
def _database(database: Engine) -> None:
    """Each test has a database of its own."""


def fill(*chunks: str, synonyms: Sequence[Sequence[str]] = ()) -> None:
    """A KB of one document with these chunks."""
    add("d", *(" ".join(index_tokens(chunk)) for chunk in chunks))
    if synonyms:
        with models_database.transaction() as session:
            kb.change(session, "kb", {"synonyms": [list(group) for group in synonyms]})


def find(query: str) -> Found:
    with models_database.transaction(repeatable=True) as session:
        return search(session, {"kb": ask(query, None)}, mode="text")


def texts(query: str) -> list[str]:
    return [hit.text for hit in find(query).hits]


def chunk(content: str) -> str:
    return " ".join(index_tokens(content))


LATIN = ("the virtual private network asks for a token", "lunch is served at noon")
CHINESE = ("费用返还须在月底前提交单据", "食堂中午开饭")


@pytest.mark.parametrize(
    ("query", "chunks"),
    [("VPN", LATIN), ("where does my vpn go?", LATIN), ("怎样报销？", CHINESE), ("怎樣報銷？", CHINESE)],
)
def test_a_term_finds_its_synonym_only_where_the_owner_says_so(query: str, chunks: tuple[str, ...]) -> None:
    fill(*chunks)
    assert chunk(chunks[0]) not in texts(query)
    with models_database.transaction() as session:
        kb.change(session, "kb", {"synonyms": SYNONYMS})
    assert texts(query)[0] == chunk(chunks[0])


def test_the_other_way_round_it_is_the_same() -> None:
    fill("the vpn asks for a token", "lunch is served at noon", "每月报销一次", synonyms=SYNONYMS)
    assert texts("our virtual private network") == [chunk("the vpn asks for a token")]
    assert texts("费用返还") == [chunk("每月报销一次")]


def test_a_synonym_of_several_words_is_held_by_what_holds_them_all() -> None:
    fill("a private dining room", "a virtual network", synonyms=SYNONYMS)
    assert texts("VPN") == []


def test_what_says_a_thing_in_both_ways_scores_no_more_than_what_answers() -> None:
    both = "vpn or virtual private network"
    answer = "the vpn token expires at midnight"
    fill(both, answer, "a virtual private network token expires at midnight", *["lunch"] * 20, synonyms=SYNONYMS)
    hits = find("vpn token expires").hits
    assert [hit.text for hit in hits[:3]].index(chunk(both)) == 2
    assert all(0 < hit.score <= 1 for hit in hits)
    assert hits[1].score > 0.7 * hits[0].score, "the synonym is worth as much as the term"


def test_a_score_is_at_most_one() -> None:
    fill("laptop notebook portable computer " * 30, *["lunch"] * 20, synonyms=SYNONYMS)
    for query in ("laptop", "notebook", "portable computer", "laptop notebook", "laptop notebook portable computer"):
        assert 0.8 < find(query).hits[0].score <= 1


def test_a_synonym_is_marked_where_all_of_it_stands() -> None:
    fill("the virtual private network is private", "a private vpn", synonyms=SYNONYMS)
    marked = {hit.text: [hit.text[place.start : place.end] for place in hit.highlights] for hit in find("vpn").hits}
    assert marked == {
        "the virtual private network is private": ["virtual", "private", "network", "private"],
        "a private vpn": ["vpn"],
    }


def test_synonyms_are_found_where_all_words_are_common(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("COMMON_FROM", "COMMON_TO", "LOOKED_AT"):
        monkeypatch.setattr(word_search, name, 5)
    fill(
        *["vpn"] * 10, *["token"] * 10, *["virtual private network"] * 10, "virtual private network token",
        synonyms=SYNONYMS,
    )  # fmt: skip
    assert texts("vpn token")[0] == "virtual private network token"


def test_of_terms_that_overlap_the_longest_is_meant() -> None:
    groups = [["private network", "LAN"], ["virtual private network", "VPN"], ["报销", "x"], ["费用报销", "y"]]
    assert meant("Virtual Private Network 与费用报销", groups) == [
        Meant(frozenset({"virtual", "private", "network"}), (("vpn",),)),
        Meant(frozenset(["费", "用", "报", "销", "费用", "用报", "报销", "费用报", "用报销", "费用报销"]), (("y",),)),
    ]
    assert meant("virtually private networks", groups) == []
    assert [term.others for term in meant("a private network", groups)] == [(("lan",),)]


def test_a_term_of_two_groups_has_the_synonyms_of_both() -> None:
    ((tokens, others),) = [(term.tokens, term.others) for term in meant("the PM", [["PM", "premier"], ["pm", "lead"]])]
    assert (tokens, others) == (frozenset({"pm"}), (("premier",), ("lead",)))


def test_a_kb_without_synonyms_is_asked_the_same_statements() -> None:
    fill(*LATIN)
    with models_database.transaction() as session:
        engine = session.get_bind()
    statements: list[str] = []
    listener = lambda *arguments: statements.append(arguments[2])  # noqa: E731 - SQLAlchemy's own signature
    event.listen(engine, "before_cursor_execute", listener)
    find("virtual token")
    without = list(statements)
    with models_database.transaction() as session:
        kb.change(session, "kb", {"synonyms": [["unheard", "of"]]})
    statements.clear()
    find("virtual token")
    event.remove(engine, "before_cursor_execute", listener)
    assert statements == without


def test_many_synonyms_cost_a_bounded_count() -> None:
    groups = [["报销", *("返" * (LONGEST_TERM - 2) + chr(0x4E00 + n) for n in range(19))]] * 50
    fill(*CHINESE, synonyms=groups)
    assert texts("报销") == []


def test_a_rare_synonym_loses_nothing_that_holds_all_words(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("COMMON_FROM", "COMMON_TO", "LOOKED_AT"):
        monkeypatch.setattr(word_search, name, 5)
    monkeypatch.setattr(word_search, "MOST", 20)
    chunks = *["vpn"] * 40, *["token"] * 40, "vpn token", "laptop"
    fill(*chunks)
    assert texts("vpn token")[0] == "vpn token"
    with models_database.transaction() as session:
        kb.change(session, "kb", {"synonyms": [["vpn", "laptop"]]})
    assert texts("vpn token")[0] == "vpn token"


def test_synonyms_crowd_out_none_of_the_words_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(word_search, "LOOKED_AT", 6)
    others = [f"other{number}" for number in range(8)]
    fill(*["token"] * 3, *["vpn"] * 3, *others, *["lunch"] * 20, synonyms=[["vpn", *others]])
    assert set(texts("vpn token")) >= {"vpn", "token"}
    assert set(texts("vpn token")) & set(others), "synonyms are looked for besides"
