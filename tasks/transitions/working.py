"""What a worker writes of a stage: how far it is, and that it is done."""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

from models.statement import OfId, Statement, prepared
from tasks.transitions.attempts import IS_FIRST, ended, kept
from tasks.transitions.pieces import own, resets

REPORT = Statement(
    f"""
    UPDATE tasks AS t SET units = given.units, units_done = given.done, progress = greatest(t.progress, given.progress)
    FROM (
        SELECT own.id, given.* FROM json_to_recordset(CAST(:reports AS json)) AS given(
            task_id uuid, attempt integer, units integer, done integer, progress float)
        JOIN tasks AS own ON {own("own", "given")}
        ORDER BY own.id FOR UPDATE OF own
    ) AS given
    WHERE t.id = given.id
    RETURNING t.id
    """,
    OfId,
)


#: A suspect's work begins, alone in its process: from now on the death of its worker counts against it.
BEGIN = Statement(f"UPDATE tasks SET begun = attempt WHERE {own()} RETURNING id", OfId)


class Advanced(NamedTuple):
    """A task whose next stage is ready; `done_stage`: the one that is done, in so many `seconds`."""

    id: UUID
    task_type: str
    stage: str
    queue: str
    priority: int
    attempt: int
    timeout: float
    request_id: str | None
    traceparent: str | None
    done_stage: str
    seconds: float


_IS_FIRST = IS_FIRST.format(began="done.begun_at")

ADVANCE = prepared(
    f"""
    UPDATE tasks AS t SET
        status = :target, stage = done.stage, queue = done.queue,
        progress = greatest(t.progress, done.progress),
        stages = t.stages || jsonb_build_object(
            'name', t.stage, 'status', 'completed', 'started_at', t.stage_started_at, 'finished_at', now(),
            'units', done.units, 'units_done', done.units, 'attempts', t.stage_attempts,
            'worker', CASE WHEN {_IS_FIRST} THEN t.worker_id END,
            'waited', t.waited, 'seconds', t.worked + extract(epoch FROM now() - done.begun_at)),
        attempts = CASE WHEN {_IS_FIRST} THEN t.attempts
            ELSE {kept(ended("'completed'", began="done.begun_at"))} END,
        due_at = now(),
        {resets("advance")}
    FROM (
        SELECT held.id, held.stage AS done_stage,
            CASE WHEN held.shards > 0 THEN held.stage_started_at ELSE held.claimed_at END AS begun_at, given.*
        FROM json_to_recordset(CAST(:done AS json)) AS given(
            task_id uuid, attempt integer, units integer, stage text, queue text, progress float)
        JOIN tasks AS held ON {own("held", "given")}
        WHERE held.status = ANY(CAST(:sources AS text[]))
        ORDER BY held.id FOR UPDATE OF held
    ) AS done
    WHERE t.id = done.id
    RETURNING t.id, t.task_type, t.stage, t.queue, t.priority, t.attempt, t.timeout, t.request_id, t.traceparent,
        done.done_stage,
        extract(epoch FROM clock_timestamp() - done.begun_at)::float AS seconds
    """,
    Advanced,
)

#: `began` and `ended` are seconds ago, since clocks differ. The row's own event is that of the last stage, which the
#: trigger writes when the statement ends. It is the first claim of a task, so each stage has one attempt.
PASS = prepared(
    f"""
    WITH given AS MATERIALIZED (
        SELECT held.id, held.batch_id, each.stage, each.queue, each.passed
        FROM json_to_recordset(CAST(:done AS json)) AS each(
            task_id uuid, attempt integer, stage text, queue text, passed jsonb)
        JOIN tasks AS held ON {own("held", "each")} AND held.status = ANY(CAST(:sources AS text[]))
    ), passed AS MATERIALIZED (
        SELECT given.id, given.batch_id, given.stage, each.*,
            least(now(), clock_timestamp() - began * interval '1 second') AS began_at,
            least(now(), clock_timestamp() - ended * interval '1 second') AS ended_at
        FROM given CROSS JOIN LATERAL ROWS FROM (jsonb_to_recordset(given.passed) AS (
            name text, units integer, began float, ended float, following text, progress float)
        ) WITH ORDINALITY AS each(name, units, began, ended, following, progress, place)
    ), told AS (
        INSERT INTO events (task_id, batch_id, status, stage, progress, created_at)
        SELECT id, batch_id, CAST(:target AS text), following, progress, ended_at
        FROM passed WHERE following <> stage ORDER BY id, place
    )
    UPDATE tasks AS t SET
        stage = given.stage, queue = given.queue,
        progress = greatest(t.progress, reached.progress),
        stages = t.stages || reached.stages,
        claimed_at = reached.at, stage_started_at = reached.at, stage_attempts = 1,
        {resets("pass")}
    FROM given CROSS JOIN LATERAL (
        SELECT max(p.progress) AS progress, max(p.ended_at) AS at, jsonb_agg(
            jsonb_build_object(
                'name', p.name, 'status', 'completed',
                'started_at', CASE WHEN p.place = 1 THEN own.stage_started_at ELSE p.began_at END,
                'finished_at', p.ended_at,
                'units', p.units, 'units_done', p.units,
                'attempts', CASE WHEN p.place = 1 THEN own.stage_attempts ELSE 1 END,
                'worker', own.worker_id,
                'waited', CASE WHEN p.place = 1 THEN own.waited ELSE 0 END,
                'seconds', p.began - p.ended + CASE WHEN p.place = 1 THEN own.worked ELSE 0 END
            ) ORDER BY p.place
        ) AS stages
        FROM passed AS p JOIN tasks AS own ON own.id = p.id WHERE p.id = given.id
    ) AS reached
    WHERE t.id = given.id
    """
)
