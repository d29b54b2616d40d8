"""KBs, as they are answered."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from api.description.schemas.shape import Model, Page


class KbIndex(Model):
    """How the vectors of a KB are searched."""

    state: Literal["exact", "indexed", "behind"] = Field(
        description="`exact`: one by one; `behind`: an index is still to be built."
    )
    chunks: int = Field(description="Those that the index holds.")


class KbTasks(Model):
    """How many tasks of a KB are open, and how many have failed."""

    waiting: int
    queued: int
    processing: int
    failed: int


class KbSettings(Model):
    """What documents and tasks of a KB inherit where a submission does not say it; null: nothing is set."""

    chunk_size: int | None
    chunk_overlap: int | None
    chunk_unit: Literal["characters", "tokens"] | None
    embedder: str | None
    weight: int = Field(
        description="Turns that its tasks get where those of another KB get one; 1 where nothing is set."
    )
    callback_url: str | None
    has_callback_secret: bool
    synonyms: list[list[str]] = Field(description="Groups of terms that mean the same; empty where nothing is set.")


class Kb(Model):
    """What a KB holds."""

    kb_id: str
    documents: int
    chunks: int
    bytes: int
    embedder: str | None
    tokens_embedded: int
    estimated_cost: float | None = Field(description="US dollars; null where the price is not known.")
    index: KbIndex
    tasks: KbTasks
    at_least: list[str] = Field(description="Sums that may be larger: no more was counted.")
    created_at: datetime | None
    updated_at: datetime | None
    settings: KbSettings


class KbPage(Page[Kb]):
    """KBs in the order of their ids."""
