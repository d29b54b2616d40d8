"""Every UPDATE of a task's row: the transitions of `tasks.lifecycle`, and what is noted of a stage while it runs.

`:sources` and `:target` are a transition's states. Who writes for a claim names `attempt` and `worker`: where the row
has others, nothing is written.
"""

from __future__ import annotations

from sqlalchemy import text

from models.connection import prepared
from models.shard import HAS_FREE, HAS_UNFINISHED
from models.task import DEATHS, READY, REQUEUED, WAITED, WORKED
from tasks.lifecycle import Status

#: What this release knows. More of a type or stage is left to the release that has it.
KNOWN = "coalesce(task_type || ' ' || stage = ANY(CAST(:known AS text[])), false)"
#: What may be run: what a later release knows, or has expired, hides nothing that stands behind it.
RUNS = f"{READY} AND (expires_at IS NULL OR started_at IS NOT NULL OR expires_at > now()) AND {KNOWN}"
#: Whether all workers together have no more threads than stages may run at once.
ENOUGH = "(SELECT coalesce(sum(threads), 0) FROM workers WHERE kind = 'worker') <= :most"

#: What a stage begins with.
_ANEW = """stage_attempts = 0, errors = 0, crashes = 0, deaths = 0, stage_started_at = NULL, waited = 0, worked = 0,
        units = 0, units_done = 0, shards = 0"""
_HEARD = "(SELECT heartbeat_at FROM workers WHERE workers.id = :worker)"

WAKE = text(
    """
    UPDATE tasks SET status = :target
    WHERE id IN (
        SELECT id FROM tasks
        WHERE status = ANY(CAST(:sources AS text[])) AND status = 'waiting' AND waiting_for = '{}' AND due_at <= now()
        ORDER BY due_at LIMIT 5000 FOR UPDATE SKIP LOCKED
    )
    RETURNING queue
    """
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
                AND t.status = ANY(CAST(:sources AS text[])) AND {RUNS}
                AND NOT EXISTS (SELECT FROM paused_queues AS paused WHERE paused.queue = t.queue)
                AND (CAST(:places AS integer) IS NOT NULL OR {ENOUGH})
                -- What was submitted earlier for the same comes first, also while another worker is claiming it.
                AND (t.subject IS NULL OR NOT EXISTS (
                    SELECT FROM tasks WHERE kb_id = t.kb_id AND subject = t.subject AND id < t.id
                        AND queue = t.queue AND priority >= t.priority AND {RUNS}
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
    FROM free LEFT JOIN holder USING (kb_id, subject)
    WHERE t.id = free.id AND (free.subject IS NULL OR holder.task_id = free.id)
    RETURNING t.id, t.task_type, t.stage, t.queue, t.attempt, t.kb_id, t.payload, t.timeout,
        t.retry_limit, t.errors, t.crashes, t.deaths, t.returns, t.shards, t.created_at,
        CASE WHEN t.has_metadata THEN t.metadata END AS metadata,
        ARRAY(SELECT queue FROM paused_queues) AS paused
    """
)

REPORT = text(
    """
    UPDATE tasks AS t SET units = given.units, units_done = given.done, progress = greatest(t.progress, given.progress)
    FROM (
        SELECT own.id, given.* FROM json_to_recordset(CAST(:reports AS json)) AS given(
            task_id uuid, attempt integer, units integer, done integer, progress float)
        JOIN tasks AS own ON own.id = given.task_id AND own.attempt = given.attempt AND own.worker_id = :worker
        ORDER BY own.id FOR UPDATE OF own
    ) AS given
    WHERE t.id = given.id
    RETURNING t.id
    """
)

ADVANCE = prepared(
    f"""
    UPDATE tasks AS t SET
        status = :target, stage = done.stage, queue = done.queue,
        progress = greatest(t.progress, done.progress),
        stages = t.stages || jsonb_build_object(
            'name', t.stage, 'status', 'completed', 'started_at', t.stage_started_at, 'finished_at', now(),
            'units', done.units, 'units_done', done.units, 'attempts', t.stage_attempts,
            'waited', t.waited, 'seconds', t.worked + extract(epoch FROM now() - done.begun_at)),
        worker_id = NULL, claimed_at = NULL, due_at = now(),
        {_ANEW}, error = NULL
    FROM (
        SELECT held.id, held.stage AS done_stage,
            CASE WHEN held.shards > 0 THEN held.stage_started_at ELSE held.claimed_at END AS begun_at, given.*
        FROM json_to_recordset(CAST(:done AS json)) AS given(
            task_id uuid, attempt integer, units integer, stage text, queue text, progress float)
        JOIN tasks AS held ON held.id = given.task_id
        WHERE held.attempt = given.attempt AND held.worker_id = :worker
            AND held.status = ANY(CAST(:sources AS text[]))
        ORDER BY held.id FOR UPDATE OF held
    ) AS done
    WHERE t.id = done.id
    RETURNING t.id, t.task_type, t.stage, t.queue, t.priority, t.attempt, t.timeout, done.done_stage,
        extract(epoch FROM clock_timestamp() - done.begun_at)::float AS seconds
    """
)

#: `began` and `ended` are seconds ago, since clocks differ. The row's own event is that of the last stage, which the
#: trigger writes when the statement ends.
PASS = prepared(
    """
    WITH given AS MATERIALIZED (
        SELECT held.id, held.batch_id, each.stage, each.queue, each.passed
        FROM json_to_recordset(CAST(:done AS json)) AS each(
            task_id uuid, attempt integer, stage text, queue text, passed jsonb)
        JOIN tasks AS held ON held.id = each.task_id
            AND held.attempt = each.attempt AND held.worker_id = :worker AND held.status = 'processing'
    ), passed AS MATERIALIZED (
        SELECT given.id, given.batch_id, given.stage, each.*,
            least(now(), clock_timestamp() - began * interval '1 second') AS began_at,
            least(now(), clock_timestamp() - ended * interval '1 second') AS ended_at
        FROM given CROSS JOIN LATERAL ROWS FROM (jsonb_to_recordset(given.passed) AS (
            name text, units integer, began float, ended float, following text, progress float)
        ) WITH ORDINALITY AS each(name, units, began, ended, following, progress, place)
    ), told AS (
        INSERT INTO events (task_id, batch_id, status, stage, progress, created_at)
        SELECT id, batch_id, 'processing', following, progress, ended_at
        FROM passed WHERE following <> stage ORDER BY id, place
    )
    UPDATE tasks AS t SET
        stage = given.stage, queue = given.queue,
        progress = greatest(t.progress, reached.progress),
        stages = t.stages || reached.stages,
        claimed_at = reached.at, stage_started_at = reached.at, stage_attempts = 1,
        errors = 0, crashes = 0, waited = 0, worked = 0, units = 0, units_done = 0, error = NULL
    FROM given CROSS JOIN LATERAL (
        SELECT max(p.progress) AS progress, max(p.ended_at) AS at, jsonb_agg(
            jsonb_build_object(
                'name', p.name, 'status', 'completed',
                'started_at', CASE WHEN p.place = 1 THEN own.stage_started_at ELSE p.began_at END,
                'finished_at', p.ended_at,
                'units', p.units, 'units_done', p.units,
                'attempts', CASE WHEN p.place = 1 THEN own.stage_attempts ELSE 1 END,
                'waited', CASE WHEN p.place = 1 THEN own.waited ELSE 0 END,
                'seconds', p.began - p.ended + CASE WHEN p.place = 1 THEN own.worked ELSE 0 END
            ) ORDER BY p.place
        ) AS stages
        FROM passed AS p JOIN tasks AS own ON own.id = p.id WHERE p.id = given.id
    ) AS reached
    WHERE t.id = given.id
    """
)

DIVIDE = text(
    """
    UPDATE tasks SET
        status = :target, shards = (SELECT count(*) FROM shards WHERE task_id = :id AND stage = :stage),
        worker_id = NULL, claimed_at = NULL
    WHERE id = :id AND status = ANY(CAST(:sources AS text[]))
    RETURNING queue
    """
)

#: The attempts that are shown are those of the shard that needed most.
OFFER_SHARD = text(
    f"""
    UPDATE tasks AS t SET
        worker_id = CASE WHEN {HAS_FREE} THEN NULL ELSE CAST(:nobody AS uuid) END,
        claimed_at = NULL, stage_attempts = greatest(t.stage_attempts - 1, (
            SELECT 1 + max(errors + crashes + deaths) FROM shards WHERE task_id = t.id AND stage = t.stage))
    WHERE t.id = ANY(CAST(:ids AS uuid[])) AND t.worker_id = :worker
    RETURNING t.id, t.task_type, t.stage, t.queue, t.priority, t.attempt, t.timeout, t.worker_id IS NULL AS is_ready
    """
)

REOFFER_SHARDS = text(
    f"""
    UPDATE tasks SET worker_id = NULL
    WHERE id IN (
        SELECT t.id FROM tasks AS t WHERE t.worker_id = :nobody AND ({HAS_FREE} OR NOT {HAS_UNFINISHED})
        ORDER BY t.id FOR UPDATE OF t SKIP LOCKED
    )
    RETURNING queue
    """
)

COUNT_SHARDS = text(
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
JOIN = text(
    """
    UPDATE tasks SET status = :target, worker_id = :worker, claimed_at = now(), attempt = attempt + 1
    WHERE id = ANY(CAST(:ids AS uuid[])) AND (worker_id IS NULL OR worker_id = :nobody)
        AND status = ANY(CAST(:sources AS text[]))
    RETURNING id, attempt, errors, crashes, deaths
    """
)

NOTE_SHARD_RETRY = text("UPDATE tasks SET retries = retries + 1, error = CAST(:error AS jsonb) WHERE id = :id")

GIVE_UP_SHARD = text(
    """
    UPDATE tasks SET worker_id = :worker, attempt = attempt + 1
    WHERE id = :id AND shards > 0 AND status = ANY(CAST(:sources AS text[]))
    RETURNING attempt
    """
)

PUT_OFF = text(
    f"""
    UPDATE tasks SET
        status = :target, due_at = now() + :delay, worked = {WORKED.format(until="now()")},
        worker_id = NULL, claimed_at = NULL, retries = retries + 1,
        errors = errors + 1 - :crashed, crashes = crashes + :crashed, error = CAST(:error AS jsonb)
    WHERE id = :id AND attempt = :attempt AND worker_id = :worker AND status = ANY(CAST(:sources AS text[]))
    RETURNING id
    """
)

GO_BACK = text(
    f"""
    UPDATE tasks SET
        status = :target, stage = :stage, queue = :queue, returns = returns + 1, retries = retries + 1,
        stages = (
            SELECT coalesce(jsonb_agg(each), '[]') FROM jsonb_array_elements(stages) AS each
            WHERE each->>'name' = ANY(CAST(:before AS text[]))
        ),
        due_at = now(), worker_id = NULL, claimed_at = NULL, {_ANEW}
    WHERE id = :id AND attempt = :attempt AND worker_id = :worker AND status = ANY(CAST(:sources AS text[]))
    RETURNING id
    """
)

HAND_BACK = text(
    f"""
    UPDATE tasks AS t SET
        status = :target, {REQUEUED.format(until="now()")}, stage_attempts = t.stage_attempts - 1
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
    UPDATE tasks SET status = :target, {REQUEUED.format(until="now()")}, stage_attempts = stage_attempts - 1
    WHERE id IN (SELECT id FROM tasks WHERE worker_id = :worker ORDER BY id FOR UPDATE)
    RETURNING id
    """
)

DIED = text(
    f"""
    UPDATE tasks SET
        status = :target, {REQUEUED.format(until=_HEARD)}, deaths = {DEATHS}
    WHERE id IN (SELECT id FROM tasks WHERE worker_id = :worker ORDER BY id FOR UPDATE)
    RETURNING id, attempt, stage, deaths
    """
)

#: Gives the claim back to the dead, so that the end of the task passes the same fence as every other.
CONVICT = text("UPDATE tasks SET status = 'processing', worker_id = :worker WHERE id = ANY(CAST(:ids AS uuid[]))")

#: How long such a claim was worked on nobody knows.
REQUEUE_UNKNOWN = text(
    f"""
    UPDATE tasks SET status = :target, {REQUEUED.format(until="claimed_at")}
    WHERE id IN (
        SELECT t.id FROM tasks AS t LEFT JOIN workers AS w ON w.id = t.worker_id
        WHERE t.worker_id IS NOT NULL AND CASE WHEN w.id IS NULL
            THEN t.claimed_at < now() - CAST(:lease AS interval)
            ELSE t.claimed_at < w.heartbeat_at - CAST(:after AS interval) AND NOT t.id = ANY(w.current) END
        ORDER BY t.id FOR UPDATE OF t SKIP LOCKED
    )
    RETURNING id, queue
    """
)

RELEASE_DEPENDENTS = prepared(
    """
    WITH ended AS (SELECT * FROM unnest(CAST(:ids AS uuid[]), CAST(:statuses AS text[])) AS given(id, status)
    ), depending AS (
        SELECT t.id, CASE WHEN t.on_dependency_failure = 'fail' THEN (
            SELECT ended.id FROM ended WHERE ended.id = ANY(t.depends_on) AND ended.status <> :completed LIMIT 1
        ) END AS cause, ARRAY(
            SELECT unnest(t.waiting_for) EXCEPT SELECT id FROM ended
        ) AS still
        FROM tasks AS t
        WHERE t.waiting_for && CAST(:ids AS uuid[]) AND t.waiting_for <> '{}'
            AND t.status = ANY(CAST(:sources AS text[]))
        ORDER BY t.id FOR UPDATE OF t
    )
    UPDATE tasks AS t SET
        waiting_for = CASE WHEN depending.cause IS NULL THEN depending.still ELSE t.waiting_for END,
        due_at = greatest(t.due_at, now()),
        status = CASE
            WHEN depending.cause IS NULL AND depending.still = '{}' AND t.due_at <= now() THEN :target
            ELSE t.status
        END
    FROM depending WHERE t.id = depending.id
    RETURNING t.id, t.queue, t.stage, t.status, depending.cause
    """
)

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
                'attempts', t.stage_attempts, 'waited', t.waited,
                'seconds', t.worked + coalesce(extract(epoch FROM now() - held.begun_at), 0)) END,
            result = held.result,
            error = held.error,
            worker_id = NULL, claimed_at = NULL, waiting_for = '{{}}', shards = 0
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
            extract(epoch FROM clock_timestamp() - held.begun_at)::float AS seconds
    ), unlocked AS (
        DELETE FROM locks USING ended
        WHERE locks.kb_id = coalesce(ended.kb_id, '') AND locks.subject = ended.subject AND locks.task_id = ended.id
    )
    SELECT * FROM ended
    """
)

RETRY = text(
    f"""
    UPDATE tasks SET
        status = :status, stage = :stage, queue = :queue, waiting_for = CAST(:waiting_for AS uuid[]), run = run + 1,
        stages = CASE WHEN :resumes THEN (
            SELECT coalesce(jsonb_agg(each) FILTER (WHERE each->>'status' = 'completed'), '[]')
            FROM jsonb_array_elements(stages) AS each
        ) ELSE '[]' END,
        due_at = now(), run_at = NULL, expires_at = NULL,
        {_ANEW}, returns = 0, finished_at = NULL, result = NULL, error = NULL
    WHERE id = :id
    """
)
