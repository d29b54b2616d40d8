"""The only engine and the only way to a transaction."""

from __future__ import annotations

import select
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.orm import Session

from models.connection import Connection, use_prepared

_engine: Engine | None = None


def connect(url: str, *, pool_size: int, application_name: str) -> Engine:
    """Make the engine of this process. Nothing is sent before its first use.

    Parameters:
      url: any PostgreSQL URL; `postgres://` and `postgresql://` both mean psycopg2 here.
      pool_size: connections kept; as many again may be opened for a moment.
      application_name: what `pg_stat_activity` shows.
    """
    global _engine
    disconnect()
    _engine = create_engine(
        psycopg2_url(url),
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_use_lifo=True,  # the one that was used last is warm: what it has prepared, and the server's caches
        pool_recycle=1800,
        hide_parameters=True,  # errors are logged, and parameters hold documents
        use_native_hstore=False,  # none is used, and to ask for its types costs each new connection a query
        connect_args={
            "connection_factory": Connection,
            "application_name": application_name,
            "connect_timeout": 5,
            # A peer that vanished without a word is noticed in half a minute, not in two hours.
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 30_000,
        },
    )
    event.listen(_engine, "checkout", _refuse_closed)
    use_prepared(_engine)
    return _engine


def _refuse_closed(connection: Any, record: object, proxy: object) -> None:
    """Have the pool open another in place of a connection that the server has closed while it lay there.

    PostgreSQL says nothing on an idle connection but that it ends, so its socket tells what a query of its own before
    each transaction (`pool_pre_ping`) would, without the way there and back.
    """
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    if poll.poll(0):
        raise DisconnectionError("closed by the server")


def disconnect() -> None:
    """Close every pooled connection; a later `connect` starts anew."""
    global _engine
    if _engine is not None:
        _engine.dispose()
        _engine = None


def engine() -> Engine:
    """The engine of this process.

    Raises:
      RuntimeError: when `connect` was not called.
    """
    if _engine is None:
        raise RuntimeError("models.database.connect() must be called before the database is used")
    return _engine


@contextmanager
def transaction(*, repeatable: bool = False) -> Iterator[Session]:
    """A session that commits at the end and rolls back on any error.

    Parameters:
      repeatable: all statements see one snapshot (REPEATABLE READ), for readers that ask twice.
    """
    with Session(engine(), expire_on_commit=False) as session, session.begin():
        if repeatable:
            session.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
        yield session


def psycopg2_url(url: str) -> str:
    """The URL with its driver named: SQLAlchemy 2.1 would take psycopg 3 for a bare `postgresql://`."""
    scheme, separator, rest = url.partition("://")
    if separator and scheme in ("postgres", "postgresql"):
        return f"postgresql+psycopg2://{rest}"
    return url
