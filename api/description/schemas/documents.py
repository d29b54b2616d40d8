"""Documents and their chunks, as they are answered."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from api.description.schemas.shape import Count, Model, Page
from api.description.schemas.tasks import TaskFailure
from models.base import Json


class NewerPending(Model):
    """The newest submission of a document that is not searchable yet."""

    task_id: UUID
    status: Literal["waiting", "queued", "processing"]
    since: datetime


class NewerFailed(Model):
    """The newest submission of a document that has ended, and failed: the one before is searchable still."""

    task_id: UUID
    error: TaskFailure
    at: datetime


class Document(Model):
    """What is searchable of a document now, and what was submitted after it."""

    document_id: str
    version: int = Field(description="From 1; a later submission that changes something makes the next.")
    task_id: UUID = Field(description="The task that brought it in.")
    chunks: int
    characters: int
    bytes: int
    pages: int | None
    filename: str | None
    format: str
    encoding: str | None
    embedder: str
    metadata: Json
    properties: Json = Field(description="What its reader found besides, such as its title.")
    warnings: list[str]
    sha256: str = Field(description="Of its bytes.", pattern="^[0-9a-f]{64}$")
    created_at: datetime
    updated_at: datetime
    state: Literal["current", "pending", "failed"] = Field(description="`pending` also where another one has failed.")
    pending: NewerPending | None
    failed: NewerFailed | None


class DocumentPage(Page[Document]):
    """Documents in the order that was asked for."""


class DocumentsPreview(Count):
    """The documents that would be changed."""

    examples: list[str] = Field(description="The ids of up to 10 of them.")


class Passage(Model):
    """What stands between `start` and `end` of a document's text."""

    text: str
    start: int
    end: int
    page: int | None
    heading_path: list[str]
    context: str | None = Field(description="The header of the table, or the fence of the code, that it begins in.")


class PreviewChunk(Passage):
    """A chunk as it would be searched: `text` is what stands between `start` and `end`."""

    index: int = Field(description="Its place in the document, from 0.")


class Chunk(PreviewChunk):
    """A chunk: what stands between `start` and `end` of the document's text."""

    chunk_id: str


class ShownChunk(Passage):
    """A chunk that is shown with a hit; `start` and `end` point into its document's text."""

    chunk_id: str


class ChunkAround(Model):
    """A chunk with those around it, in the order of the text."""

    chunk: Chunk
    before: list[Chunk]
    after: list[Chunk]


class ChunkPage(Page[Chunk]):
    """Chunks in the order of the text."""
