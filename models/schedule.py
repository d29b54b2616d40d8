"""What is submitted again and again: a task, the times at which it falls due, and the next of these."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import DateTime, Index, Text, delete, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, Session, mapped_column

from models.base import Base, Json


class Schedule(Base):
    """A task that the clock submits. Its next due time moves in the transaction that submits for it."""

    __tablename__ = "schedules"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str | None] = mapped_column(Text)
    kb_id: Mapped[str | None] = mapped_column(Text)
    cron: Mapped[str] = mapped_column(Text)
    timezone: Mapped[str] = mapped_column(Text)
    catch_up: Mapped[str] = mapped_column(Text)
    """What becomes of due times that nobody met: `one` run for all of them, or `all`."""
    task: Mapped[Json] = mapped_column(JSONB)
    """As it was said, but for its headers, and is validated anew whenever it is submitted."""
    source_headers: Mapped[dict[str, str] | None] = mapped_column(JSONB(none_as_null=True))
    """What its document's URL is fetched with: a secret, which is shown to nobody."""
    created_by: Mapped[str | None] = mapped_column(Text)
    """The name of the API key that made it, or changed its task last; the tasks are submitted in its name."""
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    paused_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    next_due_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    """None while it is paused."""
    last_due_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    """The due time of its last task; of one that was asked for, when that was."""
    last_task_id: Mapped[UUID | None]
    last_error: Mapped[str | None] = mapped_column(Text)
    """Why its task is refused since its due time; None after one that was accepted."""
    last_error_zh: Mapped[str | None] = mapped_column(Text)
    """The same in Chinese; None of what the release before this column refused."""

    __table_args__ = (Index(None, "next_due_at"), Index(None, "kb_id", "id"))


def forget_kb(session: Session, kb_id: str, before: datetime) -> None:
    """Delete the schedules of a KB that were made before a moment."""
    session.execute(delete(Schedule).where(Schedule.kb_id == kb_id, Schedule.created_at < before))
