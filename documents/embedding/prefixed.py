"""What some models want to be told before each text: whether it is a query or a document."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from documents.embedding.interface import Embedded, Embedder, Kind, Nearness
from documents.embedding.nearness import measured


class Prefixed:
    """An embedder whose texts are given prefixes; all else is its own."""

    def __init__(self, embedder: Embedder, query: str, document: str) -> None:
        self._embedder = embedder
        self._prefixes: dict[Kind, str] = {"query": query, "document": document}
        self.batch_size = embedder.batch_size
        self.batch_tokens = embedder.batch_tokens

    def __repr__(self) -> str:
        return repr(self._embedder)

    @property
    def name(self) -> str:
        """That of the embedder."""
        return self._embedder.name

    @property
    def dimension(self) -> int:
        """That of the embedder."""
        return self._embedder.dimension

    @cached_property
    def nearness(self) -> Nearness:
        """With the prefixes: they change the cosines."""
        return measured(lambda texts, kind: self.embed(texts, kind).vectors)

    def embed(self, texts: Sequence[str], kind: Kind) -> Embedded:
        """Embed texts with their prefix.

        Raises:
          TaskError: what the embedder raises.
        """
        return self._embedder.embed([self._prefixes[kind] + text for text in texts], kind)
