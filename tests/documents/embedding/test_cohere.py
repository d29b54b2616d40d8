"""Cohere's embeddings, through the real SDK, against a server that speaks its wire format."""

from __future__ import annotations

import logging
import math
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from pydantic import SecretStr

from documents.embedding import Embedder, embedder, provider
from errors import TaskError
from settings import Settings
from tests.cohere_server import KEY, CohereServer, Failure, cohere_server, vector


@pytest.fixture
def server() -> Iterator[CohereServer]:
    with cohere_server() as server:
        yield server


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits take no time."""
    monkeypatch.setattr(provider, "sleep", lambda seconds: None)


def settings_for(url: str, key: str = KEY, model: str = "embed-v4.0") -> Settings:
    return Settings(embedder="cohere", cohere_api_key=SecretStr(key), cohere_base_url=url, cohere_model=model)


def embedder_at(url: str, **values: str) -> Embedder:
    return embedder("cohere", settings_for(url, **values))


def failure_of(client: Embedder, texts: list[str] | None = None) -> TaskError:
    with pytest.raises(TaskError) as caught:
        client.embed(texts or ["a text"], "document")
    assert KEY not in str(caught.value)
    assert KEY not in repr(caught.value)
    assert caught.value.__cause__ is None
    return caught.value


def test_it_embeds_in_batches_of_96_and_keeps_the_order(server: CohereServer) -> None:
    texts = [f"text number {number}" for number in range(200)]
    answer = embedder_at(server.url).embed(texts, "document")
    assert [len(request.body["texts"]) for request in server.requests] == [96, 96, 8]
    assert server.texts == texts
    assert answer.tokens == 600
    for text, embedding in zip(texts, answer.vectors, strict=True):
        expected = vector(text, 1024)
        norm = math.hypot(*expected)
        assert embedding.tolist() == pytest.approx([value / norm for value in expected], abs=1e-6)
        assert math.hypot(*embedding) == pytest.approx(1, abs=1e-5)


def test_it_says_what_the_api_asks_for(server: CohereServer) -> None:
    client = embedder_at(server.url)
    client.embed(["a text"], "document")
    client.embed(["a query"], "query")
    first, second = server.requests
    assert first.path == "/v2/embed"
    assert first.headers["authorization"] == f"Bearer {KEY}"
    assert first.body == {
        "model": "embed-v4.0",
        "texts": ["a text"],
        "input_type": "search_document",
        "embedding_types": ["float"],
        "output_dimension": 1024,
    }
    assert second.body["input_type"] == "search_query"


@pytest.mark.parametrize(("model", "dimension"), [("embed-multilingual-v3.0", 1024), ("embed-english-light-v3.0", 384)])
def test_it_asks_older_models_for_no_dimension(server: CohereServer, model: str, dimension: int) -> None:
    server.fail(Failure(dimension=dimension))
    client = embedder_at(server.url, model=model)
    assert client.name == f"cohere:{model}:{dimension}"
    assert len(client.embed(["a text"], "document").vectors[0]) == dimension
    assert "output_dimension" not in server.requests[0].body


def test_it_is_found_again_by_its_name(server: CohereServer) -> None:
    later = settings_for(server.url, model="embed-v9.0")
    client = embedder("cohere:embed-v4.0:512", later)
    assert client.name == "cohere:embed-v4.0:512"
    assert len(client.embed(["a text"], "query").vectors[0]) == 512
    assert server.requests[0].body["model"] == "embed-v4.0"


def test_it_waits_as_long_as_a_short_retry_after_says(server: CohereServer) -> None:
    server.fail(Failure(429, {"Retry-After": "1"}))
    assert len(embedder_at(server.url).embed(["a text"], "document").vectors) == 1
    first, second = server.requests
    assert second.at - first.at >= 1.0


def test_it_leaves_a_long_wait_to_the_task(server: CohereServer) -> None:
    server.fail(Failure(429, {"Retry-After": "30"}))
    error = failure_of(embedder_at(server.url))
    assert (error.code, error.retry_after, error.retryable) == ("rate_limited", 30.0, True)
    assert len(server.requests) == 1


def test_it_understands_a_retry_after_that_is_a_date(server: CohereServer) -> None:
    due = datetime.now(UTC) + timedelta(seconds=60)
    server.fail(Failure(429, {"Retry-After": format_datetime(due, usegmt=True)}))
    assert failure_of(embedder_at(server.url)).retry_after == pytest.approx(60, abs=3)


@pytest.mark.usefixtures("patient")
def test_it_gives_up_after_three_refusals_without_a_retry_after(server: CohereServer) -> None:
    server.fail(*[Failure(429)] * 3)
    error = failure_of(embedder_at(server.url))
    assert (error.code, error.retry_after) == ("rate_limited", None)
    assert len(server.requests) == 3


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_it_tries_again_when_the_provider_fails(server: CohereServer, status: int) -> None:
    server.fail(Failure(status), Failure(status))
    assert len(embedder_at(server.url).embed(["a text"], "document").vectors) == 1
    assert len(server.requests) == 3


@pytest.mark.usefixtures("patient")
def test_it_is_unavailable_while_the_provider_keeps_failing(server: CohereServer) -> None:
    server.fail(*[Failure(500)] * 3)
    error = failure_of(embedder_at(server.url))
    assert (error.code, error.retryable) == ("embedder_unavailable", True)
    assert "500" in error.message
    assert len(server.requests) == 3, "the SDK must not retry on its own"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
def test_it_does_not_repeat_what_is_refused(server: CohereServer, status: int) -> None:
    server.fail(Failure(status))
    error = failure_of(embedder_at(server.url))
    assert (error.code, error.retryable) == ("embedder_rejected", False)
    assert str(status) in error.message
    assert len(server.requests) == 1


def test_it_is_refused_with_a_wrong_key(server: CohereServer) -> None:
    assert failure_of(embedder_at(server.url, key="another key")).code == "embedder_rejected"


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (Failure(missing=1), "1 vectors for 2 texts"),
        (Failure(missing=2), "0 vectors for 2 texts"),
        (Failure(replaced=math.nan), "vector 0 holds a value that is no number"),
        (Failure(replaced=math.inf), "vector 0 holds a value that is no number"),
        (Failure(dimension=512), "vector 0 has 512 dimensions instead of 1024"),
        (Failure(text="<html>busy</html>"), "Cohere"),
        (Failure(text="{}"), "0 vectors for 2 texts"),
    ],
)
def test_it_takes_no_wrong_answer(server: CohereServer, failure: Failure, reason: str) -> None:
    server.fail(*[failure] * 3)
    error = failure_of(embedder_at(server.url), ["a text", "another"])
    assert error.code == "embedder_unavailable"
    assert reason in error.message


@pytest.mark.usefixtures("patient")
def test_it_does_not_wait_for_ever(server: CohereServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provider, "TIMEOUT", {"document": 0.1})
    monkeypatch.setattr("documents.embedding.cohere.TIMEOUT", {"document": 0.1})
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


def test_it_logs_no_key(server: CohereServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    server.fail(Failure(401))
    client = embedder_at(server.url)
    failure_of(client)
    client.embed(["a text"], "query")
    assert KEY not in caplog.text
    assert KEY not in repr(client)


def test_it_needs_a_key() -> None:
    with pytest.raises(TaskError, match="COHERE_API_KEY") as caught:
        embedder("cohere", Settings())
    assert caught.value.code == "embedder_rejected"


def test_a_query_needs_no_sdk(server: CohereServer) -> None:
    """Web embeds queries only, and is deployed without it."""
    code = (
        "import sys\n"
        "sys.modules['cohere'] = None\n"
        "from settings import Settings\n"
        "from documents.embedding import embedder\n"
        f"settings = Settings(cohere_api_key={KEY!r}, cohere_base_url={server.url!r})\n"
        "assert len(embedder('cohere', settings).embed(['a query'], 'query').vectors) == 1\n"
        "assert 'numpy' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
    assert server.texts == ["a query"]


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("failure", [Failure(missing=1), Failure(text="{}"), Failure(500), Failure(replaced=math.nan)])
def test_a_query_is_answered_rightly_or_not_at_all(server: CohereServer, failure: Failure) -> None:
    client = embedder_at(server.url)
    server.fail(*[failure] * 3)
    with pytest.raises(TaskError) as caught:
        client.embed(["a query"], "query")
    assert caught.value.code == "embedder_unavailable"
    server.succeed()
    assert client.embed(["a query"], "query").vectors == client.embed(["a query"], "document").vectors
