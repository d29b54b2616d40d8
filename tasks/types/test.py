"""A task that answers with its own message: the first thing to submit to a new installation."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from tasks.types import Stage, TaskType


class Test(BaseModel):
    """Anything; the result echoes it."""

    model_config = ConfigDict(extra="allow")

    message: str = "hello"


TYPE = TaskType("test", Test, (Stage("test", bundle=100),))
