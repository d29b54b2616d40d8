"""A table with many tasks of every kind, as a busy deployment has it."""

from __future__ import annotations

from tests.tasks.conftest import Desk

#: Of each 20 tasks 14 have completed, 2 failed, 1 was cancelled, 1 is queued, 1 is at work and 1 waits for its time.
FILL = """
    INSERT INTO tasks (id, task_type, kb_id, subject, priority, payload, retry_limit, timeout, status, stage, queue,
        created_at, started_at, finished_at, error, worker_id, due_at)
    SELECT CAST(lpad(to_hex(CAST(floor(1000 * extract(epoch FROM made)) AS bigint)), 12, '0') || '7'
            || substr(md5(n::text), 1, 3) || '8' || substr(md5(n::text), 4, 15) AS uuid),
        CASE WHEN n % 3 = 0 THEN 'test' ELSE 'document_processing' END,
        'kb' || n % 7,
        CASE WHEN n % 3 > 0 THEN 'd' || n % 13 END,
        (ARRAY[1, 4, 4, 6, 9])[1 + n % 5],
        CASE WHEN n % 3 = 0 THEN '{}' ELSE jsonb_build_object(
            'filename', 'd' || n % 13 || (ARRAY['.pdf', '.PDF', '.none', ''])[1 + n % 4]) END,
        3, 300, status, CASE WHEN kind IN (14, 15) AND n % 2 = 0 THEN 'chunking' ELSE 'preprocessing' END,
        CASE WHEN n % 3 = 0 THEN 'default' WHEN n % 4 = 0 THEN 'embedding' ELSE 'preprocessing' END,
        made,
        CASE WHEN kind < 17 OR kind = 18 THEN made + interval '1 second' END,
        CASE WHEN kind < 17 THEN made + (n % 11) * interval '1 minute' END,
        CASE WHEN kind = 16 THEN jsonb_build_object('code', 'cancelled', 'message', 'on request')
            WHEN kind IN (14, 15) THEN jsonb_build_object('code', (ARRAY['corrupt', 'timeout', 'internal'])[1 + n % 3],
                'message', 'it did', 'stage', 'preprocessing', 'retryable', false) END,
        CASE WHEN kind = 18 AND n % 100 = 0 THEN gen_random_uuid() END,
        made
    FROM (
        SELECT n, now() - (:count - n) * CAST(:apart AS interval) AS made,
            CASE WHEN :open THEN 17 ELSE n / 5 * 7 % 20 END AS kind
        FROM generate_series(1, :count) AS n
    ) AS each
    CROSS JOIN LATERAL (
        SELECT CASE WHEN kind < 14 THEN 'completed' WHEN kind < 16 THEN 'failed' WHEN kind = 16 THEN 'cancelled'
            WHEN kind = 17 THEN 'queued' WHEN kind = 18 THEN 'processing' ELSE 'waiting' END AS status
    ) AS told
"""


def fill(desk: Desk, count: int, *, apart: str = "1 minute", queued: bool = False) -> None:
    """Write tasks, the newest made just now.

    Parameters:
      apart: how long after each the next was made.
      queued: whether all are queued.
    """
    desk.sql("ALTER TABLE tasks DISABLE TRIGGER USER")
    desk.sql(FILL, count=count, apart=apart, open=queued)
    desk.sql("ALTER TABLE tasks ENABLE TRIGGER USER")
    desk.sql("ANALYZE tasks")
