"""What a task costs when there is more of everything: workers, tasks that wait, tasks that have ended.

    make bench-growth ARGS="--rows 10000000"

Prints a table: completed tasks a second, and microseconds of CPU of all processes for each. Load generator, servers
and processes share the machine, so more workers than cores cost and gain nothing: what is looked for is whether they
get into each other's way.
"""

from __future__ import annotations

import argparse
import time

import httpx2

from bench import cpu, size
from bench.contestants import BODY, OURS, Running, running
from bench.servers import Servers, start
from bench.throughput import BATCH, BATCH_CLIENTS, CLIENTS, load

QUEUE = f"{OURS.prefix}/queues/default"
#: Seconds within which all that waited must have ended.
PATIENCE = 600
#: Of 100 KBs, so that the order is decided between many.
WAITING = """
    INSERT INTO tasks (id, task_type, kb_id, priority, payload, retry_limit, timeout, stage, queue)
    SELECT (lpad(to_hex((extract(epoch FROM clock_timestamp()) * 1000)::bigint), 12, '0') || '7'
            || substr(md5(n::text), 1, 3) || '8' || substr(md5(n::text), 4, 15))::uuid,
        'test', 'kb-' || n %% 100, 4, '{"message": "hello"}', 3, 300, 'test', 'default'
    FROM generate_series(1, %s) AS n
"""


def main() -> None:
    """Print the table, a line as soon as it is measured."""
    parser = argparse.ArgumentParser(prog="make bench-growth", description=__doc__.partition("\n")[0])
    parser.add_argument("--workers", type=int, default=[1, 2, 4], nargs="+")
    parser.add_argument("--waiting", type=int, default=[10_000, 100_000], nargs="+", help="tasks that wait at once")
    parser.add_argument("--rows", type=int, default=[1_000_000], nargs="+", help="ended tasks in the table")
    parser.add_argument("--seconds", type=float, default=5.0)
    arguments = parser.parse_args()
    with start("growth-") as servers:
        print("| | single/s | CPU µs | batches/s | CPU µs |\n|---|---|---|---|---|")
        for count in arguments.workers:
            with running(OURS, servers, servers.folder / f"workers-{count}", workers=count) as ours:
                print(_line(f"{count} worker{'s' * (count > 1)}", ours, arguments.seconds), flush=True)
        for count in arguments.rows:
            with running(OURS, servers, servers.folder / f"rows-{count}") as ours:
                size.fill(ours, count)
                print(_line(f"1 worker, {count:,} ended tasks", ours, arguments.seconds), flush=True)
        for count in arguments.waiting:
            print(_drained(servers, count), flush=True)


def _line(name: str, ours: Running, seconds: float) -> str:
    load(ours, "/tasks", BODY, CLIENTS, min(1.0, seconds))
    single = load(ours, "/tasks", BODY, CLIENTS, seconds)
    batches = load(ours, "/tasks/batch", {"tasks": [BODY] * BATCH}, BATCH_CLIENTS, seconds, BATCH)
    figures = (f"{outcome.completed:,.0f} | {sum(outcome.cpu.values()):,.0f}" for outcome in (single, batches))
    return f"| {name} | {' | '.join(figures)} |"


def _drained(servers: Servers, count: int) -> str:
    """Let so many tasks wait in a queue that is paused, resume it, and write how they were worked off."""
    with running(OURS, servers, servers.folder / f"waiting-{count}") as ours, httpx2.Client(base_url=ours.url) as http:
        assert http.post(f"{QUEUE}/pause").is_success
        began = time.time()
        with ours.connection.cursor() as cursor:
            cursor.execute(WAITING, (count,))
        used, resumed = cpu.by_group(ours.processes), time.time()
        assert http.post(f"{QUEUE}/resume").is_success
        done, last = ours.finished(began, count, PATIENCE)
        assert done == count, f"{done} of {count} tasks ended in time"
        spent = sum(cpu.spent(ours.processes, used).values()) / count * 1e6
    return f"| 1 worker, {count:,} tasks that waited | – | – | {count / (last - resumed):,.0f} | {spent:,.0f} |"


if __name__ == "__main__":
    main()
