"""Rate limits that hold for the whole deployment: the generic cell rate algorithm (ITU-T I.371) on a row each.

A limit is one moment, `free_at`: each use pushes it on by what the use costs, in seconds. It may lie in the past by
the burst at most, which is how much can be used at once after a rest.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import DateTime, Text, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from models.base import Base


class RateLimit(Base):
    """When a limit is free again."""

    __tablename__ = "paces"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    free_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class Use(NamedTuple):
    """What came of a wish to use a limit.

    Parameters:
      wait: 0.0 when it was used; else the seconds until it can be, and nothing was used.
      rested: seconds of rest that are left to be used at once.
    """

    wait: float
    rested: float


def use(session: Session, name: str, cost: float, burst: float) -> Use:
    """Use a limit if it is free now, and tell what is left of it.

    Parameters:
      cost: seconds until what is used has grown again.
      burst: seconds of rest after which no more accrues.
    """
    values = _values(name, cost, burst)
    if (row := session.execute(_ADMIT, values).first()) is not None:
        return Use(0.0, float(row.rested))
    waiting = session.execute(_WAITING, values).scalar_one_or_none()
    return Use(max(0.001, waiting or 0.0), 0.0)


def admit(session: Session, name: str, cost: float, burst: float) -> float:
    """Use a limit if it is free now.

    Returns:
      the `wait` of `use`.
    """
    return use(session, name, cost, burst).wait


def spend(session: Session, name: str, cost: float, burst: float) -> float:
    """Use a limit whether it is free or not, as for what was used already.

    Returns:
      the seconds until it is free again, 0.0 when it is.
    """
    row = session.execute(_SPEND, _values(name, cost, burst)).one()
    return max(0.0, float(row.waiting))


def hold(session: Session, name: str, seconds: float) -> None:
    """Keep a limit from being free for so long, as a provider asked."""
    session.execute(_HOLD, {"name": name, "seconds": timedelta(seconds=seconds)})


def _values(name: str, cost: float, burst: float) -> dict[str, object]:
    return {"name": name, "cost": timedelta(seconds=cost), "burst": timedelta(seconds=burst)}


_NEXT = "greatest(paces.free_at, now() - CAST(:burst AS interval)) + CAST(:cost AS interval)"
_FIRST = "INSERT INTO paces (name, free_at) VALUES (:name, now() - CAST(:burst AS interval) + CAST(:cost AS interval))"

_RESTED = "RETURNING extract(epoch FROM now() - free_at)::float AS rested"

_ADMIT = text(f"{_FIRST} ON CONFLICT (name) DO UPDATE SET free_at = {_NEXT} WHERE {_NEXT} <= now() {_RESTED}")

_WAITING = text(f"SELECT extract(epoch FROM {_NEXT} - now())::float FROM paces WHERE name = :name")

_SPEND = text(
    f"{_FIRST} ON CONFLICT (name) DO UPDATE SET free_at = {_NEXT}"
    " RETURNING extract(epoch FROM free_at - now())::float AS waiting"
)

_HOLD = text(
    """
    INSERT INTO paces (name, free_at) VALUES (:name, now() + CAST(:seconds AS interval))
    ON CONFLICT (name) DO UPDATE SET free_at = greatest(paces.free_at, excluded.free_at)
    """
)
