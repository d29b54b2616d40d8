"""Searching a KB over HTTP."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from api import requests
from api.operation import operation
from api.problems import Invalid
from documents import search
from documents.embedding import embedder
from settings import Settings


class SearchRequest(BaseModel):
    """What is looked for."""

    model_config = ConfigDict(extra="forbid")

    query: str = Field(min_length=1, max_length=10_000)
    limit: int = Field(10, ge=1, le=100)
    mode: Literal["hybrid", "vector", "text"] = Field("hybrid", description="By words and vectors, or by one of them.")
    filter: dict[str, Any] = Field({}, description="`document_id`: one, or a list of them.")


class FoundChunk(BaseModel):
    """A chunk that was found; `start` and `end` point into its document's text."""

    document_id: str
    chunk_id: str
    text: str
    score: float
    page: int | None
    heading_path: list[str]
    start: int
    end: int


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
        question = search.ask(asked.query, None)
        if asked.mode != "text":
            built_with = await requests.read(search.embedder_of, kb_id)
            provider = embedder(built_with or self._settings.embedder, self._settings)
            question = await requests.beside(search.ask, asked.query, provider)
        try:
            hits = await requests.read(
                search.search,
                kb_id,
                question,
                limit=asked.limit,
                mode=asked.mode,
                filter=asked.filter,
                repeatable=True,
            )
        except ValueError as error:
            raise Invalid([{"field": "filter", "message": str(error)}]) from None
        resp.media = {
            "hits": [asdict(hit) for hit in hits],
            "took_ms": round((time.perf_counter() - began) * 1000, 1),
        }
