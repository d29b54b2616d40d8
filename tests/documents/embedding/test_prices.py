"""What a document's embedding is estimated to have cost."""

from __future__ import annotations

from typing import Any

import pytest

from documents.embedding.prices import cost
from settings import Settings

OWN = {"embedding_base_url": "http://localhost:11434/v1"}


@pytest.mark.parametrize(
    ("embedder", "said", "dollars"),
    [
        ("local:hashed-ngrams:1024", {}, 0.0),
        ("local:hashed-ngrams:1024", {"embedding_price": 5.0}, 0.0),
        ("cohere:embed-v4.0:1024", {}, 0.24),
        ("cohere:embed-v4.0:1024", {"embedding_price": 5.0}, 10.0),
        ("cohere:embed-of-tomorrow:1024", {}, None),
        ("openai:text-embedding-3-small:1536", {}, 0.04),
        ("openai:text-embedding-3-small:1536", OWN, None),
        ("openai:bge-m3:567m:1024", OWN, None),
        ("openai:bge-m3:567m:1024", OWN | {"embedding_price": 0.0}, 0.0),
    ],
)
def test_two_million_tokens_cost(embedder: str, said: dict[str, Any], dollars: float | None) -> None:
    assert cost(embedder, 2_000_000, Settings(**said)) == dollars
