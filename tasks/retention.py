"""Which tasks are over, for those who keep things on a task's behalf."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from models import Task
from tasks.lifecycle import OPEN


def ended(session: Session, task_ids: Sequence[UUID]) -> list[UUID]:
    """Of these tasks those that have ended, or are no more."""
    if not task_ids:
        return []
    still_open = set(session.scalars(select(Task.id).where(Task.id.in_(task_ids), Task.status.in_(OPEN))))
    return [each for each in task_ids if each not in still_open]
