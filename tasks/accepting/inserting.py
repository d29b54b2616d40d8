"""The statement that writes tasks as they are submitted, with what their KBs say where they do not."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from models.base import Json, json_of
from models.statement import prepared
from models.task import KB, READY
from tasks.dispatching import dispatch
from tasks.input.fields import KEPT
from tasks.lifecycle import target
from tasks.transactions.unit import Unit
from tasks.types import document_processing
from tasks.types.document_processing import CHUNKING


class Inserted(NamedTuple):
    """A task that was written; `is_busy`: so many wait for the same already that no message is needed."""

    id: UUID
    task_type: str
    kb_id: str | None
    stage: str
    queue: str
    priority: int
    attempt: int
    timeout: float
    status: str
    created_at: datetime
    request_id: str | None
    traceparent: str | None
    is_busy: bool


def insert(unit: Unit, rows: Sequence[Json]) -> list[Inserted]:
    """Write rows of `tasks`, each a dict of its columns."""
    values = {
        "rows": json_of(rows),
        "chunking": json_of(CHUNKING),
        "ready": target("submit"),
        "deferred": target("defer"),
        "busy": dispatch.BUSY,
    }
    return unit.execute(_INSERT, values)


#: The columns that a row gives: what the client said, without what its KB may say instead, and what follows from it.
_GIVEN = ", ".join(
    [
        *(name for name in KEPT if name not in ("payload", "callback_url")),
        *("id", "subject", "batch_id", "submitted_by", "request_id", "traceparent", "has_metadata", "stage", "queue"),
        *("waiting_for", "source_headers"),
    ]
)

#: Where many tasks wait already, everybody is at work, and no message is needed.
_INSERT = prepared(
    f"""
    WITH written AS (
        INSERT INTO tasks ({_GIVEN}, payload, callback_url, created_at, due_at, status)
        SELECT {_GIVEN},
            CASE WHEN task_type = '{document_processing.TYPE.name}' AND NOT payload ? 'chunk_size'
                THEN payload || coalesce(chunking, CAST(:chunking AS jsonb)) ELSE payload END,
            coalesce(given.callback_url, kb.callback_url), coalesce(created_at, now()), greatest(run_at, now()),
            CASE WHEN waiting_for = '{{}}' AND coalesce(run_at <= now(), true)
                THEN CAST(:ready AS text) ELSE CAST(:deferred AS text) END
        FROM json_populate_recordset(CAST(NULL AS tasks), CAST(:rows AS json)) AS given
        LEFT JOIN (SELECT kb_id, chunking, callback_url FROM kbs) AS kb USING (kb_id)
        RETURNING id, task_type, kb_id, stage, queue, priority, attempt, timeout, status, created_at,
            request_id, traceparent
    ), busy AS MATERIALIZED (
        SELECT queue, priority FROM (SELECT DISTINCT queue, priority FROM written) AS wanted WHERE EXISTS (
            SELECT FROM tasks WHERE queue = wanted.queue AND priority = wanted.priority AND {READY}
            ORDER BY queue, priority, {KB} OFFSET :busy LIMIT 1
        )
    )
    SELECT written.*, (queue, priority) IN (SELECT queue, priority FROM busy) AS is_busy FROM written
    """,
    Inserted,
)
