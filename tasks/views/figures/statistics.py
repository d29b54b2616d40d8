"""What operators ask: the queues and the workers, all read from the tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from broker.topology import QUEUES, Counts
from models import PausedQueue, Tally, Task, Worker, database
from models.base import Json, rfc3339
from models.statement import Statement
from models.task import CODE, FAILED
from settings import settings
from tasks.dispatching import pausing, unknown
from tasks.views.figures import backlog, history
from tasks.views.figures.backlog import OfQueue
from tasks.views.figures.history import Noted
from tasks.views.selection import MOST_COUNTED

#: Over which figures are taken.
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


class Owed(NamedTuple):
    """Callbacks that are to be delivered, those of which an attempt failed, and since when."""

    owed: int
    since: datetime | None
    failing: int
    failing_since: datetime | None


class Failed(NamedTuple):
    """How many tasks failed with a code."""

    code: str
    tasks: int


class Paced(NamedTuple):
    """A provider that must be waited for, and until when."""

    provider: str
    free_at: datetime


class Activity(NamedTuple):
    """Connections of anybody to this database, and for how long the oldest transaction that has written goes on."""

    active: int
    idle: int
    in_transaction: int
    most: int
    bytes: int
    writing: float


class Table(NamedTuple):
    """A table's rows, as PostgreSQL estimates them."""

    name: str
    live: int
    dead: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the tables said at one moment; all figures for operators are made from one.

    Parameters:
      as_of: PostgreSQL's time.
      processes: workers and clocks.
      lease: seconds of silence after which one counts as dead.
      unknown: types of open tasks that this release leaves to a later one.
      failed: tasks that failed within an hour, by error code.
      paced: providers that must be waited for, with the moment until which.
      past: the counters as they were an hour, and a minute ago, or when they were first noted since.
    """

    as_of: datetime
    queues: Mapping[str, OfQueue]
    pauses: Mapping[str, PausedQueue]
    processes: Sequence[Worker]
    tallies: Sequence[Tally]
    lease: float
    unknown: Sequence[str]
    owed: Owed
    failed: Mapping[str, int]
    paced: Mapping[str, datetime]
    past: Mapping[timedelta, Noted | None]

    def alive(self, kind: str) -> list[Worker]:
        """Return the processes of a kind that were heard of within a lease."""
        silent = self.as_of - timedelta(seconds=self.lease)
        return [process for process in self.processes if process.kind == kind and process.heartbeat_at > silent]

    def threads(self, queue: str) -> int:
        """Count the threads of the workers that serve a queue."""
        return sum(process.threads for process in self.alive("worker") if queue in process.queues)

    def unserved(self) -> list[str]:
        """Return the queues with tasks that could start, and no worker."""
        return [name for name in QUEUES if name in self.queues and self.queues[name].ready and not self.threads(name)]


def look(session: Session) -> Snapshot:
    """Read everything that is shown. The session must be REPEATABLE READ, so that all statements agree."""
    (owed,) = database.rows(session, _OWED, {"most": MOST_COUNTED})
    return Snapshot(
        as_of=session.execute(text("SELECT now()")).scalar_one(),
        queues=backlog.by_queue(session),
        pauses=pausing.pauses(session),
        processes=session.scalars(select(Worker).order_by(Worker.id)).all(),
        tallies=session.scalars(select(Tally)).all(),
        lease=settings().lease_seconds,
        unknown=unknown.types(session),
        owed=owed,
        failed={row.code: row.tasks for row in database.rows(session, _FAILED, {"most": MOST_COUNTED})},
        paced={row.provider: row.free_at for row in database.rows(session, _PACED)},
        past={period: history.totals_since(session, period) for period in (HOUR, MINUTE)},
    )


@dataclass(frozen=True, slots=True)
class Server:
    """How PostgreSQL is."""

    itself: Activity
    tables: Sequence[Table]


def server(session: Session) -> Server:
    """Look at PostgreSQL; of a replica this would be another."""
    (itself,) = database.rows(session, _SERVER)
    return Server(itself, database.rows(session, _TABLES, {"names": list(Task.metadata.tables)}))


def queues(snapshot: Snapshot, counts: Mapping[str, Counts]) -> list[Json]:
    """Return each queue as both servers see it.

    Parameters:
      counts: what RabbitMQ says; empty while it is away, and its half null.
    """
    shown = []
    for name in QUEUES:
        row, held = snapshot.queues.get(name), counts.get(name)
        shown.append(
            {
                "queue": name,
                "paused": name in snapshot.pauses,
                **pause_of(snapshot.pauses.get(name)),
                "waiting": row.ready if row else 0,
                "delayed": row.delayed if row else 0,
                "running": row.running if row else 0,
                "oldest_age_seconds": round(row.oldest, 3) if row and row.oldest else 0,
                "worker_threads": snapshot.threads(name),
                "ready": held.ready if held else None,
                "unacked": (row.running if row else 0) if held else None,
                "dead_lettered": held.dead_lettered if held else None,
                "consumers": held.consumers if held else None,
            }
        )
    return shown


def pause_of(pause: PausedQueue | None) -> Json:
    """Return who paused a queue, when and why; nulls for one that is not paused."""
    return {
        "paused_by": pause.paused_by if pause else None,
        "paused_at": rfc3339(pause.paused_at) if pause else None,
        "reason": pause.reason if pause else None,
    }


def workers(snapshot: Snapshot) -> Json:
    """Return the processes that work, and what each holds."""
    rows = [process for process in snapshot.processes if process.kind == "worker"]
    # A worker also holds what is claimed a moment before its thread starts.
    active = {row.id: min(len(row.current), row.threads) for row in rows}
    return {
        "active": sum(active.values()),
        "idle": sum(row.threads for row in rows) - sum(active.values()),
        "workers": [
            {
                "worker_id": str(row.id),
                "name": row.name,
                "queues": row.queues,
                "threads": row.threads,
                "active": active[row.id],
                "current_tasks": [str(task_id) for task_id in row.current],
                "prefetched": row.prefetched,
                "started_at": rfc3339(row.started_at),
                "heartbeat_at": rfc3339(row.heartbeat_at),
            }
            for row in rows
        ],
    }


_OWED = Statement(
    """
    SELECT count(*) AS owed, min(created_at) AS since, count(*) FILTER (WHERE attempts > 0) AS failing,
        min(created_at) FILTER (WHERE attempts > 0) AS failing_since
    FROM (SELECT created_at, attempts FROM callbacks WHERE status = 'pending' ORDER BY due_at LIMIT :most + 1) AS due
    """,
    Owed,
)

_FAILED = Statement(
    f"""
    SELECT code, count(*) AS tasks FROM (
        SELECT {CODE} AS code FROM tasks
        WHERE {FAILED} AND finished_at > now() - interval '1 hour' LIMIT :most + 1
    ) AS failed GROUP BY code
    """,
    Failed,
)

#: What is spent within a second is waited for in any case.
_PACED = Statement(
    """
    SELECT split_part(name, ' ', 1) AS provider, max(free_at) AS free_at FROM paces
    WHERE name ~ '^[^ ]+ (requests|tokens)$' AND free_at > now() + interval '1 second' GROUP BY 1
    """,
    Paced,
)

_SERVER = Statement(
    """
    SELECT count(*) FILTER (WHERE state = 'active') AS active, count(*) FILTER (WHERE state = 'idle') AS idle,
        count(*) FILTER (WHERE state LIKE 'idle in transaction%') AS in_transaction,
        CAST(current_setting('max_connections') AS integer) AS most,
        pg_database_size(current_database()) AS bytes,
        coalesce(extract(epoch FROM clock_timestamp() - min(xact_start) FILTER (
            WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid())), 0)::float AS writing
    FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend'
    """,
    Activity,
)

_TABLES = Statement(
    """
    SELECT relname AS name, n_live_tup AS live, n_dead_tup AS dead FROM pg_stat_user_tables
    WHERE schemaname = current_schema() AND relname = ANY(:names) ORDER BY relname
    """,
    Table,
)
