"""The log of what happens to tasks and batches, read in an order in which nothing comes later between what was read.

Events are numbered when they are written and seen when they are committed, in any order. Whoever went on behind the
greatest number that it has seen would miss a smaller one. So nothing is read beyond the horizon: the number up to which
every event is committed or will never be.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from models import database
from models.base import Json, rfc3339
from models.statement import Statement
from tasks.lifecycle import ENDED
from tasks.transactions.unit import Unit

#: Events that the log holds; older ones are deleted. An event takes some 150 bytes.
KEPT = 1_000_000
#: Events that are deleted in one transaction: more than are written meanwhile.
DELETED_AT_ONCE = 20_000
#: Seconds after which a transaction that goes on is not waited for: it is none of ours, which are short.
LONGEST_TRANSACTION = 10.0


class Event(NamedTuple):
    """Something that happened to a task, or the end of a batch, of which `task_id` and what follows from it is None."""

    id: int
    task_id: UUID | None
    batch_id: UUID | None
    task_type: str | None
    kb_id: str | None
    status: str
    stage: str | None
    progress: float
    created_at: datetime


class Running(NamedTuple):
    """The number of this transaction, and of the oldest that runs."""

    own: int
    oldest: int


class Extent(NamedTuple):
    """The numbers of the oldest event that is kept, and of the last that was given."""

    oldest: int
    last: int


class Horizon:
    """Up to which number the log is complete, as one process knows it from looking again and again."""

    def __init__(self) -> None:
        self.settled: int | None = None
        """None until the first look at which nobody was still writing what the one before had seen."""
        self._seen: tuple[int, int, float] | None = None
        self._awaited_from = 0
        """Transactions with lower numbers have gone on for too long, and are waited for no more."""

    def look(self, session: Session) -> None:
        """See which events were numbered, and whether all that were at an earlier look have been committed since."""
        last: int = session.execute(_LAST).scalar_one()
        if last == self.settled:
            return
        # A statement of its own: a transaction that has numbered an event by now is older than this one.
        (running,) = database.rows(session, _RUNNING, {"awaited_from": self._awaited_from})
        now = time.monotonic()
        if running.oldest >= running.own:
            self.settled, self._seen = last, None
        elif self._seen is None:
            self._seen = last, running.own, now
        else:
            seen, youngest, since = self._seen
            if running.oldest < youngest and now - since <= LONGEST_TRANSACTION:
                return
            if running.oldest < youngest:
                self._awaited_from = youngest
            self.settled, self._seen = seen, (last, running.own, now)


def page(
    session: Session,
    *,
    after: int,
    until: int | None = None,
    task_id: UUID | None = None,
    batch_id: UUID | None = None,
    kb_ids: Collection[str] | None = None,
    limit: int = 500,
) -> list[Json]:
    """Return a page of events in the order of their numbers, of all, of one task or batch, or of the tasks of KBs.

    Parameters:
      until: the horizon; None for one task, whose events are committed in the order of their numbers.
    """
    narrowed = [f"e.{name} = :{name}" for name, value in (("task_id", task_id), ("batch_id", batch_id)) if value]
    if kb_ids is not None:
        narrowed.append("t.kb_id = ANY(:kb_ids)")
    bounded = [*narrowed, "e.id > :after", *(["e.id <= :until"] if until is not None else [])]
    values: dict[str, object] = {
        "after": after,
        "until": until,
        "task_id": task_id,
        "batch_id": batch_id,
        "limit": limit,
    }
    values["kb_ids"] = None if kb_ids is None else list(kb_ids)
    return [shown(row) for row in database.rows(session, Statement(_PAGE.format(" AND ".join(bounded)), Event), values)]


def holds(session: Session, after: int) -> bool:
    """Return whether the log still knows everything that happened behind an event of its own."""
    (row,) = database.rows(session, _EXTENT)
    return row.oldest - 1 <= after <= row.last


def states(session: Session, task_ids: Sequence[UUID], settled: int) -> dict[UUID, Json]:
    """Return how tasks are now, by their ids, each as an event with the number of its newest one.

    Parameters:
      settled: the horizon, behind which the newest event is looked for; where there is none, it is the number.
    """
    rows = database.rows(session, _STATES, {"ids": list(task_ids), "settled": settled})
    return {row.task_id: shown(row) for row in rows if row.task_id is not None}


def prune(unit: Unit) -> None:
    """Delete the oldest events beyond those that are kept."""
    unit.session.execute(_PRUNE, {"kept": KEPT, "limit": DELETED_AT_ONCE})


def ends(event: Json) -> bool:
    """Return whether nothing is to follow of the task or batch that an event is of."""
    return event["status"] in ENDED


def shown(row: Event) -> Json:
    """Return an event as it is sent."""
    if row.task_id is None:
        return {
            "id": row.id,
            "type": "batch.completed",
            "batch_id": str(row.batch_id),
            "status": row.status,
            "at": rfc3339(row.created_at),
        }
    return {
        "id": row.id,
        "type": f"task.{row.status}",
        "task_id": str(row.task_id),
        "task_type": row.task_type,
        "kb_id": row.kb_id,
        "batch_id": str(row.batch_id) if row.batch_id else None,
        "status": row.status,
        "stage": row.stage,
        "progress": round(row.progress, 1),
        "at": rfc3339(row.created_at),
    }


_LAST = text("SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM events_id_seq")

# What is listed as running is older than the snapshot's end; whatever else runs is not.
_RUNNING = Statement(
    """
    SELECT pg_current_xact_id()::text::bigint AS own, least(
        pg_snapshot_xmax(pg_current_snapshot())::text::bigint,
        (
            SELECT min(id::text::bigint) FROM pg_snapshot_xip(pg_current_snapshot()) AS id
            WHERE id::text::bigint >= :awaited_from
        )
    ) AS oldest
    """,
    Running,
)

_PAGE = """
    SELECT e.id, e.task_id, e.batch_id, t.task_type, t.kb_id, e.status, e.stage, e.progress, e.created_at
    FROM events AS e LEFT JOIN tasks AS t ON t.id = e.task_id
    WHERE {} ORDER BY e.id LIMIT :limit
"""

_EXTENT = Statement(
    """
    SELECT coalesce((SELECT min(id) FROM events), numbered.last + 1) AS oldest, numbered.last
    FROM (SELECT CASE WHEN is_called THEN last_value ELSE 0 END AS last FROM events_id_seq) AS numbered
    """,
    Extent,
)

_STATES = Statement(
    """
    SELECT coalesce(newest.id, :settled) AS id, t.id AS task_id, t.batch_id, t.task_type, t.kb_id, t.status, t.stage,
        t.progress, coalesce(newest.created_at, t.finished_at, t.created_at) AS created_at
    FROM tasks AS t LEFT JOIN LATERAL (
        SELECT id, created_at FROM events WHERE id > :settled AND task_id = t.id ORDER BY id DESC LIMIT 1
    ) AS newest ON true
    WHERE t.id = ANY(CAST(:ids AS uuid[]))
    """,
    Event,
)

_PRUNE = text(
    """
    DELETE FROM events WHERE id < (
        SELECT least(max(id) - :kept, min(id) + :limit) FROM events)
    """
)
