"""Hits in the order of a rerank model, and without it when it is away."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.api.conftest import Client, bad_fields
from tests.cohere_server import KEY, Failure
from tests.processes import Deployment
from tests.rerank_server import RerankServer, rerank_server

SEARCH = "/api/v1/kbs/kitchen/search"


@pytest.fixture
def kitchen(deployment: Deployment) -> Iterator[tuple[Client, RerankServer]]:
    """Five documents, of which words find `d0` first, and the model `d3`."""
    with rerank_server() as server:
        server.relevances = {"cellar": 0.8, "attic": 0.6}
        deployment.environment.update(
            RERANK="endpoint", RERANK_BASE_URL=f"{server.url}/v1", RERANK_MODEL="bge", RERANK_API_KEY=KEY
        )
        deployment.start("web")
        deployment.start("worker")
        client = Client(deployment)
        for number, place in enumerate(("kitchen", "hall", "garden", "cellar", "attic")):
            client.take_in(
                "kitchen",
                f"# Tea\n\n{'green tea ' * (5 - number)} in the {place}.",
                f"d{number}",
                content_type="text/markdown",
            )
        yield client, server


def ask(client: Client, **more: Any) -> dict[str, Any]:
    """The answer of a search that asks for reranking."""
    answer = client.http.post(SEARCH, json={"query": "green tea", "rerank": True, **more})
    assert answer.status_code == 200, answer.text
    content: dict[str, Any] = answer.json()
    return content


def names(answer: dict[str, Any]) -> list[str]:
    return [hit["document_id"] for hit in answer["hits"]]


def test_hits_come_in_the_order_of_the_model(kitchen: tuple[Client, RerankServer]) -> None:
    client, server = kitchen
    plain = ask(client, rerank=False)
    assert names(plain)[0] == "d0"
    assert all(hit["scores"]["rerank"] is None for hit in plain["hits"])
    assert server.requests == []
    answer = ask(client, limit=3)
    assert answer["degraded"] is None
    assert names(answer)[:2] == ["d3", "d4"]
    assert [hit["score"] for hit in answer["hits"]] == [0.8, 0.6, 0.1]
    assert [hit["scores"]["rerank"] for hit in answer["hits"]] == [0.8, 0.6, 0.1]
    assert answer["hits"][0]["scores"]["words"] > 0
    # All that were found are read, whatever `limit` says, with their headings.
    (request,) = server.requests
    assert len(request.body["documents"]) == 5
    assert all(text.startswith("Tea\n") for text in request.body["documents"])
    assert names(ask(client, min_score=0.5)) == ["d3", "d4"]
    assert names(ask(client, query="submarine", mode="text")) == []

    # Without the model the hits are those of a search that does not ask for it.
    for failure in (Failure(status=400), Failure(status=429, headers={"retry-after": "60"}), Failure(delay=20)):
        server.fail(failure)
        without = ask(client, limit=2, min_score=plain["hits"][1]["score"])
        assert names(without) == names(plain)[:2]
        assert without["degraded"]["without"] == ["rerank"]
        assert without["degraded"]["reason"] == "rerank_unavailable"
        assert without["degraded"]["detail"]
        server.succeed()


def test_whoever_asks_for_a_model_that_is_not_there_is_told(client: Client) -> None:
    assert bad_fields(client.http.post(SEARCH, json={"query": "tea", "rerank": True})) == {"rerank"}
