"""Queues that an operator holds back, in the whole deployment and at once."""

from __future__ import annotations

from sqlalchemy import ColumnElement, delete, exists, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from models import PausedQueue
from tasks.dispatching import dispatch
from tasks.transactions.unit import Unit


def is_paused(queue: str) -> ColumnElement[bool]:
    """Whether a queue is paused, for the WHERE of a statement."""
    return exists().where(PausedQueue.queue == queue)


def paused(session: Session) -> set[str]:
    """Return the queues that are paused."""
    return set(session.scalars(select(PausedQueue.queue)))


def pause(unit: Unit, queue: str) -> None:
    """Let no worker claim from a queue. What runs goes on; what is accepted waits."""
    unit.session.execute(insert(PausedQueue).values(queue=queue).on_conflict_do_nothing())


def resume(unit: Unit, queue: str) -> None:
    """Take a pause back, and wake workers for what waited."""
    unit.session.execute(delete(PausedQueue).where(PausedQueue.queue == queue))
    dispatch.announce(unit, [queue])
