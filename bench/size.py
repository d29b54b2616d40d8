"""Whether the table's size costs: single submissions with millions of ended tasks against none, in pairs."""

from __future__ import annotations

import random
import statistics
from collections.abc import Sequence

import psycopg2

from bench.contestants import BODY, OURS, Running, running
from bench.servers import Servers
from bench.throughput import CLIENTS, load

#: Tasks that ended within the last weeks, as the retention keeps them, in the order of their ids as in life.
FILL = """
    INSERT INTO tasks (id, task_type, kb_id, priority, payload, retry_limit, timeout, status, stage, queue, due_at,
        attempt, progress, stages, created_at, started_at, finished_at, result)
    SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7' || substr(md5(n::text), 1, 3) || '8'
            || substr(md5(n::text), 4, 15))::uuid,
        'test', 'kb-' || n %% 100, 4, '{"message": "hello"}', 3, 300, 'completed', 'test', 'default', at, 1, 100,
        '[{"name": "test", "status": "completed", "units": 0, "attempts": 1, "units_done": 0}]', at, at, at,
        '{"echo": {"message": "hello"}}'
    FROM (SELECT n, now() - interval '6 days' + n * interval '5 days' / %(last)s AS at
        FROM generate_series(%(first)s, %(before)s - 1) AS n) AS each
"""
AT_ONCE = 250_000
#: Resamples of the bootstrap (Efron and Tibshirani, An Introduction to the Bootstrap, 13.3).
RESAMPLES = 10_000


def measure(servers: Servers, pairs: int, rows: int, seconds: float, samples: dict[str, list[float]]) -> None:
    """Two deployments on one server, one of them with `rows` ended tasks, measured in turns."""
    with (
        running(OURS, servers, servers.folder / "full") as full,
        running(OURS, servers, servers.folder / "empty") as empty,
    ):
        fill(full, rows)
        for service in (full, empty):
            load(service, "/tasks", BODY, CLIENTS, min(1.0, seconds))
        for pair in range(pairs):
            # Whoever comes second finds a warmer machine, or a busier one: they take turns.
            for service in (full, empty) if pair % 2 else (empty, full):
                figure = _fresh(service, seconds)
                samples.setdefault("full" if service is full else "empty", []).append(figure)
            ratio = samples["full"][-1] / samples["empty"][-1]
            samples.setdefault("ratio", []).append(ratio)
            print(f"size: {samples['full'][-1]:.0f}/s with {rows:,} tasks, {ratio:.2f} of the empty one", flush=True)


def _fresh(service: Running, seconds: float) -> float:
    """Completed tasks a second; what an earlier round left is not counted, and not deleted either."""
    return load(service, "/tasks", BODY, CLIENTS, seconds).completed


def fill(service: Running, rows: int) -> None:
    """Give a database ended tasks, and vacuum and analyse them as an hour of autovacuum would."""
    connection = psycopg2.connect(service.database_url)
    connection.autocommit = True
    with connection.cursor() as cursor:
        for first in range(1, rows + 1, AT_ONCE):
            cursor.execute(FILL, {"first": first, "before": min(first + AT_ONCE, rows + 1), "last": rows})
        cursor.execute("VACUUM ANALYZE tasks")
        cursor.execute("CHECKPOINT")
    connection.close()


def interval(ratios: Sequence[float]) -> tuple[float, float]:
    """Return a 95 % interval of the median, by the percentiles of a bootstrap."""
    chance = random.Random(0)
    medians = sorted(statistics.median(chance.choices(ratios, k=len(ratios))) for _ in range(RESAMPLES))
    return medians[int(0.025 * RESAMPLES)], medians[int(0.975 * RESAMPLES)]
