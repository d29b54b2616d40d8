"""The priority of a task that waits."""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

from models.statement import Statement


class Prioritised(NamedTuple):
    """A task and the priority that it had."""

    id: UUID
    before: int


#: What a worker holds keeps its priority.
PRIORITISE = Statement(
    """
    UPDATE tasks AS t SET priority = waiting.wanted
    FROM (
        SELECT own.id, own.priority AS before, wish.priority AS wanted
        FROM json_to_recordset(CAST(:wishes AS json)) AS wish(task_id uuid, priority smallint)
        JOIN tasks AS own ON own.id = wish.task_id
        WHERE own.worker_id IS NULL AND own.status = ANY(CAST(:sources AS text[]))
        ORDER BY own.id FOR UPDATE OF own
    ) AS waiting
    WHERE t.id = waiting.id
    RETURNING t.id, waiting.before
    """,
    Prioritised,
)
