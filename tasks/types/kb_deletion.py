"""Deleting a KB with all that it holds."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from tasks.types import Stage, TaskType


class KbDeletion(BaseModel):
    """Nothing but the KB, which the task itself names."""

    model_config = ConfigDict(extra="forbid")


# Without a subject: it waits for nobody, but ends what is at work. Whoever may submit may not delete a KB: its own
# request asks for another role.
TYPE = TaskType("kb_deletion", KbDeletion, (Stage("kb_deletion"),), needs_kb=True, is_ours=True)
