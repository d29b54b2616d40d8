"""Statements of text that PostgreSQL is sent as they stand, each with the type of its rows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Generic, NamedTuple, Never, Protocol, TypeVar, cast, overload
from uuid import UUID

#: A parameter as SQLAlchemy's text() writes it; a cast, `::`, is none.
_NAMED = re.compile(r"(?<![:\w]):(\w+)(?!:)")


class Column(Protocol):
    """What psycopg2 says of a column of a result."""

    @property
    def name(self) -> str: ...


#: A NamedTuple: its fields are the columns of a statement, in their order.
Row = TypeVar("Row")


class Statement(Generic[Row]):
    """A statement and the type of its rows.

    Parameters:
      sql: each parameter is written `:name`.
      row: None where the statement returns no rows, or nobody reads them.
      is_prepared: see `prepared`.
    """

    @overload
    def __init__(self: Statement[Never], sql: str, row: None = None, *, is_prepared: bool = False) -> None: ...
    @overload
    def __init__(self, sql: str, row: type[Row], *, is_prepared: bool = False) -> None: ...
    def __init__(self, sql: str, row: type[Row] | None = None, *, is_prepared: bool = False) -> None:
        self.text = sql
        #: As psycopg2 is given it.
        self.sql = _NAMED.sub(r"%(\1)s", sql.replace("%", "%%"))
        self.is_prepared = is_prepared
        #: A type checker cannot be told that `Row` is a NamedTuple.
        named = cast("Any", row)
        self._make: Callable[[Iterable[Any]], Row] | None = None if row is None else named._make
        self._fields: tuple[str, ...] = () if row is None else named._fields
        self._is_checked = False

    def read(self, columns: Iterable[Column], rows: Sequence[tuple[Any, ...]]) -> list[Row]:
        """Give rows their type. When the statement is first run, its columns are compared with the type's fields.

        Raises:
          TypeError: they differ in number, name or order.
        """
        if self._make is None:
            return []
        if not self._is_checked:
            names = tuple(column.name for column in columns)
            if names != self._fields:
                raise TypeError(f"a statement returns ({', '.join(names)}), its rows have ({', '.join(self._fields)})")
            self._is_checked = True
        return list(map(self._make, rows))


@overload
def prepared(sql: str) -> Statement[Never]: ...
@overload
def prepared(sql: str, row: type[Row]) -> Statement[Row]: ...
def prepared(sql: str, row: type[Row] | None = None) -> Statement[Row] | Statement[Never]:
    """Make a statement that is run again and again, and whose plan does not depend on its parameters.

    Each connection has it prepared when it is first run, where no pooler is in between. The type of each parameter
    must be clear from where it stands; a CAST makes it so.
    """
    return Statement(sql, is_prepared=True) if row is None else Statement(sql, row, is_prepared=True)


class OfId(NamedTuple):
    """A row of which only the id is asked for."""

    id: UUID
