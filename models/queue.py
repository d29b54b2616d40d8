"""What an operator decided about a queue."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import DateTime, Text, func
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base


class PausedQueue(Base):
    """A queue from which no worker may claim, in the whole deployment, until it is resumed."""

    __tablename__ = "paused_queues"

    queue: Mapped[str] = mapped_column(Text, primary_key=True)
    paused_by: Mapped[str | None] = mapped_column(Text)
    """The name of the API key; None where none was asked for."""
    reason: Mapped[str | None] = mapped_column(Text)
    paused_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
