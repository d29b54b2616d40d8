"""Texts in requests that a provider takes, and the guilty ones found where it does not take one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
from pydantic import SecretStr

from documents.embedding import Embedded, Embedder, embedder, provider
from documents.embedding.batches import fitting, outcomes, tokens
from errors import TaskError
from settings import Settings
from tests.cohere_server import KEY, CohereServer, Failure, cohere_server

TEXTS = [f"text number {number}" for number in range(96)]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[CohereServer]:
    """A provider whose failures are tried again at once."""
    monkeypatch.setattr(provider, "sleep", lambda seconds: None)
    with cohere_server() as server:
        yield server


@pytest.fixture
def client(server: CohereServer) -> Embedder:
    return embedder("cohere", Settings(cohere_api_key=SecretStr(KEY), cohere_base_url=server.url))


def results(client: Embedder, texts: Sequence[str]) -> tuple[list[int], dict[int, TaskError]]:
    """The places of the texts that got a vector, and the errors of those that did not."""
    done: list[int] = []
    failed: dict[int, TaskError] = {}
    for places, outcome in outcomes(lambda batch: client.embed(batch, "document"), texts):
        if isinstance(outcome, Embedded):
            assert len(outcome.vectors) == len(places)
            done += places
        else:
            failed[places.start] = outcome
    return done, failed


def test_a_batch_that_is_taken_is_one_request(server: CohereServer, client: Embedder) -> None:
    assert results(client, TEXTS) == (list(range(96)), {})
    assert len(server.requests) == 1


@pytest.mark.parametrize("bad", [{0}, {95}, {3, 4}, {10, 50, 90}])
def test_the_bad_texts_are_found_and_the_others_embedded(server: CohereServer, client: Embedder, bad: set[int]) -> None:
    server.poison["bad word"] = Failure(status=400)
    texts = [f"{text} bad word" if place in bad else text for place, text in enumerate(TEXTS)]
    done, failed = results(client, texts)
    assert done == [place for place in range(96) if place not in bad]
    assert set(failed) == bad
    assert {error.code for error in failed.values()} == {"embedder_rejected"}
    assert len(server.requests) <= 2 + len(bad) * 14, "halving a batch of 96 takes 7 steps of two requests"


@pytest.mark.parametrize("failure", [Failure(status=500), Failure(replaced=float("nan")), Failure(missing=1)])
def test_a_text_that_the_provider_stumbles_over_is_found_as_well(
    server: CohereServer, client: Embedder, failure: Failure
) -> None:
    server.poison["bad word"] = failure
    done, failed = results(client, [*TEXTS[:7], "bad word"])
    assert done == list(range(7))
    assert failed[7].code == "embedder_unavailable"
    assert failed[7].retryable


@pytest.mark.parametrize(("status", "requests"), [(400, 2), (401, 2), (404, 2), (500, 6)])
def test_a_provider_that_takes_nothing_is_not_asked_for_each_text(
    server: CohereServer, client: Embedder, status: int, requests: int
) -> None:
    server.poison[""] = Failure(status=status)
    with pytest.raises(TaskError, match=str(status)):
        results(client, TEXTS)
    assert len(server.requests) == requests


def test_a_provider_that_wants_a_slower_pace_is_not_asked_again(server: CohereServer, client: Embedder) -> None:
    server.fail(Failure(status=429, headers={"retry-after": "30"}))
    with pytest.raises(TaskError) as caught:
        results(client, TEXTS)
    assert (caught.value.code, caught.value.retry_after, len(server.requests)) == ("rate_limited", 30.0, 1)


def test_a_request_holds_no_more_tokens_than_the_provider_takes(client: Embedder) -> None:
    english, chinese = "word " * 4000, "汉字" * 10_000
    assert fitting([english] * 96, client) == client.batch_tokens // tokens(english) == 19
    assert fitting([chinese] * 96, client) == client.batch_tokens // tokens(chinese) == 6
    assert fitting(["short"] * 96, client) == 96
    assert fitting(["汉" * 200_000], client) == 1
