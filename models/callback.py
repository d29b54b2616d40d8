"""The callbacks owed to the KB service: one row for each ended task or batch."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    DateTime,
    Index,
    Integer,
    SmallInteger,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Json


class Callback(Base):
    """Written in the transaction that ends its task. Its id is the `webhook-id`, the same on every attempt."""

    __tablename__ = "callbacks"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    task_id: Mapped[UUID | None]
    batch_id: Mapped[UUID | None]
    run: Mapped[int] = mapped_column(SmallInteger, server_default="1")
    """Of the task or batch: one that is retried by hand ends again."""
    url: Mapped[str] = mapped_column(Text)
    body: Mapped[Json] = mapped_column(JSONB)
    status: Mapped[str] = mapped_column(Text, server_default="pending")
    attempts: Mapped[int] = mapped_column(Integer, server_default="0")
    due_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    """The next attempt; pushed on by whoever takes it, so that two never deliver at once."""
    published_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    """When a message for the next attempt was sent."""
    log: Mapped[list[Any]] = mapped_column(JSONB, server_default="[]")
    """The newest attempts: when, and what the service answered."""
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    delivered_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))

    __table_args__ = (
        UniqueConstraint("task_id", "run"),
        UniqueConstraint("batch_id", "run"),
        CheckConstraint("status IN ('pending', 'delivered', 'failed')", name="status"),
        Index("ix_callbacks_due", "due_at", postgresql_where=text("status = 'pending'")),
        Index("ix_callbacks_failed", "id", postgresql_where=text("status = 'failed'")),
    )
