"""The items of a bulk: collected first, then met one after the other, and what became of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from models import database
from models.base import LAST_ID, json_of
from models.statement import Statement
from tasks.bulk import scope
from tasks.types.bulk import Bulk

#: Candidates that are looked at, and items that are changed, in one transaction.
COLLECTED_AT_ONCE, CHANGED_AT_ONCE = 5000, 500
#: Bytes of payloads, inline content and all, that are submitted again in one transaction; one alone may have more.
PAYLOADS_AT_ONCE = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an item.

    Parameters:
      before, after: its priority, where that was to be changed.
      refused: why it was not changed; None: as its status says.
    """

    item_id: UUID
    changed: bool
    before: int | None = None
    after: int | None = None
    refused: str | None = None


class Item(NamedTuple):
    """An item as it is shown; `changed`: None where it was not met yet."""

    item_id: UUID
    changed: bool | None
    run: int | None
    before: int | None
    after: int | None
    refused: str | None


class Totals(NamedTuple):
    """How far a bulk is: the items that it is for, those that it came to, and those of them that it changed."""

    items: int
    met: int
    changed: int


def collect(session: Session, bulk_id: UUID, wanted: Bulk, asked_at: datetime, before: UUID | None) -> UUID | None:
    """Note the next items that a bulk is for, from the newest to the oldest.

    An undoing is for all that the other has changed: what is left of it has a reason.

    Parameters:
      before: what the last call returned.

    Returns:
      the last that was looked at; None when there was none left.
    """
    ids = scope.candidates(session, wanted, before, COLLECTED_AT_ONCE)
    if not ids:
        return None
    if wanted.undoes is None:
        fits = scope.fitting(wanted, asked_at)
        session.execute(text(_COLLECT.format(rows=fits.rows)), {**fits.values, "bulk": bulk_id, "ids": ids})
    else:
        session.execute(text(_COLLECT.format(rows=_NAMED)), {"bulk": bulk_id, "ids": ids})
    return ids[-1]


def oldest(session: Session, bulk_id: UUID) -> UUID | None:
    """Return the oldest item that was collected, behind which a resumed bulk goes on; None: none was."""
    item_id: UUID | None = session.execute(_OLDEST, {"bulk": bulk_id}).scalar_one()
    return item_id


def following(session: Session, bulk_id: UUID, wanted: Bulk, after: UUID | None) -> list[UUID]:
    """Return the next items that the bulk has not met.

    A retry begins with the oldest: a task can run only if what it depends on is retried first. Everything else begins
    with the newest: those that depend on others are cancelled themselves before they would fail by them.
    """
    sign, order = (">", "ASC") if wanted.action == "retry" else ("<", "DESC")
    statement = _FOLLOWING.format(behind="" if after is None else f"AND item_id {sign} :after", order=order)
    ids = list(session.scalars(text(statement), {"bulk": bulk_id, "after": after, "limit": CHANGED_AT_ONCE}))
    return ids[: _fitting(session, ids)] if wanted.action == "reingest" else ids


def _fitting(session: Session, ids: Sequence[UUID]) -> int:
    """Return how many of the first tasks have no more bytes together than PAYLOADS_AT_ONCE, but one at least."""
    total = 0
    # One after the other: PostgreSQL is not to unpack what is left for the next page.
    for count, task_id in enumerate(ids):
        total += session.execute(_BYTES, {"id": task_id}).scalar_one_or_none() or 0
        if total > PAYLOADS_AT_ONCE:
            return max(count, 1)
    return len(ids)


def record(session: Session, bulk_id: UUID, outcomes: Sequence[Outcome]) -> None:
    """Write down what became of items, in the transaction that changes them."""
    # A reason that has its Chinese with it is kept in English alone.
    rows = [asdict(outcome) | {"refused": outcome.refused and str(outcome.refused)} for outcome in outcomes]
    session.execute(_RECORD, {"bulk": bulk_id, "outcomes": json_of(rows)})


def totals(session: Session, bulk_id: UUID) -> Totals:
    """Return how far a bulk is."""
    (row,) = database.rows(session, _TOTALS, {"bulk": bulk_id})
    return row


def page(session: Session, bulk_id: UUID, *, limit: int, before: UUID | None) -> list[Item]:
    """Return items, newest first; `before` is the last of the page before."""
    return database.rows(session, _PAGE, {"bulk": bulk_id, "limit": limit, "before": before or LAST_ID})


_COLLECT = """
    INSERT INTO bulk_items (bulk_id, item_id) SELECT :bulk, id FROM ({rows}) AS fitting
    ON CONFLICT DO NOTHING
"""

_NAMED = "SELECT unnest(CAST(:ids AS uuid[])) AS id"

_OLDEST = text("SELECT (SELECT item_id FROM bulk_items WHERE bulk_id = :bulk ORDER BY item_id LIMIT 1)")

_FOLLOWING = """
    SELECT item_id FROM bulk_items WHERE bulk_id = :bulk AND changed IS NULL {behind}
    ORDER BY item_id {order} LIMIT :limit
"""

_BYTES = text("SELECT octet_length(CAST(payload AS text)) FROM tasks WHERE id = :id")

#: What was deleted meanwhile has no status.
_RECORD = text(
    """
    UPDATE bulk_items SET
        changed = given.changed, run = tasks.run, before = given.before, after = given.after,
        refused = CASE WHEN NOT given.changed
            THEN coalesce(given.refused, 'it is ' || tasks.status, 'it was deleted meanwhile') END
    FROM json_to_recordset(CAST(:outcomes AS json)) AS given(
        item_id uuid, changed boolean, before smallint, after smallint, refused text)
    LEFT JOIN tasks ON tasks.id = given.item_id
    WHERE bulk_items.bulk_id = :bulk AND bulk_items.item_id = given.item_id
    """
)

_TOTALS = Statement(
    """
    SELECT count(*) AS items, count(changed) AS met, count(*) FILTER (WHERE changed) AS changed
    FROM bulk_items WHERE bulk_id = :bulk
    """,
    Totals,
)

_PAGE = Statement(
    """
    SELECT item_id, changed, run, before, after, refused FROM bulk_items WHERE bulk_id = :bulk AND item_id < :before
    ORDER BY item_id DESC LIMIT :limit
    """,
    Item,
)
