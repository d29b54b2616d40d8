"""Which batches a client means, in lists and in bulks."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from tasks.input.fields import Moment, Name, StatusName


class BatchFilter(BaseModel):
    """Which batches are meant. What is not named does not count; what is named counts together."""

    model_config = ConfigDict(extra="forbid")

    status: Literal["processing", "completed"] | None = Field(
        None, description="`completed`: all its tasks have ended."
    )
    task_status: StatusName | None = Field(None, description="Of one of its tasks at least.")
    kb_id: Name | None = Field(None, description="Of all of its tasks.")
    created_after: Moment | None = None
    created_before: Moment | None = None
