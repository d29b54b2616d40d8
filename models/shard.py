"""The parts of a stage that several workers share."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import DateTime, Index, Integer, LargeBinary, SmallInteger, Text, func, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base

#: The worker that a task names whose shards are all taken: nobody may claim it until one is free, or all are done.
TAKEN = UUID(int=0)
#: Of a shard `s`: neither done nor held, and due.
FREE = "s.worker_id IS NULL AND s.done_at IS NULL AND s.due_at <= now()"
#: Of a task `t`: whether its present stage has a shard that may be claimed, and one that is not done.
HAS_FREE = f"EXISTS (SELECT FROM shards AS s WHERE s.task_id = t.id AND s.stage = t.stage AND {FREE})"
HAS_UNFINISHED = "EXISTS (SELECT FROM shards AS s WHERE s.task_id = t.id AND s.stage = t.stage AND s.done_at IS NULL)"


class Shard(Base):
    """A range of a stage's units, claimed and fenced like a task. Who may write what is in `tasks.working.shards`."""

    __tablename__ = "shards"

    task_id: Mapped[UUID] = mapped_column(primary_key=True)
    stage: Mapped[str] = mapped_column(Text, primary_key=True)
    index: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    first: Mapped[int] = mapped_column(Integer)
    last: Mapped[int] = mapped_column(Integer)
    """The unit behind the last one, as in Python's ranges."""
    units_done: Mapped[int] = mapped_column(Integer, server_default="0")
    worker_id: Mapped[UUID | None]
    claimed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    attempt: Mapped[int] = mapped_column(Integer, server_default="0")
    """Claims so far. Together with `worker_id` it fences off whoever was given up for dead."""
    due_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    put_off_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    """When an error, or a crash, last made its next attempt due later."""
    errors: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    crashes: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    deaths: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    begun: Mapped[int | None] = mapped_column(Integer)
    """These four as in `Task`, where they are counted for a stage that is not divided."""
    done_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    result: Mapped[bytes | None] = mapped_column(LargeBinary)
    """What it leaves to whoever joins the shards."""

    __table_args__ = (Index("ix_shards_claimed", "worker_id", postgresql_where=text("worker_id IS NOT NULL")),)
