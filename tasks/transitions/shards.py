"""Every UPDATE of a shard's row. A shard is claimed, fenced and released as a task is.

Every transaction locks the tasks' rows before those of their shards.
"""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

from models.shard import FREE, HAS_UNFINISHED
from models.statement import OfId, Statement
from models.task import DEATHS
from tasks.transitions.pieces import RELEASED, own_shard

LOCK = Statement("SELECT id FROM tasks WHERE id = ANY(CAST(:ids AS uuid[])) ORDER BY id FOR UPDATE")


class Taken(NamedTuple):
    """A shard that is claimed, which is number `shard` of its stage."""

    task_id: UUID
    shard: int
    first: int
    last: int
    attempt: int
    errors: int
    crashes: int
    deaths: int


class Lost(NamedTuple):
    """A shard that was taken from its worker; `deaths`: of workers that held it."""

    task_id: UUID
    stage: str
    deaths: int


#: An earlier attempt's ranges stay as they are: what is done of them is known by them.
RESET = Statement(
    f"""
    UPDATE shards SET {RELEASED}, attempt = attempt + 1, due_at = now(), errors = 0, crashes = 0, deaths = 0,
        put_off_at = NULL
    WHERE task_id = :id AND stage = :stage RETURNING task_id AS id
    """,
    OfId,
)

INSERT = Statement(
    """
    INSERT INTO shards (task_id, stage, index, first, last)
    SELECT :id, :stage, place - 1, first, last
    FROM unnest(CAST(:firsts AS integer[]), CAST(:lasts AS integer[])) WITH ORDINALITY AS given(first, last, place)
    """
)

FORGET_STAGE = Statement("DELETE FROM shards WHERE task_id = :id AND stage = :stage")

UNFINISHED = Statement(f"SELECT t.id FROM tasks AS t WHERE t.id = ANY(CAST(:ids AS uuid[])) AND {HAS_UNFINISHED}", OfId)

TAKE = Statement(
    f"""
    UPDATE shards AS s SET worker_id = :worker, claimed_at = now(), attempt = s.attempt + 1
    FROM (
        SELECT DISTINCT ON (t.id) t.id, s.stage, s.index
        FROM shards AS s JOIN tasks AS t ON t.id = s.task_id AND t.stage = s.stage
        WHERE t.id = ANY(CAST(:ids AS uuid[])) AND {FREE}
        ORDER BY t.id, s.index
    ) AS free
    WHERE s.task_id = free.id AND s.stage = free.stage AND s.index = free.index
    RETURNING s.task_id, s.index AS shard, s.first, s.last, s.attempt, s.errors, s.crashes, s.deaths
    """,
    Taken,
)

#: As for a task.
BEGIN = Statement(f"UPDATE shards SET begun = attempt WHERE {own_shard()} RETURNING task_id AS id", OfId)

FINISH = Statement(
    f"""
    UPDATE shards SET done_at = now(), units_done = last - first, result = :result, {RELEASED}
    WHERE {own_shard()} RETURNING task_id AS id
    """,
    OfId,
)

REPORT = Statement(
    f"UPDATE shards SET units_done = greatest(units_done, :done) WHERE {own_shard()} RETURNING task_id AS id", OfId
)

PUT_OFF = Statement(
    f"""
    UPDATE shards SET
        {RELEASED}, due_at = now() + :delay, errors = errors + :errors, crashes = crashes + :crashes,
        put_off_at = CASE WHEN :errors + :crashes > 0 THEN now() ELSE put_off_at END
    WHERE {own_shard()} RETURNING task_id AS id
    """,
    OfId,
)

TASKS_OF = Statement("SELECT DISTINCT task_id AS id FROM shards WHERE worker_id = :worker", OfId)

HAND_BACK_ALL = Statement(
    f"UPDATE shards SET {RELEASED} WHERE worker_id = :worker RETURNING task_id, stage, deaths", Lost
)

DIED = Statement(
    f"UPDATE shards SET {RELEASED}, deaths = {DEATHS} WHERE worker_id = :worker RETURNING task_id, stage, deaths", Lost
)

RELEASE = Statement(f"UPDATE shards SET {RELEASED} WHERE task_id = ANY(CAST(:ids AS uuid[]))")

#: What no process knows of; see `tasks.working.presence.sweep`.
RESCUE = Statement(
    f"""
    UPDATE shards SET {RELEASED}
    WHERE (task_id, stage, index) IN (
        SELECT s.task_id, s.stage, s.index FROM shards AS s LEFT JOIN workers AS w ON w.id = s.worker_id
        WHERE s.worker_id IS NOT NULL AND CASE WHEN w.id IS NULL
            THEN s.claimed_at < now() - CAST(:lease AS interval)
            ELSE s.claimed_at < w.heartbeat_at - CAST(:after AS interval) AND NOT s.task_id = ANY(w.current) END
        FOR UPDATE OF s SKIP LOCKED
    )
    RETURNING task_id AS id
    """,
    OfId,
)
