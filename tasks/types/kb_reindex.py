"""Changing the embedder of a KB."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from tasks.types import Stage, TaskType


class KbReindex(BaseModel):
    """What the KB is to be indexed with."""

    model_config = ConfigDict(extra="forbid")

    embedder: Literal["local", "cohere", "openai"] = Field(
        description="The provider; its model is that of the settings when the task runs."
    )


# One at a time for a KB: the empty name is no document's.
TYPE = TaskType("kb_reindex", KbReindex, (Stage("kb_reindex", "embedding"),), needs_kb=True, subject=lambda _: "")
