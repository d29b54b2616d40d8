"""One search of several KBs, whatever their embedders."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.api.conftest import Client, bad_fields, is_problem
from tests.cohere_server import Failure
from tests.openai_server import OpenAIServer, openai_server
from tests.processes import Deployment

SEARCH = "/api/v1/search"


@pytest.fixture
def two(deployment: Deployment) -> Iterator[tuple[Client, OpenAIServer]]:
    """The KB `plain` of the local embedder, and the KB `modelled` of an endpoint."""
    with openai_server() as server:
        deployment.environment.update(EMBEDDING_BASE_URL=f"{server.url}/v1", EMBEDDING_API_KEY=server.key or "")
        deployment.start("web")
        deployment.start("worker")
        client = Client(deployment)
        client.take_in("plain", "Green tea is brewed at eighty degrees.", "tea")
        client.take_in("plain", "Coffee is roasted.", "coffee")
        client.take_in("modelled", "Green tea is grown on hills.", "hills", embedder="openai")
        yield client, server


def test_each_kb_is_asked_with_its_own_embedder(two: tuple[Client, OpenAIServer]) -> None:
    client, server = two
    asked = len(server.requests)
    for mode in ("hybrid", "vector", "text"):
        body = {"kbs": ["plain", "modelled", "plain", "empty"], "query": "green tea", "mode": mode}
        answer = client.http.post(SEARCH, json=body)
        assert answer.status_code == 200, answer.text
        content = answer.json()
        assert content["degraded"] is None
        hits = content["hits"]
        assert {("plain", "tea"), ("modelled", "hills")} <= {(hit["kb_id"], hit["document_id"]) for hit in hits}
        assert len({hit["chunk_id"] for hit in hits}) == len(hits)
        assert [hit["score"] for hit in hits] == sorted((hit["score"] for hit in hits), reverse=True)
    texts = [text for request in server.requests[asked:] for text in request.body["input"]]
    assert texts.count("green tea") == 2, "once for each mode that needs a vector"


def test_where_one_kb_gets_no_vector_all_are_searched_by_words(two: tuple[Client, OpenAIServer]) -> None:
    client, server = two
    server.poison["green"] = Failure(status=400)
    body: dict[str, Any] = {"kbs": ["plain", "modelled"], "query": "green tea"}
    content = client.http.post(SEARCH, json=body).json()
    assert content["degraded"]["reason"] == "embedder_rejected"
    assert {hit["kb_id"] for hit in content["hits"]} == {"plain", "modelled"}
    assert all(hit["scores"]["vector"] is None for hit in content["hits"])
    refused = client.http.post(SEARCH, json={**body, "mode": "vector"})
    assert is_problem(refused, 422)["code"] == "embedder_rejected"
    alone = client.http.post(SEARCH, json={**body, "kbs": ["plain"], "mode": "vector"})
    assert alone.status_code == 200


def test_every_bad_field_is_listed_at_once(client: Client) -> None:
    body = {"kbs": [], "query": "", "limit": 0, "around": -1, "per_document": 0}
    assert bad_fields(client.http.post(SEARCH, json=body)) == set(body)
    assert bad_fields(client.http.post(SEARCH, json={"query": "tea"})) == {"kbs"}
    odd = {"kbs": ["kb", "", "a\0b", "x" * 256], "query": "tea"}
    assert bad_fields(client.http.post(SEARCH, json=odd)) == {"kbs.1", "kbs.2", "kbs.3"}
    assert bad_fields(client.http.post(SEARCH, json={"kbs": ["kb"] * 21, "query": "tea"})) == {"kbs"}
