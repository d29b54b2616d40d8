"""What a bulk is for and what it has done, one row for each task or callback: so it resumes, and can be undone."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import Boolean, SmallInteger, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Json


class BulkItem(Base):
    """Says what was done in the transaction that does it; deleted with the bulk's task."""

    __tablename__ = "bulk_items"

    bulk_id: Mapped[UUID] = mapped_column(primary_key=True)
    """The task that does the bulk."""
    item_id: Mapped[UUID] = mapped_column(primary_key=True)
    """Of the task, or of the callback, that it is for."""
    changed: Mapped[bool | None] = mapped_column(Boolean)
    """Whether the bulk has changed it; NULL until it has come to it."""
    run: Mapped[int | None] = mapped_column(SmallInteger)
    """Of the task when the bulk left it: a task that was retried since is no longer what the bulk has made of it."""
    before: Mapped[int | None] = mapped_column(SmallInteger)
    after: Mapped[int | None] = mapped_column(SmallInteger)
    """Its priority before and after a bulk that changes priorities."""
    refused: Mapped[str | None] = mapped_column(Text)
    """Why it was not changed."""
    ended: Mapped[Json | None] = mapped_column(JSONB)
    """How the task had ended before a bulk that retries it; see `tasks.transitions.restoring`."""
