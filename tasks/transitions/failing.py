"""An attempt that ends without its stage: put off, handed back, or its worker died."""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

from models.statement import OfId, Statement
from models.task import DEATHS, WORKED
from tasks.transitions.attempts import OF_STAGES, ended, kept
from tasks.transitions.pieces import own, resets

_UNTIL_NOW = WORKED.format(until="now()")
#: When the dead was last heard of: what came after it was no work.
_HEARD = "(SELECT heartbeat_at FROM workers WHERE workers.id = :worker)"


class Orphaned(NamedTuple):
    """A task whose worker died; `deaths`: in its present stage."""

    id: UUID
    attempt: int
    stage: str
    deaths: int


class Requeued(NamedTuple):
    """A task that is ready again."""

    id: UUID
    queue: str


PUT_OFF = Statement(
    f"""
    UPDATE tasks AS t SET
        status = :target, due_at = now() + :delay, worked = {_UNTIL_NOW},
        {resets("put_off")}, retries = retries + 1,
        errors = errors + 1 - :crashed, crashes = crashes + :crashed, error = CAST(:error AS jsonb),
        attempts = {kept(ended("'put_off'", error="CAST(:error AS jsonb)"))}
    WHERE {own()} AND status = ANY(CAST(:sources AS text[]))
    RETURNING id
    """,
    OfId,
)

_FORGOTTEN = OF_STAGES.format(and_only="AND NOT each->>'name' = ANY(CAST(:before AS text[]))")

GO_BACK = Statement(
    f"""
    UPDATE tasks AS t SET
        status = :target, stage = :stage, queue = :queue, returns = returns + 1, retries = retries + 1,
        stages = (
            SELECT coalesce(jsonb_agg(each), '[]') FROM jsonb_array_elements(stages) AS each
            WHERE each->>'name' = ANY(CAST(:before AS text[]))
        ),
        attempts = {kept(_FORGOTTEN + " || " + ended("'went_back'", error="CAST(:error AS jsonb)"))},
        due_at = now(), {resets("go_back")}
    WHERE {own()} AND status = ANY(CAST(:sources AS text[]))
    RETURNING id
    """,
    OfId,
)

HAND_BACK = Statement(
    f"""
    UPDATE tasks AS t SET
        status = :target, due_at = now(), worked = {_UNTIL_NOW}, {resets("hand_back")},
        stage_attempts = t.stage_attempts - 1,
        attempts = {kept(ended("'handed_back'"))}
    FROM (
        SELECT own.id FROM unnest(CAST(:ids AS uuid[]), CAST(:attempts AS integer[])) AS given(task_id, attempt)
        JOIN tasks AS own ON {own("own", "given")}
        ORDER BY own.id FOR UPDATE OF own
    ) AS held
    WHERE t.id = held.id
    RETURNING t.id
    """,
    OfId,
)

HAND_BACK_ALL = Statement(
    f"""
    UPDATE tasks AS t SET
        status = :target, due_at = now(), worked = {_UNTIL_NOW}, {resets("hand_back")},
        stage_attempts = stage_attempts - 1,
        attempts = {kept(ended("'handed_back'"))}
    WHERE id IN (SELECT id FROM tasks WHERE worker_id = :worker ORDER BY id FOR UPDATE)
    RETURNING id
    """,
    OfId,
)

DIED = Statement(
    f"""
    UPDATE tasks AS t SET
        status = :target, due_at = now(), worked = {WORKED.format(until=_HEARD)}, {resets("requeue")},
        deaths = {DEATHS},
        attempts = {kept(ended("'worker_died'", until=_HEARD))}
    WHERE id IN (SELECT id FROM tasks WHERE worker_id = :worker ORDER BY id FOR UPDATE)
    RETURNING id, attempt, stage, deaths
    """,
    Orphaned,
)

#: Gives the claim back to the dead, so that the end of the task passes the same fence as every other.
CONVICT = Statement(
    """
    UPDATE tasks SET status = :target, worker_id = :worker
    WHERE id = ANY(CAST(:ids AS uuid[])) AND status = ANY(CAST(:sources AS text[]))
    """
)

#: How long such a claim was worked on nobody knows.
RESCUE = Statement(
    f"""
    UPDATE tasks AS t SET
        status = :target, due_at = now(), worked = {WORKED.format(until="claimed_at")}, {resets("rescue")},
        attempts = {kept(ended("'lost'", until="t.claimed_at"))}
    WHERE id IN (
        SELECT own.id FROM tasks AS own LEFT JOIN workers AS w ON w.id = own.worker_id
        WHERE own.worker_id IS NOT NULL AND CASE WHEN w.id IS NULL
            THEN own.claimed_at < now() - CAST(:lease AS interval)
            ELSE own.claimed_at < w.heartbeat_at - CAST(:after AS interval) AND NOT own.id = ANY(w.current) END
        ORDER BY own.id FOR UPDATE OF own SKIP LOCKED
    )
    RETURNING id, queue
    """,
    Requeued,
)
