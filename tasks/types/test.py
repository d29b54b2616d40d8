"""A task that answers with its own message: the first thing to submit to a new installation."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from models.base import Json
from tasks.types import Stage, TaskType


class Test(BaseModel):
    """Anything; the result echoes it."""

    model_config = ConfigDict(extra="allow")

    message: str = "hello"


class Echo(BaseModel):
    """The result of a `test` task."""

    echo: Json = Field(description="Its payload.")


TYPE = TaskType("test", Test, (Stage("test", bundle=100),), result=Echo)
