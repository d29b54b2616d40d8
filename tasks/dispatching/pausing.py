"""Queues that an operator holds back, in the whole deployment and at once."""

from __future__ import annotations

from sqlalchemy import ColumnElement, delete, exists, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from models import PausedQueue
from tasks.dispatching import dispatch
from tasks.transactions.unit import Unit


def is_paused(queue: str) -> ColumnElement[bool]:
    """Return whether a queue is paused, for the WHERE of a statement."""
    return exists().where(PausedQueue.queue == queue)


def paused(session: Session) -> set[str]:
    """Return the queues that are paused."""
    return set(session.scalars(select(PausedQueue.queue)))


def pauses(session: Session) -> dict[str, PausedQueue]:
    """Return the pauses by their queues."""
    return {row.queue: row for row in session.scalars(select(PausedQueue))}


def pause(unit: Unit, queue: str, *, by: str | None = None, reason: str | None = None) -> None:
    """Let no worker claim from a queue. What runs goes on; what is accepted waits.

    A queue that is paused already stays so since then, by the name and for the reason that are given now.

    Parameters:
      by: the name of whoever asks for it.
    """
    said = {"paused_by": by, "reason": reason}
    statement = insert(PausedQueue).values(queue=queue, **said)
    unit.session.execute(statement.on_conflict_do_update(index_elements=["queue"], set_=said))


def resume(unit: Unit, queue: str) -> None:
    """Take a pause back, and wake workers for what waited."""
    unit.session.execute(delete(PausedQueue).where(PausedQueue.queue == queue))
    dispatch.announce(unit, [queue])
