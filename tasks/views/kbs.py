"""The tasks of a KB, counted: those that are open, and those that have failed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from models.base import FIRST_ID, id_at
from tasks.lifecycle import OPEN, Status

#: What of a KB's tasks is counted.
COUNTED = (*OPEN, Status.FAILED)


def counts(
    session: Session, kb_ids: Sequence[str], most: int, deleted: Mapping[str, datetime]
) -> dict[str, dict[str, int]]:
    """Return how many tasks of some KBs are in each status of COUNTED, by the KB's id.

    Parameters:
      most: of each status that are looked at; there may be more.
      deleted: when KBs were deleted as a whole: what has failed and was submitted before is not counted.
    """
    found = {kb_id: dict.fromkeys(map(str, COUNTED), 0) for kb_id in kb_ids}
    since = [id_at(deleted[each]) if each in deleted else FIRST_ID for each in kb_ids]
    values = {"kb_ids": list(kb_ids), "since": since, "statuses": list(map(str, COUNTED)), "most": most}
    for row in session.execute(_COUNTS, values | {"failed": str(Status.FAILED)}):
        found[row.kb_id][row.status] = row.tasks
    return found


#: Of each status the newest. Rows are compared as an index orders them, which keeps PostgreSQL from reading the whole
#: table.
_COUNTS = text("""
    SELECT kb.kb_id, given.status, (
            SELECT count(*) FILTER (WHERE given.status <> :failed OR id > kb.since) FROM (
                SELECT id FROM tasks WHERE (tasks.kb_id, tasks.status) >= (kb.kb_id, given.status)
                    AND (tasks.kb_id, tasks.status) <= (kb.kb_id, given.status)
                ORDER BY tasks.kb_id DESC, tasks.status DESC, task_type DESC, id DESC LIMIT :most
            ) AS counted) AS tasks
      FROM unnest(CAST(:kb_ids AS text[]), CAST(:since AS uuid[])) AS kb(kb_id, since)
     CROSS JOIN unnest(CAST(:statuses AS text[])) AS given(status)
""")
