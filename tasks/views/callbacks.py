"""Callbacks as they are shown: of a task, of a batch, or by the page."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import ColumnElement, Select, select, text
from sqlalchemy.orm import Session

from models import Callback
from models.base import LAST_ID, Json, rfc3339
from tasks.input.callback_filter import STATES, CallbackFilter
from tasks.views.selection import hasty

_STATE_OF = {status: state for state, status in STATES.items()}

#: The host of an address, without its port; a user is none of it, which nobody may send.
_HOST = r"lower(substring(url FROM '^https?://(\[[^]]*]|[^/?#:]*)'))"
#: A batch's callback is of no KB.
OF_KB = "body->'data'->>'kb_id' = :kb_id"
_CONDITIONS = {
    "state": "status = :state",
    "kb_id": OF_KB,
    "task_id": "task_id = :task_id",
    "batch_id": "batch_id = :batch_id",
    "host": f"{_HOST} = :host",
    "created_after": "created_at > :created_after",
    "created_before": "created_at < :created_before",
}


def ids(session: Session, criteria: CallbackFilter, *, limit: int, before: UUID | None = None) -> list[UUID]:
    """Return ids of callbacks of a filter, newest first.

    Parameters:
      before: the id that the page before ended with; ids sort by time.
    """
    statement, values = _select("id", criteria, limit, before)
    return list(session.scalars(text(statement), values))


def page(session: Session, criteria: CallbackFilter, *, limit: int, before: UUID | None = None) -> list[Json]:
    """Return callbacks of a filter, newest first; `before` as in `ids`.

    Raises:
      tasks.views.selection.TooMany: it took too long.
    """
    statement, values = _select("*", criteria, limit, before)
    with hasty() as limits:
        query = select(Callback).from_statement(text(f"{limits} {statement}"))
        return [view(row) for row in session.scalars(query, values)]


def _select(columns: str, criteria: CallbackFilter, limit: int, before: UUID | None) -> tuple[str, dict[str, object]]:
    values = criteria.model_dump(exclude_none=True)
    if criteria.state is not None:
        values["state"] = STATES[criteria.state]
    chosen = " AND ".join([*(_CONDITIONS[name] for name in values), "id < :before"])
    values |= {"before": before or LAST_ID, "limit": limit}
    return f"SELECT {columns} FROM callbacks WHERE {chosen} ORDER BY id DESC LIMIT :limit", values


def of_task(session: Session, task_id: UUID) -> list[Json]:
    """Return the callbacks of a task, oldest first, each with its newest attempts."""
    return [view(row) for row in session.scalars(_ordered(Callback.task_id == task_id))]


def of_batch(session: Session, batch_id: UUID) -> list[Json]:
    """Return the callbacks of a batch itself, oldest first, each with its newest attempts."""
    return [view(row) for row in session.scalars(_ordered(Callback.batch_id == batch_id))]


def _ordered(condition: ColumnElement[bool]) -> Select[Callback]:
    return select(Callback).where(condition).order_by(Callback.run)


def view(callback: Callback) -> Json:
    """Return a callback with its newest attempts."""
    return {
        "callback_id": str(callback.id),
        "task_id": str(callback.task_id) if callback.task_id else None,
        "batch_id": str(callback.batch_id) if callback.batch_id else None,
        "kb_id": callback.body["data"].get("kb_id"),
        "type": callback.body["type"],
        "url": callback.url,
        "state": _STATE_OF[callback.status],
        "status": callback.status,
        "attempts": callback.attempts,
        "next_attempt_at": rfc3339(callback.due_at) if callback.status == "pending" else None,
        "created_at": rfc3339(callback.created_at),
        "delivered_at": rfc3339(callback.delivered_at),
        "log": callback.log,
    }
