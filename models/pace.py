"""The rate limits of the deployment."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import DateTime, Text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base


class Pace(Base):
    """When a limit is free again, in the manner of the generic cell rate algorithm (ITU-T I.371)."""

    __tablename__ = "paces"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    free_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
