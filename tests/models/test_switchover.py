"""Two PostgreSQL servers in one URL: a standby takes over, and nobody who asks notices more than a pause."""

from __future__ import annotations

import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg2
import pytest
from sqlalchemy import NullPool, create_engine, text
from sqlalchemy.exc import DBAPIError

import settings
from models import Commit
from models import database as models_database
from models.database import transaction
from models.hosts import STANDBY, begin_with_the_last, psycopg2_url
from tasks.transactions.group_commit import GroupCommit
from tests.guard import Guard
from tests.pair import Pair
from tests.postgres import Postgres
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
        (
            "postgresql://u@h1,[::1]:5433/db",
            "postgresql+psycopg2://u@/db?host=h1,::1&port=5432,5433&target_session_attrs=read-write",
        ),
        (
            "postgresql://h1,h2/db?target_session_attrs=any",
            "postgresql+psycopg2:///db?host=h1,h2&port=5432,5432&target_session_attrs=any",
        ),
    ],
)
def test_several_hosts_are_handed_on_to_libpq(url: str, expected: str) -> None:
    assert psycopg2_url(url) == expected


def test_of_several_replicas_one_is_asked_that_is_a_standby() -> None:
    assert psycopg2_url("postgresql://h1,h2/db", STANDBY).endswith("&target_session_attrs=prefer-standby")


def test_several_hosts_may_be_named_apart() -> None:
    values = settings.read({"POSTGRES_HOST": "h1, h2", "POSTGRES_PORT": "6000"})
    assert values.postgres_url == "postgresql://postgres:@h1:6000,h2:6000/tasks"


@pytest.fixture
def pair(guard: Guard) -> Iterator[Pair]:
    folder = Path(tempfile.mkdtemp(prefix="servers-"))
    guard.remove_later(folder)
    pair = Pair(folder, guard)
    try:
        yield pair
    finally:
        models_database.disconnect()
        pair.close()


def insert(unit: Any, numbers: Any) -> list[int]:
    """An operation of a group commit: writes, and says where."""
    for number in numbers:
        unit.session.execute(text("INSERT INTO notes VALUES (:number)"), {"number": number})
    return [True] * len(numbers)


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
        assert session.execute(text("SHOW port")).scalar_one() == str(pair.primary.port)
        counts = session.execute(text("SELECT count(DISTINCT number), count(*) FROM notes")).one()
    assert tuple(counts) == (len(done), len(done)), "each was written, and none twice"


def test_a_host_that_does_not_answer_is_waited_for_once(postgres: Postgres) -> None:
    info = psycopg2.connect(postgres.url).info
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        hosts = f"127.0.0.1:{silent.getsockname()[1]},{quote(info.host, safe='')}:{info.port}"
        url = f"postgresql://{info.user}:{info.password or ''}@{hosts}/{info.dbname}"
        engine = create_engine(psycopg2_url(url), poolclass=NullPool, connect_args={"connect_timeout": 2})
        begin_with_the_last(engine)
        took = []
        for _ in range(3):
            began = time.monotonic()
            engine.connect().close()
            took.append(time.monotonic() - began)
    assert took[0] > 1.5, "the first host is asked first"
    assert max(took[1:]) < 1.5, "and then the one that took the last connection"


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
