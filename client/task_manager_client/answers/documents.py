"""KBs, their documents, and what searches find."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from task_manager_client.answers.tasks import Status, TaskFailure
from task_manager_client.core.shape import Shape

Unit = Literal["characters", "tokens"]
Mode = Literal["hybrid", "vector", "text"]
#: Whether something newer of a document is under way, or has failed.
Newer = Literal["current", "pending", "failed"]


class KbIndex(Shape):
    """How the vectors of a KB are searched."""

    state: Literal["exact", "indexed", "behind"]
    chunks: int


class KbTasks(Shape):
    """The open and the failed tasks of a KB."""

    waiting: int
    queued: int
    processing: int
    failed: int


class KbSettings(Shape):
    """What the documents and tasks of a KB inherit."""

    chunk_size: int | None
    chunk_overlap: int | None
    chunk_unit: Unit | None
    embedder: str | None
    callback_url: str | None
    has_callback_secret: bool
    synonyms: list[list[str]] | None = None
    weight: int = 1


class Kb(Shape):
    """A knowledge base. Where a figure is named in `at_least`, it is that or more."""

    kb_id: str
    documents: int
    chunks: int
    bytes: int
    embedder: str | None
    tokens_embedded: int
    estimated_cost: float | None
    index: KbIndex
    tasks: KbTasks
    at_least: list[str]
    created_at: datetime | None
    updated_at: datetime | None
    settings: KbSettings


class NewerPending(Shape):
    """A later submission of a document, which is under way."""

    task_id: str
    status: Status
    since: datetime


class NewerFailed(Shape):
    """The latest submission of a document that has ended, and failed; the version before it is searchable."""

    task_id: str
    error: TaskFailure
    at: datetime


class Document(Shape):
    """What is searchable of a document now, and what is newer; `state` says whether there is such."""

    document_id: str
    version: int
    task_id: str
    chunks: int
    characters: int
    bytes: int
    pages: int | None
    filename: str | None
    format: str
    encoding: str | None
    embedder: str
    metadata: dict[str, Any]
    properties: dict[str, Any]
    warnings: list[str]
    sha256: str
    created_at: datetime
    updated_at: datetime
    state: Newer | None = None
    pending: NewerPending | None = None
    failed: NewerFailed | None = None


class PreviewChunk(Shape):
    """A chunk that a document would have; `start` and `end` count characters of the document's text."""

    index: int
    text: str
    start: int
    end: int
    page: int | None
    heading_path: list[str]
    context: str | None = None


class Chunk(PreviewChunk):
    """A chunk of a document."""

    chunk_id: str


class ChunkAround(Shape):
    """A chunk with its neighbours."""

    chunk: Chunk
    before: list[Chunk]
    after: list[Chunk]


class DocumentsPreview(Shape):
    """How many documents a deletion is for, and the ids of up to ten; `capped` where there are more than `count`."""

    count: int
    capped: bool
    examples: list[str]


class ChunkPreview(Shape):
    """What a document would become."""

    format: str
    encoding: str | None
    pages: int | None
    characters: int
    warnings: list[str]
    text: str
    chunks: list[PreviewChunk]


class Scores(Shape):
    """What a score is made of."""

    words: float | None
    vector: float | None
    rerank: float | None = None


class Highlight(Shape):
    """Where a word of the query stands in a hit's text, in characters."""

    start: int
    end: int


class Neighbour(Shape):
    """A chunk beside a hit."""

    chunk_id: str
    text: str
    page: int | None
    heading_path: list[str]
    start: int
    end: int
    context: str | None = None


class Hit(Shape):
    """A passage that a search has found; `score` is 0 to 1, and comparable between the queries of a KB."""

    document_id: str
    chunk_id: str
    text: str
    score: float
    page: int | None
    heading_path: list[str]
    start: int
    end: int
    kb_id: str
    chunk_ids: list[str]
    scores: Scores
    highlights: list[Highlight]
    before: list[Neighbour]
    after: list[Neighbour]
    context: str | None = None


class Degraded(Shape):
    """What a search had to do without, and why."""

    without: list[str]
    reason: str
    detail: str


class Found(Shape):
    """What a search has found, best first; `confidence` says how likely it is that the KB answers the query at all."""

    hits: list[Hit]
    confidence: float
    degraded: Degraded | None
    took_ms: float
