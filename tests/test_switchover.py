"""Two PostgreSQL servers in one URL: a standby takes over, and nobody who asks notices more than a pause."""

from __future__ import annotations

import subprocess
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg2
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

import settings
from models import Commit
from models import database as models_database
from models.database import transaction
from tasks.transactions.group_commit import GroupCommit
from tests.guard import Guard
from tests.postgres import OwnPostgres
from tests.servers import eventually


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://u:p@h/db", "postgresql+psycopg2://u:p@h/db"),
        ("postgres://u:p@h:5433/db?sslmode=require", "postgresql+psycopg2://u:p@h:5433/db?sslmode=require"),
        ("postgresql:///db?host=/tmp", "postgresql+psycopg2:///db?host=/tmp"),
        (
            "postgresql://u:p%40@h1:5432,h2:5433/db?target_session_attrs=read-write",
            "postgresql+psycopg2://u:p%40@/db?host=h1,h2&port=5432,5433&target_session_attrs=read-write",
        ),
        ("postgresql://u@h1,[::1]:5433/db", "postgresql+psycopg2://u@/db?host=h1,::1&port=5432,5433"),
    ],
)
def test_several_hosts_are_handed_on_to_libpq(url: str, expected: str) -> None:
    assert models_database.psycopg2_url(url) == expected


def test_several_hosts_may_be_named_apart() -> None:
    found = settings.read({"POSTGRES_HOST": "h1, h2", "POSTGRES_PORT": "6000"})
    assert found.postgres_url == "postgresql://postgres:@h1:6000,h2:6000/tasks?target_session_attrs=read-write"


@dataclass
class Pair:
    """A primary and its standby."""

    primary: OwnPostgres
    standby: Path
    sockets: Path
    user: str | None

    @property
    def url(self) -> str:
        """Both, as libpq is told of them; whichever takes writes is connected to."""
        first = psycopg2.connect(self.primary.url).info.host
        hosts = ",".join(f"{quote(str(each), safe='')}:5432" for each in (first, self.sockets))
        return f"postgresql://postgres@{hosts}/postgres?target_session_attrs=read-write"

    def run(self, program: str, *arguments: str) -> None:
        """Run a program of PostgreSQL as the user that the servers run as."""
        path = self.primary._server.bin_path / program
        subprocess.run([path, *arguments], user=self.user, check=True, timeout=120, stdout=subprocess.DEVNULL, cwd="/")

    def switch_over(self) -> None:
        """Let the standby take the writes; the primary lives on, and takes none."""
        self.primary._execute(psycopg2.sql.SQL("ALTER SYSTEM SET default_transaction_read_only = on"))
        self.primary._execute(psycopg2.sql.SQL("SELECT pg_reload_conf()"))
        self.run("pg_ctl", "-D", str(self.standby), "-w", "promote")


@pytest.fixture
def pair(guard: Guard) -> Iterator[Pair]:
    folder = Path(tempfile.mkdtemp(prefix="servers-"))
    guard.remove_later(folder)
    folder.chmod(0o777)
    primary = OwnPostgres(folder / "primary", guard)
    sockets = folder / "s"
    sockets.mkdir(mode=0o777)
    sockets.chmod(0o777)
    pair = Pair(primary, folder / "standby", sockets, primary._server.system_user)
    host = psycopg2.connect(primary.url).info.host
    pair.run("pg_basebackup", "-h", host, "-U", "postgres", "-D", str(pair.standby), "-R", "-c", "fast", "-X", "stream")
    options = f"-h '' -k {sockets}"
    pair.run("pg_ctl", "-D", str(pair.standby), "-w", "-o", options, "-l", str(sockets / "log"), "start")
    try:
        yield pair
    finally:
        models_database.disconnect()
        pair.run("pg_ctl", "-D", str(pair.standby), "-m", "immediate", "stop")
        primary.close()


def insert(unit: Any, numbers: Any) -> list[int]:
    """An operation of a group commit: writes, and says where."""
    for number in numbers:
        unit.session.execute(text("INSERT INTO notes VALUES (:number)"), {"number": number})
    return [
        unit.session.execute(text("SELECT inet_server_port() IS NULL AND pg_backend_pid() > 0")).scalar_one()
    ] * len(numbers)


def test_a_standby_takes_over_under_load_without_an_error(pair: Pair) -> None:
    models_database.connect(pair.url, pool_size=3, application_name="tests")
    with transaction() as session:
        session.execute(text("CREATE TABLE notes (number integer)"))
        Commit.__table__.create(session.connection())  # type: ignore[attr-defined]
    commits = GroupCommit("commits", patience=60)
    done: list[int] = []
    stopped = threading.Event()

    def write() -> None:
        while not stopped.is_set():
            commits.run(insert, len(done))
            done.append(len(done))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        eventually(lambda: len(done) > 20, seconds=30)
        pair.switch_over()
        before = len(done)
        eventually(lambda: len(done) > before + 20, seconds=30, reason="it goes on with the new primary")
    finally:
        stopped.set()
        writer.join()
        commits.close()
    with transaction() as session:
        assert session.execute(text("SHOW unix_socket_directories")).scalar_one() == str(pair.sockets)
        found = session.execute(text("SELECT count(DISTINCT number), count(*) FROM notes")).one()
    assert tuple(found) == (len(done), len(done)), "each was written, and none twice"


@pytest.mark.parametrize("code", ["25006", "57P01", "57P02", "57P03", "08006"])
def test_what_says_that_the_server_is_away_is_not_the_statements_fault(code: str, database: Any) -> None:
    raising = f"DO $$ BEGIN RAISE EXCEPTION 'away' USING ERRCODE = '{code}'; END $$"
    with transaction() as session:
        backend = session.execute(text("SELECT pg_backend_pid()")).scalar_one()
    with pytest.raises(DBAPIError) as failed, transaction() as session:
        session.execute(text(raising))
    assert models_database.is_away(failed.value)
    with transaction() as session:
        after = session.execute(text("SELECT pg_backend_pid()")).scalar_one()
    assert (after != backend) == (code in models_database.MOVED)
