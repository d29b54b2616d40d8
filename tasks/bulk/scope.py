"""What a bulk is for: the tasks of a filter, or of batches, callbacks, or what another bulk has changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import Field
from sqlalchemy import text
from sqlalchemy.orm import Session

from broker.topology import PRIORITIES, PRIORITY_NAMES
from errors import PERMANENT
from models.base import LAST_ID, Json, rfc3339
from tasks.input.batch_filter import BatchFilter
from tasks.input.callback_filter import CallbackFilter
from tasks.input.fields import Filter
from tasks.lifecycle import Status, sources
from tasks.types import all_types
from tasks.types.bulk import Bulk
from tasks.views import batches, callbacks, selection
from tasks.views.selection import Count

#: Ids that a request may name one by one.
MOST_IDS = 1000
#: Candidates up to which a preview counts, and of which it shows some.
MOST_COUNTED, EXAMPLES = 10_000, 10

#: The statuses of the tasks that an action can change. What waits between two stages keeps its place.
STATUSES: dict[str, tuple[str, ...]] = {
    "cancel": sources("cancel"),
    "retry": sources("retry"),
    "prioritise": (str(Status.WAITING), str(Status.QUEUED)),
    "reingest": (str(Status.COMPLETED),),
}


class TaskFilter(Filter):
    """Which tasks an action is for."""

    ids: list[UUID] | None = Field(
        None, min_length=1, max_length=MOST_IDS, description="These tasks, whatever else is named."
    )


class CallbacksFilter(CallbackFilter):
    """Which callbacks are to be delivered again."""

    ids: list[UUID] | None = Field(
        None, min_length=1, max_length=MOST_IDS, description="These callbacks, whatever else is named."
    )


@dataclass(frozen=True, slots=True)
class Fitting:
    """Those of some candidates (`:ids`) that an action is for.

    Parameters:
      rows: selects them, with their ids.
    """

    rows: str
    values: Mapping[str, Any]


def candidates(session: Session, wanted: Bulk, before: UUID | None, limit: int) -> list[UUID]:
    """Return ids of what a bulk may be for, newest first; see `fitting`.

    Parameters:
      before: the last of the page before.
    """
    before = before or LAST_ID
    if wanted.undoes is not None:
        values = {"bulk": wanted.undoes, "before": before, "limit": limit}
        return list(session.scalars(_CHANGED, values))
    if wanted.batches is not None:
        chosen = BatchFilter.model_validate(wanted.batches)
        return batches.tasks_of(session, chosen, wanted.filter["status"], limit=limit, before=before)
    if ids := wanted.filter.get("ids"):
        return sorted((item_id for item_id in map(UUID, ids) if item_id < before), reverse=True)[:limit]
    if wanted.action == "redeliver":
        return callbacks.ids(session, CallbackFilter.model_validate(wanted.filter), limit=limit, before=before)
    return selection.ids(session, Filter.model_validate(wanted.filter), limit=limit, before=before)


def fitting(wanted: Bulk, asked_at: datetime | None = None) -> Fitting:
    """Return what an action is for, among some candidates; never what has a request of its own, as a bulk.

    Parameters:
      asked_at: nothing that came later.
    """
    conditions = ["id = ANY(CAST(:ids AS uuid[]))"]
    values: dict[str, object] = {}
    if asked_at is not None:
        conditions.append("created_at <= :asked_at")
        values["asked_at"] = asked_at
    # Tasks that are named by their ids are not looked up by the rest of a filter.
    kb_id = wanted.filter.get("kb_id")
    if kb_id is not None:
        values["kb_id"] = kb_id
    if wanted.action == "redeliver":
        conditions += [callbacks.OF_KB] if kb_id is not None else []
        return Fitting(f"SELECT * FROM callbacks WHERE {' AND '.join(conditions)}", values)
    conditions += ["kb_id = :kb_id"] if kb_id is not None else []
    statuses = wanted.filter.get("status") or STATUSES[wanted.action]
    values |= {"statuses": list(statuses), "ours": [name for name, kind in all_types().items() if kind.is_ours]}
    conditions += ["status = ANY(CAST(:statuses AS text[]))", "task_type <> ALL(CAST(:ours AS text[]))"]
    if wanted.action == "prioritise":
        conditions.append("worker_id IS NULL")
    if wanted.action == "reingest":
        conditions.append(_SHOWN_NOW)
    if wanted.undoes is not None:
        conditions.append(_UNTOUCHED_SINCE)
        values["undoes"] = wanted.undoes
    elif wanted.priority is not None:
        conditions.append("priority <> :to")
        values["to"] = PRIORITIES[wanted.priority]
    elif wanted.action == "retry" and not wanted.include_permanent:
        conditions.append("coalesce(error->>'code' <> ALL(CAST(:permanent AS text[])), true)")
        values["permanent"] = sorted(PERMANENT)
    return Fitting(f"SELECT * FROM tasks WHERE {' AND '.join(conditions)}", values)


def still_meant(session: Session, wanted: Bulk, ids: Sequence[UUID]) -> set[UUID]:
    """Return those of some items that a bulk is for now; tasks stay so until the transaction ends."""
    fits = fitting(wanted)
    lock = "" if wanted.action == "redeliver" else "ORDER BY id FOR UPDATE"
    statement = f"SELECT id FROM ({fits.rows}) AS fitting {lock}"
    return set(session.scalars(text(statement), {**fits.values, "ids": list(ids)}))


@dataclass(frozen=True, slots=True)
class Preview:
    """What a bulk would be for.

    Parameters:
      count: of the newest 10,000 that the filter names; `capped`: there are more.
      examples: the newest.
    """

    count: Count
    examples: list[Json]


def oldest(session: Session, wanted: Bulk, limit: int) -> list[UUID]:
    """Return the oldest of what a bulk would be for that began now, among the newest MOST_COUNTED candidates."""
    ids = candidates(session, wanted, None, MOST_COUNTED)
    fits = fitting(wanted)
    statement = f"SELECT id FROM ({fits.rows}) AS fitting ORDER BY id LIMIT :limit"
    return list(session.scalars(text(statement), {**fits.values, "ids": ids, "limit": limit}))


def preview(session: Session, wanted: Bulk) -> Preview:
    """Return what a bulk would be for that began now.

    Raises:
      tasks.views.selection.TooMany: it took too long.
    """
    with selection.hurried(session, "count"):
        ids = candidates(session, wanted, None, MOST_COUNTED + 1)
        fits = fitting(wanted)
        values = {**fits.values, "ids": ids[:MOST_COUNTED], "limit": EXAMPLES}
        count: int = session.execute(text(f"SELECT count(*) FROM ({fits.rows}) AS fitting"), values).scalar_one()
        of_callbacks = wanted.action == "redeliver"
        rows = session.execute(text((_CALLBACKS_TOLD if of_callbacks else _TASKS_TOLD).format(rows=fits.rows)), values)
        examples = [_told(row) for row in rows]
    return Preview(Count(count, len(ids) > MOST_COUNTED), examples)


def _told(row: Any) -> Json:
    """Return a task or a callback in a few words."""
    fields = {name: str(value) if isinstance(value, UUID) else value for name, value in row._mapping.items()}
    if "priority" in fields:
        fields["priority"] = PRIORITY_NAMES[row.priority]
    return fields | {"created_at": rfc3339(row.created_at)}


#: The submission that a document shows; of those before it nothing is to be brought back.
_SHOWN_NOW = """EXISTS (
        SELECT FROM documents JOIN versions ON versions.id = documents.version_id
        WHERE documents.kb_id = tasks.kb_id AND documents.document_id = tasks.subject
            AND coalesce(versions.origin, versions.id) = tasks.id
    )"""

#: What a bulk has changed, unless that was changed again.
_UNTOUCHED_SINCE = """EXISTS (
        SELECT FROM bulk_items AS done
        WHERE done.bulk_id = :undoes AND done.item_id = tasks.id AND done.run = tasks.run
            AND coalesce(done.after = tasks.priority, true)
    )"""

_CHANGED = text(
    """
    SELECT item_id FROM bulk_items WHERE bulk_id = :bulk AND changed AND item_id < :before
    ORDER BY item_id DESC LIMIT :limit
    """
)

_TASKS_TOLD = """
    SELECT id AS task_id, task_type, kb_id, payload->>'document_id' AS document_id, status, priority,
        error->>'code' AS error_code, created_at
    FROM ({rows}) AS fitting ORDER BY id DESC LIMIT :limit
"""
_CALLBACKS_TOLD = """
    SELECT id AS callback_id, task_id, batch_id, url, status, created_at
    FROM ({rows}) AS fitting ORDER BY id DESC LIMIT :limit
"""
