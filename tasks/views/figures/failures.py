"""Why tasks failed lately, grouped so that each cause is one row, with what can be done about it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from errors import CODES
from models import database
from models.base import Json, rfc3339
from models.statement import Statement
from models.task import CODE, FAILED, FORMAT
from tasks.views import selection

#: Failures that are looked at: the newest.
MOST = 10_000


def failures(session: Session, since: datetime, kb_ids: Sequence[str] | None = None) -> Json:
    """Return the failures since a moment, by code, stage and format; those of which there are most come first.

    Parameters:
      kb_ids: of these KBs alone.

    Raises:
      selection.TooMany: it took too long.
    """
    values = {"since": since, "kb_ids": None if kb_ids is None else list(kb_ids), "most": MOST}
    with selection.hasty() as limit:
        rows = database.rows(session, Statement(f"{limit} {_statement(kb_ids is not None)}", Cause), values)
    as_of: datetime = session.execute(text("SELECT now()")).scalar_one()
    counted = sum(row.tasks for row in rows)
    return {
        "as_of": rfc3339(as_of),
        "since": rfc3339(since),
        "count": counted,
        "capped": counted == MOST,
        "errors": [_shown(row) for row in rows],
    }


class Cause(NamedTuple):
    """Tasks that failed with one code, in one stage, of one format; `example`: the newest of them."""

    code: str
    stage: str | None
    format: str | None
    tasks: int
    kbs: int
    first_at: datetime
    last_at: datetime
    example: UUID
    example_kb: str | None
    message: str | None


def _shown(row: Cause) -> Json:
    known = CODES.get(row.code)
    return {
        "code": row.code,
        "stage": row.stage,
        "format": row.format,
        "count": row.tasks,
        "kbs": row.kbs,
        "first_at": rfc3339(row.first_at),
        "last_at": rfc3339(row.last_at),
        "example": {"task_id": str(row.example), "kb_id": row.example_kb, "message": row.message},
        "hint": known.hint if known else None,
        "hint_zh": known.hint_zh if known else None,
    }


def _statement(of_kbs: bool) -> str:
    """Return the statement for all KBs, or for some. A row is what `tasks.input.fields.Filter` finds by its names."""
    return f"""
        SELECT code, stage, format, count(*) AS tasks, count(DISTINCT kb_id) AS kbs,
            min(finished_at) AS first_at, max(finished_at) AS last_at,
            (array_agg(id ORDER BY finished_at DESC))[1] AS example,
            (array_agg(kb_id ORDER BY finished_at DESC))[1] AS example_kb,
            (array_agg(message ORDER BY finished_at DESC))[1] AS message
        FROM (
            SELECT id, kb_id, finished_at, {CODE} AS code, stage, error->>'message' AS message, {FORMAT} AS format
            FROM tasks
            WHERE {FAILED} AND finished_at > :since
                {"AND kb_id = ANY(:kb_ids)" if of_kbs else ""}
            ORDER BY finished_at DESC LIMIT :most
        ) AS failed
        GROUP BY code, stage, format ORDER BY tasks DESC, last_at DESC
    """
