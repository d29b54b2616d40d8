"""The schedules that there are: making, changing, showing and deleting them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models import Schedule, audit
from models.audit import Actor
from models.base import Json, new_id, rfc3339
from sentences import say
from tasks.accepting import idempotency
from tasks.accepting.idempotency import Key
from tasks.accepting.schedules.recurrence import Recurrence
from tasks.accepting.submission import Accepted, Submission, submit
from tasks.transactions.unit import Unit
from tasks.types import document_processing
from tasks.types.document_processing import apart, together

#: Schedules that there may be: the clock carries out 500 a second.
MOST = 10_000


class TooMany(Exception):
    """There are as many schedules as may be."""

    def __init__(self) -> None:
        super().__init__(say("too_many_schedules", most=MOST))


@dataclass(frozen=True, slots=True)
class Wanted:
    """A schedule that is to be made.

    Parameters:
      task: as it was said, in the form of a submission.
    """

    name: str | None
    recurrence: Recurrence
    catch_up: str
    task: Json
    kb_id: str | None


@dataclass(frozen=True, slots=True)
class Made:
    """What a schedule that was made is called."""

    schedule_id: UUID


def make(unit: Unit, actor: Actor, wanted: Wanted, key: Key | None) -> UUID | Exception:
    """Write a schedule, or find the one that the same key made before.

    Returns:
      its id, `idempotency.Reused` or `TooMany`.
    """

    def accept(new: Sequence[Wanted]) -> list[Made | Exception]:
        return [_write(unit, actor, schedule) for schedule in new]

    (made,) = idempotency.once(unit, [wanted], [key], accept, TypeAdapter(Made))
    return made.schedule_id if isinstance(made, Made) else made


def _write(unit: Unit, actor: Actor, wanted: Wanted) -> Made | TooMany:
    # One after the other, so that two at once do not both write the last one.
    unit.session.execute(select(func.pg_advisory_xact_lock(func.hashtext("schedules"))))
    if unit.session.execute(select(func.count()).select_from(Schedule)).scalar_one() >= MOST:
        return TooMany()
    schedule = Schedule(
        id=new_id(),
        name=wanted.name,
        kb_id=wanted.kb_id,
        cron=wanted.recurrence.cron,
        timezone=wanted.recurrence.timezone,
        catch_up=wanted.catch_up,
        **_task_columns(wanted.task),
        created_by=actor.name,
        next_due_at=wanted.recurrence.after(_now(unit)),
    )
    unit.session.add(schedule)
    _note(unit, actor, "create", schedule)
    return Made(schedule_id=schedule.id)


def locked(session: Session, schedule_id: UUID) -> Schedule | None:
    """Return a schedule that nobody else can change or carry out until the transaction ends."""
    return session.get(Schedule, schedule_id, with_for_update=True)


def change(unit: Unit, actor: Actor, schedule: Schedule, values: Json) -> None:
    """Change some of its columns. Its next due time is that of the new times, counted from now.

    A task that is changed is submitted in the name of whoever changed it.
    """
    task = _task_columns(values["task"]) if "task" in values else {}
    for name, value in {**values, **task}.items():
        setattr(schedule, name, value)
    if "task" in values:
        schedule.created_by = actor.name
    schedule.last_error = schedule.last_error_zh = None
    _changed(schedule)
    if {"cron", "timezone"} & values.keys():
        _count_anew(unit, schedule)
    _note(unit, actor, "change", schedule, fields=sorted(values))


def pause(unit: Unit, actor: Actor, schedule: Schedule) -> None:
    """Let it fall due no more. What falls due meanwhile is not caught up with."""
    if schedule.paused_at is None:
        schedule.paused_at = datetime.now(UTC)
        schedule.next_due_at = None
        _changed(schedule)
        _note(unit, actor, "pause", schedule)


def resume(unit: Unit, actor: Actor, schedule: Schedule) -> None:
    """Let it fall due again, counted from now."""
    if schedule.paused_at is not None:
        schedule.paused_at = schedule.last_error = schedule.last_error_zh = None
        _changed(schedule)
        _count_anew(unit, schedule)
        _note(unit, actor, "resume", schedule)


def run(unit: Unit, actor: Actor, schedule: Schedule, submission: Submission) -> Accepted | Exception:
    """Submit its task now, also while it is paused; its due times stay as they are."""
    (accepted,) = submit(unit, [submission])
    now = unit.session.execute(select(func.now())).scalar_one()
    # What the same key submitted before was noted then.
    if isinstance(accepted, Accepted) and accepted.created_at == now:
        schedule.last_due_at, schedule.last_task_id = now, accepted.task_id
        _note(unit, actor, "run", schedule, task_id=str(accepted.task_id))
    return accepted


def delete(unit: Unit, actor: Actor, schedule: Schedule) -> None:
    """Delete it. The tasks that it submitted stay."""
    unit.session.delete(schedule)
    _note(unit, actor, "delete", schedule)


def page(session: Session, *, limit: int, kb_ids: Collection[str | None], before: UUID | None = None) -> list[Json]:
    """Return schedules as they are shown, the newest first.

    Parameters:
      kb_ids: the KBs whose schedules are shown; [None]: of all KBs and of none.
      before: the id that the page before ended with.
    """
    query = select(Schedule).order_by(Schedule.id.desc()).limit(limit)
    if before is not None:
        query = query.where(Schedule.id < before)
    if None not in kb_ids:
        query = query.where(Schedule.kb_id.in_(kb_ids))
    return [shown(row) for row in session.scalars(query)]


def find(session: Session, schedule_id: UUID) -> Json | None:
    """Return a schedule as it is shown; None when there is none of that id."""
    schedule = session.get(Schedule, schedule_id)
    return None if schedule is None else shown(schedule)


def shown(schedule: Schedule) -> Json:
    """Return a schedule as it is shown."""
    return {
        "schedule_id": str(schedule.id),
        "name": schedule.name,
        "kb_id": schedule.kb_id,
        "cron": schedule.cron,
        "timezone": schedule.timezone,
        "catch_up": schedule.catch_up,
        "task": schedule.task,
        "created_by": schedule.created_by,
        "created_at": rfc3339(schedule.created_at),
        "updated_at": rfc3339(schedule.updated_at),
        "paused_at": rfc3339(schedule.paused_at),
        "next_due_at": rfc3339(schedule.next_due_at),
        "last_due_at": rfc3339(schedule.last_due_at),
        "last_task_id": schedule.last_task_id and str(schedule.last_task_id),
        "last_error": schedule.last_error,
        "last_error_zh": schedule.last_error_zh,
    }


def task_of(schedule: Schedule) -> Json:
    """Return a schedule's task as it was said, with its headers."""
    if schedule.source_headers is None:
        return schedule.task
    return {**schedule.task, "payload": together(schedule.task["payload"], schedule.source_headers)}


def _task_columns(task: Json) -> Json:
    """Return a task as its schedule keeps it: as it is shown, and the headers of its document apart."""
    if task["task_type"] != document_processing.TYPE.name:
        return {"task": task, "source_headers": None}
    payload, headers = apart(task["payload"])
    return {"task": {**task, "payload": payload}, "source_headers": headers}


def _changed(schedule: Schedule) -> None:
    schedule.updated_at = datetime.now(UTC)


def _count_anew(unit: Unit, schedule: Schedule) -> None:
    if schedule.paused_at is None:
        schedule.next_due_at = Recurrence(schedule.cron, schedule.timezone).after(_now(unit))


def _now(unit: Unit) -> datetime:
    """Return the time by PostgreSQL's clock, now that the row is locked: what was due before it has been submitted.

    Neither this machine's clock, which may be behind, nor `now()`, which is when the transaction began.
    """
    moment: datetime = unit.session.execute(select(func.clock_timestamp())).scalar_one()
    return moment


def _note(unit: Unit, actor: Actor, act: str, schedule: Schedule, **detail: object) -> None:
    audit.record(unit.session, actor, f"schedule.{act}", "schedule", schedule.id, kb_id=schedule.kb_id, **detail)
