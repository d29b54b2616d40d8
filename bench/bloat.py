"""Whether the table of tasks and its indexes grow for good while tasks come, end and are deleted all the time.

    make bench-bloat ARGS="--tasks 1000000"

Tasks are submitted, claimed and completed 500 in a transaction by the functions that the service itself uses; once
`--kept` are there, as many as come are deleted by the statement of the retention, as if they had ended long ago.
PostgreSQL runs with its own settings, autovacuum included.
"""

from __future__ import annotations

import argparse
import os
import time
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import text

from bench.servers import start
from broker.in_process import InProcessBroker
from models import database
from settings import settings
from tasks import process
from tasks.accepting.submission import Accepted, AcceptedBatch, NewBatch, Submission, submit_batch
from tasks.ending import retention
from tasks.transactions.unit import unit_of_work, use_broker
from tasks.working import claiming, work
from tasks.working.claim import Advance, Claim, Wanted

AT_ONCE = 500
#: What is deleted is deleted as if it were so much later.
LATER = timedelta(days=settings().retention_completed_days + 1)
_SIZES = text("""
    SELECT pg_table_size('tasks') AS rows, pg_indexes_size('tasks') AS indexes, count(*) AS count,
           (SELECT n_dead_tup FROM pg_stat_user_tables WHERE relname = 'tasks') AS dead
      FROM tasks
""")


def live(count: int) -> None:
    """Let so many tasks be submitted, claimed and completed."""
    with unit_of_work() as unit:
        (batch,) = submit_batch(unit, [NewBatch(submissions=[Submission(task_type="test", payload={})] * count)])
    assert isinstance(batch, AcceptedBatch)
    wanted = [Wanted(accepted.task_id, "test") for accepted in batch.tasks if isinstance(accepted, Accepted)]
    with unit_of_work() as unit:
        claims = claiming.claim(unit, wanted)
    with unit_of_work() as unit:
        done = work.advance(unit, [Advance(claim, {"echo": {}}) for claim in claims if isinstance(claim, Claim)])
    assert done == [True] * count


def row(done: int, seconds: float) -> str:
    """Write a line of the table that is printed."""
    with database.transaction() as session:
        table = session.execute(_SIZES).one()
    sizes = f"{table.rows / 1e6:.0f} MB | {table.indexes / 1e6:.0f} MB"
    return f"| {done:,} | {table.count:,} | {sizes} | {table.dead:,} | {done / seconds:,.0f} |"


def main() -> None:
    """Print how large the table is while tasks go through it, and how large it would be if it were written anew."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tasks", type=int, default=1_000_000)
    parser.add_argument("--kept", type=int, default=100_000)
    arguments = parser.parse_args()
    with start("bloat-") as servers, servers.postgres.database() as url:
        os.environ["DATABASE_URL"] = url
        database.connect(url, pool_size=2, application_name="bloat")
        use_broker(InProcessBroker())
        process.adopt(UUID(int=1))
        print("| tasks that ended | kept | rows | indexes | dead rows | a second |\n|---|---|---|---|---|---|")
        began = time.monotonic()
        for done in range(AT_ONCE, arguments.tasks + 1, AT_ONCE):
            live(AT_ONCE)
            if done > arguments.kept and done % retention.AT_ONCE == 0:
                with unit_of_work() as unit:
                    retention.prune(unit, datetime.now(UTC) + LATER)
            seconds = time.monotonic() - began
            if done * 10 // arguments.tasks > (done - AT_ONCE) * 10 // arguments.tasks:
                print(row(done, seconds), flush=True)
        with database.engine().connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM FULL tasks"))
        print(f"written anew: {row(done, seconds)}")
        database.disconnect()


if __name__ == "__main__":
    main()
