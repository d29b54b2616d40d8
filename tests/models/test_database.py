"""The only way to a transaction: when it begins, what is prepared, what becomes of connections in the pool."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import traceback
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

import psycopg2
import pytest
from sqlalchemy import Engine, make_url, text
from sqlalchemy.exc import DBAPIError

from models import database as models_database
from models.database import rows, transaction
from models.statement import Statement, prepared
from tests.guard import Guard
from tests.packages import install
from tests.servers import eventually, free_port


class Sum(NamedTuple):
    total: int


class Text(NamedTuple):
    limit: str


ADD = prepared("SELECT CAST(:one AS integer) + CAST(:other AS integer) + :one % 1 AS total", Sum)

SECRET = "s3cr3t"


def backends() -> list[int]:
    """The server's processes of two connections of the pool."""
    with transaction() as first, transaction() as second:
        return [session.execute(text("SELECT pg_backend_pid()")).scalar_one() for session in (first, second)]


def test_a_connection_that_the_server_closed_while_it_lay_in_the_pool_is_not_used(database: Engine) -> None:
    before = backends()
    with transaction() as session:
        own = session.execute(text("SELECT pg_backend_pid()")).scalar_one()
        (other,) = set(before) - {own}
        assert session.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": other}).scalar_one()
    after = backends()
    assert own in after, "a connection that lives is used again"
    assert other not in after, "and the other one replaced, without an error"


def test_a_transaction_begins_with_its_first_statement_and_ends_whole(database: Engine) -> None:
    with transaction() as session:
        session.execute(text("CREATE TABLE notes (note text)"))
    with transaction() as session:
        connection = session.connection().connection.dbapi_connection
        assert connection is not None
        assert connection.is_to_begin
        session.execute(text("INSERT INTO notes VALUES ('kept')"))
        assert not connection.is_to_begin
    assert connection.is_to_begin
    with pytest.raises(RuntimeError), transaction() as session:
        # A COPY begins one as well.
        session.connection().connection.cursor().copy_expert("COPY notes FROM STDIN", StringIO("copied\n"))
        assert session.execute(text("SELECT count(*) FROM notes")).scalar_one() == 2
        raise RuntimeError("something else goes wrong")
    with transaction(repeatable=True) as session:
        assert session.execute(text("SHOW transaction_isolation")).scalar_one() == "repeatable read"
        assert session.scalars(text("SELECT note FROM notes")).all() == ["kept"]


def test_a_statement_outside_of_transactions_leaves_the_next_user_of_its_connection_none(database: Engine) -> None:
    with database.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM tasks"))  # which a transaction would refuse
        backend = connection.scalar(text("SELECT pg_backend_pid()"))
    with transaction() as session:
        assert session.execute(text("SELECT pg_backend_pid()")).scalar_one() == backend
        first = session.execute(text("SELECT now()")).scalar_one()
        assert session.execute(text("SELECT now()")).scalar_one() == first, "one transaction"


def test_ids_and_json_are_read_as_python_reads_them(database: Engine) -> None:
    one, other, large = (
        uuid4(),
        uuid4(),
        '{"large": 123456789012345678901234567890, "float": 1e400, "none": [null, 1.5]}',
    )
    asked = text("SELECT CAST(:one AS uuid), CAST(:many AS uuid[]), CAST(NULL AS uuid), CAST(:large AS jsonb)")

    with transaction() as session:
        row = session.execute(asked, {"one": one, "many": [one, other], "large": large}).one()

    assert tuple(row) == (one, [one, other], None, json.loads(large) | {"float": 10**400})


def test_what_is_run_again_and_again_is_prepared_once_for_each_connection(database: Engine) -> None:
    for one in range(8):
        with transaction() as session:
            assert rows(session, ADD, {"one": one, "other": 2}) == [(one + 2,)]
    with transaction() as session:
        statements = session.execute(
            text("SELECT statement, generic_plans, custom_plans FROM pg_prepared_statements")
        ).all()
    ((statement, generic, custom),) = statements
    assert "CAST($1 AS integer) + CAST($2 AS integer) + $1 % 1" in statement
    assert (generic, custom) == (8, 0), "planned once, whatever the parameters"


@pytest.mark.parametrize("sql", ["SELECT 1 AS sum", "SELECT 1 AS total, 2 AS more", "SELECT 1 AS more, 2 AS total"])
def test_rows_whose_type_has_other_columns_are_refused(database: Engine, sql: str) -> None:
    statement = Statement(sql, Sum)
    for _ in range(2):
        with pytest.raises(TypeError, match=r"its rows have \(total\)"), transaction() as session:
            rows(session, statement)


def test_a_statement_whose_rows_nobody_reads_gives_none(database: Engine) -> None:
    with transaction() as session:
        assert rows(session, Statement("SELECT 1")) == []
        (row,) = rows(session, Statement("SELECT ':' || CAST(:more AS text) || '%' AS limit", Text), {"more": "::"})
    assert row.limit == ":::%"


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO nowhere VALUES (:secret)",
        "INSERT INTO locks (kb_id) VALUES (:secret)",  # "Failing row contains …"
        "INSERT INTO locks (kb_id, subject) VALUES (:secret, 'a'), (:secret, 'a')",  # "Key …=… already exists"
        "SELECT CAST('{\"a\": \"' || :secret || '\"]' AS json)",  # "JSON data, line 1: …"
    ],
    ids=["no table", "not null", "unique", "json"],
)
def test_no_error_quotes_what_was_to_be_written(database: Engine, statement: str) -> None:
    with pytest.raises(DBAPIError) as failed, transaction() as session:
        session.execute(text(statement), {"secret": SECRET})
    trace = "".join(traceback.format_exception(failed.value))
    assert SECRET not in trace


@pytest.fixture
def pooler(database_url: str, tmp_path: Path, guard: Guard) -> Iterator[str]:
    """The URL of the database through a PgBouncer that gives a server's process to each transaction anew."""
    install(lambda: shutil.which("pgbouncer") is not None, "pgbouncer")
    url = make_url(database_url)
    host = str(url.query.get("host") or url.host)
    port = free_port()
    configuration = tmp_path / "pgbouncer.ini"
    configuration.write_text(
        f"[databases]\n* = host={host} port={url.port or 5432} user={url.username}"
        f"{f' password={url.password}' if url.password else ''}\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n"
        "pool_mode = transaction\n"
    )
    # It does not run as root; who owns the server's socket may use it.
    user = ["-u", Path(host).owner()] if os.geteuid() == 0 and host.startswith("/") else []
    process = subprocess.Popen(["pgbouncer", "-q", *user, configuration], start_new_session=True)
    guard.watch(process.pid)
    through = url.set(host="127.0.0.1", port=port, query={}).render_as_string(hide_password=False)
    try:
        eventually(lambda: psycopg2.connect(through).close() is None, seconds=10)
        yield through
    finally:
        process.kill()
        process.wait()
        guard.forget(process.pid)


def test_behind_a_pooler_each_read_is_limited(pooler: str) -> None:
    models_database.connect(pooler, pool_size=1, application_name="tests", limits={"statement_timeout": 100})
    try:
        with pytest.raises(DBAPIError, match="statement timeout"):
            models_database.read(Statement("SELECT pg_sleep(2)"))
        asked = "SELECT current_setting('statement_timeout') AS limit"
        assert models_database.read(Statement(asked, Text)) == [Text("100ms")]
    finally:
        models_database.disconnect()


def test_behind_a_pooler_nothing_is_prepared(pooler: str) -> None:
    models_database.connect(pooler, pool_size=5, application_name="tests")
    try:
        seen = set()
        for one in range(4):
            # The one that began first ends last: so the pooler needs a second process, and swaps the two.
            with transaction() as first, transaction() as second:
                for session in (first, second) if one % 2 else (second, first):
                    assert rows(session, ADD, {"one": one, "other": 2}) == [(one + 2,)]
                    seen.add(session.execute(text("SELECT pg_backend_pid()")).scalar_one())
                    assert not session.execute(text("SELECT FROM pg_prepared_statements")).all()
        assert len(seen) > 1
    finally:
        models_database.disconnect()
