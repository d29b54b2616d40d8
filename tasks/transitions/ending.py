"""The end of a task, who waits for it, and its next run."""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

from models.base import Json
from models.statement import Statement, prepared
from tasks.lifecycle import Status
from tasks.transitions.attempts import IS_FIRST, OF_STAGES, ended, kept
from tasks.transitions.pieces import resets

#: Whether a row `t` waits for any of these tasks. The status is said twice: so the index looks cheaper than to read the
#: whole table, however small that is as yet.
WAITS_FOR = """t.waiting_for && CAST(:ids AS uuid[]) AND t.waiting_for <> '{}'
            AND t.status = ANY(CAST(:sources AS text[])) AND (t.status = ANY(CAST(:sources AS text[]))) IS TRUE"""


class Released(NamedTuple):
    """A task that waits for less; `cause`: what it depends on and did not complete, so that it cannot run."""

    id: UUID
    queue: str
    stage: str
    status: str
    cause: UUID | None


RELEASE_DEPENDENTS = prepared(
    f"""
    WITH ended AS (SELECT * FROM unnest(CAST(:ids AS uuid[]), CAST(:statuses AS text[])) AS given(id, status)
    ), depending AS (
        SELECT t.id, CASE WHEN t.on_dependency_failure = 'fail' THEN (
            SELECT ended.id FROM ended WHERE ended.id = ANY(t.depends_on) AND ended.status <> :completed LIMIT 1
        ) END AS cause, ARRAY(
            SELECT unnest(t.waiting_for) EXCEPT SELECT id FROM ended
        ) AS still
        FROM tasks AS t
        WHERE {WAITS_FOR} ORDER BY t.id FOR UPDATE OF t
    )
    UPDATE tasks AS t SET
        waiting_for = CASE WHEN depending.cause IS NULL THEN depending.still ELSE t.waiting_for END,
        due_at = greatest(t.due_at, now()),
        status = CASE
            WHEN depending.cause IS NULL AND depending.still = '{{}}' AND t.due_at <= now() THEN :target
            ELSE t.status
        END
    FROM depending WHERE t.id = depending.id
    RETURNING t.id, t.queue, t.stage, t.status, depending.cause
    """,
    Released,
)

#: Whether what a stage was completed by is told by its entry.
_IS_TOLD = f":target = '{Status.COMPLETED}' AND {IS_FIRST.format(began='held.begun_at')}"
_LAST = kept(ended("CAST(:target AS text)", began="held.begun_at", error="held.error"))

#: Whether a task can never run again.
_IS_FINAL = f":target = '{Status.COMPLETED}' OR coalesce(held.error->>'code' = 'superseded', false)"

#: The sum of a figure of a row's stages, in seconds. As a rule there is one stage, and what was not begun has none.
OVER_ALL = """CASE jsonb_array_length(t.stages)
                WHEN 0 THEN 0 WHEN 1 THEN (t.stages->0->>'{what}')::float
                ELSE (SELECT sum((each->>'{what}')::float) FROM jsonb_array_elements(t.stages) AS each) END"""

#: The units of the last stage that counted any.
UNITS = """CASE WHEN jsonb_array_length(t.stages) < 2 THEN greatest(t.units, held.units) ELSE coalesce((
                SELECT (stage->>'units')::integer FROM jsonb_array_elements(t.stages) WITH ORDINALITY AS each(stage, n)
                WHERE (stage->>'units')::integer > 0 ORDER BY n DESC LIMIT 1), 0) END"""


class Ended(NamedTuple):
    """A task that has ended.

    Parameters:
      document_id: of the payload, whatever JSON it is there.
      age: seconds since it was submitted; seconds: since its last attempt began, None where none had.
      waited, worked: seconds over all stages.
    """

    id: UUID
    kb_id: str | None
    subject: str | None
    task_type: str
    stage: str
    status: str
    batch_id: UUID | None
    callback_url: str | None
    metadata: Json
    result: Json | None
    error: Json | None
    retries: int
    run: int
    queue: str
    attempt: int
    shards: int
    document_id: object
    age: float
    seconds: float | None
    request_id: str | None
    traceparent: str | None
    units: int
    waited: float | None
    worked: float | None


END = prepared(
    f"""
    WITH ended AS (
        UPDATE tasks AS t SET
            status = :target,
            finished_at = now(),
            progress = CASE WHEN :target = '{Status.COMPLETED}' THEN 100 ELSE t.progress END,
            stages = CASE WHEN t.stage_started_at IS NULL THEN t.stages ELSE t.stages || jsonb_build_object(
                'name', t.stage, 'status', CAST(:target AS text),
                'started_at', t.stage_started_at, 'finished_at', now(),
                'units', greatest(t.units, held.units), 'units_done', greatest(t.units_done, held.units),
                'attempts', t.stage_attempts, 'worker', CASE WHEN {_IS_TOLD} THEN t.worker_id END,
                'waited', t.waited,
                'seconds', t.worked + coalesce(extract(epoch FROM now() - held.begun_at), 0)) END,
            attempts = CASE WHEN held.begun_at IS NULL OR {_IS_TOLD} THEN t.attempts ELSE {_LAST} END,
            result = held.result,
            error = held.error,
            source_headers = CASE WHEN {_IS_FINAL} THEN NULL ELSE t.source_headers END,
            {resets("complete")}
        FROM (
            -- Row by row in the order of the ids, by the primary key whatever the planner thinks of the rest.
            SELECT found.*, given.units, given.result, given.error
            FROM (
                SELECT * FROM json_to_recordset(CAST(:ends AS json)) AS each(
                    task_id uuid, attempt integer, worker uuid, result jsonb, error jsonb, units integer)
                ORDER BY task_id
            ) AS given CROSS JOIN LATERAL (
                SELECT own.id, own.shards,
                    CASE WHEN own.shards > 0 THEN own.stage_started_at ELSE own.claimed_at END AS begun_at
                FROM tasks AS own
                WHERE own.id = given.task_id AND own.status = ANY(CAST(:sources AS text[]))
                    AND (given.attempt IS NULL OR (own.attempt = given.attempt AND own.worker_id = given.worker))
                FOR UPDATE OF own
            ) AS found
        ) AS held
        WHERE t.id = held.id
        RETURNING t.id, t.kb_id, t.subject, t.task_type, t.stage, t.status, t.batch_id, t.callback_url,
            t.metadata, t.result, t.error, t.retries, t.run, t.queue, t.attempt, held.shards,
            t.payload->'document_id' AS document_id,
            extract(epoch FROM clock_timestamp() - t.created_at)::float AS age,
            extract(epoch FROM clock_timestamp() - held.begun_at)::float AS seconds,
            t.request_id, t.traceparent, {UNITS} AS units,
            {OVER_ALL.format(what="waited")} AS waited, {OVER_ALL.format(what="seconds")} AS worked
    ), unlocked AS (
        DELETE FROM locks USING ended
        WHERE locks.kb_id = coalesce(ended.kb_id, '') AND locks.subject = ended.subject AND locks.task_id = ended.id
    )
    SELECT * FROM ended
    """,
    Ended,
)

#: Headers of tasks that ended longer ago than they can be resumed.
FORGET_HEADERS = Statement(
    """
    UPDATE tasks SET source_headers = NULL WHERE id IN (
        SELECT id FROM tasks
        WHERE source_headers IS NOT NULL AND finished_at IS NOT NULL AND finished_at < now() - CAST(:kept AS interval)
        ORDER BY finished_at LIMIT :limit FOR UPDATE SKIP LOCKED)
    """
)

#: Those of these tasks, however lately they ended.
FORGET_HEADERS_OF = Statement(
    "UPDATE tasks SET source_headers = NULL WHERE id = ANY(CAST(:ids AS uuid[])) AND source_headers IS NOT NULL"
    " AND finished_at IS NOT NULL"
)

RETRY = Statement(
    f"""
    UPDATE tasks AS t SET
        status = :target, stage = :stage, queue = :queue, waiting_for = CAST(:waiting_for AS uuid[]), run = run + 1,
        stages = CASE WHEN :resumes THEN (
            SELECT coalesce(jsonb_agg(each || '{{"worker": null}}') FILTER (WHERE each->>'status' = 'completed'), '[]')
            FROM jsonb_array_elements(stages) AS each
        ) ELSE '[]' END,
        attempts = {kept(OF_STAGES.format(and_only=""))},
        due_at = CASE WHEN :keeps_times THEN greatest(now(), run_at) ELSE now() END,
        run_at = CASE WHEN :keeps_times THEN run_at END, expires_at = CASE WHEN :keeps_times THEN expires_at END,
        {resets("retry")}
    WHERE id = :id
    """
)
