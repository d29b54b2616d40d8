"""The declarative base, the column types PostgreSQL adds, and time-ordered ids."""

from __future__ import annotations

import os
import threading
import time
import uuid
from datetime import UTC, datetime
from typing import Any, overload

import msgspec
from sqlalchemy import MetaData
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.types import UserDefinedType


class Base(DeclarativeBase):
    """Every table; constraint names are fixed so that a migration can name them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class HalfVector(UserDefinedType[str]):
    """pgvector's `halfvec`: half-precision floats, any dimension. Written by COPY, read as text."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        return "halfvec"


#: An object of JSON whose content is not ours to know: a payload, metadata, a result.
Json = dict[str, Any]

#: Before and behind every id.
FIRST_ID, LAST_ID = uuid.UUID(int=0), uuid.UUID(int=2**128 - 1)

_lock = threading.Lock()
_last = 0


@overload
def rfc3339(moment: datetime) -> str: ...
@overload
def rfc3339(moment: None) -> None: ...
def rfc3339(moment: datetime | None) -> str | None:
    """Write a time as every answer shows it: in UTC, whatever the time zone of the database is; None stays None."""
    return None if moment is None else moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def json_of(value: object) -> str:
    """Write a value as PostgreSQL is sent it in one parameter; ids and times become text.

    Many rows at once are a list of objects, which `json_to_recordset` takes apart: as arrays, or as VALUES, each of
    their fields would be an expression of its own to write and to parse.

    Raises:
      TypeError: it holds what JSON does not know.
    """
    return msgspec.json.encode(value, enc_hook=_plain).decode()


def _plain(value: object) -> str:
    """Return a text that is more than that, such as one with its Chinese, as the text alone."""
    if isinstance(value, str):
        return str(value)
    raise TypeError(f"{type(value).__name__} is not known to JSON")


#: Reads JSON as Python's own does, in a tenth of the time. Without the hook it would take whole numbers of more than 64
#: bits for floats, and refuse floats that are too large.
_DECODER = msgspec.json.Decoder(float_hook=float)


def of_json(said: str | bytes) -> Any:
    """Read JSON.

    Raises:
      msgspec.MsgspecError: it is none, or holds halves of surrogate pairs, which PostgreSQL does not hold either.
    """
    return _DECODER.decode(said)


def new_id() -> uuid.UUID:
    """Make a UUID of version 7 (RFC 9562): ids sort by the time they were made; those of one process strictly."""
    global _last
    value = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    with _lock:
        # Two of the same millisecond, or a clock that was set back: count on from the last (RFC 9562, 6.2).
        if value <= _last:
            value = _last + 1
        _last = value
    return uuid.UUID(int=value)


def id_at(moment: datetime) -> uuid.UUID:
    """Return the smallest id that can have been made at a moment; none that was made before is greater."""
    return uuid.UUID(int=max(0, int(moment.timestamp() * 1000)) << 80)


def trace_id_of(traceparent: str | None) -> str | None:
    """Return the trace id of a `traceparent` (W3C Trace Context): version, trace id, parent id and flags, in hex."""
    return None if traceparent is None else traceparent[3:35]
