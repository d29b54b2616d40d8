"""A stage that is divided into shards."""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

from models.shard import HAS_FREE, HAS_UNFINISHED
from models.statement import Statement
from tasks.transitions.claiming import OfQueue
from tasks.transitions.pieces import WAITING, Waiting, resets


class Joined(NamedTuple):
    """A task that is claimed as a whole, since all its shards are done."""

    id: UUID
    attempt: int
    errors: int
    crashes: int
    deaths: int


class OfAttempt(NamedTuple):
    """The attempt under which a task is given up."""

    attempt: int


DIVIDE = Statement(
    f"""
    UPDATE tasks SET
        status = :target, shards = (SELECT count(*) FROM shards WHERE task_id = :id AND stage = :stage),
        {resets("divide")}
    WHERE id = :id AND status = ANY(CAST(:sources AS text[]))
    RETURNING queue
    """,
    OfQueue,
)

#: The attempts that are shown are those of the shard that needed most. Gives the tasks of which another shard is free.
OFFER_SHARD = Statement(
    f"""
    WITH offered AS (
        UPDATE tasks AS t SET
            worker_id = CASE WHEN {HAS_FREE} THEN NULL ELSE CAST(:nobody AS uuid) END,
            claimed_at = NULL, stage_attempts = greatest(t.stage_attempts - 1, (
                SELECT 1 + max(errors + crashes + deaths) FROM shards WHERE task_id = t.id AND stage = t.stage))
        WHERE t.id = ANY(CAST(:ids AS uuid[])) AND t.worker_id = :worker
        RETURNING {WAITING}, worker_id
    )
    SELECT {WAITING} FROM offered WHERE worker_id IS NULL
    """,
    Waiting,
)

REOFFER_SHARDS = Statement(
    f"""
    UPDATE tasks SET worker_id = NULL
    WHERE id IN (
        SELECT t.id FROM tasks AS t WHERE t.worker_id = :nobody AND ({HAS_FREE} OR NOT {HAS_UNFINISHED})
        ORDER BY t.id FOR UPDATE OF t SKIP LOCKED
    )
    RETURNING queue
    """,
    OfQueue,
)

COUNT_SHARDS = Statement(
    """
    UPDATE tasks AS t SET
        units = total.units, units_done = total.done,
        progress = greatest(t.progress, :start + (CAST(:end AS float) - :start) * total.done / greatest(total.units, 1))
    FROM (
        SELECT sum(last - first) AS units, sum(units_done) AS done FROM shards WHERE task_id = :id AND stage = :stage
    ) AS total
    WHERE t.id = :id AND t.stage = :stage AND t.shards > 0
    """
)

#: A worker of the release before, which knows no shards, may have claimed the whole: then it is that one's.
JOIN = Statement(
    """
    UPDATE tasks SET status = :target, worker_id = :worker, claimed_at = now(), attempt = attempt + 1
    WHERE id = ANY(CAST(:ids AS uuid[])) AND (worker_id IS NULL OR worker_id = :nobody)
        AND status = ANY(CAST(:sources AS text[]))
    RETURNING id, attempt, errors, crashes, deaths
    """,
    Joined,
)

NOTE_SHARD_RETRY = Statement("UPDATE tasks SET retries = retries + 1, error = CAST(:error AS jsonb) WHERE id = :id")

GIVE_UP_SHARD = Statement(
    """
    UPDATE tasks SET worker_id = :worker, attempt = attempt + 1
    WHERE id = :id AND shards > 0 AND status = ANY(CAST(:sources AS text[]))
    RETURNING attempt
    """,
    OfAttempt,
)
