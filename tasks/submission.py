"""Accepting tasks: what a client may say, and the transaction that makes it durable."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from types import SimpleNamespace
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError
from sqlalchemy import func, insert, select

from broker.topology import PRIORITIES
from models import Batch, Task
from models.base import new_id
from settings import settings
from tasks import dispatch
from tasks.lifecycle import target
from tasks.types import all_types, task_type
from tasks.unit import Unit


class Submission(BaseModel):
    """A task as a client submits it."""

    model_config = ConfigDict(extra="forbid")

    task_type: str = Field(description="`document_processing`, `document_deletion`, `test`, `benchmark`, …")
    kb_id: str | None = Field(None, min_length=1, max_length=255, description="The knowledge base it works on.")
    payload: dict[str, Any] = Field({}, description="What the task type asks for.")
    priority: Literal["low", "normal", "high", "urgent"] = "normal"
    retry_limit: int | None = Field(None, ge=0, le=20, description="Default: MAX_RETRY_ATTEMPTS.")
    timeout: float | None = Field(
        None, gt=0, le=86_400, description="Running seconds of one stage's attempt. Default: TASK_TIMEOUT."
    )
    callback_url: str | None = Field(
        None, max_length=2048, pattern=r"^https?://", description="Default: KB_CALLBACK_URL."
    )
    metadata: dict[str, Any] = Field({}, description="Yours; comes back unchanged.")

    _id: UUID | None = PrivateAttr(None)

    def named(self, task_id: UUID) -> Submission:
        """The same with an id that was made before, such as an upload's."""
        self._id = task_id
        return self

    @model_validator(mode="after")
    def _fits_its_type(self) -> Submission:
        problems: list[InitErrorDetails] = []
        if self.task_type not in all_types():
            known = ", ".join(all_types())
            problems.append(_problem(("task_type",), f"no such task type; there are {known}", self.task_type))
        else:
            kind = task_type(self.task_type)
            if kind.needs_kb and self.kb_id is None:
                problems.append(_problem(("kb_id",), f"a {self.task_type} task needs the KB it works on", None))
            try:
                self.payload = kind.payload.model_validate(self.payload).model_dump(exclude_none=True)
            except ValidationError as error:
                problems += [
                    _problem(("payload", *each["loc"]), each["msg"].removeprefix("Value error, "), each["input"])
                    for each in error.errors(include_url=False)
                ]
        problems += _nul_characters(self)
        if problems:
            raise ValidationError.from_exception_data("Submission", problems)
        return self


class Accepted(BaseModel):
    """The answer to a submission."""

    task_id: UUID
    status: str
    task_type: str
    kb_id: str | None
    created_at: datetime


def submit(unit: Unit, submissions: Sequence[Submission]) -> list[Accepted]:
    """Write tasks and publish the first of them, as far as the windows have room.

    Returns:
      what was accepted, in the order of `submissions`.
    """
    return _insert(unit, submissions, None)


def submit_batch(unit: Unit, batches: Sequence[NewBatch]) -> list[tuple[UUID, list[Accepted]]]:
    """Write batches and their tasks.

    Returns:
      for each batch its id and what was accepted, in order.
    """
    answers = []
    for batch in batches:
        batch_id = new_id()
        count = len(batch.submissions)
        unit.session.execute(
            insert(Batch).values(id=batch_id, total=count, pending=count, callback_url=batch.callback_url)
        )
        answers.append((batch_id, _insert(unit, batch.submissions, batch_id)))
    return answers


class NewBatch(BaseModel):
    """Tasks to be submitted, counted and called back together."""

    submissions: list[Submission]
    callback_url: str | None = None


def _insert(unit: Unit, submissions: Sequence[Submission], batch_id: UUID | None) -> list[Accepted]:
    rows = [_row(submission, batch_id) for submission in submissions]
    room = dispatch.room(unit, ((row["queue"], row["priority"]) for row in rows))
    now = unit.session.execute(select(func.now())).scalar_one()
    for row in rows:
        place = (row["queue"], row["priority"])
        fits = room[place] > 0
        room[place] -= fits
        row |= {
            "created_at": now,
            "due_at": now,
            "published_at": now if fits else None,
            "publications": int(fits),
        }
    unit.session.execute(insert(Task), rows)
    dispatch.publish(unit, [SimpleNamespace(**row, attempt=0) for row in rows if row["published_at"]])
    return [
        Accepted(
            task_id=row["id"],
            status=row["status"],
            task_type=row["task_type"],
            kb_id=row["kb_id"],
            created_at=now,
        )
        for row in rows
    ]


def _row(submission: Submission, batch_id: UUID | None) -> dict[str, Any]:
    stage = task_type(submission.task_type).stages[0]
    limit = submission.retry_limit
    return {
        "id": submission._id or new_id(),
        "task_type": submission.task_type,
        "kb_id": submission.kb_id,
        "batch_id": batch_id,
        "priority": PRIORITIES[submission.priority],
        "payload": submission.payload,
        "details": submission.metadata,
        "callback_url": submission.callback_url,
        "retry_limit": settings().max_retry_attempts if limit is None else limit,
        "timeout": submission.timeout or settings().task_timeout,
        "status": target("submit"),
        "stage": stage.name,
        "queue": stage.queue,
    }


def _problem(where: tuple[int | str, ...], what: str, given: object) -> InitErrorDetails:
    return InitErrorDetails(type=PydanticCustomError("task", "{what}", {"what": what}), loc=where, input=given)


def _nul_characters(submission: Submission) -> list[InitErrorDetails]:
    """PostgreSQL's text and JSON hold every character but NUL."""
    fields = submission.model_dump(include={"kb_id", "payload", "callback_url", "metadata"})
    return [
        _problem((name,), "holds a NUL character, which cannot be stored; remove it", None)
        for name, value in fields.items()
        if _holds_nul(value)
    ]


def _holds_nul(value: object) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any(_holds_nul(each) for pair in value.items() for each in pair)
    return isinstance(value, list) and any(_holds_nul(each) for each in value)
