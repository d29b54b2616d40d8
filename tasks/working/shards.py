"""A stage that several workers share: it is divided into shards, which are claimed one by one and joined once.

The task's row stays what the dispatch sees. While a shard is free, the row offers it: it is ready, whoever claims it
gets a shard, and the row offers the next. While all shards are taken, the row belongs to nobody (`TAKEN`). Whoever
finishes the last one claims the row in the same transaction, and goes on with the stage as a whole. So priorities,
fairness, pauses and messages are the dispatch's alone, here as everywhere.

Every function locks the task's row before its shards.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from models import Shard
from models.shard import TAKEN
from tasks.dispatching import dispatch
from tasks.ending import shard_repair
from tasks.lifecycle import sources, target
from tasks.process import process_id
from tasks.transactions.unit import Unit
from tasks.transitions import shards as transitions
from tasks.transitions.sharing import COUNT_SHARDS, DIVIDE, GIVE_UP_SHARD, JOIN, NOTE_SHARD_RETRY, OFFER_SHARD, Joined
from tasks.types import task_type
from tasks.working import fence
from tasks.working.claim import Advance, Claim, Key, Range


def ranges(units: int, size: int) -> list[tuple[int, int]]:
    """Divide so many units among as few shards as hold at most `size` each, about equally large."""
    count = max(1, -(-units // size))
    return list(pairwise(units * index // count for index in range(count + 1)))


def divide(unit: Unit, divided: Sequence[Advance]) -> None:
    """Divide stages into shards, and offer these to all workers; those that another attempt has done stay done."""
    for outcome in divided:
        if not fence.is_held(unit.session, outcome.claim, "FOR UPDATE"):
            continue
        stage: dict[str, object] = {"id": outcome.claim.task_id, "stage": outcome.claim.stage}
        if outcome.anew:
            unit.execute(transitions.FORGET_STAGE, stage)
        if not unit.execute(transitions.RESET, stage):
            unit.execute(
                transitions.INSERT,
                stage
                | {"firsts": [first for first, _ in outcome.shards], "lasts": [last for _, last in outcome.shards]},
            )
        (row,) = unit.execute(DIVIDE, stage | _states("divide"))
        _total(unit, [outcome.claim])
        dispatch.announce(unit, [row.queue])


def take(unit: Unit, claims: Sequence[Claim]) -> list[Claim]:
    """Exchange the claims of divided stages for claims of a shard; the task is offered on while one is free.

    Returns:
      the claims of shards, and those of stages of which only the joining is left; none where all shards are taken.
    """
    ids = [claim.task_id for claim in claims]
    rows = unit.execute(transitions.TAKE, {"ids": ids, "worker": process_id()})
    taken = {row.task_id: row for row in rows}
    unfinished = {row.id for row in unit.execute(transitions.UNFINISHED, {"ids": ids})}
    offered = unit.execute(OFFER_SHARD, {"ids": sorted(unfinished), "worker": process_id(), "nobody": TAKEN})
    unit.ready(offered)
    joins = [replace(claim, joins=True) for claim in claims if claim.task_id not in unfinished]
    shards = [
        replace(_again(claim, row), shard=Range(row.shard, row.first, row.last))
        for claim in claims
        if (row := taken.get(claim.task_id))
    ]
    return shards + joins


def _again(claim: Claim, row: transitions.Taken | Joined) -> Claim:
    """Return a claim of the same task with the attempt of a row, and what went wrong before it."""
    return replace(claim, attempt=row.attempt, errors=row.errors, crashes=row.crashes, deaths=row.deaths)


def finish(unit: Unit, done: Sequence[Advance]) -> dict[Key, Claim]:
    """Write down shards that are done.

    Returns:
      by the key of a claim with which the last shard of a task was done, the claim of the whole stage: its worker
      joins them.
    """
    if not done:
        return {}
    claims = [outcome.claim for outcome in done]
    _lock(unit, claims)
    own = [
        bool(unit.execute(transitions.FINISH, fence.fenced(outcome.claim) | {"result": outcome.part}))
        for outcome in done
    ]
    _total(unit, claims)
    ids = [claim.task_id for claim in claims]
    over = set(ids) - {row.id for row in unit.execute(transitions.UNFINISHED, {"ids": ids})}
    over &= {claim.task_id for claim, ours in zip(claims, own, strict=True) if ours}
    values = _states("join") | {"ids": sorted(over), "worker": process_id(), "nobody": TAKEN}
    joined = {row.id: row for row in unit.execute(JOIN, values)} if over else {}
    last = {claim.task_id: claim for claim, ours in zip(claims, own, strict=True) if ours}
    return {
        last[task_id].key: replace(_again(last[task_id], row), shard=None, joins=True, lost=False)
        for task_id, row in joined.items()
    }


def report(unit: Unit, reports: Sequence[tuple[Claim, int]]) -> set[Key]:
    """Write how many of its units each shard has done, and so the task. Returns the keys of those still held."""
    if not reports:
        return set()
    claims = [claim for claim, _ in reports]
    _lock(unit, claims)
    own = [bool(unit.execute(transitions.REPORT, fence.fenced(claim) | {"done": done})) for claim, done in reports]
    _total(unit, claims)
    return {claim.key for claim, ours in zip(claims, own, strict=True) if ours}


def put_off(unit: Unit, claim: Claim, delay: timedelta, *, crashed: bool, error: str | None) -> bool:
    """Make the next attempt at a shard due later; the others go on. Returns whether it was still held."""
    _lock(unit, [claim])
    if not _let_go(unit, claim, delay, errors=int(not crashed), crashes=int(crashed)):
        return False
    unit.execute(NOTE_SHARD_RETRY, {"id": claim.task_id, "error": error})
    return True


def _let_go(unit: Unit, claim: Claim, delay: timedelta, *, errors: int, crashes: int) -> bool:
    values = fence.fenced(claim) | {"delay": delay, "errors": errors, "crashes": crashes}
    return bool(unit.execute(transitions.PUT_OFF, values))


def is_held(unit: Unit, claim: Claim) -> bool:
    """Return whether a shard is still the claim's own; it stays so until this transaction ends."""
    _lock(unit, [claim])
    return fence.is_held(unit.session, claim)


def give_up(unit: Unit, task_id: UUID, worker: UUID) -> int | None:
    """Give the whole of a divided task to the worker of a shard, so that its end passes the same fence as every other.

    Returns:
      the attempt of that claim; None where the task is not divided any more.
    """
    rows = unit.execute(GIVE_UP_SHARD, {"id": task_id, "worker": worker, "sources": list(sources("fail"))})
    return rows[0].attempt if rows else None


def hand_back(unit: Unit, claims: Sequence[Claim]) -> set[Key]:
    """Give shards back unharmed, and offer them again. Returns the keys of those that were still held."""
    if not claims:
        return set()
    _lock(unit, claims)
    back = {claim.key for claim in claims if _let_go(unit, claim, timedelta(0), errors=0, crashes=0)}
    shard_repair.offer(unit)
    return back


def held(session: Session) -> set[Key]:
    """Return the shards that this process holds by the rows."""
    columns = select(Shard.task_id, Shard.index, Shard.attempt)
    return {(*row,) for row in session.execute(columns.where(Shard.worker_id == process_id()))}


def result(session: Session, claim: Claim, index: int) -> bytes | None:
    """Return what a shard has left to whoever joins; None where there is no such shard."""
    return session.scalar(
        select(Shard.result).where(Shard.task_id == claim.task_id, Shard.stage == claim.stage, Shard.index == index)
    )


def _states(transition: str) -> dict[str, object]:
    return {"sources": list(sources(transition)), "target": target(transition)}


def _lock(unit: Unit, claims: Sequence[Claim]) -> None:
    unit.execute(transitions.LOCK, {"ids": [claim.task_id for claim in claims]})


def _total(unit: Unit, claims: Sequence[Claim]) -> None:
    """Sum up what the shards of tasks have done; progress never falls."""
    stages = {(claim.task_id, claim.stage): claim.task_type for claim in claims}
    for (task_id, stage), kind in stages.items():
        start, end = (task_type(kind).progress(stage, share) for share in (0, 1))
        unit.execute(COUNT_SHARDS, {"id": task_id, "stage": stage, "start": start, "end": end})
