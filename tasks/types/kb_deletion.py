"""Deleting a KB with all that it holds."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from tasks.types import Stage, TaskType


class KbDeletion(BaseModel):
    """Nothing but the KB, which the task itself names."""

    model_config = ConfigDict(extra="forbid")


# Without a subject: it waits for nobody, but ends what is at work.
TYPE = TaskType("kb_deletion", KbDeletion, (Stage("kb_deletion"),), needs_kb=True)
