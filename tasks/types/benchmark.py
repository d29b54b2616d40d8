"""A task that does nothing, for measuring what doing it costs."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from tasks.types import Stage, TaskType


class Benchmark(BaseModel):
    """How long to do nothing."""

    model_config = ConfigDict(extra="allow")

    seconds: float = Field(0, ge=0, le=3600, description="How long the stage sleeps.")


class Slept(BaseModel):
    """The result of a `benchmark` task."""

    seconds: float = Field(description="How long it slept.")


TYPE = TaskType("benchmark", Benchmark, (Stage("benchmark", bundle=100),), result=Slept)
