"""What all providers over HTTP have in common: patience with what passes by itself, and checks of what they answer."""

from __future__ import annotations

import math
import random
from array import array
from collections.abc import Callable, Mapping, Sequence
from time import monotonic, sleep
from typing import Any, TypeVar

import httpx2

import outbound
from documents.embedding.interface import Kind
from errors import TaskError

#: Seconds for an answer to begin, or go on; somebody is waiting for a query's answer.
TIMEOUT: Mapping[Kind, float] = {"document": 60.0, "query": 5.0}

#: Tries of one call, and the longest single wait between two, in seconds. A longer one is left to the task's retry,
#: which holds no thread.
TRIES = 3
LONGEST_WAIT: Mapping[Kind, float] = {"document": 5.0, "query": 1.0}
#: Seconds after which a query is not tried again: whoever asked goes on without its vector.
LAST_TRY = 3.0

T = TypeVar("T")


class Provider:
    """A provider of embeddings, or of a rerank model, as it is called.

    Parameters:
      name: what messages call it; key: what they must not hold, None where none is needed.
    """

    def __init__(self, name: str, key: str | None) -> None:
        self.name = name
        self._key = key
        # One client, so that calls share its connections.
        self._client: httpx2.Client | None = None

    def post(self, url: str, body: Mapping[str, object], kind: Kind) -> Any:
        """Send a request to the provider and return its answer, as parsed JSON.

        Raises:
          TaskError: see `error`; embedder_unavailable also when it cannot be reached, or its answer not be read.
        """
        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        self._client = self._client or httpx2.Client()
        try:
            answer = self._client.post(url, json=body, headers=headers, timeout=TIMEOUT[kind])
            content = answer.json() if answer.content else None
        # `from None`: the library's errors carry the request, and so the key.
        except httpx2.HTTPError as error:
            raise self.unreachable(error) from None
        except ValueError:
            content = None
        if answer.status_code >= 300 or not isinstance(content, dict):
            raise self.error(answer.status_code, answer.headers, content)
        return content

    def patiently(self, call: Callable[[], T], kind: Kind) -> T:
        """Return the answer of `call`, tried again after failures that pass by themselves within a short wait."""
        began = monotonic()
        for attempt in range(1, TRIES + 1):
            try:
                return call()
            except TaskError as error:
                if kind == "query" and monotonic() - began > LAST_TRY:
                    raise
                wait = 0.5 * 2 ** (attempt - 1) * random.uniform(0.8, 1.2)  # noqa: S311 - no secret
                if error.retry_after is not None:
                    wait = error.retry_after
                if not error.retryable or attempt == TRIES or wait > LONGEST_WAIT[kind]:
                    raise
                sleep(wait)
        raise AssertionError("the last try returns or raises")

    def unreachable(self, error: Exception) -> TaskError:
        """Return what a failed connection means for a task."""
        return TaskError("embedder_unavailable", f"{self.name} could not be reached: {type(error).__name__}")

    def error(self, status: int, headers: Mapping[str, str], body: object) -> TaskError:
        """Return what an HTTP status of the provider's means for a task.

        Returns:
          rate_limited, with the seconds that it asked to wait; embedder_unavailable when it fails or answers what
          cannot be read; embedder_rejected when it will not have the request, the key or the model.
        """
        message = _said(body)
        if self._key:
            message = message.replace(self._key, "…")
        said = f"{self.name} answered {status}{': ' if message else ''}{message[:200]}"
        wait = outbound.retry_after({name.lower(): value for name, value in headers.items()})
        # A quota that is used up does not come back by waiting (OpenAI's guide "Error codes").
        if status == 429 and "insufficient_quota" not in str(body):
            return TaskError("rate_limited", said, retry_after=wait)
        # 408 timeout, 499 cancelled by a proxy; 2xx when the body was not JSON.
        if status >= 500 or status in (408, 499) or status < 400:
            return TaskError("embedder_unavailable", said, retry_after=wait)
        return TaskError("embedder_rejected", said)

    def vectors(self, answer: Sequence[Any], count: int, dimension: int) -> list[array[float]]:
        """Return the vectors of an answer, of length 1.

        Raises:
          TaskError: embedder_unavailable, when there are more or fewer than `count`, or one is not a vector.
        """
        if len(answer) != count:
            raise TaskError("embedder_unavailable", f"{self.name} returned {len(answer)} vectors for {count} texts")
        return [self._normalised(vector, position, dimension) for position, vector in enumerate(answer)]

    def _normalised(self, vector: Any, position: int, dimension: int) -> array[float]:
        problem = ""
        if not isinstance(vector, Sequence | array) or len(vector) != dimension:
            size = len(vector) if isinstance(vector, Sequence | array) else 0
            problem = f"has {size} dimensions instead of {dimension}"
        elif not all(isinstance(value, int | float) and math.isfinite(value) for value in vector):
            problem = "holds a value that is no number"
        elif not (norm := math.hypot(*vector)):
            problem = "is all zeros"
        if problem:
            raise TaskError("embedder_unavailable", f"{self.name}'s vector {position} {problem}")
        return array("f", [value / norm for value in vector])


def _said(body: Any) -> str:
    """Return the message in a provider's error, in one of the forms `{message}`, `{error}` and `{error: {message}}`."""
    message = body
    for name in ("error", "message"):
        message = message.get(name, message) if isinstance(message, dict) else message
    return message if isinstance(message, str) else ""
