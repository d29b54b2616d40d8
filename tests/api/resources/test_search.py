"""Searching a KB over HTTP."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from tests.api.conftest import Client, bad_fields, is_problem

TEXTS = {
    "tea": "# Tea\n\nGreen tea is brewed at eighty degrees. 绿茶要用八十度的水冲泡两分钟。",
    "coffee": "# Coffee\n\nCoffee is brewed at ninety-five degrees. 咖啡要用九十五度的水冲泡。",
    "leave": "# Leave\n\nEvery employee has thirty days of leave a year. 每位员工每年有三十天年假。",
}

METADATA: dict[str, dict[str, Any]] = {
    "tea": {"author": "陆羽", "tags": ["drink", "leaf"], "year": 760, "shelf": {"room": 1, "row": 2}},
    "coffee": {"author": "Ukers", "tags": ["drink"], "year": 1922, "reviewed": None},
    "leave": {"author": "Office", "tags": [], "year": 1922, "final": True},
}


@pytest.fixture(scope="module")
def kitchen(running: Any) -> tuple[Client, str]:
    """A KB of three documents."""
    client = Client(running)
    for document_id, content in TEXTS.items():
        payload = {"content": content, "document_id": document_id, "content_type": "text/markdown"}
        task = {"task_type": "document_processing", "kb_id": "kitchen", "payload": payload}
        assert client.ended(client.submit(**task, metadata=METADATA[document_id]))["status"] == "completed"
    return client, "/api/v1/kbs/kitchen/search"


@pytest.mark.parametrize("mode", ["hybrid", "vector", "text"])
@pytest.mark.parametrize(("query", "best"), [("green tea", "tea"), ("三十天年假", "leave")])
def test_each_mode_finds_the_best_document_first(kitchen: tuple[Client, str], mode: str, query: str, best: str) -> None:
    client, search = kitchen
    answer = client.http.post(search, json={"query": query, "mode": mode})
    assert answer.status_code == 200
    content = answer.json()
    hit = content["hits"][0]
    assert hit["document_id"] == best
    assert set(hit) == {
        "kb_id",
        "document_id",
        "chunk_id",
        "chunk_ids",
        "text",
        "score",
        "scores",
        "page",
        "heading_path",
        "context",
        "start",
        "end",
        "highlights",
        "before",
        "after",
    }
    assert hit["heading_path"] == [best.capitalize()]
    text = client.http.get(f"/api/v1/kbs/kitchen/documents/{best}/text").content.decode()
    assert text[hit["start"] : hit["end"]] == hit["text"]
    chunks = client.http.get(f"/api/v1/kbs/kitchen/documents/{best}/chunks").json()["items"]
    assert hit["chunk_id"] in {chunk["chunk_id"] for chunk in chunks}
    scores = [other["score"] for other in content["hits"]]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)
    assert {part for part, score in hit["scores"].items() if score is not None} == {
        "hybrid": {"words", "vector"},
        "vector": {"vector"},
        "text": {"words"},
    }[mode]
    assert 0 < content["confidence"] <= 1
    assert content["took_ms"] > 0


@pytest.mark.parametrize("mode", ["hybrid", "text"])
def test_confidence_tells_what_a_kb_answers_from_what_it_does_not(kitchen: tuple[Client, str], mode: str) -> None:
    """At the threshold of docs/retrieval.md."""
    client, search = kitchen
    for query in ("At how many degrees is green tea brewed?", "每位员工有多少天年假？"):
        assert client.http.post(search, json={"query": query, "mode": mode}).json()["confidence"] > 0.25
    for query in ("How do submarines dive below the degrees of ice?", "潜水艇每天怎样下潜？", "submarine"):
        assert client.http.post(search, json={"query": query, "mode": mode}).json()["confidence"] < 0.25
    assert client.http.post(search, json={"query": "…", "mode": mode}).json()["confidence"] == 0


def test_words_alone_find_nothing_where_none_occurs(kitchen: tuple[Client, str]) -> None:
    client, search = kitchen
    assert client.http.post(search, json={"query": "submarine", "mode": "text"}).json()["hits"] == []


def test_hits_that_score_less_than_was_asked_for_are_left_out(kitchen: tuple[Client, str]) -> None:
    client, search = kitchen
    every = client.http.post(search, json={"query": "green tea"}).json()["hits"]
    least = {"query": "green tea", "min_score": every[0]["score"]}
    assert client.http.post(search, json=least).json()["hits"] == every[:1]
    assert bad_fields(client.http.post(search, json={"query": "tea", "min_score": 1.1})) == {"min_score"}


def test_no_more_is_found_than_was_asked_for(kitchen: tuple[Client, str]) -> None:
    client, search = kitchen
    assert len(client.http.post(search, json={"query": "brewed degrees", "limit": 1}).json()["hits"]) == 1
    assert len(client.http.post(search, json={"query": "brewed degrees", "limit": 100}).json()["hits"]) <= 3


@pytest.mark.parametrize("mode", ["hybrid", "vector", "text"])
@pytest.mark.parametrize(
    ("wanted", "documents"),
    [("coffee", {"coffee"}), (["coffee", "tea"], {"coffee", "tea"}), (["cocoa"], set()), ([], set())],
    ids=["one", "two", "none of it", "none"],
)
def test_a_filter_leaves_only_what_it_names(
    kitchen: tuple[Client, str], mode: str, wanted: str | list[str], documents: set[str]
) -> None:
    client, search = kitchen
    body = {"query": "brewed at degrees", "mode": mode, "filter": {"documents": wanted}}
    hits = client.http.post(search, json=body).json()["hits"]
    assert {hit["document_id"] for hit in hits} == documents


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
    ("filter", "field"),
    [(b'{"colour": 1}', "filter.colour"), (b'{"documents": {}}', "filter.documents.str"),
     (b'{"documents": [5]}', "filter.documents.list[str].0"), (b'{"documents": "\\u0000"}', "filter.documents"),
     (b'{"document_id": ["\\ud800"]}', "filter.document_id"), (b'{"\\ud800": 1}', "filter"),
     (b'{"metadata": "x"}', "filter.metadata"), (b'{"metadata": {"a": "\\u0000"}}', "filter.metadata"),
     (b'{"metadata": {"a": ["\\ud800"]}}', "filter.metadata")],
    ids=["unknown", "object", "numbers", "nul", "surrogate", "surrogate name", "no object", "nul in it", "half in it"],
)  # fmt: skip
def test_a_filter_that_is_not_understood_is_refused(kitchen: tuple[Client, str], filter: bytes, field: str) -> None:
    client, search = kitchen
    body = b'{"query": "tea", "filter": ' + filter + b"}"
    answer = client.http.post(search, content=body, headers={"content-type": "application/json"})
    assert field in bad_fields(answer)


@pytest.mark.parametrize("mode", ["hybrid", "vector", "text"])
@pytest.mark.parametrize(
    ("wanted", "documents"),
    [
        ({"author": "陆羽"}, {"tea"}),
        ({"author": ["陆羽", "Ukers"]}, {"tea", "coffee"}),
        ({"tags": "drink"}, {"tea", "coffee"}),
        ({"tags": ["leaf", "root"]}, {"tea"}),
        ({"year": 1922}, {"coffee", "leave"}),
        ({"year": "1922"}, set()),
        ({"year": 1922, "tags": "drink"}, {"coffee"}),
        ({"shelf": {"room": 1}}, {"tea"}),
        ({"final": True}, {"leave"}),
        ({"reviewed": None}, {"coffee"}),
        ({"author": []}, set()),
        ({"editor": "x"}, set()),
        ({}, {"tea", "coffee", "leave"}),
    ],
)
def test_documents_are_found_by_what_their_submission_said(
    kitchen: tuple[Client, str], mode: str, wanted: dict[str, Any], documents: set[str]
) -> None:
    client, search = kitchen
    body = {"query": "brewed at degrees, days of leave", "mode": mode, "filter": {"metadata": wanted}}
    hits = client.http.post(search, json=body).json()["hits"]
    assert {hit["document_id"] for hit in hits} == documents


def test_all_conditions_of_a_filter_count(kitchen: tuple[Client, str]) -> None:
    client, search = kitchen
    body = {"query": "brewed", "filter": {"documents": ["tea", "leave"], "metadata": {"tags": "drink"}}}
    assert [hit["document_id"] for hit in client.http.post(search, json=body).json()["hits"]] == ["tea"]


def test_a_document_shows_and_replaces_its_metadata(client: Client, kb_id: str) -> None:
    payload = {"content": "Green tea.", "document_id": "d"}
    for said in ({"year": 1}, {"year": 2}):
        task = {"task_type": "document_processing", "kb_id": kb_id, "payload": payload, "metadata": said}
        assert client.ended(client.submit(**task))["status"] == "completed"
        assert client.http.get(f"/api/v1/kbs/{kb_id}/documents/d").json()["metadata"] == said
    for year, count in ((1, 0), (2, 1)):
        body = {"query": "tea", "filter": {"metadata": {"year": year}}}
        assert len(client.http.post(f"/api/v1/kbs/{kb_id}/search", json=body).json()["hits"]) == count


@pytest.mark.parametrize("mode", ["hybrid", "vector", "text"])
@pytest.mark.parametrize(
    ("query", "marked"),
    [
        ("ＧＲＥＥＮ tea", ["Tea", "Green", "tea"]),
        ("冲泡绿茶的水温", ["绿茶", "的水冲泡"]),
        ("GREEN 绿茶", ["Green", "绿茶"]),
    ],
)
def test_what_is_found_is_marked(kitchen: tuple[Client, str], mode: str, query: str, marked: list[str]) -> None:
    client, search = kitchen
    hit = client.http.post(search, json={"query": query, "mode": mode}).json()["hits"][0]
    assert hit["document_id"] == "tea"
    assert [hit["text"][mark["start"] : mark["end"]] for mark in hit["highlights"]] == marked


def test_what_is_deleted_is_not_found_while_others_search(client: Client, kb_id: str) -> None:
    """Every search that begins after a deletion was answered misses what was deleted."""
    names = [f"d{number}" for number in range(6)]
    for name in names:
        client.take_in(kb_id, f"Green tea of garden {name}.", name)
    gone: set[str] = set()
    broken: list[str] = []
    done = threading.Event()

    def look(mode: str) -> None:
        while not done.is_set():
            missing = set(gone)
            answer = client.http.post(f"/api/v1/kbs/{kb_id}/search", json={"query": "green tea", "mode": mode})
            documents = {hit["document_id"] for hit in answer.json()["hits"]}
            broken.extend(documents & missing)

    searchers = [threading.Thread(target=look, args=(mode,)) for mode in ("hybrid", "vector", "text")]
    for searcher in searchers:
        searcher.start()
    for name in names:
        assert client.http.delete(f"/api/v1/kbs/{kb_id}/documents/{name}").status_code == 204
        gone.add(name)
    body = {"query": "green tea"}
    assert client.http.post(f"/api/v1/kbs/{kb_id}/search", json=body).json()["hits"] == []
    done.set()
    for searcher in searchers:
        searcher.join()
    assert broken == []


def test_half_a_character_in_a_query_is_refused(kitchen: tuple[Client, str]) -> None:
    client, search = kitchen
    headers = {"content-type": "application/json"}
    assert bad_fields(client.http.post(search, content=b'{"query": "\\ud83c"}', headers=headers)) == {"query"}


def test_a_name_that_no_kb_can_have_is_a_bad_request(kitchen: tuple[Client, str]) -> None:
    client, _ = kitchen
    is_problem(client.http.post("/api/v1/kbs/%00/search", json={"query": "tea"}), 400)


@pytest.mark.parametrize("mode", ["hybrid", "text"])
def test_traditional_and_simplified_chinese_find_each_other(client: Client, kb_id: str, mode: str) -> None:
    client.take_in(kb_id, "機器學習需要大量的資料。", "traditional")
    client.take_in(kb_id, "机器学习需要大量的资料。", "simplified")
    for query in ("机器学习", "機器學習"):
        hits = client.http.post(f"/api/v1/kbs/{kb_id}/search", json={"query": query, "mode": mode}).json()["hits"]
        assert {hit["document_id"] for hit in hits} == {"traditional", "simplified"}
        for hit in hits:
            marked = [hit["text"][mark["start"] : mark["end"]] for mark in hit["highlights"]]
            assert marked in (["機器學習"], ["机器学习"])


def test_a_mistyped_word_finds_and_marks_what_was_meant(kitchen: tuple[Client, str]) -> None:
    client, search = kitchen
    for more in ({}, {"join": True}):
        (hit,) = client.http.post(search, json={"query": "emploiee", "mode": "text", **more}).json()["hits"]
        assert hit["document_id"] == "leave"
        assert [hit["text"][mark["start"] : mark["end"]] for mark in hit["highlights"]] == ["employee"]
