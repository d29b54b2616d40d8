"""Requests that carry an `Idempotency-Key`: the same one again gets the answer that it got."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple, TypeVar

import msgspec
from pydantic import TypeAdapter
from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert

from models import IdempotencyKey
from models.base import Json
from models.statement import Statement
from tasks.transactions.unit import Unit

Request = TypeVar("Request")
Answer = TypeVar("Answer")

#: A key is remembered this long, as with Stripe (https://docs.stripe.com/api/idempotent_requests).
KEPT = timedelta(hours=24)


#: A caller and its key.
Name = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Key:
    """A caller's key and what the request said.

    Parameters:
      caller: the name of the API key, or empty.
      body_hash: SHA-256.
    """

    caller: str
    key: str
    body_hash: bytes

    @property
    def name(self) -> Name:
        """What tells it from every other."""
        return self.caller, self.key

    @classmethod
    def of(cls, caller: str, key: str, *parts: bytes) -> Key:
        """Return the key of a request that consists of these parts."""
        digest = hashlib.sha256()
        for part in parts:
            digest.update(len(part).to_bytes(8, "big") + part)
        return cls(caller, key, digest.digest())


class Reused(Exception):
    """A key came again with another request."""


def once(
    unit: Unit,
    requests: Sequence[Request],
    keys: Sequence[Key | None],
    accept: Callable[[Sequence[Request]], Sequence[Answer | Exception]],
    reader: TypeAdapter[Answer],
) -> list[Answer | Exception]:
    """Accept the requests that are new, and answer the others as before.

    Parameters:
      reader: reads an answer that was kept.

    Returns:
      for each request its answer, what `accept` refused it with, or `Reused`.
    """
    if not any(keys):
        return list(accept(requests))
    _lock(unit, keys)
    known = _known(unit, keys)
    # Of several requests under one key the first is accepted, for all of them.
    new: dict[Name | int, int] = {}
    for position, key in enumerate(keys):
        name = position if key is None else key.name
        if name not in known:
            new.setdefault(name, position)
    answers = dict(zip(new, accept([requests[position] for position in new.values()]), strict=True))
    records: Known = {
        key.name: (key.body_hash, msgspec.to_builtins(answer))
        for name, answer in answers.items()
        if (key := keys[new[name]]) is not None and not isinstance(answer, Exception)
    }
    _remember(unit, records)
    known |= records
    in_order: list[Answer | Exception] = []
    for position, key in enumerate(keys):
        if key is None or key.name not in known:
            in_order.append(answers[position if key is None else key.name])
            continue
        body_hash, answer = known[key.name]
        in_order.append(reader.validate_python(answer) if body_hash == key.body_hash else Reused(key.key))
    return in_order


def forget(unit: Unit) -> int:
    """Delete keys that are older than `KEPT`. Returns how many."""
    return int(unit.session.execute(_FORGET, {"kept": KEPT}).rowcount)  # type: ignore[attr-defined]


#: Of the callers and their keys that were met: what each request said, and its answer.
Known = dict[Name, tuple[bytes, Json]]


def _lock(unit: Unit, keys: Sequence[Key | None]) -> None:
    """Let two requests of one key, in two processes, come one after the other."""
    names = sorted({f"{key.caller} {key.key}" for key in keys if key})
    unit.execute(_LOCK, {"names": names})


def _known(unit: Unit, keys: Sequence[Key | None]) -> Known:
    named = [key for key in keys if key]
    values = {"callers": [key.caller for key in named], "keys": [key.key for key in named]}
    return {(row.caller, row.key): (bytes(row.body_hash), row.answer) for row in unit.execute(_KNOWN, values)}


def _remember(unit: Unit, fresh: Known) -> None:
    if not fresh:
        return
    rows = [
        {"caller": name[0], "key": name[1], "body_hash": body_hash, "answer": answer}
        for name, (body_hash, answer) in fresh.items()
    ]
    unit.session.execute(insert(IdempotencyKey), rows)


_LOCK = Statement(
    """
    SELECT pg_advisory_xact_lock(hashtextextended(name, 0))
    FROM (SELECT DISTINCT unnest(CAST(:names AS text[])) AS name ORDER BY 1) AS named
    """
)


class Answered(NamedTuple):
    """A key, the SHA-256 of its request, and the answer that this got."""

    caller: str
    key: str
    body_hash: memoryview
    answer: Json


_KNOWN = Statement(
    """
    SELECT caller, key, body_hash, answer FROM idempotency_keys
    JOIN unnest(CAST(:callers AS text[]), CAST(:keys AS text[])) AS asked(caller, key) USING (caller, key)
    """,
    Answered,
)

_FORGET = text(
    """
    DELETE FROM idempotency_keys WHERE (caller, key) IN (
        SELECT caller, key FROM idempotency_keys WHERE created_at < now() - CAST(:kept AS interval) LIMIT 5000)
    """
)
