"""One thing done to all tasks, or callbacks, that a filter names."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from models.base import Json
from tasks.types import Stage, TaskType

#: What can be done.
Action = Literal["cancel", "retry", "prioritise", "reingest", "redeliver"]


class Bulk(BaseModel):
    """What is done, and to what: to all that a filter names, or to all that another bulk has changed."""

    model_config = ConfigDict(extra="forbid")

    action: Action
    filter: Json = Field({}, description="As it was asked for, with the statuses that the action applies to.")
    batches: Json | None = Field(None, description="Of which batches the tasks are, where they are found by these.")
    include_permanent: bool = Field(False, description="Whether `retry` is for what no retry can mend as well.")
    priority: Literal["low", "normal", "high", "urgent"] | None = Field(
        None, description="What `prioritise` sets; without it each task gets back what it had."
    )
    undoes: UUID | None = Field(None, description="The bulk of which everything is taken back.")


class BulkDone(BaseModel):
    """The result of a `bulk` task."""

    action: Action
    changed: int
    refused: int = Field(description="Those that could not be changed; `GET /tasks/{task_id}/items` says why.")


TYPE = TaskType("bulk", Bulk, (Stage("bulk"),), result=BulkDone, is_ours=True)
