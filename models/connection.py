"""A connection that goes to PostgreSQL as seldom as it can, and has it plan a statement once."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from uuid import UUID

import msgspec
import psycopg2
import psycopg2.extensions
from psycopg2.extensions import ISOLATION_LEVEL_AUTOCOMMIT, PYDATETIMETZ, TRANSACTION_STATUS_IDLE

from models.base import new_id
from models.statement import Row, Statement

_PARAMETER = re.compile(r"%\((\w+)\)s")

# Behind a pooler, who is told to clients as the server is none of its processes, and the next transaction may run in
# another: what one has prepared, another does not know. The plan is to be the same whatever the parameters are: where
# statements are short, to choose it costs more than to follow it.
_IS_DIRECT = "SELECT CASE pg_backend_pid() WHEN %s THEN concat({}) END"
_SETTINGS = {"plan_cache_mode": "force_generic_plan"}


# Part of the transaction, and sent together with its COMMIT. Where somebody has asked what became of it, it fails, and
# the COMMIT with it: `number` is never NULL. See `models.commit`.
_MARK = """
    INSERT INTO commits AS own (writer, number)
    SELECT CAST(%(writer)s AS uuid), CAST(%(number)s AS bigint) WHERE txid_current_if_assigned() IS NOT NULL
    ON CONFLICT (writer) DO UPDATE SET number = CASE WHEN NOT own.closed THEN excluded.number END, written_at = now()
"""


class AnswerLost(psycopg2.OperationalError):
    """A COMMIT was sent, and the connection was lost before its answer: it may have been carried out.

    Parameters:
      writer: the connection's id; number: which of its transactions.
    """

    def __init__(self, writer: UUID, number: int) -> None:
        super().__init__("the connection was lost before the answer to a COMMIT")
        self.writer = writer
        self.number = number


def run(
    connection: Connection, statement: Statement[Row], values: Mapping[str, object], *, alone: bool = False
) -> list[Row]:
    """Run a statement without SQLAlchemy's part in it, which for short ones is most of the time that they take.

    Parameters:
      alone: outside of any transaction, which saves the way to PostgreSQL and back that a COMMIT takes.

    Returns:
      its rows; none where it returns none.

    Raises:
      psycopg2.Error: as psycopg2 says it.
    """
    sql = connection.prepare(statement.sql) if statement.is_prepared else statement.sql
    with connection.cursor() as cursor:
        if alone:
            with _without_values():
                cursor.alone(sql, values)
        else:
            cursor.execute(sql, values)
        return statement.read(cursor.description, cursor.fetchall()) if cursor.description else []


#: What a time after the year 9999 is read as: PostgreSQL knows such, and Python does not. None is written any more.
LATEST = datetime.max.replace(tzinfo=UTC)


def _moment(value: str | None, cursor: object) -> datetime | None:
    try:
        moment: datetime | None = PYDATETIMETZ(value, cursor)
    except (ValueError, OverflowError):
        return LATEST
    return moment


_MOMENTS = psycopg2.extensions.new_type(PYDATETIMETZ.values, "MOMENT", _moment)


def _id(value: str | None, _: object) -> UUID | None:
    # In a third of the time that UUID takes itself, and every task is read with several.
    return None if value is None else msgspec.convert(value, UUID)


#: By the numbers that PostgreSQL has for uuid and uuid[].
_IDS = psycopg2.extensions.new_type((2950,), "ID", _id)
_ID_ARRAYS = psycopg2.extensions.new_array_type((2951,), "IDS", _IDS)


def read_ids(connection: object, _: object) -> None:
    """Read ids in our own way; called once SQLAlchemy has set its."""
    for kind in (_IDS, _ID_ARRAYS):
        psycopg2.extensions.register_type(kind, connection)


_thread = threading.local()


def limit_thread(limits: Mapping[str, int]) -> None:
    """Limit every transaction of this thread from now on, where its connection has no limits of its own.

    Where one process is everything, web's threads and those that work share the connections.
    """
    _thread.limits = _set_local(limits)


def _set_local(limits: Mapping[str, int]) -> str:
    return "".join(f"SET LOCAL {name} = {value};" for name, value in limits.items())


class Connection(psycopg2.extensions.connection):
    """Begins a transaction together with its first statement. psycopg2 by itself waits for an answer to BEGIN.

    Parameters:
      limits: milliseconds by the name of PostgreSQL's setting, such as `lock_timeout`. They are set once; behind a
        pooler, where the next transaction may run in another process, in each transaction.
    """

    def __init__(self, *arguments: object, limits: Mapping[str, int] | None = None, **named: object) -> None:
        super().__init__(*arguments, **named)
        super().set_isolation_level(ISOLATION_LEVEL_AUTOCOMMIT)
        self.cursor_factory = Cursor
        psycopg2.extensions.register_type(_MOMENTS, self)
        self._alone = False
        self._writer, self._number, self._marks = new_id(), 0, False
        self._known: dict[str, str] = {}
        self._prepared = 0
        settings = {**_SETTINGS, **{name: str(value) for name, value in (limits or {}).items()}}
        with self.cursor() as cursor:
            configured = ", ".join(["set_config(%s, %s, false)"] * len(settings))
            values = (part for setting in settings.items() for part in setting)
            cursor.alone(_IS_DIRECT.format(configured), (self.info.backend_pid, *values))
            self._is_direct = bool(cursor.fetchone()[0])
        self._begin = f"BEGIN;{'' if self._is_direct else _set_local(limits or {})}" if limits else None

    @property
    def begin(self) -> str:
        """What begins a transaction, with the limits of the thread where the connection has none."""
        return self._begin or f"BEGIN;{getattr(_thread, 'limits', '')}"

    @property
    def limits_each(self) -> bool:
        """Whether its limits are set in each transaction, so that outside of one they do not hold."""
        return self.begin != "BEGIN;"

    @property
    def is_to_begin(self) -> bool:
        """Whether the next statement is the first of a transaction."""
        return not self._alone and self.get_transaction_status() == TRANSACTION_STATUS_IDLE

    def set_isolation_level(self, level: int | None) -> None:
        """Set AUTOCOMMIT, in which each statement stands alone, or undo it; a transaction sets its own level."""
        self._alone = level == ISOLATION_LEVEL_AUTOCOMMIT

    def mark(self) -> None:
        """Let what becomes of the present transaction be known, also where the answer to its COMMIT is lost."""
        self._marks = True

    def commit(self) -> None:
        """End the transaction, if one was begun.

        Raises:
          AnswerLost: where it has a mark.
        """
        if self._marks and self.get_transaction_status() != TRANSACTION_STATUS_IDLE:
            self._commit_with_mark()
        else:
            self._end("COMMIT")
        self._marks = False

    def rollback(self) -> None:
        """Undo the transaction, if one was begun."""
        self._marks = False
        self._end("ROLLBACK")

    def prepare(self, statement: str) -> str:
        """Return what to say in place of a statement: that it was prepared for, or itself where it cannot be."""
        if not self._is_direct:
            return statement
        if (known := self._known.get(statement)) is None:
            names = list(dict.fromkeys(_PARAMETER.findall(statement)))
            body = _PARAMETER.sub(lambda match: f"${names.index(match[1]) + 1}", statement).replace("%%", "%")
            # Never the same: an interruption may leave one that is prepared and not known.
            self._prepared += 1
            name = f"prepared_{self._prepared}"
            with self.cursor() as cursor:
                cursor.execute(f"PREPARE {name} AS {body}")
            parameters = f" ({', '.join(f'%({parameter})s' for parameter in names)})" if names else ""
            known = self._known[statement] = f"EXECUTE {name}{parameters}"
        return known

    def _commit_with_mark(self) -> None:
        self._number += 1
        mark = self.prepare(_MARK)
        try:
            with self.cursor() as cursor:
                cursor.alone(f"{mark}; COMMIT", {"writer": str(self._writer), "number": self._number})
        except psycopg2.Error as error:
            if self.closed:
                raise AnswerLost(self._writer, self._number) from error
            raise

    def _end(self, how: str) -> None:
        if self.get_transaction_status() != TRANSACTION_STATUS_IDLE:
            with self.cursor() as cursor:
                cursor.alone(how)


@contextmanager
def _without_values() -> Iterator[None]:
    """Take from an error of PostgreSQL the lines that quote a row or a statement: whoever meets it logs it.

    The details of a conflict (class 40) quote neither, and tell who blocked whom.
    """
    try:
        yield
    except psycopg2.Error as error:
        if error.pgcode and error.pgcode[:2] != "40" and error.diag.message_primary:
            error.args = (error.diag.message_primary,)
        raise


class Cursor(psycopg2.extensions.cursor):
    """What `Connection` says to the server. Other calls of psycopg2, such as `copy_to`, would begin no transaction."""

    def alone(self, query: object, values: object = None) -> None:
        """Run a statement as it is."""
        super().execute(query, values)

    def execute(self, query: object, vars: object = None) -> None:
        """Run a statement, which begins a transaction where there is none."""
        if self.connection.is_to_begin:
            begin = self.connection.begin
            query = (begin.encode() if isinstance(query, bytes) else begin) + query
        with _without_values():
            super().execute(query, vars)

    def executemany(self, query: object, vars_list: object) -> None:
        """Run a statement for each of many."""
        self._begin()
        with _without_values():
            super().executemany(query, vars_list)

    def copy_expert(self, sql: object, file: object, size: int = 8192) -> None:
        """Run a COPY, which cannot share a message with BEGIN."""
        self._begin()
        with _without_values():
            super().copy_expert(sql, file, size)

    def _begin(self) -> None:
        if self.connection.is_to_begin:
            super().execute(self.connection.begin)
