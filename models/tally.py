"""The deployment's metrics: each process counts in rows of its own, so that counting never waits."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import BigInteger, Float, Text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base


class Tally(Base):
    """One counter or histogram of one process. A dead process's rows are folded into those of `NIL_ID`."""

    __tablename__ = "tallies"

    worker_id: Mapped[UUID] = mapped_column(primary_key=True)
    metric: Mapped[str] = mapped_column(Text, primary_key=True)
    labels: Mapped[str] = mapped_column(Text, primary_key=True)
    """Label values in the metric's order, joined by `|`."""
    count: Mapped[int] = mapped_column(BigInteger)
    sum: Mapped[float] = mapped_column(Float)
    buckets: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))
    """Observations at or below each bucket's bound, not accumulated; empty for a counter."""
