"""The tasks of a KB, counted: those that are open, and those that have failed."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.orm import Session

from tasks.lifecycle import OPEN, Status

#: What of a KB's tasks is counted.
COUNTED = (*OPEN, Status.FAILED)


def counts(session: Session, kb_ids: Sequence[str], most: int) -> dict[str, dict[str, int]]:
    """Return how many tasks of some KBs are in each status of COUNTED, by the KB's id.

    Parameters:
      most: of each status that are counted; there may be more.
    """
    found = {kb_id: dict.fromkeys(map(str, COUNTED), 0) for kb_id in kb_ids}
    rows = session.execute(_COUNTS, {"kb_ids": list(kb_ids), "statuses": list(map(str, COUNTED)), "most": most})
    for row in rows:
        found[row.kb_id][row.status] = row.tasks
    return found


_COUNTS = text("""
    SELECT kb.kb_id, given.status, (
            SELECT count(*) FROM (
                -- Rows are compared as an index orders them, which keeps PostgreSQL from reading the whole table.
                SELECT FROM tasks WHERE (tasks.kb_id, tasks.status) >= (kb.kb_id, given.status)
                    AND (tasks.kb_id, tasks.status) <= (kb.kb_id, given.status)
                ORDER BY tasks.kb_id, tasks.status, task_type, id LIMIT :most
            ) AS counted) AS tasks
      FROM unnest(CAST(:kb_ids AS text[])) AS kb(kb_id) CROSS JOIN unnest(CAST(:statuses AS text[])) AS given(status)
""")
