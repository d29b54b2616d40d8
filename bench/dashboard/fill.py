"""A deployment's tables as they are after a busy week: written by PostgreSQL itself, in some minutes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg2

#: Rows of one statement.
AT_ONCE = 500_000
#: KBs; a tenth of all tasks is of the first of them.
KBS = 1000
#: Of the tables that only some pages read.
DOCUMENTS, CALLBACKS, ACTS = 100_000, 300_000, 100_000
#: Tasks of a batch; one task in ten is of one.
BATCH = 1000
#: Bytes that a task takes with its entries in the indexes, and what else is needed while these are built.
BYTES = 2500

#: A time-ordered id of the moment `at`, as `models.base.new_id` makes it (PostgreSQL 18).
_ID = "uuidv7(at - clock_timestamp())"
_KB = f"'kb-' || CASE WHEN n %% 10 = 0 THEN 0 ELSE n %% {KBS} END"
_STAGES = "'preprocessing', 'chunking', 'embedding', 'storing', 'indexing'"

#: Of a hundred that have ended 93 are documents that completed, three failed, one was cancelled, three are no document.
_ENDED = f"""
    INSERT INTO tasks (id, task_type, kb_id, subject, batch_id, priority, payload, retry_limit, timeout, status, stage,
        queue, due_at, attempt, progress, stages, created_at, started_at, finished_at, result, error)
    SELECT {_ID}, CASE WHEN is_document THEN 'document_processing' ELSE 'test' END, {_KB},
        CASE WHEN is_document THEN 'doc-' || n %% {DOCUMENTS} END,
        CASE WHEN n / {BATCH} %% 10 = 0 THEN md5('batch' || n / {BATCH})::uuid END, 4,
        jsonb_build_object('document_id', 'doc-' || n %% {DOCUMENTS}, 'filename', 'report-' || n || '.pdf'), 3, 300,
        status, CASE WHEN is_document THEN 'indexing' ELSE 'test' END,
        CASE WHEN is_document THEN 'indexing' ELSE 'default' END, at, 5, 100,
        CASE WHEN is_document THEN CAST(%(stages)s AS jsonb) ELSE '[]' END, at, at + interval '1 second',
        at + interval '4 seconds',
        CASE WHEN status = 'completed' THEN '{{"chunks": 12, "version": 1, "characters": 9000}}'::jsonb END,
        CASE WHEN status = 'failed' THEN jsonb_build_object('code',
            (ARRAY['corrupt', 'encrypted', 'empty', 'needs_ocr', 'timeout'])[1 + n %% 5], 'stage', 'preprocessing',
            'message', 'the document cannot be read', 'retryable', false) END
    FROM (
        SELECT n, at, n %% 100 < 97 AS is_document,
            CASE WHEN n %% 100 < 93 OR n %% 100 >= 97 THEN 'completed' WHEN n %% 100 = 96 THEN 'cancelled'
                ELSE 'failed' END AS status
        FROM (SELECT n, now() - interval '6 days' + n * interval '5.9 days' / %(last)s AS at
            FROM generate_series(%(first)s, %(before)s - 1) AS n) AS each
    ) AS each
"""

#: Of a hundred that are open 80 wait to begin, ten for their next stage, ten are scheduled or wait to be tried again.
_OPEN = f"""
    INSERT INTO tasks (id, task_type, kb_id, subject, priority, payload, retry_limit, timeout, status, stage, queue,
        due_at, attempt, progress, stages, created_at, started_at)
    SELECT {_ID}, 'document_processing', {_KB}, 'new-' || n, (ARRAY[1, 4, 4, 4, 6])[1 + n %% 5],
        jsonb_build_object('document_id', 'new-' || n, 'filename', 'report-' || n || '.pdf'), 3, 300, status, stage,
        stage, CASE WHEN status = 'waiting' THEN now() + interval '20 days' ELSE at END,
        CASE WHEN status = 'processing' THEN 3 ELSE 0 END, CASE WHEN status = 'processing' THEN 40 ELSE 0 END, '[]', at,
        CASE WHEN status = 'processing' THEN at END
    FROM (
        SELECT n, at, CASE WHEN n %% 100 < 80 THEN 'queued' WHEN n %% 100 < 90 THEN 'processing' ELSE 'waiting' END
            AS status, CASE WHEN n %% 100 BETWEEN 80 AND 89 THEN (ARRAY[{_STAGES}])[2 + n %% 4] ELSE 'preprocessing' END
            AS stage
        FROM (SELECT n, now() - interval '2 hours' + n * interval '1 hour' / %(last)s AS at
            FROM generate_series(%(first)s, %(before)s - 1) AS n) AS each
    ) AS each
"""

_BATCHES = f"""
    INSERT INTO batches (id, total, pending, created_at, finished_at)
    SELECT md5('batch' || n)::uuid, {BATCH}, 0, now() - interval '3 days', now() - interval '2 days'
    FROM generate_series(0, %(ended)s / {BATCH} - 1, 10) AS n
"""

#: As the version that the first document has; their chunks are read by no page but their own.
_DOCUMENTS = f"""
    INSERT INTO versions (id, kb_id, document_id, number, filename, format, sha256, size, characters, text, anchors,
        embedder, chunks)
    SELECT md5('version' || n)::uuid, {_KB}, 'doc-' || n, 1, 'report-' || n || '.pdf', 'pdf', sha256('x'), 90000, 9000,
        'text', '[]', 'local', 12
    FROM generate_series(1, {DOCUMENTS}) AS n;
    INSERT INTO documents (kb_id, document_id, version_id, embedder, chunks, tokens, bytes)
    SELECT kb_id, document_id, id, embedder, chunks, 2400, size FROM versions WHERE embedder = 'local' AND number = 1
"""

_CALLBACKS = f"""
    INSERT INTO callbacks (id, task_id, url, body, status, attempts, due_at, log, created_at, delivered_at)
    SELECT {_ID}, gen_random_uuid(), 'http://127.0.0.1:9/done', jsonb_build_object('type', 'task.completed', 'data',
        jsonb_build_object('kb_id', {_KB})), CASE WHEN n %% 100 = 0 THEN 'failed' ELSE 'delivered' END, 1, at,
        '[{{"at": "2026-01-01T00:00:00Z", "answer": "200"}}]', at, at
    FROM (SELECT n, now() - interval '6 days' + n * interval '5.9 days' / {CALLBACKS} AS at
        FROM generate_series(1, {CALLBACKS}) AS n) AS each
"""

_ACTS = f"""
    INSERT INTO audit (id, at, name, action, target_kind, target_id, kb_id)
    SELECT {_ID}, at, 'ops', (ARRAY['task.cancel', 'task.retry', 'document.delete'])[1 + n %% 3], 'task', 'x', {_KB}
    FROM (SELECT n, now() - interval '80 days' + n * interval '79 days' / {ACTS} AS at
        FROM generate_series(1, {ACTS}) AS n) AS each
"""

#: The counters over 90 days, by hour, minute and ten seconds, as the clock thins them.
_HISTORY = """
    INSERT INTO history (metric, at, labels, count, sum, buckets)
    SELECT metric, at, labels, extract(epoch FROM at)::bigint %% 100000000, extract(epoch FROM at)::bigint, buckets
    FROM (
        SELECT date_bin(interval '1 hour', now(), 'epoch') - n * interval '1 hour' AS at
            FROM generate_series(25, 2160) n
        UNION SELECT date_bin(interval '1 minute', now(), 'epoch') - n * interval '1 minute'
            FROM generate_series(61, 1500) n
        UNION SELECT date_bin(interval '10 seconds', now(), 'epoch') - n * interval '10 seconds'
            FROM generate_series(1, 366) n
    ) AS times CROSS JOIN (SELECT DISTINCT metric, labels, buckets FROM history) AS named
    ON CONFLICT DO NOTHING
"""


def fill(url: str, ended: int, opened: int) -> float:
    """Write tasks, batches, documents, callbacks, acts and counters. Returns the seconds that it took.

    Parameters:
      ended: tasks that have ended.
      opened: tasks that are open: nine of ten are ready, in the queues of documents.
    """
    began = time.monotonic()
    connection = psycopg2.connect(url)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit = off; SET maintenance_work_mem = '1GB'; SET work_mem = '256MB'")
        # With wal_level minimal, what is written into a table of the same transaction needs no log.
        cursor.execute("BEGIN; TRUNCATE tasks")
        with _bare(cursor):
            # A name is the number of a task: those of open ones go on where those of ended ones stop.
            _in_parts(cursor, _ENDED, 1, ended, {"stages": _stages()})
            _in_parts(cursor, _OPEN, ended + 1, opened, {})
        cursor.execute("COMMIT")
        cursor.execute(_BATCHES, {"ended": ended})
        for statement in (_DOCUMENTS, _CALLBACKS, _ACTS, _HISTORY):
            cursor.execute(statement.replace("%%", "%"))
        cursor.execute("VACUUM ANALYZE")
        cursor.execute("CHECKPOINT")
    connection.close()
    return time.monotonic() - began


def _in_parts(cursor: Any, statement: str, first: int, count: int, values: dict[str, Any]) -> None:
    for start in range(first, first + count, AT_ONCE):
        before = min(start + AT_ONCE, first + count)
        # Times are spread by the place among those of the same kind.
        moved = statement.replace("n * interval", f"(n - {first - 1}) * interval")
        cursor.execute(moved, {"first": start, "before": before, "last": count, **values})


@contextmanager
def _bare(cursor: Any) -> Iterator[None]:
    """Let rows be written without indexes and triggers; both are there again afterwards."""
    cursor.execute("SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'tasks' AND indexname <> 'pk_tasks'")
    indexes = cursor.fetchall()
    for name, _ in indexes:
        cursor.execute(f"DROP INDEX {name}")
    cursor.execute("ALTER TABLE tasks DISABLE TRIGGER USER")
    yield
    cursor.execute("ALTER TABLE tasks ENABLE TRIGGER USER")
    for _, definition in indexes:
        cursor.execute(definition)


def _stages() -> str:
    """Return what a row tells of stages that have ended."""
    times = '"status": "completed", "started_at": "2026-01-01T00:00:00Z", "finished_at": "2026-01-01T00:00:01Z"'
    names = [name.strip(" '") for name in _STAGES.split(",")]
    rest = '"waited": 0.1, "units": 12, "units_done": 12, "attempts": 1'
    return "[" + ", ".join(f'{{"name": "{name}", {times}, {rest}}}' for name in names) + "]"
