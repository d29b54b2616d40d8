"""Searching a KB over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.conftest import Client, bad_fields, is_problem

TEXTS = {
    "tea": "# Tea\n\nGreen tea is brewed at eighty degrees. 绿茶要用八十度的水冲泡两分钟。",
    "coffee": "# Coffee\n\nCoffee is brewed at ninety-five degrees. 咖啡要用九十五度的水冲泡。",
    "leave": "# Leave\n\nEvery employee has thirty days of leave a year. 每位员工每年有三十天年假。",
}


@pytest.fixture(scope="module")
def kitchen(running: Any) -> tuple[Client, str]:
    """A KB of three documents."""
    client = Client(running)
    for document_id, content in TEXTS.items():
        client.take_in("kitchen", content, document_id, content_type="text/markdown")
    return client, "/api/v1/kbs/kitchen/search"


@pytest.mark.parametrize("mode", ["hybrid", "vector", "text"])
@pytest.mark.parametrize(("query", "best"), [("green tea", "tea"), ("三十天年假", "leave")])
def test_each_mode_finds_the_best_document_first(kitchen: tuple[Client, str], mode: str, query: str, best: str) -> None:
    client, search = kitchen
    answer = client.http.post(search, json={"query": query, "mode": mode})
    assert answer.status_code == 200
    found = answer.json()
    hit = found["hits"][0]
    assert hit["document_id"] == best
    assert set(hit) == {"document_id", "chunk_id", "text", "score", "page", "heading_path", "start", "end"}
    assert hit["heading_path"] == [best.capitalize()]
    text = client.http.get(f"/api/v1/kbs/kitchen/documents/{best}/text").content.decode()
    assert text[hit["start"] : hit["end"]] == hit["text"]
    chunks = client.http.get(f"/api/v1/kbs/kitchen/documents/{best}/chunks").json()["items"]
    assert hit["chunk_id"] in {chunk["chunk_id"] for chunk in chunks}
    scores = [each["score"] for each in found["hits"]]
    assert scores == sorted(scores, reverse=True)
    assert found["took_ms"] > 0


def test_words_alone_find_nothing_where_none_occurs(kitchen: tuple[Client, str]) -> None:
    client, search = kitchen
    assert client.http.post(search, json={"query": "submarine", "mode": "text"}).json()["hits"] == []


def test_no_more_is_found_than_was_asked_for(kitchen: tuple[Client, str]) -> None:
    client, search = kitchen
    assert len(client.http.post(search, json={"query": "brewed degrees", "limit": 1}).json()["hits"]) == 1
    assert len(client.http.post(search, json={"query": "brewed degrees", "limit": 100}).json()["hits"]) <= 3


@pytest.mark.parametrize("mode", ["hybrid", "vector", "text"])
@pytest.mark.parametrize(
    ("wanted", "found"),
    [("coffee", {"coffee"}), (["coffee", "tea"], {"coffee", "tea"}), (["cocoa"], set()), ([], set())],
    ids=["one", "two", "none of it", "none"],
)
def test_a_filter_leaves_only_what_it_names(
    kitchen: tuple[Client, str], mode: str, wanted: str | list[str], found: set[str]
) -> None:
    client, search = kitchen
    body = {"query": "brewed at degrees", "mode": mode, "filter": {"document_id": wanted}}
    hits = client.http.post(search, json=body).json()["hits"]
    assert {hit["document_id"] for hit in hits} == found


@pytest.mark.parametrize(
    "query", ["\0", "tea \0 tea", " ", "…", "'\\ | & ! ( ) : *", "<->", "'" * 500, "\uffff", "🍵", "a" * 10_000]
)
@pytest.mark.parametrize("mode", ["hybrid", "vector", "text"])
def test_no_query_is_an_error_for_what_it_is_written_with(kitchen: tuple[Client, str], query: str, mode: str) -> None:
    client, search = kitchen
    answer = client.http.post(search, json={"query": query, "mode": mode})
    assert answer.status_code == 200, answer.text


def test_an_empty_kb_has_no_hits(kitchen: tuple[Client, str], kb_id: str) -> None:
    client, _ = kitchen
    for mode in ("hybrid", "vector", "text"):
        answer = client.http.post(f"/api/v1/kbs/{kb_id}/search", json={"query": "tea", "mode": mode})
        assert (answer.status_code, answer.json()["hits"]) == (200, [])


def test_every_bad_field_is_listed_at_once(kitchen: tuple[Client, str]) -> None:
    client, search = kitchen
    body = {"query": "", "limit": 101, "mode": "guess", "filter": [], "colour": "red"}
    assert bad_fields(client.http.post(search, json=body)) == set(body)
    assert bad_fields(client.http.post(search, json={})) == {"query"}
    assert bad_fields(client.http.post(search, json={"query": "x" * 10_001})) == {"query"}


@pytest.mark.parametrize(
    "filter",
    [b'{"colour": 1}', b'{"document_id": 5}', b'{"document_id": [5]}', b'{"document_id": {}}',
     b'{"document_id": "\\u0000"}', b'{"document_id": ["\\ud800"]}', b'{"\\ud800": 1}'],
    ids=["unknown", "number", "numbers", "object", "nul", "surrogate", "surrogate name"],
)  # fmt: skip
def test_a_filter_that_is_not_understood_is_refused(kitchen: tuple[Client, str], filter: bytes) -> None:
    client, search = kitchen
    body = b'{"query": "tea", "filter": ' + filter + b"}"
    answer = client.http.post(search, content=body, headers={"content-type": "application/json"})
    assert bad_fields(answer) == {"filter"}


def test_half_a_character_in_a_query_is_refused(kitchen: tuple[Client, str]) -> None:
    client, search = kitchen
    headers = {"content-type": "application/json"}
    assert bad_fields(client.http.post(search, content=b'{"query": "\\ud83c"}', headers=headers)) == {"query"}


def test_a_name_that_no_kb_can_have_is_a_bad_request(kitchen: tuple[Client, str]) -> None:
    client, _ = kitchen
    is_problem(client.http.post("/api/v1/kbs/%00/search", json={"query": "tea"}), 400)
