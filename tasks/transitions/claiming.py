"""From waiting to ready, and from ready to a worker."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from models.base import Json
from models.statement import Statement, prepared
from models.task import READY, WAITED

#: What this release knows. More of a type or stage is left to the release that has it.
KNOWN = "coalesce(task_type || ' ' || stage = ANY(CAST(:known AS text[])), false)"
#: What may be run: what a later release knows, or has expired, hides nothing that stands behind it.
_IN_TIME = f"(expires_at IS NULL OR started_at IS NOT NULL OR expires_at > now()) AND {KNOWN}"
RUNS = f"{READY} AND {_IN_TIME}"
#: Of a row that is found by its id, or by its subject. It says what `READY` says, but not so that PostgreSQL could take
#: the index of all that wait for it, as it does where it has not counted them yet.
_FREE = "num_nulls(worker_id) = 1"
#: Whether all workers together have no more threads than stages may run at once.
ENOUGH = "(SELECT coalesce(sum(threads), 0) FROM workers WHERE kind = 'worker') <= :most"


class OfQueue(NamedTuple):
    """The queue of a task that has become ready."""

    queue: str


class Claimed(NamedTuple):
    """A task that is claimed; `paused`: the queues that are, and `metadata`: None where the submission said none."""

    id: UUID
    task_type: str
    stage: str
    queue: str
    attempt: int
    kb_id: str | None
    payload: Json
    timeout: float
    retry_limit: int
    errors: int
    crashes: int
    deaths: int
    returns: int
    shards: int
    created_at: datetime
    metadata: Json | None
    waited: float
    request_id: str | None
    traceparent: str | None
    paused: list[str]


WAKE = Statement(
    """
    UPDATE tasks SET status = :target
    WHERE id IN (
        SELECT id FROM tasks
        WHERE status = ANY(CAST(:sources AS text[])) AND status = 'waiting' AND waiting_for = '{}' AND due_at <= now()
        ORDER BY due_at LIMIT 5000 FOR UPDATE SKIP LOCKED
    )
    RETURNING queue
    """,
    OfQueue,
)

CLAIM = prepared(
    f"""
    WITH wanted AS MATERIALIZED (
        SELECT DISTINCT * FROM json_to_recordset(CAST(:wishes AS json)) AS wish(task_id uuid, stage text) ORDER BY 1
    ), free AS (
        -- Row by row in the order of the ids, by the primary key whatever the planner thinks of the rest.
        SELECT found.* FROM wanted CROSS JOIN LATERAL (
            SELECT t.id, coalesce(t.kb_id, '') AS kb_id, t.subject FROM tasks AS t
            WHERE t.id = wanted.task_id AND t.stage = wanted.stage
                AND (t.status = ANY(CAST(:sources AS text[]))) IS TRUE AND {_FREE} AND {_IN_TIME}
                AND NOT EXISTS (SELECT FROM paused_queues AS paused WHERE paused.queue = t.queue)
                AND (CAST(:places AS integer) IS NOT NULL OR {ENOUGH})
                -- What was submitted earlier for the same comes first, also while another worker is claiming it.
                AND (t.subject IS NULL OR NOT EXISTS (
                    SELECT FROM tasks WHERE kb_id = t.kb_id AND subject = t.subject AND (id < t.id) IS TRUE
                        AND queue = t.queue AND priority >= t.priority AND status IN ('queued', 'processing')
                        AND {_FREE} AND {_IN_TIME}
                        AND id NOT IN (SELECT task_id FROM wanted)
                ))
            FOR UPDATE OF t
        ) AS found
        LIMIT :places
    ), holder AS (
        -- Writes also where nothing changes: so whoever ends the holder waits, and then sees who stood back.
        INSERT INTO locks AS held (kb_id, subject, task_id)
        SELECT DISTINCT ON (kb_id, subject) kb_id, subject, id FROM free
        WHERE subject IS NOT NULL ORDER BY kb_id, subject, id
        ON CONFLICT (kb_id, subject) DO UPDATE SET task_id = held.task_id
        RETURNING kb_id, subject, task_id
    ), stood_back AS (
        UPDATE tasks AS t SET status = :stood_back, waiting_for = ARRAY[holder.task_id]
        FROM free JOIN holder USING (kb_id, subject) WHERE t.id = free.id AND holder.task_id <> free.id
    )
    UPDATE tasks AS t SET
        status = :target,
        worker_id = :worker,
        claimed_at = now(),
        attempt = attempt + 1,
        stage_attempts = stage_attempts + 1,
        started_at = coalesce(started_at, now()),
        stage_started_at = coalesce(stage_started_at, now()),
        waited = {WAITED}
    FROM (
        -- The limit, which is met above, has PostgreSQL expect few rows, and so find each by the primary key.
        SELECT free.id FROM free LEFT JOIN holder USING (kb_id, subject)
        WHERE free.subject IS NULL OR holder.task_id = free.id LIMIT :places
    ) AS own
    WHERE t.id = own.id
    RETURNING t.id, t.task_type, t.stage, t.queue, t.attempt, t.kb_id, t.payload, t.timeout,
        t.retry_limit, t.errors, t.crashes, t.deaths, t.returns, t.shards, t.created_at,
        CASE WHEN t.has_metadata THEN t.metadata END AS metadata, t.waited, t.request_id, t.traceparent,
        ARRAY(SELECT queue FROM paused_queues) AS paused
    """,
    Claimed,
)
