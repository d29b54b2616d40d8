"""How long what a task needed or made outlives its end, for those who keep such things on its behalf."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models import Task
from tasks.lifecycle import OPEN, sources

#: A task that did not complete can be retried by hand from the stage that failed for this long: until then what it
#: was submitted with and what its stages made is kept. After it, a retry begins anew.
RESUMABLE = timedelta(hours=24)


def over(session: Session, task_ids: Sequence[UUID]) -> list[UUID]:
    """Of these tasks those that need nothing any more: completed, ended too long ago to be resumed, or deleted."""
    if not task_ids:
        return []
    resumable = Task.status.in_(sources("retry")) & (Task.finished_at > func.now() - RESUMABLE)
    needed = select(Task.id).where(Task.id.in_(task_ids), Task.status.in_(OPEN) | resumable)
    kept = set(session.scalars(needed))
    return [each for each in task_ids if each not in kept]
