"""Searching a KB over HTTP."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any, Literal

import structlog
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, field_validator

from api import requests
from api.operation import operation
from api.pools import PROVIDERS, SEARCHING, Busy
from documents.embedding import embedder
from documents.embedding.local import LocalEmbedder
from documents.searching import search
from documents.searching.scope import Filter
from errors import TaskError
from settings import Settings
from tasks.bounds import obstacle

log = structlog.get_logger(__name__)

#: Seconds for the vector of a query, all tries together.
DEADLINE = 5.0
#: Failures of a provider in a row after which searches do without it, and for how many seconds.
FAILURES, PAUSE = 3, 10.0


class SearchFilter(BaseModel):
    """Conditions that a hit's document must meet, all of them."""

    model_config = ConfigDict(extra="forbid")

    documents: str | list[str] | None = Field(
        None,
        validation_alias=AliasChoices("documents", "document_id"),
        description="The id of a document, or a list of ids.",
    )
    metadata: dict[str, Any] = Field(
        {},
        max_length=32,
        description="By name what a document's `metadata` must hold: a value, or a list of which one will do. A list"
        " in the document matches by each of its values.",
    )

    @field_validator("documents", "metadata")
    @classmethod
    def _can_be_stored(cls, value: Any) -> Any:
        if (found := obstacle(value)) is not None:
            raise ValueError(found)
        return value

    def conditions(self) -> Filter:
        """As the search is handed it."""
        documents = [self.documents] if isinstance(self.documents, str) else self.documents
        return Filter(documents, self.metadata)


class SearchRequest(BaseModel):
    """What is looked for."""

    model_config = ConfigDict(extra="forbid")

    query: str = Field(min_length=1, max_length=10_000)
    limit: int = Field(10, ge=1, le=100)
    mode: Literal["hybrid", "vector", "text"] = Field("hybrid", description="By words and vectors, or by one of them.")
    filter: SearchFilter = SearchFilter()
    min_score: float = Field(0, ge=0, le=1, description="Leave out hits that score less.")


class Highlight(BaseModel):
    """Where words of the query stand: offsets in characters of the hit's own `text`, `end` exclusive."""

    start: int
    end: int


class Scores(BaseModel):
    """What a score is made of, each from 0 to 1."""

    words: float | None = Field(
        description="The share that the chunk holds of the query's words, by BM25; null in mode `vector`."
    )
    vector: float | None = Field(
        description="How near its vector is: 0 where texts have nothing to do with each other; null in mode `text`."
    )


class FoundChunk(BaseModel):
    """A chunk that was found; `start` and `end` point into its document's text."""

    document_id: str
    chunk_id: str
    text: str
    score: float = Field(description="From 0 to 1; comparable between queries of a KB in the same mode.")
    scores: Scores
    page: int | None
    heading_path: list[str]
    context: str | None = Field(description="The header of the table, or the fence of the code, that it begins in.")
    start: int
    end: int
    highlights: list[Highlight]


class Degraded(BaseModel):
    """Why the vectors were left out: a code of `docs/errors.md`, and what the provider said."""

    reason: str
    detail: str


class SearchAnswer(BaseModel):
    """The best chunks, best first."""

    hits: list[FoundChunk]
    degraded: Degraded | None = Field(
        description="Set where the query got no vector in time: the hits are those of mode `text`, scores included."
    )
    took_ms: float


class Search:
    """`/kbs/{kb_id}/search`"""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._breakers: dict[str, Breaker] = {}

    @operation(
        "Search a KB.",
        {
            200: "The hits; none for a KB without documents. `degraded` says when words alone were searched.",
            422: "Fields do not fit; `errors` names each.",
            503: "Mode `vector`, and the embedder gives no vector now.",
        },
        request=SearchRequest,
        response=SearchAnswer,
        example={"query": "How many days of leave are there?", "limit": 3},
    )
    async def on_post(self, req: Any, resp: Any, kb_id: str) -> None:
        began = time.perf_counter()
        asked = await requests.body(req, SearchRequest.model_validate)
        try:
            found = await self._search(asked, kb_id)
        except TaskError as error:
            if error.code != "embedder_rejected":
                raise
            # The KB may have been given another embedder between the question's vector and the search.
            found = await self._search(asked, kb_id)
        resp.media = {**found, "took_ms": round((time.perf_counter() - began) * 1000, 1)}

    async def _search(self, asked: SearchRequest, kb_id: str) -> dict[str, Any]:
        mode, degraded = asked.mode, None
        question = search.ask(asked.query, None)
        if mode != "text":
            built_with = await requests.read(search.embedder_of, kb_id, pool=SEARCHING)
            if built_with is None:
                # Nothing is there to be found, so no vector is asked for.
                return {"hits": [], "degraded": None}
            try:
                question = await self._question(asked.query, built_with)
            except TaskError as error:
                if mode == "vector":
                    raise
                log.warning("search_degraded", code=error.code, reason=error.message)
                mode, degraded = "text", {"reason": error.code, "detail": error.message}
        hits = await requests.read(
            search.search,
            kb_id,
            question,
            limit=asked.limit,
            mode=mode,
            filter=asked.filter.conditions(),
            min_score=asked.min_score,
            repeatable=True,
            pool=SEARCHING,
        )
        return {"hits": [asdict(hit) for hit in hits], "degraded": degraded}

    async def _question(self, query: str, built_with: str) -> search.Question:
        """The query with its vector.

        Raises:
          TaskError: what the embedder raises; embedder_unavailable also when it does not answer in time.
        """
        provider = embedder(built_with, self._settings)
        if isinstance(provider, LocalEmbedder):
            return await SEARCHING.run(search.ask, query, provider)
        breaker = self._breakers.setdefault(built_with, Breaker())
        if breaker.is_open():
            raise TaskError("embedder_unavailable", f"it did not answer lately and is asked again in {PAUSE:.0f} s")
        try:
            question = await PROVIDERS.run(search.ask, query, provider, seconds=DEADLINE)
        except Busy:
            breaker.failed()
            raise TaskError("embedder_unavailable", f"it did not answer within {DEADLINE:.0f} s") from None
        except TaskError as error:
            if error.retryable:
                breaker.failed()
            raise
        breaker.answered()
        return question


class Breaker:
    """Whether a provider is asked: after some failures in a row it is left alone for a while, then tried by one."""

    def __init__(self) -> None:
        self._failures = 0
        self._asked_again_at = 0.0

    def is_open(self) -> bool:
        """Whether it is to be left alone; false for one caller at a time once the pause is over."""
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
        """It works."""
        self._failures = 0
