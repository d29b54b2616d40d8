"""A task type that a user adds to the service, with a fault that Python cannot catch."""

from __future__ import annotations

from pydantic import BaseModel

from tasks.types import Stage, TaskType


class Killer(BaseModel):
    """When to strike."""

    sign: str
    """A file: as soon as it is there."""


TYPE = TaskType("killer", Killer, (Stage("killer"),))
