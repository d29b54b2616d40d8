"""A rerank model is asked in the form that all of them take, and what it answers is checked."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest

from documents.searching.reranking import Reranker, reranker
from errors import TaskError
from settings import read
from tests.cohere_server import KEY, Failure
from tests.rerank_server import RerankServer, rerank_server

TEXTS = ["tea is green", "coffee is brown", "milk is white"]


@pytest.fixture
def server() -> Iterator[RerankServer]:
    with rerank_server() as reranking:
        reranking.relevances = {"coffee": 0.9, "milk": 0.5}
        yield reranking


def made(**environment: str) -> Reranker:
    """The reranker of an environment."""
    model = reranker(read(environment))
    assert model is not None
    return model


def endpoint(server: RerankServer) -> Reranker:
    return made(RERANK="endpoint", RERANK_BASE_URL=f"{server.url}/v1/", RERANK_MODEL="bge", RERANK_API_KEY=KEY)


def test_without_a_setting_there_is_none() -> None:
    assert reranker(read({})) is None


def test_cohere_is_asked_as_its_reference_says(server: RerankServer) -> None:
    model = made(RERANK="cohere", COHERE_API_KEY=KEY, COHERE_BASE_URL=server.url, RERANK_MODEL="rerank-v3.5")
    assert model.relevances("coffee?", TEXTS) == [0.1, 0.9, 0.5]
    (request,) = server.requests
    assert (request.path, request.body) == (
        "/v2/rerank",
        {"model": "rerank-v3.5", "query": "coffee?", "documents": TEXTS},
    )


def test_an_endpoint_is_asked_below_its_version(server: RerankServer) -> None:
    assert endpoint(server).relevances("coffee?", TEXTS) == [0.1, 0.9, 0.5]
    (request,) = server.requests
    assert request.path == "/v1/rerank"
    assert request.body == {"model": "bge", "query": "coffee?", "documents": TEXTS, "return_documents": False}


def test_relevances_without_bounds_are_brought_between_0_and_1(server: RerankServer) -> None:
    server.relevances, server.otherwise = {"coffee": 4.0, "milk": 0.5}, -1e9
    tea, coffee, milk = endpoint(server).relevances("coffee?", TEXTS)
    assert coffee == pytest.approx(1 / (1 + math.exp(-4)))
    assert milk == pytest.approx(1 / (1 + math.exp(-0.5)))
    assert 0 <= tea < 1e-6


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (Failure(missing=1), "embedder_unavailable"),
        (Failure(text='{"results": [{"index": 0, "relevance_score": "much"}, 5]}'), "embedder_unavailable"),
        (Failure(text='{"results": [{"index": 7, "relevance_score": 1}]}'), "embedder_unavailable"),
        (Failure(text='{"results": null}'), "embedder_unavailable"),
        (Failure(text="[]"), "embedder_unavailable"),
        (Failure(status=400), "embedder_rejected"),
        (Failure(status=429, headers={"retry-after": "60"}), "rate_limited"),
    ],
)
def test_what_is_no_answer_is_an_error(server: RerankServer, failure: Failure, code: str) -> None:
    server.fail(*[failure] * 3)
    with pytest.raises(TaskError) as caught:
        endpoint(server).relevances("coffee?", TEXTS)
    assert caught.value.code == code
    assert KEY not in caught.value.message


def test_a_failure_that_passes_is_tried_again(server: RerankServer) -> None:
    server.fail(Failure(status=503))
    assert endpoint(server).relevances("coffee?", TEXTS) == [0.1, 0.9, 0.5]
