"""Hits in the order that a model gives them which reads the query and each of them together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from documents.embedding.cohere import BASE_URL
from documents.embedding.provider import Provider
from documents.searching.search import Hit, rounded
from errors import TaskError
from settings import Settings

#: Hits that are read, at least: one request, which Cohere's reference allows to hold 1,000 texts.
READ = 50


class Reranker:
    """A rerank model behind the request that Cohere made: `{model, query, documents}`.

    Parameters:
      name: what messages call it.
      url: the address of the request.
      options: what the request says besides.
    """

    def __init__(self, name: str, url: str, key: str | None, model: str, **options: object) -> None:
        self._provider = Provider(name, key)
        self._url = url
        self._model = model
        self._options = options

    def relevances(self, query: str, texts: Sequence[str]) -> list[float]:
        """Return how relevant each text is to a query, from 0 to 1. What a model gives without bounds goes through the
        logistic function.

        Raises:
          TaskError: what `Provider.post` raises; embedder_unavailable also when a text has no relevance.
        """
        request = {"model": self._model, "query": query, "documents": list(texts), **self._options}
        answer = self._provider.patiently(lambda: self._provider.post(self._url, request, "query"), "query")
        scores = _found(answer)
        if scores.keys() != set(range(len(texts))):
            raise TaskError(
                "embedder_unavailable", f"{self._provider.name} did not say of {len(texts)} texts how relevant each is"
            )
        bounded = all(0 <= relevance <= 1 for relevance in scores.values())
        return [scores[index] if bounded else _logistic(scores[index]) for index in range(len(texts))]


def reranker(settings: Settings) -> Reranker | None:
    """Return the reranker that the settings name, if any."""
    if settings.rerank == "cohere":
        key = settings.cohere_api_key
        return _cohere(key.get_secret_value() if key else None, settings.cohere_base_url, settings.rerank_model)
    if settings.rerank == "endpoint":
        key = settings.rerank_api_key
        return _endpoint(key.get_secret_value() if key else None, settings.rerank_base_url, settings.rerank_model)
    return None


def reranked(hits: Sequence[Hit], relevances: Sequence[float], limit: int, min_score: float) -> list[Hit]:
    """Return the best hits by their relevance, which is their score; those with less than `min_score` are left out."""
    scored = [
        replace(hit, score=rounded(relevance), scores=replace(hit.scores, rerank=rounded(relevance)))
        for hit, relevance in zip(hits, relevances, strict=True)
    ]
    scored.sort(key=lambda hit: -hit.score)
    return [hit for hit in scored[:limit] if hit.score >= min_score]


# Cached, so that all calls of a process share one client and its connections.
@lru_cache(maxsize=2)
def _cohere(key: str | None, base_url: str | None, model: str | None) -> Reranker:
    return Reranker("Cohere", f"{(base_url or BASE_URL).rstrip('/')}/v2/rerank", key, model or "rerank-v5.0-fast")


@lru_cache(maxsize=2)
def _endpoint(key: str | None, base_url: str | None, model: str | None) -> Reranker:
    url = f"{(base_url or '').rstrip('/')}/rerank"
    # Jina's servers send each text back unless they are told not to.
    return Reranker("the rerank endpoint", url, key, model or "", return_documents=False)


def _found(answer: Any) -> dict[int, float]:
    """Return the relevance of each text by its place; what cannot be read is left out."""
    results = answer.get("results")
    pairs = [
        (result.get("index"), result.get("relevance_score"))
        for result in (results if isinstance(results, list) else [])
        if isinstance(result, dict)
    ]
    return {
        index: float(relevance)
        for index, relevance in pairs
        if isinstance(index, int) and isinstance(relevance, int | float) and math.isfinite(relevance)
    }


def _logistic(value: float) -> float:
    return 1 / (1 + math.exp(-max(-500.0, min(500.0, value))))
