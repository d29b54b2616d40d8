"""Tasks that were submitted together, and are called back together."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import DateTime, Index, Integer, SmallInteger, Text, func, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base


class Batch(Base):
    """`pending` falls by one in the transaction that ends a task; the one that brings it to 0 ends the batch."""

    __tablename__ = "batches"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    total: Mapped[int] = mapped_column(Integer)
    pending: Mapped[int] = mapped_column(Integer)
    callback_url: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    run: Mapped[int] = mapped_column(SmallInteger, server_default="1")
    """1 and how often a retry by hand opened it again; each end has one callback."""
    finished_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))

    __table_args__ = (Index("ix_batches_open", "id", postgresql_where=text("finished_at IS NULL")),)
