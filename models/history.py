"""What the deployment's counters said, every 10 seconds; what is older is kept every minute, and every hour."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, DateTime, Float, Text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base


class History(Base):
    """The total of a counter or histogram at a moment, over all processes; or what a queue held."""

    __tablename__ = "history"

    metric: Mapped[str] = mapped_column(Text, primary_key=True)
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True), primary_key=True)
    """The start of the 10 seconds in which it was noted."""
    labels: Mapped[str] = mapped_column(Text, primary_key=True)
    """As in `Tally`."""
    count: Mapped[int] = mapped_column(BigInteger)
    sum: Mapped[float] = mapped_column(Float)
    buckets: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))
