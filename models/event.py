"""What has happened to tasks and batches lately, for whoever follows it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import REAL, BigInteger, DateTime, Identity, Text, func
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base


class Event(Base):
    """A change of a task's status, stage or progress, or the end of a batch, which has no task.

    Triggers of the two tables write it, in the statement that makes the change: none can be forgotten.
    """

    __tablename__ = "events"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    """Greater than that of every earlier event of the same task; between tasks they are committed in any order."""
    task_id: Mapped[UUID | None]
    batch_id: Mapped[UUID | None]
    status: Mapped[str] = mapped_column(Text)
    stage: Mapped[str | None] = mapped_column(Text)
    progress: Mapped[float] = mapped_column(REAL)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
