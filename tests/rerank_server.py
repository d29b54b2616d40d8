"""A server that speaks the rerank request of Cohere, Jina and vLLM, and can be told to fail."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from tests.cohere_server import CohereServer


class RerankServer(CohereServer):
    """`url` is for COHERE_BASE_URL; with `/v1` for RERANK_BASE_URL.

    relevances: of a text by a word in it; of others `otherwise`.
    """

    texts_are_in = "documents"

    def __init__(self) -> None:
        self.relevances: dict[str, float] = {}
        self.otherwise = 0.1
        super().__init__()

    def embedded(self, body: Mapping[str, Any], vectors: list[list[float]]) -> dict[str, Any]:
        results = [
            {"index": index, "relevance_score": self._relevance(text)}
            for index, text in enumerate(body["documents"][: len(vectors)])
        ]
        # The most relevant first, as all of them answer.
        results.sort(key=lambda result: -result["relevance_score"])
        return {"id": "x", "results": results, "meta": {"billed_units": {"search_units": 1}}}

    def _relevance(self, text: str) -> float:
        return next((relevance for word, relevance in self.relevances.items() if word in text), self.otherwise)


@contextmanager
def rerank_server() -> Iterator[RerankServer]:
    """A server of one's own, that is stopped at the end."""
    server = RerankServer()
    try:
        yield server
    finally:
        server.close()
