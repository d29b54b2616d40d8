"""The engine, and the only way to a transaction that writes; see `models.replica` for what only reads."""

from __future__ import annotations

import select
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import psycopg2
from sqlalchemy import Connection as SqlConnection
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.exc import DBAPIError, DisconnectionError, InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from logs import Outage
from models import commit
from models.base import of_json
from models.connection import AnswerLost, Connection, read_ids, run
from models.hosts import begin_with_the_last, psycopg2_url
from models.statement import Row, Statement

#: PostgreSQL's code for a write in a transaction that only reads: on a standby, always.
READ_ONLY = "25006"
#: Codes after which a new connection is to be made: the above, and a server that is shut down, has crashed or starts.
MOVED = (READ_ONLY, "57P01", "57P02", "57P03")
#: Its codes for a table, column or function that is not there.
UNKNOWN_TO_THE_SCHEMA = ("42P01", "42703", "42883")

#: Seconds to go on asking what became of a COMMIT, while somebody waits for the answer; and between two tries.
PATIENCE = 5.0
PAUSE = 0.2

#: What begins a transaction of which all statements see one snapshot.
REPEATABLE = text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")

AWAY = Outage("database_away")
#: What is said each minute while it is so; that a transaction went well does not tell that no table is missing.
BEHIND = Outage("migration_missing")

#: Milliseconds that a look at whether the database can be used may take.
PROBE_LIMITS = {"statement_timeout": 2000, "lock_timeout": 1000}
#: Seconds until each host must have answered a new connection: one that looks, and any other.
PROBE_CONNECTS, CONNECTS = 2, 5
#: Seconds after which a server that vanished without a word is given up.
VANISHES = 30

_engine: Engine | None = None
_probe: Engine | None = None


def connect(url: str, *, pool_size: int, application_name: str, limits: Mapping[str, int] | None = None) -> Engine:
    """Make the engine of this process. Nothing is sent before its first use.

    Parameters:
      url: any PostgreSQL URL; `postgres://` and `postgresql://` both mean psycopg2 here.
      pool_size: connections kept; as many again may be opened for a moment.
      application_name: what `pg_stat_activity` shows.
      limits: of every statement, as for `Connection`; none where work may take as long as it takes.
    """
    global _engine, _probe
    disconnect()
    _engine = made(psycopg2_url(url), pool_size, pool_size, application_name, limits or {}, CONNECTS)
    _probe = made(psycopg2_url(url), 1, 0, f"{application_name} probe", PROBE_LIMITS, PROBE_CONNECTS)
    return _engine


def made(
    url: str,
    pool_size: int,
    overflow: int,
    application_name: str,
    limits: Mapping[str, int],
    connects: int,
    vanishes: int = VANISHES,
) -> Engine:
    """Return an engine whose connections are `Connection`, and are left as soon as their server is not to be used.

    Parameters:
      url: as `psycopg2_url` writes it.
      overflow: connections that may be opened beyond `pool_size`.
      connects: seconds until each of its hosts must have answered.
      vanishes: seconds after which a server is given up whose machine no longer answers.
    """
    made = create_engine(
        url,
        pool_size=pool_size,
        max_overflow=overflow,
        pool_use_lifo=True,  # the one that was used last is warm: what it has prepared, and the server's caches
        pool_recycle=1800,
        hide_parameters=True,  # errors are logged, and parameters hold documents
        json_deserializer=of_json,
        use_native_hstore=False,  # none is used, and to ask for its types costs each new connection a query
        connect_args={
            "connection_factory": partial(Connection, limits=limits),
            "application_name": application_name,
            "connect_timeout": connects,
            # By itself the kernel takes a quarter of an hour where something was sent, and two hours where nothing was.
            "keepalives_idle": max(1, vanishes // 3),
            "keepalives_interval": max(1, vanishes // 6),
            "keepalives_count": 3,
            "tcp_user_timeout": vanishes * 1000,
        },
    )
    event.listen(made, "checkout", _refuse_closed)
    event.listen(made, "handle_error", _leave)
    begin_with_the_last(made)
    event.listen(made, "connect", read_ids)
    return made


def _refuse_closed(connection: Any, _record: object, _proxy: object) -> None:
    """Have the pool open another in place of a connection that the server has closed while it lay there.

    PostgreSQL says nothing on an idle connection but that it ends, so its socket tells what a query of its own before
    each transaction (`pool_pre_ping`) would, without the way there and back.
    """
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    if poll.poll(0):
        raise DisconnectionError("closed by the server")


def _leave(context: Any) -> None:
    """Close this connection, and those in the pool, after an error that says that the server is not to be used.

    Without a word more a server that has become a standby would keep its connections for as long as they live.
    """
    if getattr(context.original_exception, "pgcode", None) in MOVED:
        context.is_disconnect = True


def disconnect() -> None:
    """Close every pooled connection; a later `connect` starts anew."""
    global _engine, _probe
    for pool in (_engine, _probe):
        if pool is not None:
            pool.dispose()
    _engine = _probe = None


def pooled() -> tuple[int, int, int]:
    """Return how many connections of this process are in use, how many are idle, and how many there can be."""
    pool: Any = engine().pool
    return pool.checkedout(), pool.checkedin(), pool.size() + pool._max_overflow


def engine() -> Engine:
    """Return the engine of this process.

    Raises:
      RuntimeError: when `connect` was not called.
    """
    if _engine is None:
        raise RuntimeError("models.database.connect() must be called before the database is used")
    return _engine


@contextmanager
def transaction(*, repeatable: bool = False) -> Iterator[Session]:
    """Open a session that commits at the end and rolls back on any error.

    Parameters:
      repeatable: all statements see one snapshot (REPEATABLE READ), for readers that ask twice.
    """
    with _told(), Session(engine(), expire_on_commit=False) as session, session.begin():
        if repeatable:
            session.execute(REPEATABLE)
        yield session


def execute(
    opened: SqlConnection, statement: Statement[Row], values: Mapping[str, object] | None = None, *, alone: bool = False
) -> list[Row]:
    """Run a statement on psycopg2 itself: several times as fast as a session.

    Parameters:
      alone: see `models.connection.run`.

    Raises:
      sqlalchemy.exc.DBAPIError: as a session does.
    """
    driver: Any = opened.connection.driver_connection
    with translating(opened, statement.sql):
        return run(driver, statement, values or {}, alone=alone)


@contextmanager
def translating(opened: SqlConnection, statement: str) -> Iterator[None]:
    """Turn what psycopg2 raises into what SQLAlchemy would: whether the connection is lost, and which error it is.

    A connection that anything else interrupts, such as a time limit, is not used again.
    """
    try:
        yield
    except psycopg2.Error as error:
        opened._handle_dbapi_exception(error, statement, None, None, None)
        raise
    except BaseException:
        opened.invalidate()
        raise


def rows(session: Session, statement: Statement[Row], values: Mapping[str, object] | None = None) -> list[Row]:
    """Run a statement in the transaction of a session, as `execute` does."""
    return execute(session.connection(), statement, values)


def read(statement: Statement[Row], values: Mapping[str, object] | None = None) -> list[Row]:
    """Run one statement that only reads, as `execute` does, outside of any transaction where its limits allow that."""
    with _told(), engine().connect() as opened:
        driver: Any = opened.connection.driver_connection
        # A transaction that this begins ends as the connection goes back to the pool.
        return execute(opened, statement, values, alone=not driver.limits_each)


class NotCommitted(psycopg2.OperationalError):
    """The connection was lost before a COMMIT was carried out, and it never will be."""


@contextmanager
def writing(*, patience: float = PATIENCE) -> Iterator[SqlConnection]:
    """Open a transaction of which it is known what became: where the answer to its COMMIT is lost, PostgreSQL is asked.

    Parameters:
      patience: seconds to go on asking while PostgreSQL is away.

    Raises:
      OperationalError: with `NotCommitted` as its `orig` nothing was written, and with `AnswerLost` that is unknown.
    """
    committing = False
    try:
        with _told(), engine().connect() as opened, opened.begin():
            yield opened
            driver: Any = opened.connection.driver_connection
            driver.mark()
            committing = True
    except OperationalError as error:
        if not committing or not isinstance(error.orig, AnswerLost):
            raise
        if not _is_committed(error, error.orig, patience):
            raise OperationalError("COMMIT", None, NotCommitted("the connection was lost before the COMMIT")) from error


@contextmanager
def write(*, patience: float = PATIENCE) -> Iterator[Session]:
    """Do the same as `writing` with a session."""
    with writing(patience=patience) as opened, Session(opened, expire_on_commit=False) as session:
        yield session
        session.flush()


def _is_committed(error: OperationalError, lost: AnswerLost, patience: float) -> bool:
    """Return whether a transaction was committed, asked until PostgreSQL says it.

    Raises:
      OperationalError: `error`, when it was away for longer than `patience`.
    """
    deadline = time.monotonic() + patience
    while True:
        try:
            return commit.is_committed(engine(), lost)
        except PoolTimeout as away:
            if time.monotonic() > deadline:
                raise error from away
        except DBAPIError as away:
            if not is_away(away) or time.monotonic() > deadline:
                raise error from away
            is_told(away)
            time.sleep(PAUSE)


def is_answer_lost(error: BaseException) -> bool:
    """Return whether it is unknown what became of a transaction. It must not be tried again."""
    return isinstance(error, OperationalError) and isinstance(error.orig, AnswerLost)


@contextmanager
def _told() -> Iterator[None]:
    """Say when PostgreSQL is away, and when it no longer is."""
    try:
        yield
    except DBAPIError as error:
        is_told(error)
        raise
    AWAY.is_over()


def is_away(error: BaseException) -> bool:
    """Return whether the server or the way to it is at fault for an error, and not the statement.

    So it is without a connection (no code, 08), where resources are short (53), where somebody shuts the server down or
    it starts (57), and after a switchover, when what was the primary takes no writes (25006).
    """
    if not isinstance(error, (OperationalError, InterfaceError, InternalError)):
        return False
    code = getattr(error.orig, "pgcode", None)
    if code is None:
        return not isinstance(error, InternalError)
    return code[:2] in ("08", "53", "57") or code == READ_ONLY


def is_told(error: DBAPIError) -> bool:
    """Say, at most once a minute, that PostgreSQL is away or lacks a migration.

    Returns:
      whether it is one of these, and so needs no other line.
    """
    code = getattr(error.orig, "pgcode", None)
    if is_away(error):
        AWAY.goes_on(reason=reason(error))
    elif code in UNKNOWN_TO_THE_SCHEMA:
        BEHIND.goes_on(reason=reason(error), what_to_do="run `alembic upgrade head`, and start this process again")
    else:
        return False
    return True


def reason(error: DBAPIError) -> str:
    """Return in one line what PostgreSQL or the way to it said. It names hosts and users, not passwords, not data."""
    said = str(error.orig).strip().partition("\n")[0]
    return f"{type(error.orig).__name__}: {said}"


@contextmanager
def probing() -> Iterator[Session]:
    """Open a session on a connection that nothing else of this process uses, with short limits.

    Raises:
      RuntimeError: when `connect` was not called.
    """
    if _probe is None:
        raise RuntimeError("models.database.connect() must be called before the database is used")
    with Session(_probe) as session, session.begin():
        yield session
