"""Searching KBs over HTTP."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Literal

import structlog
from falcon import asgi
from pydantic import AfterValidator, AliasChoices, BaseModel, ConfigDict, Field, field_validator

import metrics
from api import requests
from api.access import callers
from api.bulkheads.pools import SEARCHING
from api.bulkheads.providers import Providers
from api.counting import Counting
from api.description.operation import operation
from api.description.schemas.documents import ShownChunk
from api.problems import Invalid, problem
from documents.searching import search
from documents.searching.neighbours import widened
from documents.searching.reranking import READ, reranked
from documents.storing.filter import Filter
from errors import TaskError
from models.base import Json
from sentences import say
from tasks.input.bounds import storable

log = structlog.get_logger(__name__)


KbId = Annotated[str, Field(min_length=1, max_length=255), AfterValidator(storable)]


class SearchFilter(BaseModel):
    """Conditions that a hit's document must meet, all of them."""

    model_config = ConfigDict(extra="forbid")

    documents: str | list[str] | None = Field(
        None,
        validation_alias=AliasChoices("documents", "document_id"),
        description="The id of a document, or a list of ids.",
    )
    metadata: Json = Field(
        {},
        max_length=32,
        description="By name what a document's `metadata` must hold: a value, or a list of which one will do. A list"
        " in the document matches by each of its values.",
    )

    _can_be_stored = field_validator("documents", "metadata")(storable)

    def conditions(self) -> Filter:
        """Return the filter as the search is handed it."""
        documents = [self.documents] if isinstance(self.documents, str) else self.documents
        return Filter(documents, self.metadata)


class SearchRequest(BaseModel):
    """What is looked for."""

    model_config = ConfigDict(extra="forbid")

    query: str = Field(min_length=1, max_length=10_000)
    limit: int = Field(10, ge=1, le=100, description="Chunks that are found at most.")
    mode: Literal["hybrid", "vector", "text"] = Field("hybrid", description="By words and vectors, or by one of them.")
    filter: SearchFilter = SearchFilter()
    min_score: float = Field(0, ge=0, le=1, description="Leave out hits that score less.")
    per_document: int | None = Field(None, ge=1, le=100, description="Chunks of one document that are found at most.")
    around: int = Field(0, ge=0, le=10, description="Show so many chunks before each hit, and after it.")
    rerank: bool = Field(False, description="Have a rerank model read the best 50 hits, or `limit`, and order them.")
    join: bool = Field(False, description="Make one hit of those that touch, or whose neighbours do.")


class SearchOfKbs(SearchRequest):
    """What is looked for in several KBs."""

    kbs: list[KbId] = Field(min_length=1, max_length=20, description="The ids of the KBs.")


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
    rerank: float | None = Field(description="The relevance by the rerank model, which is the score; else null.")


class FoundChunk(ShownChunk):
    """A chunk that was found; with `join` it may be several that follow each other."""

    kb_id: str
    document_id: str
    chunk_ids: list[str] = Field(description="All chunks that it is made of; `chunk_id` is the best of them.")
    score: float = Field(description="From 0 to 1; comparable between queries of a KB in the same mode.")
    scores: Scores
    highlights: list[Highlight]
    before: list[ShownChunk] = Field(description="With `around`: the chunks before it, in the order of the text.")
    after: list[ShownChunk] = Field(description="With `around`: those after it.")


class Degraded(BaseModel):
    """What the search went on without, and why."""

    without: list[Literal["vectors", "rerank"]] = Field(
        description="Without `vectors` the hits are those of mode `text`, scores included; without `rerank` they are in"
        " the order, and have the scores, of a search that does not ask for it."
    )
    reason: str = Field(description="Of the first: a code of `docs/errors.md`, or `rerank_unavailable`.")
    detail: str = Field(description="What the providers said.")


class SearchAnswer(BaseModel):
    """The best chunks, best first."""

    hits: list[FoundChunk]
    confidence: float = Field(
        description="How likely the KBs answer the query at all, from 0 to 1, by the scores of the best hits (those"
        " without a rerank model); see `docs/retrieval.md` for a threshold."
    )
    degraded: Degraded | None = Field(description="Set where a provider did not answer in time.")
    took_ms: float


#: What the answers of both searches mean.
ANSWERS = {
    200: "The hits; none for a KB without documents. `degraded` says what the search went on without.",
    503: "Mode `vector`, and the embedder gives no vector now.",
}


class Search:
    """`/kbs/{kb_id}/search`"""

    def __init__(self, searcher: Searcher) -> None:
        self._searcher = searcher

    @operation(
        "Search a KB.",
        ANSWERS,
        id="search_kb",
        tag="search",
        request=SearchRequest,
        response=SearchAnswer,
        example={"query": "How many days of leave are there?", "limit": 3},
    )
    async def on_post(self, req: asgi.Request, resp: asgi.Response, kb_id: str) -> None:
        request = await requests.body(req, SearchRequest.model_validate)
        resp.media = await self._searcher.answer(request, [kb_id])


class SearchKbs:
    """`/search`"""

    def __init__(self, searcher: Searcher) -> None:
        self._searcher = searcher

    @operation(
        "Search several KBs.",
        ANSWERS,
        id="search_kbs",
        tag="search",
        description="All in the same way: where one of them gets no vector, words alone are searched in all.",
        request=SearchOfKbs,
        response=SearchAnswer,
        example={"kbs": ["handbook", "minutes"], "query": "How many days of leave are there?", "limit": 3},
    )
    async def on_post(self, req: asgi.Request, resp: asgi.Response) -> None:
        request = await requests.body(req, SearchOfKbs.model_validate)
        for kb_id in request.kbs:
            callers.demand(req, kb_id)
        resp.media = await self._searcher.answer(request, list(dict.fromkeys(request.kbs)))


class Searcher:
    """Answers searches of one KB or of several.

    Parameters:
      providers: gives queries their vectors.
    """

    def __init__(self, providers: Providers, counting: Counting) -> None:
        self._providers = providers
        self._counting = counting

    async def answer(self, request: SearchRequest, kb_ids: Sequence[str]) -> Json:
        """Return what is shown of a search.

        Raises:
          TaskError: in mode `vector`, what an embedder raises; embedder_unavailable also when it is too late.
        """
        began = time.perf_counter()
        try:
            answer = await self._search(request, kb_ids)
        except TaskError as error:
            if error.code != "embedder_rejected":
                raise
            # A KB may have been given another embedder between the question's vector and the search.
            answer = await self._search(request, kb_ids)
        seconds = time.perf_counter() - began
        self._counting.observe(metrics.SEARCH_SECONDS, request.mode, seconds=seconds)
        for without in (answer["degraded"] or {}).get("without", ()):
            self._counting.count(metrics.SEARCH_DEGRADED, without)
        return {**answer, "took_ms": round(seconds * 1000, 1)}

    async def _search(self, request: SearchRequest, kb_ids: Sequence[str]) -> Json:
        if request.rerank and not self._providers.reranks:
            raise Invalid([problem("rerank", say("no_rerank"))])
        questions, mode, lack = await self._questions(request, kb_ids)
        lacks = [lack] if lack else []
        answer = await requests.read_much(
            search.search,
            questions,
            limit=max(READ, request.limit) if request.rerank else request.limit,
            mode=mode,
            filter=request.filter.conditions(),
            min_score=0 if request.rerank else request.min_score,
            per_document=request.per_document,
            repeatable=True,
            pool=SEARCHING,
        )
        hits = answer.hits
        if request.rerank and hits:
            try:
                hits = reranked(
                    hits, await self._providers.relevances(request.query, hits), request.limit, request.min_score
                )
            except TaskError as error:
                lacks.append(Lack("rerank", "rerank_unavailable", error.message))
                hits = [hit for hit in hits[: request.limit] if hit.score >= request.min_score]
        if request.around or request.join:
            hits = await requests.read_much(
                widened, hits, answer.sought, around=request.around, join=request.join, repeatable=True, pool=SEARCHING
            )
        return {"hits": [asdict(hit) for hit in hits], "confidence": answer.confidence, "degraded": _degraded(lacks)}

    async def _questions(
        self, request: SearchRequest, kb_ids: Sequence[str]
    ) -> tuple[dict[str, search.Question], search.Mode, Lack | None]:
        """Return what each KB is asked, in which mode, and what is lacking for the mode that was asked for."""
        words = dict.fromkeys(kb_ids, search.ask(request.query, None))
        if request.mode == "text":
            return words, "text", None
        built_with = await requests.read(search.embedders_of, kb_ids, pool=SEARCHING)
        try:
            by_embedder = await self._providers.questions(request.query, set(built_with.values()))
        except TaskError as error:
            if request.mode == "vector":
                raise
            # In all KBs alike, or their scores could not be compared.
            return words, "text", Lack("vectors", error.code, error.message)
        return {kb_id: by_embedder[name] for kb_id, name in built_with.items()}, request.mode, None


@dataclass(frozen=True, slots=True)
class Lack:
    """What a search went on without, and why: a code, and what the provider said."""

    what: Literal["vectors", "rerank"]
    code: str
    message: str


def _degraded(lacks: Sequence[Lack]) -> Json | None:
    for lack in lacks:
        log.warning("search_degraded", without=lack.what, code=lack.code, reason=lack.message)
    if not lacks:
        return None
    return {
        "without": [lack.what for lack in lacks],
        "reason": lacks[0].code,
        "detail": "; ".join(lack.message for lack in lacks),
    }
