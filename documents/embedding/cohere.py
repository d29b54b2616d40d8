"""Embeddings by Cohere's API, through its own SDK."""

from __future__ import annotations

import math
import random
from array import array
from collections.abc import Callable, Mapping, Sequence
from email.utils import parsedate_to_datetime
from functools import cached_property, partial
from time import sleep, time
from typing import TYPE_CHECKING, Any

from documents.embedding.interface import Embedded, Kind
from errors import TaskError

if TYPE_CHECKING:
    from cohere import ClientV2

#: The most texts that one call may hold (Cohere's API reference, v2/embed), and the most tokens of all of them
#: together (of embed-v4.0; Oracle's reference of the same model, which names it, says 128,000).
BATCH_SIZE = 96
BATCH_TOKENS = 128_000

#: US dollars for a million tokens, as listed in November 2026 (cohere.com/pricing).
PRICES = {"embed-v4.0": 0.12}

#: Of the sizes that models from v4 on offer (256 to 1,536), the one that older models have.
DIMENSION = 1024
LIGHT_DIMENSION = 384

#: Seconds for an answer to begin, or go on.
TIMEOUT = 60.0
QUERY_TIMEOUT = 10.0

#: Tries of one call, and the longest single wait between two, in seconds. A longer one is left to the task's retry,
#: which holds no thread; somebody is waiting for a query's answer.
TRIES = 3
LONGEST_WAIT: Mapping[Kind, float] = {"document": 5.0, "query": 1.0}

_INPUT_TYPES: Mapping[Kind, str] = {"document": "search_document", "query": "search_query"}


class CohereEmbedder:
    """An embedding model of Cohere's. No connection is made, and the SDK is not imported, before its first use.

    Parameters:
      dimension: of the vectors; None for the model's usual one here. Models before v4 have only one.
      base_url: None for Cohere's own.
    """

    batch_size = BATCH_SIZE
    batch_tokens = BATCH_TOKENS
    dense_weight = 1.0

    def __init__(self, key: str, model: str, dimension: int | None = None, base_url: str | None = None) -> None:
        self._key = key
        self._model = model
        self._base_url = base_url
        self._adjustable = "-v3" not in model and "-v2" not in model
        self.dimension = dimension or (LIGHT_DIMENSION if "light" in model else DIMENSION)
        self.price = PRICES.get(model)
        self.name = f"cohere:{model}:{self.dimension}"

    def __repr__(self) -> str:
        return f"<CohereEmbedder {self.name}>"

    def embed(self, texts: Sequence[str], kind: Kind) -> Embedded:
        """Embed texts, in calls of at most BATCH_SIZE.

        Raises:
          TaskError: rate_limited, with the seconds that Cohere asked to wait; embedder_unavailable when it fails or
            answers wrongly; embedder_rejected when it will not have the request, the key or the model.
        """
        vectors: list[array[float]] = []
        tokens = 0
        for start in range(0, len(texts), BATCH_SIZE):
            batch = texts[start : start + BATCH_SIZE]
            answer = self._patiently(partial(self._call, batch, kind), LONGEST_WAIT[kind])
            vectors += self._checked(answer, len(batch))
            tokens += _billed(answer)
        return Embedded(vectors, tokens)

    @cached_property
    def _client(self) -> ClientV2:
        # 60 MB and half a second, which a process that never embeds must not pay.
        from cohere import ClientV2

        # The SDK would wait up to a minute for each of its own retries, with a thread held.
        return ClientV2(
            self._key,
            base_url=self._base_url,
            timeout=TIMEOUT,
            max_retries=0,
            client_name="task-manager-service",
        )

    def _call(self, texts: Sequence[str], kind: Kind) -> Any:
        from cohere.core.api_error import ApiError
        from httpx import HTTPError

        options: dict[str, Any] = {"output_dimension": self.dimension} if self._adjustable else {}
        try:
            return self._client.embed(
                model=self._model,
                texts=list(texts),
                input_type=_INPUT_TYPES[kind],
                embedding_types=["float"],
                request_options={"timeout": QUERY_TIMEOUT if kind == "query" else TIMEOUT},
                **options,
            )
        # `from None` throughout: the SDK's and httpx's errors carry the request, and so the key.
        except ApiError as error:
            raise self._translated(error.status_code or 0, error.headers or {}, error.body) from None
        except HTTPError as error:
            raise TaskError("embedder_unavailable", f"Cohere could not be reached: {type(error).__name__}") from None
        except ValueError as error:
            raise TaskError(
                "embedder_unavailable", f"Cohere's answer could not be read: {type(error).__name__}"
            ) from None

    def _patiently(self, call: Callable[[], Any], longest: float) -> Any:
        """The answer of `call`, tried again after failures that pass by themselves within a short wait."""
        for attempt in range(1, TRIES + 1):
            try:
                return call()
            except TaskError as error:
                wait = 0.5 * 2 ** (attempt - 1) * random.uniform(0.8, 1.2)
                if error.retry_after is not None:
                    wait = error.retry_after
                if not error.retryable or attempt == TRIES or wait > longest:
                    raise
                sleep(wait)
        raise AssertionError("the last try returns or raises")

    def _translated(self, status: int, headers: Mapping[str, str], body: Any) -> TaskError:
        """What an HTTP status of Cohere's means for a task."""
        said = f"Cohere answered {status}{self._said(body)}"
        wait = _retry_after({name.lower(): value for name, value in headers.items()})
        if status == 429:
            return TaskError("rate_limited", said, retry_after=wait)
        # 408 timeout, 499 cancelled by a proxy; 2xx when the body was not JSON.
        if status >= 500 or status in (408, 499) or status < 400:
            return TaskError("embedder_unavailable", said, retry_after=wait)
        return TaskError("embedder_rejected", said)

    def _said(self, body: Any) -> str:
        message = body.get("message") if isinstance(body, dict) else None
        return f": {str(message).replace(self._key, '…')[:200]}" if message else ""

    def _checked(self, answer: Any, count: int) -> list[array[float]]:
        """The vectors of an answer, of length 1.

        Raises:
          TaskError: embedder_unavailable, when there are more or fewer than `count`, or one is not a vector.
        """
        # The SDK does not validate what it parsed: anything may be missing.
        found = getattr(getattr(answer, "embeddings", None), "float_", None) or []
        if len(found) != count:
            raise TaskError("embedder_unavailable", f"Cohere returned {len(found)} vectors for {count} texts")
        return [self._normalised(vector, position) for position, vector in enumerate(found)]

    def _normalised(self, vector: Sequence[float], position: int) -> array[float]:
        if len(vector) != self.dimension:
            raise TaskError(
                "embedder_unavailable",
                f"Cohere's vector {position} has {len(vector)} dimensions instead of {self.dimension}",
            )
        if not all(isinstance(value, int | float) and math.isfinite(value) for value in vector):
            raise TaskError("embedder_unavailable", f"Cohere's vector {position} holds a value that is no number")
        norm = math.hypot(*vector)
        if not norm:
            raise TaskError("embedder_unavailable", f"Cohere's vector {position} is all zeros")
        return array("f", [value / norm for value in vector])


def _billed(answer: Any) -> int:
    units = getattr(getattr(answer, "meta", None), "billed_units", None)
    return int(getattr(units, "input_tokens", None) or 0)


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, from a Retry-After header in either of its forms (RFC 9110, 10.2.3)."""
    value = headers.get("retry-after", "").strip()
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - time()
        except ValueError:
            return None
    return max(0.0, seconds) if math.isfinite(seconds) else None
