"""Accepting tasks: what a client may say, and the transaction that makes it durable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from pydantic import (
    ModelWrapValidatorHandler,
    PrivateAttr,
    TypeAdapter,
    ValidationInfo,
    field_validator,
    model_validator,
)
from sqlalchemy import insert

import tracing
from logs import Submitted
from models import Batch, Task
from models.audit import Actor
from models.base import Json, new_id, trace_id_of
from sentences import say
from settings import settings
from tasks.accepting import idempotency, inserting
from tasks.accepting.idempotency import Key
from tasks.ending import dependencies, ending
from tasks.ending.dependencies import Unknown
from tasks.input.bounds import excess_of_metadata, excess_of_payload, storable
from tasks.input.fields import KEPT, TaskFields
from tasks.lifecycle import Status
from tasks.transactions.unit import Unit
from tasks.types import all_types, document_processing, task_type
from tasks.types.document_processing import CHUNKING, apart

#: Times of tasks.
EARLIEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)

#: Where nobody is known who asks.
NOBODY = Actor(None)


@dataclass(slots=True)
class Origin:
    """Where a submission comes from, and what follows from that.

    Parameters:
      task_id: made before, if any.
      actor: whoever asks for it, and by which request.
      submitted_at: the time of the request; None: it is written now.
      inherits: whether its KB may say the chunking, of which the submission said nothing.
    """

    task_id: UUID | None = None
    key: Key | None = None
    actor: Actor = NOBODY
    submitted_at: datetime | None = None
    inherits: bool = False


class Submission(TaskFields):
    """A task as a client submits it."""

    # One for all, since pydantic takes as long for each as for a field.
    _origin: Origin = PrivateAttr(default_factory=Origin)

    @model_validator(mode="wrap")
    @classmethod
    def _note_what_is_left_out(cls, value: object, make: ModelWrapValidatorHandler[Submission]) -> Submission:
        made = make(value)
        if made.task_type == document_processing.TYPE.name:
            payload = value.get("payload") or {} if isinstance(value, dict) else made.payload
            made._origin.inherits = CHUNKING.keys().isdisjoint(payload)
        return made

    def named(self, task_id: UUID) -> Submission:
        """Return the same with an id that was made before, such as an upload's."""
        self._origin.task_id = task_id
        return self

    @property
    def task_id(self) -> UUID | None:
        """The id that was made before, if any."""
        return self._origin.task_id

    def under(self, key: Key | None) -> Submission:
        """Return the same under an `Idempotency-Key`."""
        self._origin.key = key
        return self

    def by(self, actor: Actor) -> Submission:
        """Return the same, with whoever asks for it, and by which request."""
        self._origin.actor = actor
        return self

    # One validator for each field, so that all that do not fit are listed at once.

    _can_be_stored = field_validator("kb_id", "payload", "callback_url", "metadata")(storable)

    @field_validator("payload")
    @classmethod
    def _payload_is_small(cls, payload: Json) -> Json:
        if (excess := excess_of_payload(payload)) is not None:
            raise ValueError(excess)
        return payload

    @field_validator("metadata")
    @classmethod
    def _metadata_is_small(cls, metadata: Json) -> Json:
        if (excess := excess_of_metadata(metadata)) is not None:
            raise ValueError(excess)
        return metadata

    @field_validator("task_type")
    @classmethod
    def _is_known(cls, name: str) -> str:
        if name not in all_types():
            raise ValueError(say("task_type", names=list(all_types())))
        return name

    @field_validator("kb_id")
    @classmethod
    def _is_named_where_a_kb_is_touched(cls, kb_id: str | None, fields: ValidationInfo) -> str | None:
        kind = all_types().get(fields.data.get("task_type", ""))
        if kind is not None and kind.needs_kb and kb_id is None:
            raise ValueError(say("needs_kb", name=kind.name))
        return kb_id

    @field_validator("payload")
    @classmethod
    def _fits_its_type(cls, payload: Json, fields: ValidationInfo) -> Json:
        kind = all_types().get(fields.data.get("task_type", ""))
        return payload if kind is None else kind.payload.model_validate(payload).model_dump(exclude_none=True)

    @field_validator("run_at", "expires_at")
    @classmethod
    def _is_in_every_calendar(cls, moment: datetime | None) -> datetime | None:
        # A day from either end, so that it can be shown in any time zone.
        if moment is not None and not EARLIEST < moment < LATEST:
            raise ValueError(say("year", first=EARLIEST.year, last=LATEST.year))
        return moment

    @field_validator("expires_at")
    @classmethod
    def _lies_ahead(cls, expires_at: datetime | None, fields: ValidationInfo) -> datetime | None:
        if expires_at is not None and expires_at <= (fields.data.get("run_at") or datetime.now(UTC)):
            raise ValueError(say("expires_at"))
        return expires_at


@dataclass(slots=True)
class Accepted:
    """The answer to a submission."""

    task_id: UUID
    status: str
    task_type: str
    kb_id: str | None
    created_at: datetime


@dataclass(slots=True)
class NewBatch:
    """Tasks to be submitted, counted and called back together."""

    submissions: Sequence[Submission]
    callback_url: str | None = None
    atomic: bool = False
    key: Key | None = None

    def under(self, key: Key | None) -> NewBatch:
        """Return the same under an `Idempotency-Key`."""
        self.key = key
        return self


@dataclass(frozen=True, slots=True)
class Member:
    """A task that another becomes one of: its id, under which its upload is kept, and its payload."""

    task_id: UUID
    payload: Json


@dataclass(slots=True)
class Refused:
    """A task of a batch that depends on tasks which do not exist."""

    unknown: list[UUID]


@dataclass(slots=True)
class AcceptedBatch:
    """The answer to a batch, in the order of its submissions; its `batch_id` is None when none was accepted."""

    batch_id: UUID | None
    tasks: Sequence[Accepted | Refused]


#: Read the answers that were kept for an `Idempotency-Key`.
_ONE, _BATCH = TypeAdapter(Accepted), TypeAdapter(AcceptedBatch)


def submit(unit: Unit, submissions: Sequence[Submission]) -> list[Accepted | Exception]:
    """Write tasks, and wake workers for those that are ready.

    Returns:
      for each submission what was accepted, `dependencies.Unknown` or `idempotency.Reused`.
    """
    keys = [submission._origin.key for submission in submissions]
    return idempotency.once(unit, submissions, keys, lambda new: _accept(unit, new), _ONE)


def submit_batch(unit: Unit, batches: Sequence[NewBatch]) -> list[AcceptedBatch | Exception]:
    """Write batches and their tasks.

    Returns:
      for each batch what was accepted, or `idempotency.Reused`.
    """
    keys = [batch.key for batch in batches]
    return idempotency.once(unit, batches, keys, lambda new: [_accept_batch(unit, batch) for batch in new], _BATCH)


def submit_members(unit: Unit, task_id: UUID, members: Sequence[Member]) -> UUID:
    """Write the tasks that a task becomes, with its type, KB, priority, limits, callback and metadata.

    Returns:
      the id of their batch.
    """
    task = unit.session.get_one(Task, task_id)
    inherited, actor = inherited_from(task), Actor(task.submitted_by, task.request_id, task.traceparent)
    submissions = [
        Submission(**inherited, payload=member.payload).named(member.task_id).by(actor) for member in members
    ]
    for submission in submissions:
        # As it was accepted, which may have been by an earlier release that asked for less.
        submission.callback_url = task.callback_url
        # In the order of requests they stand where it does: a deletion that came meanwhile is later than they are.
        submission._origin.submitted_at = task.created_at
    batch = _accept_batch(unit, NewBatch(submissions=submissions, callback_url=task.callback_url))
    assert batch.batch_id is not None  # nothing that they depend on can be missing
    return batch.batch_id


def inherited_from(task: Task) -> Json:
    """Return what tasks have of the one that they come from."""
    fields = {name: kept.shown(getattr(task, kept.attribute or name)) for name, kept in KEPT.items() if kept.inherited}
    if not task.has_details:
        del fields["metadata"]
    return fields


def _accept(unit: Unit, submissions: Sequence[Submission]) -> list[Accepted | Exception]:
    unknown = dependencies.unknown(unit, submissions)
    accepted = iter(
        _insert(unit, [submission for position, submission in enumerate(submissions) if position not in unknown], None)
    )
    return [
        Unknown(unknown[position]) if position in unknown else next(accepted) for position in range(len(submissions))
    ]


def _accept_batch(unit: Unit, batch: NewBatch) -> AcceptedBatch:
    unknown = dependencies.unknown(unit, batch.submissions)
    submissions = [submission for position, submission in enumerate(batch.submissions) if position not in unknown]
    if not submissions or (unknown and batch.atomic):
        refused = [Refused(unknown=unknown.get(position, [])) for position in range(len(batch.submissions))]
        return AcceptedBatch(batch_id=None, tasks=refused)
    batch_id, count = new_id(), len(submissions)
    row = {"id": batch_id, "total": count, "pending": count, "callback_url": batch.callback_url}
    unit.session.execute(insert(Batch).values(row))
    accepted = iter(_insert(unit, submissions, batch_id))
    tasks = [
        Refused(unknown=unknown[position]) if position in unknown else next(accepted)
        for position in range(len(batch.submissions))
    ]
    return AcceptedBatch(batch_id=batch_id, tasks=tasks)


def _insert(unit: Unit, submissions: Sequence[Submission], batch_id: UUID | None) -> list[Accepted]:
    """Write tasks, and wake workers for those that are ready."""
    rows = [_row(submission, batch_id) for submission in submissions]
    if not rows:
        return []
    if tracing.is_on():
        _trace(unit, rows)
    orphans = dependencies.watch(unit, rows)
    written = {row.id: row for row in inserting.insert(unit, rows)}
    unit.ready(row for row in written.values() if row.status == Status.QUEUED and not row.is_busy)
    ending.orphan(unit, orphans)
    unit.tell(_told(row, written[row["id"]].status) for row in rows)
    made = [written[row["id"]] for row in rows]
    return [Accepted(row.id, row.status, row.task_type, row.kb_id, row.created_at) for row in made]


def _trace(unit: Unit, rows: list[Json]) -> None:
    """Give each task the span of its submission, of which those of its attempts are children."""
    for row in rows:
        facts = {
            "messaging.system": "rabbitmq",
            "messaging.operation.name": "send",
            "messaging.operation.type": "send",
            "messaging.destination.name": row["queue"],
            "messaging.message.id": str(row["id"]),
            "task.type": row["task_type"],
        }
        span = tracing.begin(f"send {row['queue']}", "PRODUCER", row["traceparent"], facts)
        assert span is not None
        row["traceparent"] = span.traceparent
        unit.trace(span)


def _told(row: Json, status: str) -> Submitted:
    return Submitted(
        task_id=row["id"],
        task_type=row["task_type"],
        status=status,
        priority=row["priority"],
        kb_id=row["kb_id"],
        batch_id=row["batch_id"],
        key=row["submitted_by"],
        request_id=row["request_id"],
        trace_id=trace_id_of(row["traceparent"]),
    )


def _row(submission: Submission, batch_id: UUID | None) -> Json:
    kind = task_type(submission.task_type)
    stage = kind.stages[0]
    origin = submission._origin
    limit = submission.retry_limit
    payload, headers = submission.payload, None
    if kind is document_processing.TYPE:
        payload, headers = apart(payload)
    return vars(submission) | {
        **{name: stored(getattr(submission, name)) for name, stored in _STORED},
        "id": origin.task_id or new_id(),
        "subject": kind.subject(submission.payload) if kind.subject else None,
        "batch_id": batch_id,
        "submitted_by": origin.actor.name,
        "request_id": origin.actor.request_id,
        "traceparent": origin.actor.traceparent,
        "payload": _said(payload) if origin.inherits else payload,
        **({} if headers is None else {"source_headers": headers}),
        "has_metadata": "metadata" in submission.model_fields_set,
        "retry_limit": settings().max_retry_attempts if limit is None else limit,
        "timeout": submission.timeout or settings().task_timeout,
        "stage": stage.name,
        "queue": stage.queue,
        **({} if origin.submitted_at is None else {"created_at": origin.submitted_at}),
    }


def _said(payload: Json) -> Json:
    """Return a payload without the chunking that its KB may set."""
    return {name: value for name, value in payload.items() if name not in CHUNKING}


_STORED = [(name, kept.stored) for name, kept in KEPT.items() if kept.stored is not None]
