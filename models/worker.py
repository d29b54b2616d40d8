"""The processes that work, each known by an id made at its start."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import DateTime, Integer, Text, Uuid, func, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Json


class Worker(Base):
    """A heartbeat and what the process holds. Host names and process ids are reused on a PaaS: they only inform."""

    __tablename__ = "workers"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(Text)
    """`worker`, `web` or `clock`."""
    name: Mapped[str] = mapped_column(Text)
    queues: Mapped[list[str]] = mapped_column(ARRAY(Text))
    threads: Mapped[int] = mapped_column(Integer)
    current: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid), server_default=text("'{}'"))
    """The tasks that its threads hold at the heartbeat."""
    prefetched: Mapped[Json] = mapped_column(JSONB, server_default="{}")
    """Messages pulled and not yet started, by queue."""
    started_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    heartbeat_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
