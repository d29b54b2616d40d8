"""Who did what to queues, tasks, documents and callbacks: written with the act, in the act's transaction."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import DateTime, Index, Text, delete, func, insert, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, Session, mapped_column

from models.base import FIRST_ID, Base, Json, id_at, new_id, rfc3339
from models.task import Task

#: For how long an act is remembered, and how many are forgotten in one transaction.
KEPT = timedelta(days=90)
FORGOTTEN_AT_ONCE = 5000


class AuditEntry(Base):
    """An act that somebody asked for. Submissions are none: a task knows its submitter."""

    __tablename__ = "audit"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    """Sorts by the time of the act."""
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    name: Mapped[str | None] = mapped_column(Text)
    """Of the API key; None where none was asked for."""
    action: Mapped[str] = mapped_column(Text)
    target_kind: Mapped[str] = mapped_column(Text)
    target_id: Mapped[str | None] = mapped_column(Text)
    kb_id: Mapped[str | None] = mapped_column(Text)
    detail: Mapped[Json] = mapped_column(JSONB, server_default="{}")
    request_id: Mapped[str | None] = mapped_column(Text)

    __table_args__ = (Index(None, "kb_id", "id"), Index(None, "name", "id"), Index(None, "action", "id"))


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks for an act.

    Parameters:
      name: of the API key; None where none is asked for.
      request_id: of the request; of a task that acts for whoever submitted it, of its submission.
      traceparent: of the trace that the request belongs to, as W3C Trace Context writes it.
    """

    name: str | None
    request_id: str | None = None
    traceparent: str | None = None


def record(
    session: Session,
    actor: Actor,
    action: str,
    kind: str,
    target: object = None,
    *,
    kb_id: str | None = None,
    **detail: object,
) -> None:
    """Write that somebody did something, in the transaction in which it is done.

    Parameters:
      action: what was done to what, as in `task.cancel`.
      kind: of the target, as in `task`.
      target: its id; None for what a filter named.
      kb_id: the KB that it belongs to.
      detail: what else is worth knowing, as JSON; never a document or a secret.
    """
    session.execute(
        insert(AuditEntry).values(
            id=new_id(),
            name=actor.name,
            action=action,
            target_kind=kind,
            target_id=None if target is None else str(target),
            kb_id=kb_id,
            detail={name: value for name, value in detail.items() if value is not None},
            request_id=actor.request_id,
        )
    )


def record_of_task(
    session: Session, task_id: UUID, action: str, kind: str, target: object = None, **detail: object
) -> None:
    """Write what a task has done, in the name of whoever submitted it, in the transaction in which it is done."""
    row = session.execute(select(Task.submitted_by, Task.request_id, Task.kb_id).where(Task.id == task_id)).one()
    record(
        session,
        Actor(row.submitted_by, row.request_id),
        action,
        kind,
        target,
        kb_id=row.kb_id,
        task_id=str(task_id),
        **detail,
    )


def page(
    session: Session,
    *,
    limit: int,
    before: UUID | None = None,
    action: str | None = None,
    name: str | None = None,
    kb_ids: Collection[str] | None = None,
    since: datetime | None = None,
) -> list[Json]:
    """Return acts as they are shown, from the newest to the oldest.

    Parameters:
      before: the id that the page before ended with.
      kb_ids: the KBs whose acts are shown; None: of all KBs and of none.
    """
    # An id may have been made a moment before or after the transaction began.
    first = FIRST_ID if since is None else id_at(since - timedelta(hours=1))
    bounds = [AuditEntry.id >= first, *([AuditEntry.at >= since] if since is not None else [])]
    if before is not None:
        bounds.append(AuditEntry.id < before)
    if action is not None:
        bounds.append(AuditEntry.action == action)
    if name is not None:
        bounds.append(AuditEntry.name == name)
    if kb_ids is not None:
        bounds.append(AuditEntry.kb_id.in_(kb_ids))
    query = select(AuditEntry).where(*bounds).order_by(AuditEntry.id.desc()).limit(limit)
    return [_shown(row) for row in session.scalars(query)]


def forget(session: Session) -> None:
    """Delete acts that are older than `KEPT`, the oldest first and `FORGOTTEN_AT_ONCE` at most."""
    before = id_at(datetime.now(UTC) - KEPT)
    old = select(AuditEntry.id).where(AuditEntry.id < before).order_by(AuditEntry.id).limit(FORGOTTEN_AT_ONCE)
    session.execute(delete(AuditEntry).where(AuditEntry.id.in_(old)))


def _shown(entry: AuditEntry) -> Json:
    return {
        "audit_id": str(entry.id),
        "at": rfc3339(entry.at),
        "name": entry.name,
        "action": entry.action,
        "target": {"kind": entry.target_kind, "id": entry.target_id},
        "kb_id": entry.kb_id,
        "detail": entry.detail,
        "request_id": entry.request_id,
    }
