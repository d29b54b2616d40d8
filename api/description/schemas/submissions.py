"""Tasks as clients submit them: one model for each task type, told apart by `task_type`.

They describe; what is submitted is validated by `tasks.accepting.submission.Submission`, from which they are made.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model

from api.description.schemas.shape import Model, camel, told_apart
from tasks.accepting.submission import Submission
from tasks.input.fields import CallbackAddress
from tasks.types import TaskType, all_types

#: Tasks of one batch.
LARGEST = 1000
_KB = "The knowledge base it works on."


class Described(Submission):
    """A submission, for the OpenAPI document alone."""

    model_config = ConfigDict(defer_build=True)


def _submitted(kind: TaskType, suffix: str, **more: Any) -> type[BaseModel]:
    """Return what a task of a type is submitted with."""
    kb: Any = Field(min_length=1, max_length=255, description=_KB)
    required = any(each.is_required() for each in kind.payload.model_fields.values()) or kind.needs_kb
    payload: Any = Field(... if required else {}, description="What is to be done.")
    fields: dict[str, Any] = {
        "task_type": (Literal[kind.name], Field(description=kind.payload.__doc__)),
        "payload": (kind.payload, payload),
        **({"kb_id": (str, kb)} if kind.needs_kb else {}),
        **more,
    }
    doc = f"A `{kind.name}` task, as it is submitted."
    return create_model(f"{camel(kind.name)}{suffix}", __base__=Described, __doc__=doc, **fields)


#: What only this service makes is not submitted.
_KINDS = [kind for kind in all_types().values() if not kind.is_ours]

NewTask = told_apart("NewTask", "task_type", [_submitted(kind, "Submission") for kind in _KINDS])

_NAME: Any = Field(None, min_length=1, max_length=255, description="By which others of the batch depend on it.")
_DEPENDS_ON: Any = Field(
    [], max_length=1000, description="Ids of tasks that must have ended first, or names of this batch."
)
NewBatchItem = told_apart(
    "NewBatchItem",
    "task_type",
    [_submitted(kind, "BatchItem", name=(str | None, _NAME), depends_on=(list[str], _DEPENDS_ON)) for kind in _KINDS],
)


class NewBatch(Model):
    """Tasks to be submitted together."""

    tasks: list[NewBatchItem] = Field(  # type: ignore[valid-type]
        min_length=1, max_length=LARGEST, description="One with a `name` can be depended on by the others."
    )
    callback_url: CallbackAddress | None = None
    atomic: bool = Field(False, description="All or none: one task that does not fit rejects the rest.")
