"""Embeddings by any endpoint that speaks OpenAI's API: OpenAI, Ollama, vLLM, TEI, DashScope and others."""

from __future__ import annotations

import binascii
import sys
from array import array
from base64 import b64decode
from collections.abc import Sequence
from functools import cached_property, partial
from typing import Any

from documents.embedding.batches import HARMLESS
from documents.embedding.interface import Embedded, Kind, Nearness
from documents.embedding.nearness import measured
from documents.embedding.provider import Provider
from errors import TaskError

BASE_URL = "https://api.openai.com/v1"

#: The most tokens that OpenAI takes in one request, all texts together (Azure's reference, "embeddings - create");
#: how many texts an endpoint takes differs so much that it is a setting.
BATCH_TOKENS = 300_000


class OpenAIEmbedder:
    """An embedding model behind an OpenAI-compatible endpoint. No connection is made before its first use.

    Parameters:
      base_url: up to and with its version, as in `http://localhost:11434/v1`; None for OpenAI's own.
      key: None where the endpoint asks for none.
      dimension: of the vectors; None to ask the endpoint when it is first wanted.
      batch_size: texts that one request may hold.
    """

    batch_tokens = BATCH_TOKENS

    def __init__(
        self, key: str | None, model: str, dimension: int | None, base_url: str | None, batch_size: int
    ) -> None:
        self._provider = Provider("The embedding endpoint" if base_url else "OpenAI", key)
        self._url = f"{(base_url or BASE_URL).rstrip('/')}/embeddings"
        self._model = model
        self.batch_size = batch_size
        if dimension is not None:
            self.dimension = dimension

    def __repr__(self) -> str:
        return f"<OpenAIEmbedder {self._model}>"

    @cached_property
    def dimension(self) -> int:
        """The length of every vector.

        Raises:
          TaskError: as `embed` does, when the endpoint has to be asked.
        """
        vectors, _ = self._provider.patiently(partial(self._request, [HARMLESS], "document"), "document")
        if not vectors or not vectors[0]:
            raise TaskError("embedder_unavailable", f"{self._provider.name} returned no vector for a text")
        return len(vectors[0])

    @property
    def name(self) -> str:
        """Provider, model and dimension."""
        return f"openai:{self._model}:{self.dimension}"

    @cached_property
    def nearness(self) -> Nearness:
        """What the model's cosines mean; it is asked when that is first wanted."""
        return measured(lambda texts, kind: self.embed(texts, kind).vectors)

    def embed(self, texts: Sequence[str], kind: Kind) -> Embedded:
        """Embed texts, queries and documents alike, in requests of at most `batch_size`.

        Raises:
          TaskError: rate_limited, embedder_unavailable or embedder_rejected, see `Provider.error`.
        """
        vectors: list[array[float]] = []
        tokens = 0
        for start in range(0, len(texts), self.batch_size):
            batch = texts[start : start + self.batch_size]
            answer, used = self._provider.patiently(partial(self._checked, batch, kind), kind)
            vectors += answer
            tokens += used
        return Embedded(vectors, tokens)

    def _checked(self, texts: Sequence[str], kind: Kind) -> tuple[list[array[float]], int]:
        dimension = self.dimension
        answer, tokens = self._request(texts, kind)
        return self._provider.vectors(answer, len(texts), dimension), tokens

    def _request(self, texts: Sequence[str], kind: Kind) -> tuple[list[Sequence[float]], int]:
        """Ask the endpoint; return vectors as they came, in the order of the texts, and the tokens that it counts."""
        # As OpenAI's own client asks for it: a third of the bytes of numbers in decimals. Some answer in these anyway.
        body = {"model": self._model, "input": list(texts), "encoding_format": "base64"}
        answer = self._provider.post(self._url, body, kind)
        try:
            items = sorted(answer["data"], key=lambda item: int(item.get("index", 0)))
            vectors = [_decoded(item["embedding"]) for item in items]
            usage = answer.get("usage") or {}
            return vectors, int(usage.get("prompt_tokens") or usage.get("total_tokens") or 0)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise TaskError(
                "embedder_unavailable", f"{self._provider.name}'s answer could not be read: {type(error).__name__}"
            ) from None


def _decoded(vector: Any) -> Sequence[float]:
    """Read a vector: a list of numbers as it is; base64 as single-precision floats, lowest byte first.

    Raises:
      ValueError: it is base64 of something else.
    """
    if not isinstance(vector, str):
        return list(vector)
    try:
        floats = array("f", b64decode(vector, validate=True))
    except binascii.Error as error:
        raise ValueError(str(error)) from None
    if sys.byteorder == "big":
        floats.byteswap()
    return floats
