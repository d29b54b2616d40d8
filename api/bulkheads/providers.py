"""Providers as searches ask them: within a deadline, and not at all for a while after they have failed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Sequence
from typing import TypeVar

from api.bulkheads.pools import PROVIDERS, RERANKING, SEARCHING, Busy, Pool
from documents.embedding import embedder
from documents.embedding.local import LocalEmbedder
from documents.searching import search
from documents.searching.reranking import reranker
from documents.searching.search import Hit
from documents.storing.index import embedded_text
from errors import TaskError
from settings import Settings

Result = TypeVar("Result")

#: Seconds for the vector of a query, and for reranking, all tries together.
DEADLINE = 5.0
#: Failures of a provider in a row after which searches do without it, and for how many seconds.
FAILURES, PAUSE = 3, 10.0


class Providers:
    """Asks embedders for the vectors of queries, and a rerank model for the order of hits."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._breakers: dict[str, Breaker] = {}

    async def questions(self, query: str, built_with: Collection[str]) -> dict[str, search.Question]:
        """Return the query with its vector, for each embedder by its `name`; all are asked at once.

        Raises:
          TaskError: what an embedder raises; embedder_unavailable also when it does not answer in time.
        """
        names = sorted(built_with)
        questions = await asyncio.gather(*(self._question(query, name) for name in names))
        return dict(zip(names, questions, strict=True))

    async def _question(self, query: str, built_with: str) -> search.Question:
        provider = embedder(built_with, self._settings)
        if isinstance(provider, LocalEmbedder):
            return await SEARCHING.run(search.ask, query, provider)
        return await self._ask(built_with, PROVIDERS, lambda: search.ask(query, provider))

    @property
    def reranks(self) -> bool:
        """Whether there is a rerank model."""
        return self._settings.rerank is not None

    async def relevances(self, query: str, hits: Sequence[Hit]) -> list[float]:
        """Return what the rerank model says of each hit, from 0 to 1. It reads what was embedded of it.

        Raises:
          TaskError: as `questions`.
        """
        model = reranker(self._settings)
        if model is None or not hits:
            return []
        texts = [embedded_text(hit.heading_path, hit.context, hit.text) for hit in hits]
        return await self._ask("rerank", RERANKING, lambda: model.relevances(query, texts))

    async def _ask(self, name: str, pool: Pool, call: Callable[[], Result]) -> Result:
        """Return the answer of a provider within the deadline.

        Raises:
          TaskError: what `call` raises; embedder_unavailable when it does not answer in time, or did not lately.
        """
        breaker = self._breakers.setdefault(name, Breaker())
        if breaker.is_open():
            raise TaskError("embedder_unavailable", f"it did not answer lately and is asked again in {PAUSE:.0f} s")
        try:
            answer = await pool.run(call, seconds=DEADLINE)
        except Busy:
            breaker.failed()
            raise TaskError("embedder_unavailable", f"it did not answer within {DEADLINE:.0f} s") from None
        except TaskError as error:
            if error.retryable:
                breaker.failed()
            raise
        breaker.answered()
        return answer


class Breaker:
    """Whether a provider is asked: after some failures in a row it is left alone for a while, then tried by one."""

    def __init__(self) -> None:
        self._failures = 0
        self._asked_again_at = 0.0

    def is_open(self) -> bool:
        """Return whether it is to be left alone; false for one caller at a time once the pause is over."""
        now = time.monotonic()
        if self._failures < FAILURES:
            return False
        if now < self._asked_again_at:
            return True
        self._asked_again_at = now + PAUSE
        return False

    def failed(self) -> None:
        """Count a failure that may pass by itself."""
        self._failures += 1
        self._asked_again_at = time.monotonic() + PAUSE

    def answered(self) -> None:
        """Note that the provider works."""
        self._failures = 0
