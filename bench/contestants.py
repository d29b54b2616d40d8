"""Who is measured side by side: the service and its peers, each started as its documentation says."""

from __future__ import annotations

import os
import struct
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import httpx2
import psutil
import psycopg2

from bench.cpu import Groups
from bench.servers import Servers
from tests.processes import ROOT, Deployment
from tests.servers import eventually, free_port

PEERS = ROOT / ".venv" / "peers" / "bin"
BODY = {"task_type": "test", "payload": {}}
JOBS = """
    CREATE TABLE jobs (
        id uuid PRIMARY KEY, task_type text NOT NULL, payload jsonb NOT NULL, status text NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(), started_at timestamptz, finished_at timestamptz
    )
"""


@dataclass(frozen=True, slots=True)
class Contestant:
    """A design that is measured.

    Parameters:
      processes: the command of each; `{port}` is where it listens. What stands before a hyphen is its group.
      settings: what is worth knowing of them, for the report.
      schema: what its database needs: SQL, or a command that begins with `!`.
      unfinished: SQL that counts what was submitted `since` and is not done; empty where no database knows.
      finished: SQL for how many of these are done and when the last was. `first` is the least id of that time, where
        ids are of version 7.
      one: SQL that tells whether a task is done.
      prefix: before `/tasks`.
    """

    name: str
    settings: str
    processes: dict[str, str] = field(default_factory=dict)
    schema: str = ""
    unfinished: str = "SELECT count(*) FROM jobs WHERE status <> 'completed'"
    finished: str = (
        "SELECT count(*), extract(epoch FROM max(finished_at)) FROM jobs "
        "WHERE status = 'completed' AND created_at >= to_timestamp(%(since)s)"
    )
    one: str = "SELECT status = 'completed' FROM jobs WHERE id = %s"
    forget: str = "TRUNCATE jobs"
    prefix: str = ""
    environment: dict[str, str] = field(default_factory=dict)


OURS = Contestant(
    "this service",
    "default settings: 1 web process, 1 worker with 10 threads, clock",
    unfinished="SELECT count(*) FROM tasks WHERE id >= %(first)s AND status IN ('waiting', 'queued', 'processing')",
    finished="SELECT count(*), extract(epoch FROM max(finished_at)) FROM tasks "
    "WHERE id >= %(first)s AND status = 'completed'",
    one="SELECT status = 'completed' FROM tasks WHERE id = %s",
    forget="TRUNCATE tasks CASCADE",
    prefix="/api/v1",
)
CONTESTANTS = (
    OURS,
    Contestant(
        "FastAPI + Celery",
        "uvicorn (uvloop, httptools) with 2 workers, SQLAlchemy; Celery prefork 2, acks_late, prefetch 64 a process, "
        "confirmed publishes, results ignored",
        {
            "web": "uvicorn bench.peers.fastapi_celery:app --workers 2 --port {port} --log-level warning",
            "worker": "celery -A bench.peers.fastapi_celery:celery worker --concurrency 2 --loglevel WARNING",
        },
        JOBS,
    ),
    Contestant(
        "careful",
        "Falcon under gunicorn with 2 workers of 8 threads, psycopg 3 with a pool; Celery as above",
        {
            "web": "gunicorn bench.peers.careful:app --workers 2 --threads 8 --bind 127.0.0.1:{port} "
            "--log-level warning --no-control-socket",
            "worker": "celery -A bench.peers.careful:celery worker --concurrency 2 --loglevel WARNING",
        },
        JOBS,
    ),
    Contestant(
        "Procrastinate",
        "FastAPI under uvicorn with 2 workers, asynchronous connector; 2 workers with a concurrency of 10",
        {
            "web": "uvicorn bench.peers.procrastinate_fastapi:app --workers 2 --port {port} --log-level warning",
            **{
                f"worker-{number}": "procrastinate --app=bench.peers.procrastinate_fastapi.jobs worker --concurrency 10"
                for number in (1, 2)
            },
        },
        "!procrastinate --app=bench.peers.procrastinate_fastapi.jobs schema --apply",
        unfinished="SELECT count(*) FROM procrastinate_jobs WHERE status <> 'succeeded'",
        finished="SELECT count(*), extract(epoch FROM max(at)) FROM procrastinate_events "
        "WHERE type = 'succeeded' AND at >= to_timestamp(%(since)s)",
        one="SELECT status = 'succeeded' FROM procrastinate_jobs WHERE id = %s",
        forget="TRUNCATE procrastinate_jobs CASCADE",
    ),
    Contestant(
        "Dramatiq, no state",
        "the ceiling: Falcon under gunicorn with 2 workers of 8 threads, confirmed publishes; Dramatiq with 2 "
        "processes of one thread, prefetch 200; no row is written",
        {
            "web": "gunicorn bench.peers.dramatiq_alone:app --workers 2 --threads 8 --bind 127.0.0.1:{port} "
            "--log-level warning --no-control-socket",
            "worker": "dramatiq bench.peers.dramatiq_alone --processes 2 --threads 1",
        },
        unfinished="",
        environment={"dramatiq_queue_prefetch": "200"},
    ),
)


class Running:
    """A contestant whose processes run, on a database and a virtual host of its own."""

    def __init__(
        self, contestant: Contestant, servers: Servers, url: str, database_url: str, own: Groups, folder: Path
    ) -> None:
        self.contestant = contestant
        self.database_url = database_url
        self.url = url
        self.ready_seconds = 0.0
        self.own = own
        """Web, worker and clock."""
        self.processes: Groups = {**own, **servers.processes}
        """The same and both servers."""
        self._folder = folder
        # One for all questions: PostgreSQL's work for them is counted as the contestant's.
        self.connection = psycopg2.connect(database_url)
        self.connection.autocommit = True

    def memory(self) -> dict[str, tuple[float, float]]:
        """RSS and PSS of each process group, in MB: every process of it summed up."""
        megabytes = {}
        for name, roots in self.own.items():
            members = [process for root in roots for process in (root, *root.children(recursive=True))]
            full = [process.memory_full_info() for process in members]
            megabytes[name] = (sum(memory.rss for memory in full) / 1e6, sum(memory.pss for memory in full) / 1e6)
        return megabytes

    def ask(self, statement: str, since: float = 0.0) -> tuple[float, ...]:
        """Return the first row of a statement's answer."""
        with self.connection.cursor() as cursor:
            cursor.execute(statement, {"since": since, "first": str(uuid.UUID(int=int(since * 1000) << 80))})
            return cursor.fetchone() or ()

    def counted(self) -> int:
        """Return what the worker processes of a contestant without a database have counted."""
        return sum(struct.unpack("<q", counter.read_bytes())[0] for counter in (self._folder / "counters").iterdir())

    def finished(self, since: float, expected: int, seconds: float) -> tuple[int, float]:
        """How many tasks that were submitted `since` are done, and when the last was, once none is left.

        Parameters:
          expected: how many there are; asked of a contestant without a database.
          seconds: to wait for the last at most.
        """
        deadline = time.time() + seconds
        if not self.contestant.unfinished:
            while self.counted() < expected and time.time() < deadline:
                time.sleep(0.01)
            return self.counted(), time.time()
        while time.time() < deadline and self.ask(self.contestant.unfinished, since)[0]:
            time.sleep(0.2)
        count, last = self.ask(self.contestant.finished, since)
        return int(count), float(last or time.time())

    def forget(self) -> None:
        """Begin the next measurement on empty tables."""
        if self.contestant.unfinished:
            with self.connection.cursor() as cursor:
                cursor.execute(self.contestant.forget)

    def close(self) -> None:
        """Ask no more."""
        self.connection.close()


@contextmanager
def running(contestant: Contestant, servers: Servers, folder: Path, *, workers: int = 1) -> Iterator[Running]:
    """Start a contestant; it is ready when its `/health` answers 200.

    Parameters:
      workers: of ours; a peer has those that its commands say.
    """
    folder.mkdir(parents=True)
    ours = contestant is OURS
    with servers.postgres.database(migrated=ours) as database_url, servers.rabbitmq.fresh() as broker:
        start = partial(_ours, workers=workers) if ours else _peer
        with start(contestant, servers, database_url, broker.url, folder) as service, closing(service):
            yield service


@contextmanager
def _ours(
    contestant: Contestant, servers: Servers, database_url: str, broker_url: str, folder: Path, *, workers: int
) -> Iterator[Running]:
    with Deployment(database_url, broker_url, folder, servers.guard) as deployment:
        began = time.perf_counter()
        deployment.start("web", ready=lambda _: httpx2.get(f"{deployment.url}/health", timeout=2).status_code == 200)
        ready = time.perf_counter() - began
        for name in (*["worker"] * workers, "clock"):
            deployment.start(name)
        own: dict[str, list[psutil.Process]] = {}
        for process in deployment.processes:
            own.setdefault(process.name, []).append(psutil.Process(process.pid))
        service = Running(contestant, servers, deployment.url, database_url, own, folder)
        service.ready_seconds = ready
        yield service


@contextmanager
def _peer(
    contestant: Contestant, servers: Servers, database_url: str, broker_url: str, folder: Path
) -> Iterator[Running]:
    port = free_port()
    counters = folder / "counters"
    counters.mkdir()
    environment = {
        **os.environ,
        "PATH": f"{PEERS}{os.pathsep}{os.environ.get('PATH', '')}",
        "PYTHONPATH": str(ROOT),
        "DATABASE_URL": database_url,
        "RABBITMQ_URL": broker_url,
        "COUNTERS": str(counters),
        **contestant.environment,
    }
    _make_schema(contestant, database_url, environment)
    own: dict[str, list[psutil.Process]] = {}
    started: list[subprocess.Popen[bytes]] = []
    began = time.perf_counter()
    try:
        for name, command in contestant.processes.items():
            with (folder / f"{name}.log").open("ab") as log:
                process = subprocess.Popen(
                    ["/bin/sh", "-c", f"exec {command.format(port=port)}"],
                    cwd=folder,  # where no configuration of ours lies
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            servers.guard.watch(process.pid)
            started.append(process)
            own.setdefault(name.partition("-")[0], []).append(psutil.Process(process.pid))
        service = Running(contestant, servers, f"http://127.0.0.1:{port}", database_url, own, folder)
        eventually(lambda: httpx2.get(f"{service.url}/health", timeout=2).status_code == 200, seconds=60, every=0.02)
        service.ready_seconds = time.perf_counter() - began
        yield service
    finally:
        for process in started:
            _end(process)
            servers.guard.forget(process.pid)


def _make_schema(contestant: Contestant, database_url: str, environment: dict[str, str]) -> None:
    if contestant.schema.startswith("!"):
        command = [str(PEERS / contestant.schema.split()[0][1:]), *contestant.schema.split()[1:]]
        subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True)
    elif contestant.schema:
        connection = psycopg2.connect(database_url)
        with connection, connection.cursor() as cursor:
            cursor.execute(contestant.schema)
        connection.close()


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process and all it has started."""
    members = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
    process.kill()
    for member in members:
        if member.is_running():
            member.kill()
    process.wait()
