"""An attempt that ends without its stage: put off, handed back, or its worker died."""

from __future__ import annotations

from sqlalchemy import text

from models.task import ANEW, DEATHS, REQUEUED, WORKED
from tasks.transitions.attempts import OF_STAGES, ended, kept

_HEARD = "(SELECT heartbeat_at FROM workers WHERE workers.id = :worker)"

PUT_OFF = text(
    f"""
    UPDATE tasks AS t SET
        status = :target, due_at = now() + :delay, worked = {WORKED.format(until="now()")},
        worker_id = NULL, claimed_at = NULL, retries = retries + 1,
        errors = errors + 1 - :crashed, crashes = crashes + :crashed, error = CAST(:error AS jsonb),
        attempts = {kept(ended("'put_off'", error="CAST(:error AS jsonb)"))}
    WHERE id = :id AND attempt = :attempt AND worker_id = :worker AND status = ANY(CAST(:sources AS text[]))
    RETURNING id
    """
)

_FORGOTTEN = OF_STAGES.format(and_only="AND NOT each->>'name' = ANY(CAST(:before AS text[]))")

GO_BACK = text(
    f"""
    UPDATE tasks AS t SET
        status = :target, stage = :stage, queue = :queue, returns = returns + 1, retries = retries + 1,
        stages = (
            SELECT coalesce(jsonb_agg(each), '[]') FROM jsonb_array_elements(stages) AS each
            WHERE each->>'name' = ANY(CAST(:before AS text[]))
        ),
        attempts = {kept(_FORGOTTEN + " || " + ended("'went_back'", error="CAST(:error AS jsonb)"))},
        due_at = now(), worker_id = NULL, claimed_at = NULL, {ANEW}
    WHERE id = :id AND attempt = :attempt AND worker_id = :worker AND status = ANY(CAST(:sources AS text[]))
    RETURNING id
    """
)

HAND_BACK = text(
    f"""
    UPDATE tasks AS t SET
        status = :target, {REQUEUED.format(until="now()")}, stage_attempts = t.stage_attempts - 1,
        attempts = {kept(ended("'handed_back'"))}
    FROM (
        SELECT own.id FROM unnest(CAST(:ids AS uuid[]), CAST(:attempts AS integer[])) AS given(id, attempt)
        JOIN tasks AS own ON own.id = given.id AND own.attempt = given.attempt AND own.worker_id = :worker
        ORDER BY own.id FOR UPDATE OF own
    ) AS held
    WHERE t.id = held.id
    RETURNING t.id
    """
)

HAND_BACK_ALL = text(
    f"""
    UPDATE tasks AS t SET
        status = :target, {REQUEUED.format(until="now()")}, stage_attempts = stage_attempts - 1,
        attempts = {kept(ended("'handed_back'"))}
    WHERE id IN (SELECT id FROM tasks WHERE worker_id = :worker ORDER BY id FOR UPDATE)
    RETURNING id
    """
)

DIED = text(
    f"""
    UPDATE tasks AS t SET
        status = :target, {REQUEUED.format(until=_HEARD)}, deaths = {DEATHS},
        attempts = {kept(ended("'worker_died'", until=_HEARD))}
    WHERE id IN (SELECT id FROM tasks WHERE worker_id = :worker ORDER BY id FOR UPDATE)
    RETURNING id, attempt, stage, deaths
    """
)

#: Gives the claim back to the dead, so that the end of the task passes the same fence as every other.
CONVICT = text("UPDATE tasks SET status = 'processing', worker_id = :worker WHERE id = ANY(CAST(:ids AS uuid[]))")

#: How long such a claim was worked on nobody knows.
REQUEUE_UNKNOWN = text(
    f"""
    UPDATE tasks AS t SET
        status = :target, {REQUEUED.format(until="claimed_at")},
        attempts = {kept(ended("'lost'", until="t.claimed_at"))}
    WHERE id IN (
        SELECT own.id FROM tasks AS own LEFT JOIN workers AS w ON w.id = own.worker_id
        WHERE own.worker_id IS NOT NULL AND CASE WHEN w.id IS NULL
            THEN own.claimed_at < now() - CAST(:lease AS interval)
            ELSE own.claimed_at < w.heartbeat_at - CAST(:after AS interval) AND NOT own.id = ANY(w.current) END
        ORDER BY own.id FOR UPDATE OF own SKIP LOCKED
    )
    RETURNING id, queue
    """
)
