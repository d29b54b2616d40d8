"""Embeddings by an OpenAI-compatible endpoint, against a server that speaks its wire format."""

from __future__ import annotations

import json
import math
import socket
from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from documents.embedding import Embedded, Embedder, embedder, provider
from documents.embedding.batches import outcomes
from errors import TaskError
from settings import Settings
from tests.cohere_server import KEY, Failure, vector
from tests.openai_server import OpenAIServer, openai_server

MODEL = "bge-m3:567m"


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with openai_server() as server:
        yield server


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits take no time."""
    monkeypatch.setattr(provider, "sleep", lambda seconds: None)


def settings_for(url: str, key: str = KEY) -> Settings:
    return Settings(
        embedder="openai",
        embedding_base_url=f"{url}/v1",
        embedding_api_key=SecretStr(key),
        embedding_model=MODEL,
    )


def embedder_at(url: str, key: str = KEY, dimension: int = 1024) -> Embedder:
    """By its full name, so that the endpoint is not asked for the dimension."""
    return embedder(f"openai:{MODEL}:{dimension}", settings_for(url, key))


def failure_of(client: Embedder, texts: list[str] | None = None) -> TaskError:
    with pytest.raises(TaskError) as caught:
        client.embed(texts or ["a text"], "document")
    assert KEY not in str(caught.value)
    assert KEY not in repr(caught.value)
    assert caught.value.__cause__ is None
    return caught.value


@pytest.mark.parametrize("base64", [True, False])
def test_it_embeds_in_batches_and_keeps_the_order(base64: bool) -> None:
    texts = [f"text number {number}" for number in range(70)]
    with openai_server(base64=base64) as server:
        answer = embedder_at(server.url).embed(texts, "document")
        assert [len(request.body["input"]) for request in server.requests] == [32, 32, 6]
    assert answer.tokens == 210
    for text, embedding in zip(texts, answer.vectors, strict=True):
        expected = vector(text, 1024)
        norm = math.hypot(*expected)
        assert embedding.tolist() == pytest.approx([value / norm for value in expected], abs=1e-6)


def test_it_says_what_the_api_asks_for(server: OpenAIServer) -> None:
    embedder_at(server.url).embed(["a text"], "query")
    (request,) = server.requests
    assert request.path == "/v1/embeddings"
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.body == {"model": MODEL, "input": ["a text"], "encoding_format": "base64"}


def test_an_endpoint_without_a_key_is_sent_none() -> None:
    with openai_server() as server:
        server.key = None
        server.poison[""] = Failure(text='{"data": [{"index": 0, "embedding": [3, 4]}]}')
        client = embedder("openai", Settings(embedding_base_url=f"{server.url}/v1/"))
        assert client.embed(["a text"], "document").vectors[0].tolist() == pytest.approx([0.6, 0.8])
        assert {request.path for request in server.requests} == {"/v1/embeddings"}


def test_it_asks_once_how_long_the_vectors_are(server: OpenAIServer) -> None:
    client = embedder("openai", settings_for(server.url))
    assert client.name == f"openai:{MODEL}:1024"
    assert client.dimension == 1024
    assert embedder("openai", settings_for(server.url)).name == client.name
    assert len(server.requests) == 1
    later = settings_for(server.url).model_copy(update={"embedding_model": "another"})
    assert embedder(client.name, later).name == client.name
    embedder(client.name, later).embed(["a text"], "query")
    assert server.requests[-1].body["model"] == MODEL


def test_it_waits_as_long_as_a_short_retry_after_says(server: OpenAIServer) -> None:
    server.fail(Failure(429, {"Retry-After": "1"}))
    assert len(embedder_at(server.url).embed(["a text"], "document").vectors) == 1
    first, second = server.requests
    assert second.at - first.at >= 1.0


def test_it_leaves_a_long_wait_to_the_task(server: OpenAIServer) -> None:
    server.fail(Failure(429, {"Retry-After": "30"}))
    error = failure_of(embedder_at(server.url))
    assert (error.code, error.retry_after, error.retryable) == ("rate_limited", 30.0, True)
    assert len(server.requests) == 1


def test_a_quota_that_is_used_up_does_not_come_back_by_waiting(server: OpenAIServer) -> None:
    said = {"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}}
    server.fail(Failure(429, text=json.dumps(said)))
    error = failure_of(embedder_at(server.url))
    assert (error.code, error.retryable) == ("embedder_rejected", False)
    assert "exceeded your current quota" in error.message


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("status", [500, 502, 503])
def test_it_tries_three_times_when_the_endpoint_fails(server: OpenAIServer, status: int) -> None:
    client = embedder_at(server.url)
    server.fail(Failure(status), Failure(status))
    assert len(client.embed(["a text"], "document").vectors) == 1
    server.fail(*[Failure(status)] * 3)
    error = failure_of(client)
    assert (error.code, error.retryable) == ("embedder_unavailable", True)
    assert f"{status}: status {status}, said to the holder of Bearer …" in error.message
    assert len(server.requests) == 6


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422])
def test_it_does_not_repeat_what_is_refused(server: OpenAIServer, status: int) -> None:
    server.fail(Failure(status))
    assert failure_of(embedder_at(server.url)).code == "embedder_rejected"
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "said",
    [
        {"error": {"message": "maximum context length is 512 tokens"}},
        {"error": "maximum context length is 512 tokens", "error_type": "Validation"},
        {"object": "error", "message": "maximum context length is 512 tokens", "code": 400},
    ],
    ids=["OpenAI, Ollama, DashScope", "TEI", "vLLM"],
)
def test_a_text_that_is_too_long_is_named_with_what_the_endpoint_says(server: OpenAIServer, said: object) -> None:
    server.poison["too long"] = Failure(400, text=json.dumps(said))
    client = embedder_at(server.url)
    results = list(outcomes(lambda texts: client.embed(texts, "document"), ["short", "too long", "brief", "terse"]))
    assert [list(places) for places, _ in results] == [[0], [1], [2, 3]]
    ((error,),) = [[outcome] for _, outcome in results if not isinstance(outcome, Embedded)]
    assert isinstance(error, TaskError)
    assert error.code == "embedder_rejected"
    assert error.message.endswith("maximum context length is 512 tokens")


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (Failure(missing=1), "1 vectors for 2 texts"),
        (Failure(missing=2), "0 vectors for 2 texts"),
        (Failure(replaced=math.nan), "vector 0 holds a value that is no number"),
        (Failure(replaced=math.inf), "vector 0 holds a value that is no number"),
        (Failure(dimension=512), "vector 0 has 512 dimensions instead of 1024"),
        (Failure(text='{"data": [{"embedding": [null]}, {"embedding": [1]}]}'), "1 dimensions instead of 1024"),
        (Failure(text='{"data": [{"embedding": "not base64"}, {"embedding": ""}]}'), "could not be read"),
        (Failure(text='{"data": [{"index": 0}, 7]}'), "could not be read"),
        (Failure(text="<html>busy</html>"), "answered 200"),
        (Failure(text="{}"), "could not be read"),
        (Failure(text="[]"), "answered 200"),
    ],
)
def test_it_takes_no_wrong_answer(server: OpenAIServer, failure: Failure, reason: str) -> None:
    server.fail(*[failure] * 3)
    error = failure_of(embedder_at(server.url), ["a text", "another"])
    assert error.code == "embedder_unavailable"
    assert reason in error.message


@pytest.mark.usefixtures("patient")
def test_it_does_not_wait_for_ever(server: OpenAIServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provider, "TIMEOUT", {"document": 0.1})
    server.fail(*[Failure(delay=1)] * 3)
    error = failure_of(embedder_at(server.url))
    assert (error.code, error.retryable) == ("embedder_unavailable", True)
    assert "Timeout" in error.message


@pytest.mark.usefixtures("patient")
def test_it_is_unavailable_when_nobody_listens() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        error = failure_of(embedder_at(f"http://127.0.0.1:{taken.getsockname()[1]}"))
    assert error.code == "embedder_unavailable"


def test_it_needs_a_key_or_an_address() -> None:
    with pytest.raises(TaskError, match="EMBEDDING_BASE_URL") as caught:
        embedder("openai", Settings())
    assert caught.value.code == "embedder_rejected"


def test_prefixes_go_before_queries_and_documents(server: OpenAIServer) -> None:
    prefixes = {"embedding_query_prefix": "query: ", "embedding_document_prefix": "passage: "}
    settings = settings_for(server.url).model_copy(update=prefixes)
    client = embedder(f"openai:{MODEL}:1024", settings)
    assert client.name == f"openai:{MODEL}:1024"
    client.embed(["tea"], "query")
    client.embed(["tea"], "document")
    assert [request.body["input"] for request in server.requests[-2:]] == [["query: tea"], ["passage: tea"]]
