"""Which callbacks a client means, in lists and in redeliveries."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from tasks.input.fields import Moment

#: What the table says of a callback, by what a client calls it.
STATES = {"owed": "pending", "delivered": "delivered", "failed": "failed"}


class CallbackFilter(BaseModel):
    """Which callbacks are meant. What is not named does not count; what is named counts together."""

    model_config = ConfigDict(extra="forbid")

    state: Literal["owed", "delivered", "failed"] | None = Field(
        None, description="`owed`: its next attempt is due or scheduled. `failed`: it was given up."
    )
    kb_id: str | None = None
    task_id: UUID | None = None
    batch_id: UUID | None = None
    host: Annotated[str, StringConstraints(to_lower=True)] | None = Field(
        None, description="To which it goes, without port."
    )
    created_after: Moment | None = None
    created_before: Moment | None = None
