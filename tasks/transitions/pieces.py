"""Pieces of SQL that the transitions share, made from `tasks.lifecycle`."""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

from tasks.lifecycle import BLANK, CLAIM, transition


class Waiting(NamedTuple):
    """A task that waits for a worker."""

    id: UUID
    task_type: str
    stage: str
    queue: str
    priority: int
    attempt: int
    timeout: float
    request_id: str | None
    traceparent: str | None


#: The columns of `Waiting`.
WAITING = ", ".join(Waiting._fields)


def resets(name: str) -> str:
    """Return what a transition resets, for the SET of its UPDATE."""
    return _blanked(transition(name).resets)


def _blanked(columns: tuple[str, ...]) -> str:
    return ", ".join(f"{column} = {BLANK[column]}" for column in columns)


#: What a row has that no worker holds any more, a task's or a shard's.
RELEASED = _blanked(CLAIM)


def own(row: str = "", source: str = "") -> str:
    """Return the fence: the condition that a task is still held by the claim of `:worker` that writes it.

    Parameters:
      row: the alias of `tasks`, if it has one.
      source: the alias of what names `task_id` and `attempt`; without one they are `:id` and `:attempt`.
    """
    column = f"{row}." if row else ""
    task, attempt = (f"{source}.task_id", f"{source}.attempt") if source else (":id", ":attempt")
    return f"{column}id = {task} AND {column}attempt = {attempt} AND {column}worker_id = :worker"


def own_shard() -> str:
    """Return the same of a shard, which is number `:index` of the stage `:stage`."""
    return f"task_{own()} AND stage = :stage AND index = :index"
