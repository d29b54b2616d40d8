"""The indexes that vectors are searched by in KBs too large to look at every one."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import DateTime, Index, Integer, Text, func
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base


class VectorIndex(Base):
    """An HNSW index of a KB's chunks, those of versions with `after` < id <= `up_to`; it is complete.

    Of one KB and embedder each begins where another ends, the first at the nil UUID.
    """

    __tablename__ = "vector_indexes"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    kb_id: Mapped[str] = mapped_column(Text)
    embedder: Mapped[str] = mapped_column(Text)
    dimension: Mapped[int] = mapped_column(Integer)
    after: Mapped[UUID]
    up_to: Mapped[UUID]
    chunks: Mapped[int] = mapped_column(Integer)
    """How many were searchable when it was built."""
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())

    __table_args__ = (Index(None, "kb_id"),)
