"""The tasks of a KB that are open or have failed: counted, and of single documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from models import database
from models.base import FIRST_ID, LAST_ID, Json, id_at, rfc3339
from models.statement import Statement
from tasks.input.fields import DocumentState
from tasks.lifecycle import OPEN, Status
from tasks.types.document_processing import TYPE

#: What of a KB's tasks is counted.
COUNTED = (*OPEN, Status.FAILED)
#: Failures of which those that were not mended are looked for.
MOST_FAILURES = 5000
#: Tasks up to which their documents are looked for, and not their documents' tasks.
FEW = 5000


def counts(
    session: Session, kb_ids: Sequence[str], most: int, deleted: Mapping[str, datetime]
) -> dict[str, dict[str, int]]:
    """Return how many tasks of some KBs are in each status of COUNTED, by the KB's id.

    Parameters:
      most: of each status that are looked at; there may be more.
      deleted: when KBs were deleted as a whole: what has failed and was submitted before is not counted.
    """
    totals = {kb_id: dict.fromkeys(map(str, COUNTED), 0) for kb_id in kb_ids}
    since = [id_at(deleted[kb_id]) if kb_id in deleted else FIRST_ID for kb_id in kb_ids]
    values: dict[str, object] = {
        "kb_ids": list(kb_ids),
        "since": since,
        "statuses": list(map(str, COUNTED)),
        "most": most,
    }
    for row in database.rows(session, _COUNTS, values | {"failed": str(Status.FAILED)}):
        totals[row.kb_id][row.status] = row.tasks
    return totals


def newer(session: Session, kb_id: str, shown: Mapping[str, UUID], *, before: UUID = LAST_ID) -> dict[str, Json]:
    """Return for some documents what was submitted after what they show: the newest that is open, and the newest that
    has ended, if it failed.

    Parameters:
      shown: by document the task that brought in what it shows.
      before: what was submitted after this task is not looked at.

    Returns:
      by document `pending`, `failed` and, in a word, `state`.
    """
    values = {"kb_id": kb_id, "documents": list(shown), "shown": list(shown.values()), "type": TYPE.name}
    rows = database.rows(session, _NEWER, values | {"before": before})
    return {row.document_id: _newer(row) for row in rows}


def _newer(row: Newer) -> Json:
    pending, failed = None, None
    if row.pending_id is not None:
        pending = {"task_id": str(row.pending_id), "status": row.pending_status, "since": rfc3339(row.since)}
    if row.ended_status == Status.FAILED:
        failed = {"task_id": str(row.ended_id), "error": row.error, "at": rfc3339(row.finished_at)}
    state = "pending" if pending else "failed" if failed else "current"
    return {"state": state, "pending": pending, "failed": failed}


def unmended(session: Session, kb_id: str, *, limit: int, before: UUID | None = None) -> list[Json]:
    """Return what has failed of a KB's documents and nothing has mended since, newest first.

    A later submission of the document mends it, or its deletion; of several that have failed the last one counts.

    Parameters:
      before: the task that the page before ended with.
    """
    values = {"kb_id": kb_id, "type": TYPE.name, "first": FIRST_ID, "before": before or LAST_ID}
    return [
        {
            "task_id": str(row.id),
            "document_id": row.subject,
            "error": row.error,
            "at": rfc3339(row.finished_at),
        }
        for row in session.execute(_UNMENDED, values | {"most": MOST_FAILURES, "limit": limit})
    ]


def of_state(
    session: Session, kb_id: str, shown: Mapping[str, UUID], state: DocumentState | None, *, before: UUID = LAST_ID
) -> list[str]:
    """Return those of some documents that are of a state, in their order; all where it is None.

    Parameters:
      shown, before: as for `newer`.
    """
    if state is None or not shown:
        return list(shown)
    states = newer(session, kb_id, shown, before=before)
    return [document_id for document_id in shown if states[document_id]["state"] == state]


def may_be_of(session: Session, kb_id: str, state: DocumentState | None, most: int = FEW) -> list[str] | None:
    """Return all documents of a KB that can be of a state; None where they are not known, or too many.

    Parameters:
      most: tasks that are looked at.
    """
    if state not in ("pending", "failed"):
        return None
    statuses = OPEN if state == "pending" else (Status.FAILED,)
    values = {"kb_id": kb_id, "statuses": list(map(str, statuses)), "type": TYPE.name, "most": most + 1}
    kbs = list(session.scalars(_WITH, values))
    return None if len(kbs) > most else sorted(set(kbs))


class Newer(NamedTuple):
    """What was submitted after what a document shows: the newest that is open, and the newest that has ended."""

    document_id: str
    pending_id: UUID | None
    pending_status: str | None
    since: datetime | None
    ended_id: UUID | None
    ended_status: str | None
    error: Json | None
    finished_at: datetime | None


class Counted(NamedTuple):
    """How many tasks of a KB are in a status."""

    kb_id: str
    status: str
    tasks: int


#: Each of both is one step in an index that begins with the document.
_NEWER = Statement(
    """
    SELECT given.document_id, pending.id AS pending_id, pending.status AS pending_status, pending.created_at AS since,
        ended.id AS ended_id, ended.status AS ended_status, ended.error, ended.finished_at
      FROM unnest(CAST(:documents AS text[]), CAST(:shown AS uuid[])) AS given(document_id, shown)
      LEFT JOIN LATERAL (
            SELECT id, status, created_at FROM tasks
             WHERE kb_id = :kb_id AND subject = given.document_id AND id > given.shown AND id < :before
                AND task_type = :type
                AND status IN ('waiting', 'queued', 'processing') ORDER BY id DESC LIMIT 1
           ) AS pending ON true
      LEFT JOIN LATERAL (
            SELECT id, status, error, finished_at FROM tasks
             WHERE kb_id = :kb_id AND subject = given.document_id AND id > given.shown AND id < :before
                AND task_type = :type
                AND status IN ('completed', 'failed', 'cancelled') ORDER BY id DESC LIMIT 1
           ) AS ended ON true
""",
    Newer,
)

#: Rows are compared as an index orders them. The statuses of a later task are those of the two indexes that begin with
#: the document.
_UNMENDED = text("""
    SELECT id, subject, error, finished_at FROM (
        SELECT id, subject, error, finished_at, created_at FROM tasks
         WHERE (kb_id, status, task_type, id) >= (:kb_id, 'failed', :type, CAST(:first AS uuid))
            AND (kb_id, status, task_type, id) < (:kb_id, 'failed', :type, CAST(:before AS uuid)) AND kb_id IS NOT NULL
         ORDER BY kb_id DESC, status DESC, task_type DESC, id DESC LIMIT :most
        ) AS failed
     WHERE NOT EXISTS (
            SELECT FROM tasks WHERE kb_id = :kb_id AND subject = failed.subject AND id > failed.id
                AND task_type = :type AND status IN ('waiting', 'queued', 'processing'))
        AND NOT EXISTS (
            SELECT FROM tasks WHERE kb_id = :kb_id AND subject = failed.subject AND id > failed.id
                AND task_type = :type AND status IN ('completed', 'failed'))
        AND NOT EXISTS (
            SELECT FROM deletions WHERE kb_id = :kb_id AND document_id IN (failed.subject, '')
                AND deleted_at > failed.created_at)
     ORDER BY id DESC LIMIT :limit
""")

_WITH = text("""
    SELECT subject FROM tasks WHERE kb_id = :kb_id AND status = ANY(CAST(:statuses AS text[])) AND task_type = :type
        AND subject IS NOT NULL LIMIT :most
""")

#: Of each status the newest. Rows are compared as an index orders them, which keeps PostgreSQL from reading the whole
#: table.
_COUNTS = Statement(
    """
    SELECT kb.kb_id, given.status, (
            SELECT count(*) FILTER (WHERE given.status <> :failed OR id > kb.since) FROM (
                SELECT id FROM tasks WHERE (tasks.kb_id, tasks.status) >= (kb.kb_id, given.status)
                    AND (tasks.kb_id, tasks.status) <= (kb.kb_id, given.status) AND tasks.kb_id IS NOT NULL
                ORDER BY tasks.kb_id DESC, tasks.status DESC, task_type DESC, id DESC LIMIT :most
            ) AS counted) AS tasks
      FROM unnest(CAST(:kb_ids AS text[]), CAST(:since AS uuid[])) AS kb(kb_id, since)
     CROSS JOIN unnest(CAST(:statuses AS text[])) AS given(status)
""",
    Counted,
)
