"""The fence: what is written for a claim counts only while the row still says that the claim holds it."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from tasks.process import process_id
from tasks.working.claim import Claim

#: What the sessions of a worker call themselves in `pg_stat_activity`, so that those of a dead one can be ended.
SESSIONS = "task-manager worker {id}"


class NotHeld(Exception):
    """The row is no longer the claim's own: what the transaction has written must not be committed."""


def is_held(session: Session, claim: Claim, lock: Literal["", "FOR SHARE", "FOR UPDATE"] = "") -> bool:
    """Return whether the row, a shard's for the claim of a shard, is still the claim's own.

    Parameters:
      lock: with one, the answer stays true until the transaction ends.
    """
    return _is_found(session, claim, f"SELECT FROM {{table}} WHERE {{own}} {lock}")


def begin(session: Session, claim: Claim) -> bool:
    """Note that a suspect's work begins, alone in its process: from now on its worker's death counts against it.

    Returns:
      whether the row is still the claim's own.
    """
    return _is_found(session, claim, "UPDATE {table} SET begun = attempt WHERE {own} RETURNING begun")


def _is_found(session: Session, claim: Claim, statement: str) -> bool:
    values = {"id": claim.task_id, "attempt": claim.attempt, "worker": process_id()}
    table, own = "tasks", "id = :id AND attempt = :attempt AND worker_id = :worker"
    if claim.shard is not None:
        values |= {"stage": claim.stage, "index": claim.shard.index}
        table, own = "shards", f"task_{own} AND stage = :stage AND index = :index"
    return session.execute(text(statement.format(table=table, own=own)), values).first() is not None


def cut_off(session: Session, worker: UUID) -> None:
    """End the sessions of a worker that is taken for dead.

    If it is only stopped, a transaction of its own would keep what it has locked from its successor until it goes on.
    """
    session.execute(_CUT_OFF, {"name": SESSIONS.format(id=worker)})


_CUT_OFF = text(
    """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE application_name = :name AND datname = current_database() AND usename = current_user
        AND pid <> pg_backend_pid()
    """
)
