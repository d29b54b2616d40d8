"""Runs the migrations against the database that the settings name."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, create_engine, event, pool, text
from sqlalchemy.exc import OperationalError

from alembic import context
from models import Base
from models.hosts import psycopg2_url
from models.trouble import LOCK_TIMEOUT, code_of
from settings import settings

#: How long a migration waits for a lock: whoever wants the same table meanwhile waits behind it. Then it lets them
#: pass, and tries again after PAUSE seconds.
WAITS = "2s"
TRIES, PAUSE = 30, 1.0

_ALONE = text("SELECT pg_try_advisory_xact_lock(hashtext('task-manager migrations'))")


def run() -> None:
    """Run each migration in a transaction of its own, in one deploy at a time."""
    url = context.config.attributes.get("url") or settings().postgres_url
    engine = create_engine(psycopg2_url(url), poolclass=pool.NullPool)
    with _alone(engine):
        for left in reversed(range(TRIES)):
            try:
                _migrate(engine)
                return
            except OperationalError as error:
                if code_of(error) != LOCK_TIMEOUT or not left:
                    raise
                print(f"a table is in use; trying again, at most {left} times more", flush=True)
                time.sleep(PAUSE)


@contextmanager
def _alone(engine: Engine) -> Iterator[None]:
    """Wait until no other deploy migrates, and keep others waiting.

    The lock is a transaction's, which a pooler understands. Neither who has it nor who waits for it has a snapshot for
    long: an index that is built CONCURRENTLY would wait for its end. The transaction is idle for as long as the
    migrations take, which PostgreSQL may be set to end.
    """
    with engine.connect() as connection:
        while not connection.execute(_ALONE).scalar_one():
            connection.rollback()
            time.sleep(PAUSE)
        connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")
        yield


def _migrate(engine: Engine) -> None:
    with engine.connect() as connection:
        event.listen(connection, "begin", _limit)
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            compare_type=True,
            compare_server_default=True,
            transaction_per_migration=True,
        )
        with context.begin_transaction():
            context.run_migrations()


def _limit(connection: Any) -> None:
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{WAITS}'")


run()
