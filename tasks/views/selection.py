"""The tasks of a filter, newest first, each answered from an index of its own however many tasks there are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from broker.topology import PRIORITIES
from models.base import FIRST_ID, LAST_ID, id_at
from models.task import CODE, IN_A_KB, KB, NOT_COMPLETED, OF_KB, PARTS, READY
from models.trouble import TOOK_TOO_LONG, code_of
from sentences import say
from tasks.input.fields import NOT_COMPLETED as FAILED_OR_CANCELLED
from tasks.input.fields import WHERE, Filter
from tasks.lifecycle import ENDED, OPEN, Status
from tasks.types import all_types

#: An id may have been made so long before its row: an upload gets its own before its first byte comes. And so much
#: later, by the clock of another machine.
EARLIER, LATER = timedelta(hours=1), timedelta(minutes=1)
#: Tasks that are counted at most: a person who reads "10,000 and more" wants no more of them looked at.
MOST_COUNTED = 10_000
#: Milliseconds of a statement that somebody waits for before a page.
PATIENCE = 2000

Doing = Literal["search", "find", "count"]

_NEWER, _OLDER = "CAST(:after AS uuid)", "CAST(:before AS uuid)"


class TooMany(Exception):
    """A filter that cannot be answered while somebody waits: too few of too many fit it, or too many to count.

    Parameters:
      doing: what cannot be done: a search for tasks, finding anything else, or counting.
    """

    def __init__(self, doing: Doing) -> None:
        seconds = PATIENCE // 1000
        if doing == "count":
            super().__init__(say("too_many_to_count", seconds=seconds))
        elif doing == "find":
            super().__init__(say("too_many_to_find", seconds=seconds))
        else:
            super().__init__(say("too_many_tasks", seconds=seconds))


@dataclass(frozen=True, slots=True)
class Count:
    """How many tasks fit a filter.

    Parameters:
      capped: there are at least so many.
    """

    count: int
    capped: bool


def ids(session: Session, chosen: Filter, *, limit: int, before: UUID | None = None) -> list[UUID]:
    """Return the ids of tasks of a filter, newest first.

    Parameters:
      before: the id that the page before ended with; ids sort by time.
    """
    statement, values = select_ids(chosen, limit, before)
    return list(session.scalars(text(statement), values))


def count(session: Session, chosen: Filter, most: int = MOST_COUNTED) -> Count:
    """Count the tasks that fit a filter, up to a bound.

    Raises:
      TooMany: it took too long.
    """
    statement, values = select_ids(chosen, most + 1)
    with hasty("count") as limit:
        number = session.execute(text(f"{limit} SELECT count(*) FROM ({statement}) AS chosen"), values).scalar_one()
    return Count(min(number, most), number > most)


@contextmanager
def hasty(doing: Doing = "search") -> Iterator[str]:
    """Give what stands before a statement that somebody waits for, and say it plainly when that takes too long.

    Parameters:
      doing: as for `TooMany`.

    Raises:
      TooMany: it did.
    """
    try:
        yield f"SET LOCAL statement_timeout = {PATIENCE};"
    except OperationalError as error:
        if code_of(error) == TOOK_TOO_LONG:
            raise TooMany(doing) from None
        raise


@contextmanager
def hurried(session: Session, doing: Doing) -> Iterator[None]:
    """Do the same for all statements from here to the end of the transaction.

    Raises:
      TooMany: one of them took too long.
    """
    with hasty(doing) as limit:
        session.execute(text(limit))
        yield


def select_ids(chosen: Filter, limit: int, before: UUID | None = None) -> tuple[str, dict[str, object]]:
    """Write the statement that selects the ids of a page, newest first, with its values.

    Rows are compared as an index orders them: PostgreSQL then does not filter the whole table in the order of its ids.
    """
    values = chosen.model_dump(exclude_none=True, exclude={"status"})
    if chosen.priority is not None:
        values["priority"] = PRIORITIES[chosen.priority]
    sources = " UNION ALL ".join(f"({source})" for source in _sources(chosen))
    # Types that are never in the queue; one that only a later release knows may be.
    elsewhere = [
        name for name, kind in all_types().items() if all(stage.queue != chosen.queue for stage in kind.stages)
    ]
    values |= {
        "elsewhere": elsewhere,
        "limit": limit,
        "statuses": list(map(str, chosen.statuses())),
        **_bounds(chosen, before),
    }
    return f"SELECT id FROM ({sources}) AS found ORDER BY id DESC LIMIT :limit", values


def _bounds(chosen: Filter, before: UUID | None) -> Mapping[str, UUID]:
    """Return between which ids the page lies: what finished before a moment was created before it as well."""
    ends = [moment + LATER for moment in (chosen.created_before, chosen.finished_before) if moment is not None]
    return {
        "before": min([before or LAST_ID, *map(id_at, ends)]),
        "after": FIRST_ID if chosen.created_after is None else id_at(chosen.created_after - EARLIER),
    }


def _sources(chosen: Filter) -> list[str]:
    """Write the selects that together find every task of a filter."""
    conditions = _conditions(chosen)
    for name, where in WHERE.items():
        if where.index is not None and getattr(chosen, name) is not None:
            return [_newest((where.index,), (f":{name}",), conditions)]
    if chosen.document_id is not None:
        ended = _newest(("kb_id", "subject"), (":kb_id", ":document_id"), f"{_ENDED} AND {conditions}")
        return [_unordered(f"{_OPEN} AND {conditions}"), ended]
    lately = chosen.finished_after is not None and set(chosen.statuses()) <= set(FAILED_OR_CANCELLED)
    # Of an error few may be of a stage or format: those of a time are looked through rather than all that there are.
    is_rare = lately and (chosen.stage is not None or chosen.format is not None)
    if chosen.error_code is not None and chosen.kb_id is None and not is_rare:
        return [_newest((CODE,), (":error_code",), f"{CODE} = :error_code AND {NOT_COMPLETED} AND {conditions}")]
    if chosen.error_code is None and (chosen.queue is not None or chosen.priority is not None):
        if Status.QUEUED not in chosen.statuses():
            return [_in_parts(chosen)]
        held = _unordered(f"worker_id IS NOT NULL AND {conditions}")
        return [_ready(chosen), held, _in_parts(chosen, "part.status = 'waiting'")]
    if lately:
        return [_unordered(f"{NOT_COMPLETED} AND {conditions}")]
    if chosen.model_dump(exclude_none=True).keys() - {"created_after", "created_before"}:
        return [_in_parts(chosen)]
    return [_newest((), (), conditions)]


def _conditions(chosen: Filter, but: Set[str] = frozenset()) -> str:
    """Write what a task must be.

    Parameters:
      but: what a part of an index says already. Said again it would have PostgreSQL begin its search there, and not at
        the end of the part.
    """
    parameters = chosen.model_dump(exclude_none=True, exclude=set(but))
    return " AND ".join(WHERE[name].condition for name in parameters) or "true"


_OPEN, _ENDED = (
    f"subject IS NOT NULL AND status IN ({', '.join(repr(str(status)) for status in statuses)})"
    for statuses in (OPEN, ENDED)
)


def _newest(columns: Sequence[str], part: Sequence[str], conditions: str) -> str:
    """Select the newest of one part of an index that these columns and the id order."""
    index = ", ".join([*columns, "id"])
    newer, older = (", ".join([*part, end]) for end in (_NEWER, _OLDER))
    order = ", ".join(f"{column} DESC" for column in (*columns, "id"))
    return f"""
        SELECT id FROM tasks WHERE ({index}) >= ({newer}) AND ({index}) < ({older}) AND {conditions}
        ORDER BY {order} LIMIT :limit
    """


def _unordered(conditions: str) -> str:
    """Select the newest of what an index finds in another order: all of it is looked at."""
    # OFFSET keeps PostgreSQL from looking for it in the order of ids.
    return f"""
        SELECT id FROM (SELECT id FROM tasks WHERE {conditions} OFFSET 0) AS found
        WHERE id >= {_NEWER} AND id < {_OLDER} ORDER BY id DESC LIMIT :limit
    """


def _in_parts(chosen: Filter, which: str = "true") -> str:
    """Select the newest of each status and task type, or of those in a KB."""
    conditions = _conditions(chosen, {"kb_id", "status", "task_type"})
    columns, part = ["status", "task_type"], ["part.status", "part.task_type"]
    if chosen.task_type is not None:
        which += " AND part.task_type = :task_type"
    if chosen.queue is not None:
        which += " AND part.task_type <> ALL(CAST(:elsewhere AS text[]))"
    if chosen.kb_id is not None:
        columns, part, conditions = ["kb_id", *columns], [":kb_id", *part], f"{IN_A_KB} AND {conditions}"
    return f"""
        SELECT newest.id FROM ({PARTS.format(of_kb=OF_KB if chosen.kb_id is not None else "")}) AS part
        CROSS JOIN LATERAL ({_newest(columns, part, conditions)}) AS newest
        WHERE {which}
    """


def _ready(chosen: Filter) -> str:
    """Select the newest of each queue, priority and KB in which tasks are ready; these are walked one by one."""
    conditions = _conditions(chosen, {"kb_id", "queue", "priority"})
    place = f"SELECT queue, priority, {KB} AS kb FROM tasks WHERE {READY}"
    ordered = f"ORDER BY queue, priority, {KB} LIMIT 1"
    columns, part = ("queue", "priority", KB), ("place.queue", "place.priority", "place.kb")
    named = {"queue": "queue", "priority": "priority", "kb_id": "kb"}
    which = " AND ".join(f"place.{of} = :{name}" for name, of in named.items() if getattr(chosen, name) is not None)
    return f"""
        WITH RECURSIVE place AS (
            ({place} {ordered})
            UNION ALL
            SELECT following.* FROM place CROSS JOIN LATERAL (
                {place} AND (queue, priority, {KB}) > (place.queue, place.priority, place.kb) {ordered}
            ) AS following
        )
        SELECT newest.id FROM place
        CROSS JOIN LATERAL ({_newest(columns, part, f"{READY} AND {conditions}")}) AS newest
        WHERE {which}
    """
