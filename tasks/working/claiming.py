"""Claiming: a thread takes the stage that it runs next, and the attempt is counted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from models import Task, database
from models.base import json_of
from models.statement import Statement
from settings import settings
from tasks.dispatching import concurrency, dispatch
from tasks.dispatching.dispatch import Queues
from tasks.lifecycle import sources, target
from tasks.process import process_id
from tasks.transactions.unit import Unit
from tasks.transitions.claiming import CLAIM, Claimed
from tasks.types import known
from tasks.working import shards
from tasks.working.claim import Claim, Key, Wanted


def take(unit: Unit, wanted: Queues, threads: int, *, woken: int) -> list[list[Claim]]:
    """Claim what so many threads of this process run next.

    Parameters:
      woken: how many of them were idle until a message came; see `_wake_others`.

    Returns:
      for each thread its claims: one, or a bundle of quick ones, or none.
    """
    most = concurrency.places(unit) if concurrency.is_short() else None
    if most == 0:
        return [[] for _ in range(threads)]
    rows = dispatch.next_tasks(unit, wanted, threads, most)
    picked = [row for row in rows if row.picked]
    claims = claim(unit, [Wanted(row.id, row.stage) for row in picked]) if picked else []
    shared: list[list[Claim]] = [[] for _ in range(threads)]
    filled, thread = 0, 0
    for row, claimed in zip(picked, claims, strict=True):
        if claimed is None:
            continue
        if filled + row.share > dispatch.WHOLE and filled:
            filled, thread = 0, min(thread + 1, threads - 1)
        shared[thread].append(claimed)
        filled += row.share
    if _wake_others(woken, threads, taken=bool(picked), idle=not all(shared)):
        unit.ready([row for row in rows if not row.picked][: dispatch.WAKES])
    return shared


def _wake_others(woken: int, threads: int, *, taken: bool, idle: bool) -> bool:
    """Return whether messages are needed for what waits besides what was taken.

    Who was woken wakes others, and so does a thread that gets nothing, since others were at the same rows or they have
    to wait. But where nothing at all was to be had, as when one transaction has locked what waits, only threads that
    end their work leave a message: else each that is woken for nothing would wake two more.
    """
    return (woken > 0 or idle) if taken else woken < threads


def claim(unit: Unit, wanted: Sequence[Wanted]) -> list[Claim | None]:
    """Take stages for this process, and count the attempts.

    Returns:
      for each wish a claim, or None where the row says otherwise: ended, held by another, at another stage,
      expired, in a queue that is paused, beyond MAX_CONCURRENT_TASKS, of a document that another task works on,
      or of a type that this release does not know; that goes back to the dispatch.
    """
    wishes: dict[str, object] = {"wishes": json_of([{"task_id": wish.task_id, "stage": wish.stage} for wish in wanted])}
    places = concurrency.places(unit) if concurrency.is_short() else None
    rows = _take(unit, wishes, places)
    if not rows and places is None and (places := concurrency.places(unit)) is not None:
        rows = _take(unit, wishes, places)
    claims = [_claim(row) for row in rows]
    unit.claimed(row.id for row in rows)
    if divided := {row.id for row in rows if row.shards}:
        whole = [claim for claim in claims if claim.task_id not in divided]
        claims = whole + shards.take(unit, [claim for claim in claims if claim.task_id in divided])
    # What is wished for twice is claimed once.
    by_stage = {(claim.task_id, claim.stage): claim for claim in claims}
    return [by_stage.pop((wish.task_id, wish.stage), None) for wish in wanted]


def _take(unit: Unit, wishes: dict[str, object], places: int | None) -> Sequence[Claimed]:
    """Claim what may be claimed; nothing where `places` is None though they may be short."""
    return unit.execute(
        CLAIM,
        wishes
        | {
            "worker": process_id(),
            "sources": list(sources("claim")),
            "target": target("claim"),
            "stood_back": target("stand_back"),
            "places": places,
            "most": settings().max_concurrent_tasks,
            "known": known(),
        },
    )


def _claim(row: Claimed) -> Claim:
    return Claim(
        row.id,
        row.task_type,
        row.stage,
        row.attempt,
        row.kb_id,
        row.payload,
        row.timeout,
        row.retry_limit,
        row.errors,
        row.crashes,
        row.deaths,
        returns=row.returns,
        submitted_at=row.created_at,
        metadata=row.metadata,
        paused=row.paused,
        waited=row.waited,
        request_id=row.request_id,
        traceparent=row.traceparent,
    )


def still_held(session: Session) -> set[Key]:
    """Return what this process holds by the rows, as the keys of its claims."""
    rows = database.rows(session, _HELD, {"worker": process_id()})
    return {(row.id, None, row.attempt) for row in rows} | shards.held(session)


def source_headers(session: Session, claim: Claim) -> dict[str, str] | None:
    """Return what a task's URL is to be fetched with; None where it is kept no longer."""
    return session.scalar(select(Task.source_headers).where(Task.id == claim.task_id))


class Held(NamedTuple):
    """A task that a worker holds."""

    id: UUID
    attempt: int


_HELD = Statement("SELECT id, attempt FROM tasks WHERE worker_id = :worker", Held)
