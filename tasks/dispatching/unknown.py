"""Tasks of a type or stage that this process does not know, as a later release has them: they are left to it."""

from __future__ import annotations

import structlog
from sqlalchemy import text
from sqlalchemy.orm import Session

from models.task import PARTS
from tasks.lifecycle import OPEN
from tasks.transactions.unit import Unit
from tasks.types import all_types

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
    """Return the types of tasks that have not ended and that this release does not know."""
    rows = session.execute(_OPEN_TYPES, {"statuses": list(map(str, OPEN))})
    return sorted({row.task_type for row in rows} - all_types().keys())


def look(unit: Unit) -> None:
    """Say which types this release leaves alone."""
    for name in types(unit.session):
        say(name)


_OPEN_TYPES = text(PARTS.format(of_kb=""))
