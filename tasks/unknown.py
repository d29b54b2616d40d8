"""Tasks of a type or stage that this process does not know, as a later release has them: they are left to it."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import structlog
from sqlalchemy import text
from sqlalchemy.orm import Session

from models.task import PARTS, READY
from tasks.lifecycle import OPEN
from tasks.types import all_types
from tasks.unit import Unit

log = structlog.get_logger(__name__)

_said: set[str] = set()


def say(what: str) -> None:
    """Log once in the life of this process that it leaves something to another release.

    Parameters:
      what: the task type, or the stage.
    """
    if what not in _said:
        _said.add(what)
        log.warning(
            "unknown_to_this_release", what=what, reason="its tasks are left to the release that has it; none is lost"
        )


def types(session: Session) -> list[str]:
    """The types of tasks that have not ended and that this release does not know."""
    rows = session.execute(_OPEN_TYPES, {"statuses": list(map(str, OPEN))})
    return sorted({row.task_type for row in rows} - all_types().keys())


def look(unit: Unit) -> None:
    """Say which types this release leaves alone."""
    for name in types(unit.session):
        say(name)


def give_back(unit: Unit, task_ids: Sequence[UUID]) -> int:
    """Note that the wake-ups of these tasks came to a process that can do nothing with them. Returns how many."""
    return int(unit.session.execute(_GIVE_BACK, {"ids": list(task_ids)}).rowcount)  # type: ignore[attr-defined]


_OPEN_TYPES = text(PARTS.format(of_kb=""))

_GIVE_BACK = text(
    f"""
    UPDATE tasks SET published_at = NULL, publications = 0
    WHERE id IN (
        SELECT id FROM tasks
        WHERE id = ANY(CAST(:ids AS uuid[])) AND published_at IS NOT NULL AND {READY}
        ORDER BY id FOR UPDATE
    )
    """
)
