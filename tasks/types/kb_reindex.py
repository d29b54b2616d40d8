"""Changing the embedder of a KB."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from settings import Provider
from tasks.types import Stage, TaskType


class KbReindex(BaseModel):
    """What the KB is to be indexed with."""

    model_config = ConfigDict(extra="forbid")

    embedder: Provider = Field(description="The provider; its model is that of the settings when the task runs.")


class Reindexed(BaseModel):
    """The result of a `kb_reindex` task."""

    embedder: str
    documents: int
    chunks: int
    chunks_reused: int = Field(description="Those whose vector the KB had already.")
    chunks_refused: int = Field(description="Those that the provider refused; they are found by their words.")
    tokens_embedded: int
    estimated_cost: float | None = Field(description="US dollars; null where the price is not known.")


# One at a time for a KB: the empty name is no document's.
TYPE = TaskType(
    "kb_reindex",
    KbReindex,
    (Stage("kb_reindex", "embedding"),),
    result=Reindexed,
    needs_kb=True,
    subject=lambda _: "",
)
