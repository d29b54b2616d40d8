"""Tasks and batches as they are shown, one at a time or by the page."""

from __future__ import annotations

import hashlib
from collections import namedtuple
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import inspect, select, text
from sqlalchemy.orm import Session

from models import Task, database
from models.base import Json, id_at, rfc3339, trace_id_of
from models.statement import Statement
from tasks.input.fields import KEPT, Filter
from tasks.lifecycle import ENDED, Status
from tasks.types import all_types
from tasks.views import estimating, selection
from tasks.views.attempts import attempts

#: Bytes of a field that a list shows, and bytes in the table beyond which it is not even looked at.
LISTED, LOOKED_AT = 16 * 1024, 256 * 1024
#: What is told of the moment at which it is asked.
PASSING = ("estimated_completion", "queue_wait_seconds")
#: What was said of a task: its name, where it is kept, and how it is shown.
_SAID = [(name, kept.attribute or name, kept.shown) for name, kept in KEPT.items()]
#: The columns of a task, as a list shows them: without a document's text, and without what is large.
_TOLD = """
    CASE WHEN jsonb_typeof(payload->'content') = 'string'
        THEN payload - 'content' || jsonb_build_object('content_characters', length(payload->>'content'))
        ELSE payload END
"""
_LISTED_COLUMNS = ", ".join(
    f"CASE WHEN pg_column_size({name}) > {LOOKED_AT} THEN NULL"
    f" WHEN octet_length(({expression})::text) > {LISTED} THEN NULL ELSE {expression} END AS {name}"
    if (expression := {"payload": _TOLD, "metadata": "metadata"}.get(name))
    else "NULL AS attempts"
    if name == "attempts"
    else f"tasks.{name}"
    for name in (column.name for column in Task.__table__.columns)
    if name != "source_headers"
)
#: The columns of a task by the names of its attributes, without the secret that is deferred.
_ATTRIBUTES = {
    attribute.key: attribute.columns[0].name for attribute in inspect(Task).column_attrs if not attribute.deferred
}
_TASK = Statement(
    f"SELECT {', '.join(f'{column} AS {name}' for name, column in _ATTRIBUTES.items())} FROM tasks WHERE id = :id",
    namedtuple("_Columns", _ATTRIBUTES),
    is_prepared=True,
)


def show(session: Session, task_id: UUID, *, estimated: bool = True) -> Json | None:
    """Return a task as a client sees it, or None when there is none of that id.

    Parameters:
      estimated: whether to estimate when it will have ended, which costs some queries.
    """
    task = _read(session, task_id)
    if task is None:
        return None
    shown = view(task, estimating.estimates(session, [task]).get(task.id) if estimated else None)
    return shown | {"attempts": attempts(task)}


def _read(session: Session, task_id: UUID) -> Task | None:
    """Read a task without the ORM, in a fifth of its CPU: clients ask for nothing as often as for one task."""
    rows = database.rows(session, _TASK, {"id": task_id})
    return Task(**dict(zip(_ATTRIBUTES, rows[0], strict=True))) if rows else None


def page(session: Session, chosen: Filter, *, limit: int, before: UUID | None = None) -> list[Json]:
    """Return a page of a filter's tasks from the newest to the oldest.

    `estimated_completion` is null: each would cost a look at what is ahead.

    Parameters:
      before: the id that the page before ended with; ids sort by time.

    Raises:
      selection.TooMany: it took too long.
    """
    statement, values = selection.select_ids(chosen, limit, before)
    with selection.hasty() as limits:
        query = text(
            f"{limits} WITH page AS ({statement})"
            f" SELECT {_LISTED_COLUMNS} FROM tasks JOIN page USING (id) ORDER BY tasks.id DESC"
        )
        return [view(task) for task in session.scalars(select(Task).from_statement(query), values)]


def view(task: Task, estimated_completion: datetime | None = None) -> Json:
    """Return the fields of the contract; times in UTC."""
    stages = _stages(task)
    # A list leaves out what is large.
    left_out = [name for name, value in (("payload", task.payload), ("metadata", task.details)) if value is None]
    payload = None if task.payload is None else _without_text(task.payload)
    return {
        "task_id": str(task.id),
        "batch_id": str(task.batch_id) if task.batch_id else None,
        "status": task.status,
        "stage": task.stage,
        "progress": round(task.progress, 1),
        "attempt": max(task.stage_attempts, 1) if task.started_at else 0,
        "submitted_by": task.submitted_by,
        "request_id": task.request_id,
        "trace_id": trace_id_of(task.traceparent),
        **{name: shown(getattr(task, attribute)) for name, attribute, shown in _SAID},
        "payload": payload,
        "created_at": rfc3339(task.created_at),
        "started_at": rfc3339(task.started_at),
        "finished_at": rfc3339(task.finished_at),
        "estimated_completion": rfc3339(estimated_completion),
        "queue_wait_seconds": round(sum(stage["queue_wait_seconds"] or 0 for stage in stages), 3),
        "due_at": rfc3339(task.due_at) if task.status == Status.WAITING else None,
        "stages": stages,
        "result": task.result,
        "error": task.error,
        **({"left_out": left_out} if left_out else {}),
    }


def _without_text(payload: Json) -> Json:
    content = payload.get("content")
    if not isinstance(content, str):
        return payload
    return {name: value for name, value in payload.items() if name != "content"} | {"content_characters": len(content)}


def _stages(task: Task) -> list[Json]:
    """Return the stages that have ended, the present one, and those to come."""
    shown = {}
    since = max(task.run_at or task.created_at, task.created_at)
    for stage in task.stages:
        shown[stage["name"]] = _ended_stage(stage, since)
        since = _moment(stage["finished_at"]) or since
    kind = all_types().get(task.task_type)
    names = [stage.name for stage in kind.stages] if kind else list(shown)
    return [shown.get(name) or _open_stage(task, name) for name in names]


def _ended_stage(stage: Json, since: datetime) -> Json:
    started_at = _moment(stage["started_at"])
    return {
        "name": stage["name"],
        "status": stage["status"],
        "started_at": rfc3339(started_at),
        "finished_at": rfc3339(_moment(stage["finished_at"])),
        # An earlier release wrote none.
        "queue_wait_seconds": round(stage["waited"], 3) if "waited" in stage else _seconds(since, started_at),
        "units": stage["units"],
        "units_done": stage["units_done"],
        "attempts": stage["attempts"],
    }


def _open_stage(task: Task, name: str) -> Json:
    present = name == task.stage and task.status not in ENDED
    running = present and (task.worker_id is not None or task.shards > 0)
    status = str(Status.PROCESSING) if running else str(task.status) if present else "pending"
    if present and not running and task.status == Status.PROCESSING:
        status = str(Status.QUEUED)
    waited = task.waited + (0 if running else max(0.0, (datetime.now(UTC) - task.due_at).total_seconds()))
    return {
        "name": name,
        "status": status,
        "started_at": rfc3339(task.stage_started_at) if present else None,
        "finished_at": None,
        "queue_wait_seconds": round(waited, 3) if present and status != Status.WAITING else None,
        "units": task.units if present else 0,
        "units_done": task.units_done if present else 0,
        "attempts": task.stage_attempts if present else 0,
    }


def submitted_at(session: Session, task_id: UUID) -> datetime:
    """Return when a task was submitted; of one that is kept no longer, when its id was made."""
    created_at = session.scalar(select(Task.created_at).where(Task.id == task_id))
    return created_at or datetime.fromtimestamp((task_id.int >> 80) / 1000, UTC)


def submitted_after(session: Session, task_ids: Sequence[UUID], moment: datetime) -> set[UUID]:
    """Return those of some tasks that were submitted after a moment, as `submitted_at` has it."""
    if not task_ids:
        return set()
    rows = session.execute(select(Task.id, Task.created_at).where(Task.id.in_(task_ids))).all()
    known = {task_id for task_id, _ in rows}
    since = id_at(moment)
    return {task_id for task_id, created_at in rows if created_at > moment} | {
        task_id for task_id in task_ids if task_id not in known and task_id > since
    }


def version(shown: Json) -> str:
    """Return what changes with a task as it is shown, and not merely with the time."""
    steady = {name: value for name, value in shown.items() if name not in PASSING}
    stages = [{name: value for name, value in stage.items() if name not in PASSING} for stage in shown["stages"]]
    return hashlib.sha256(repr(sorted((steady | {"stages": stages}).items())).encode()).hexdigest()[:32]


def _seconds(since: datetime, until: datetime | None) -> float | None:
    return None if until is None else round(max(0.0, (until - since).total_seconds()), 3)


def _moment(stored: str | None) -> datetime | None:
    return datetime.fromisoformat(stored) if stored else None
