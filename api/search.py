"""Searching a KB over HTTP."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, field_validator

from api import requests
from api.operation import operation
from documents import search
from documents.embedding import embedder
from documents.scope import Filter
from errors import TaskError
from settings import Settings
from tasks.submission import obstacle


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


class Highlight(BaseModel):
    """Where words of the query stand: offsets in characters of the hit's own `text`, `end` exclusive."""

    start: int
    end: int


class FoundChunk(BaseModel):
    """A chunk that was found; `start` and `end` point into its document's text."""

    document_id: str
    chunk_id: str
    text: str
    score: float
    page: int | None
    heading_path: list[str]
    context: str | None = Field(description="The header of the table, or the fence of the code, that it begins in.")
    start: int
    end: int
    highlights: list[Highlight]


class SearchAnswer(BaseModel):
    """The best chunks, best first."""

    hits: list[FoundChunk]
    took_ms: float


class Search:
    """`/kbs/{kb_id}/search`"""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @operation(
        "Search a KB.",
        {200: "The hits; none for a KB without documents.", 422: "Fields do not fit; `errors` names each."},
        request=SearchRequest,
        response=SearchAnswer,
        example={"query": "How many days of leave are there?", "limit": 3},
    )
    async def on_post(self, req: Any, resp: Any, kb_id: str) -> None:
        began = time.perf_counter()
        asked = requests.fit(SearchRequest, await requests.body(req))
        try:
            hits = await self._search(asked, kb_id)
        except TaskError as error:
            if error.code != "embedder_rejected":
                raise
            # The KB may have been given another embedder between the question's vector and the search.
            hits = await self._search(asked, kb_id)
        resp.media = {
            "hits": [asdict(hit) for hit in hits],
            "took_ms": round((time.perf_counter() - began) * 1000, 1),
        }

    async def _search(self, asked: SearchRequest, kb_id: str) -> list[search.Hit]:
        question = search.ask(asked.query, None)
        if asked.mode != "text":
            built_with = await requests.read(search.embedder_of, kb_id)
            provider = embedder(built_with or self._settings.embedder, self._settings)
            question = await requests.beside(search.ask, asked.query, provider)
        return await requests.read(
            search.search,
            kb_id,
            question,
            limit=asked.limit,
            mode=asked.mode,
            filter=asked.filter.conditions(),
            repeatable=True,
        )
