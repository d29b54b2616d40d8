"""The migrations and the models say the same, and every migration can be taken back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, inspect, text

from models import Base
from models.base import HalfVector
from models.hosts import psycopg2_url
from tests.servers import eventually
from tests.test_requirements import ROOT


def alembic(url: str, *arguments: str) -> None:
    """Run the command that the release process runs."""
    command = [sys.executable, "-m", "alembic", *arguments]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "DATABASE_URL": url}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]


def differences(url: str) -> list[Any]:
    """What the models have and the database has not, and the other way round."""
    engine = create_engine(psycopg2_url(url))
    engine.dialect.ischema_names["halfvec"] = HalfVector  # type: ignore[attr-defined]
    with engine.connect() as connection:
        changes: list[Any] = compare_metadata(MigrationContext.configure(connection), Base.metadata)
    engine.dispose()
    return changes


def test_the_migrations_make_what_the_models_say(database_url: str) -> None:
    assert differences(database_url) == []


def test_a_process_waits_for_the_newest_migration(empty_database_url: str) -> None:
    environment = {**os.environ, "DATABASE_URL": empty_database_url, "RABBITMQ_URL": "amqp://127.0.0.1"}
    command = [sys.executable, "-m", "models.migration"]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as waiting:
        try:
            assert waiting.stdout
            assert "is missing" in next(line for line in waiting.stdout if line.startswith("waiting"))
            assert waiting.poll() is None
            alembic(empty_database_url, "upgrade", "head")
            assert waiting.wait(30) == 0
        finally:
            waiting.kill()


def test_what_was_put_off_beyond_all_bounds_is_tried_again(database_url: str) -> None:
    alembic(database_url, "downgrade", "0011")
    engine = create_engine(psycopg2_url(database_url))
    task = """
        INSERT INTO tasks (id, task_type, stage, queue, priority, payload, retry_limit, timeout, status, errors, due_at)
        VALUES (gen_random_uuid(), 'test', 'test', 'default', 4, '{}', 3, 300, 'waiting', :errors, :due)
    """
    with engine.begin() as connection:
        for errors, due in ((1, "11533-01-01"), (0, "2999-01-01")):
            connection.execute(text(task), {"errors": errors, "due": due})
    alembic(database_url, "upgrade", "head")
    with engine.begin() as connection:
        rows = connection.execute(text("SELECT errors, due_at < now() + interval '1 hour' FROM tasks")).all()
    assert {(1, True), (0, False)} == set(rows), "what a client asked for stays"
    engine.dispose()


def test_a_migration_that_meets_a_lock_lets_others_pass_and_tries_again(database_url: str) -> None:
    # 0019 adds a column to tasks.
    alembic(database_url, "downgrade", "0018")
    in_use, other, watching = (psycopg2.connect(database_url) for _ in range(3))
    watching.autocommit = True
    holder, reader, watcher = (connection.cursor() for connection in (in_use, other, watching))
    holder.execute("SELECT count(*) FROM tasks")

    def waits() -> bool:
        watcher.execute("SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'tasks'::regclass")
        return watcher.fetchone() is not None

    command = [sys.executable, "-m", "alembic", "upgrade", "head"]
    environment = {**os.environ, "DATABASE_URL": database_url}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as migrating:
        try:
            eventually(waits, seconds=30, every=0.01, reason="it waits for the table")
            reader.execute("SET lock_timeout = '10s'; SELECT count(*) FROM tasks")
            assert migrating.stdout
            assert "trying again" in migrating.stdout.readline(), "others pass while it does not hold the table either"
            in_use.rollback()
            other.rollback()
            assert migrating.wait(60) == 0
        finally:
            migrating.kill()
            for connection in (in_use, other, watching):
                connection.close()
    assert differences(database_url) == []


def findings(url: str, before: str, revision: str) -> set[str]:
    """The rules of squawk that a migration breaks: what would stop who works meanwhile, or old code."""
    command = [sys.executable, "-m", "alembic", "upgrade", f"{before}:{revision}", "--sql"]
    sql = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "DATABASE_URL": url}, capture_output=True, text=True, check=True
    ).stdout
    command = ["squawk", "--pg-version", "15.0", "--reporter", "json", "--exclude", ",".join(NOT_OURS)]
    report = subprocess.run(
        command, input=sql, env={"PATH": str(Path(sys.executable).parent)}, capture_output=True, text=True, check=False
    )
    return {finding["rule_name"] for finding in json.loads(report.stdout)}


#: Limits are set by env.py; small numbers are meant; and Alembic writes BEGIN itself.
NOT_OURS = (
    "require-lock-timeout",
    "require-statement-timeout",
    "prefer-bigint-over-int",
    "prefer-bigint-over-smallint",
    "transaction-nesting",
    "prefer-robust-stmts",
)
#: Those up to here were written before they were looked at so, and have run.
FIRST = "0026"
VERSIONS = sorted(path.name[:4] for path in (ROOT / "alembic" / "versions").glob("[0-9]*_*.py"))


@pytest.mark.parametrize(
    ("before", "revision"), [migration for migration in pairwise(VERSIONS) if migration[1] > FIRST]
)
def test_a_migration_stops_nobody_who_works_meanwhile(database_url: str, before: str, revision: str) -> None:
    assert findings(database_url, before, revision) == set()


def test_a_migration_that_would_is_found(database_url: str) -> None:
    assert findings(database_url, "0022", "0023") == {"require-concurrent-index-creation"}


def test_every_migration_can_be_taken_back_and_made_again(database_url: str) -> None:
    alembic(database_url, "downgrade", "base")
    engine = create_engine(psycopg2_url(database_url))
    assert inspect(engine).get_table_names() == ["alembic_version"]
    engine.dispose()
    alembic(database_url, "upgrade", "head")
    assert differences(database_url) == []
