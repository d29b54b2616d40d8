"""What a task works on alone."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import Text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base


class Lock(Base):
    """The subject of a task that was begun and has not ended: another task of the same subject waits for its end."""

    __tablename__ = "locks"

    kb_id: Mapped[str] = mapped_column(Text, primary_key=True)
    """Empty for a task without a KB."""
    subject: Mapped[str] = mapped_column(Text, primary_key=True)
    task_id: Mapped[UUID]
