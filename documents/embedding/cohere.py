"""Embeddings by Cohere's API: documents through its own SDK, queries by a plain request."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from documents.embedding.interface import Embedded, Kind, Nearness
from documents.embedding.nearness import measured
from documents.embedding.provider import TIMEOUT, Provider
from errors import TaskError

if TYPE_CHECKING:
    from cohere import ClientV2

#: The most texts that one call may hold (Cohere's API reference, v2/embed), and the most tokens of all of them
#: together (of embed-v4.0; Oracle's reference of the same model, which names it, says 128,000).
BATCH_SIZE = 96
BATCH_TOKENS = 128_000

#: Of the sizes that models from v4 on offer (256 to 1,536), the one that older models have.
DIMENSION = 1024
LIGHT_DIMENSION = 384

BASE_URL = "https://api.cohere.com"

_INPUT_TYPES: Mapping[Kind, str] = {"document": "search_document", "query": "search_query"}


class CohereEmbedder:
    """An embedding model of Cohere's. No connection is made, and the SDK is not imported, before its first use.

    Parameters:
      dimension: of the vectors; None for the model's usual one here. Models before v4 have only one.
      base_url: None for Cohere's own.
    """

    batch_size = BATCH_SIZE
    batch_tokens = BATCH_TOKENS

    def __init__(self, key: str, model: str, dimension: int | None = None, base_url: str | None = None) -> None:
        self._provider = Provider("Cohere", key)
        self._key = key
        self._model = model
        self._base_url = (base_url or BASE_URL).rstrip("/")
        self._adjustable = "-v3" not in model and "-v2" not in model
        self.dimension = dimension or (LIGHT_DIMENSION if "light" in model else DIMENSION)
        self.name = f"cohere:{model}:{self.dimension}"

    def __repr__(self) -> str:
        return f"<CohereEmbedder {self.name}>"

    @cached_property
    def nearness(self) -> Nearness:
        """What the model's cosines mean; it is asked when that is first wanted."""
        return measured(lambda texts, kind: self.embed(texts, kind).vectors)

    def embed(self, texts: Sequence[str], kind: Kind) -> Embedded:
        """Embed texts, in calls of at most BATCH_SIZE.

        Raises:
          TaskError: rate_limited, embedder_unavailable or embedder_rejected, see `Provider.error`.
        """
        vectors: list[array[float]] = []
        tokens = 0
        for start in range(0, len(texts), BATCH_SIZE):
            call = partial(self._embed, texts[start : start + BATCH_SIZE], kind)
            answer, used = self._provider.patiently(call, kind)
            vectors += answer
            tokens += used
        return Embedded(vectors, tokens)

    def _embed(self, texts: Sequence[str], kind: Kind) -> tuple[list[array[float]], int]:
        options: dict[str, Any] = {"output_dimension": self.dimension} if self._adjustable else {}
        request = {
            "model": self._model,
            "texts": list(texts),
            "input_type": _INPUT_TYPES[kind],
            "embedding_types": ["float"],
            **options,
        }
        answer, tokens = self._post(request) if kind == "query" else self._call(request)
        return self._provider.vectors(answer, len(texts), self.dimension), tokens

    def _post(self, request: dict[str, Any]) -> tuple[Sequence[Any], int]:
        """Embed a query without the SDK: a process that only searches is spared its 47 MB, and need not have it."""
        answer = self._provider.post(f"{self._base_url}/v2/embed", request, "query")
        try:
            billed = (answer.get("meta") or {}).get("billed_units") or {}
            return answer["embeddings"]["float"], int(billed.get("input_tokens") or 0)
        except (KeyError, TypeError, AttributeError):
            return [], 0

    @cached_property
    def _client(self) -> ClientV2:
        from cohere import ClientV2

        # The SDK would wait up to a minute for each of its own retries, with a thread held.
        return ClientV2(
            self._key,
            base_url=self._base_url,
            timeout=TIMEOUT["document"],
            max_retries=0,
            client_name="task-manager-service",
        )

    def _call(self, request: dict[str, Any]) -> tuple[Sequence[Any], int]:
        from cohere.core.api_error import ApiError
        from httpx import HTTPError

        try:
            answer = self._client.embed(**request, request_options={"timeout": TIMEOUT["document"]})
        # `from None` throughout: the SDK's and httpx's errors carry the request, and so the key.
        except ApiError as error:
            raise self._provider.error(error.status_code or 0, error.headers or {}, error.body) from None
        except HTTPError as error:
            raise self._provider.unreachable(error) from None
        except ValueError as error:
            raise TaskError(
                "embedder_unavailable", f"Cohere's answer could not be read: {type(error).__name__}"
            ) from None
        # The SDK does not validate what it parsed: anything may be missing.
        billed = getattr(getattr(answer, "meta", None), "billed_units", None)
        vectors = getattr(getattr(answer, "embeddings", None), "float_", None) or []
        return vectors, int(getattr(billed, "input_tokens", None) or 0)
