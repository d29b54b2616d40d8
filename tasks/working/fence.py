"""The fence: what is written for a claim counts only while the row still says that the claim holds it."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from sqlalchemy.orm import Session

from models import database
from models.statement import OfId, Statement
from tasks.process import process_id
from tasks.transitions import shards, working
from tasks.transitions.pieces import own, own_shard
from tasks.working.claim import Claim

#: What the sessions of a worker call themselves in `pg_stat_activity`, so that those of a dead one can be ended.
SESSIONS = "task-manager worker {id}"


class NotHeld(Exception):
    """The row is no longer the claim's own: what the transaction has written must not be committed."""


Lock = Literal["", "FOR SHARE", "FOR UPDATE"]


def is_held(session: Session, claim: Claim, lock: Lock = "") -> bool:
    """Return whether the row, a shard's for the claim of a shard, is still the claim's own.

    Parameters:
      lock: with one, the answer stays true until the transaction ends.
    """
    statements = _TASK if claim.shard is None else _SHARD
    return bool(database.rows(session, statements[lock], fenced(claim)))


def begin(session: Session, claim: Claim) -> bool:
    """Note that a suspect's work begins, alone in its process: from now on its worker's death counts against it.

    Returns:
      whether the row is still the claim's own.
    """
    return bool(database.rows(session, working.BEGIN if claim.shard is None else shards.BEGIN, fenced(claim)))


def fenced(claim: Claim) -> dict[str, object]:
    """Return the values of the fence: what tells a row that is still the claim's own from one that is not."""
    values = {"id": claim.task_id, "attempt": claim.attempt, "worker": process_id()}
    return values if claim.shard is None else values | {"stage": claim.stage, "index": claim.shard.index}


_LOCKS: tuple[Lock, ...] = ("", "FOR SHARE", "FOR UPDATE")
_TASK = {lock: Statement(f"SELECT id FROM tasks WHERE {own()} {lock}", OfId) for lock in _LOCKS}
_SHARD = {lock: Statement(f"SELECT task_id AS id FROM shards WHERE {own_shard()} {lock}", OfId) for lock in _LOCKS}


def cut_off(session: Session, worker: UUID) -> None:
    """End the sessions of a worker that is taken for dead.

    If it is only stopped, a transaction of its own would keep what it has locked from its successor until it goes on.
    """
    database.rows(session, _CUT_OFF, {"name": SESSIONS.format(id=worker)})


_CUT_OFF = Statement(
    """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE application_name = :name AND datname = current_database() AND usename = current_user
        AND pid <> pg_backend_pid()
    """
)
