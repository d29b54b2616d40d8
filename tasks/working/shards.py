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
from typing import Any
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from models import Shard
from models.shard import FREE, HAS_UNFINISHED, TAKEN
from tasks.dispatching import dispatch
from tasks.ending import shard_repair
from tasks.lifecycle import sources, target
from tasks.process import process_id
from tasks.transactions.unit import Unit
from tasks.transitions.sharing import COUNT_SHARDS, DIVIDE, GIVE_UP_SHARD, JOIN, NOTE_SHARD_RETRY, OFFER_SHARD
from tasks.types import task_type
from tasks.working import fence
from tasks.working.claim import Advance, Claim, Key, Range


def ranges(units: int, size: int) -> list[tuple[int, int]]:
    """Divide so many units among as few shards as hold at most `size` each, about equally large."""
    count = max(1, -(-units // size))
    return list(pairwise(units * each // count for each in range(count + 1)))


def divide(unit: Unit, divided: Sequence[Advance]) -> None:
    """Divide stages into shards, and offer these to all workers; those that another attempt has done stay done."""
    for each in divided:
        if not fence.is_held(unit.session, each.claim, "FOR UPDATE"):
            continue
        stage = {"id": each.claim.task_id, "stage": each.claim.stage}
        if each.anew:
            unit.session.execute(_FORGET_STAGE, stage)
        if not unit.session.execute(_RESET, stage).rowcount:  # type: ignore[attr-defined]
            unit.session.execute(
                _INSERT,
                stage | {"firsts": [first for first, _ in each.shards], "lasts": [last for _, last in each.shards]},
            )
        queue = unit.session.execute(DIVIDE, stage | _states("divide")).scalar_one()
        _total(unit, [each.claim])
        dispatch.announce(unit, [queue])


def take(unit: Unit, claims: Sequence[Claim]) -> list[Claim]:
    """Exchange the claims of divided stages for claims of a shard; the task is offered on while one is free.

    Returns:
      the claims of shards, and those of stages of which only the joining is left; none where all shards are taken.
    """
    ids = [each.task_id for each in claims]
    rows = unit.session.execute(_TAKE, {"ids": ids, "worker": process_id()}).all()
    taken = {row.task_id: row for row in rows}
    unfinished = {row.id for row in unit.session.execute(_UNFINISHED, {"ids": ids})}
    offered = unit.execute(OFFER_SHARD, {"ids": sorted(unfinished), "worker": process_id(), "nobody": TAKEN})
    unit.ready(row for row in offered if row.is_ready)
    joins = [replace(each, joins=True) for each in claims if each.task_id not in unfinished]
    return [_of_shard(each, taken[each.task_id]) for each in claims if each.task_id in taken] + joins


def _of_shard(claim: Claim, row: Any) -> Claim:
    return replace(
        claim,
        attempt=row.attempt,
        errors=row.errors,
        crashes=row.crashes,
        deaths=row.deaths,
        shard=Range(row.shard, row.first, row.last),
    )


def finish(unit: Unit, done: Sequence[Advance]) -> dict[Key, Claim]:
    """Write down shards that are done.

    Returns:
      by the key of a claim with which the last shard of a task was done, the claim of the whole stage: its worker
      joins them.
    """
    if not done:
        return {}
    claims = [each.claim for each in done]
    _lock(unit, claims)
    own = [
        unit.session.execute(_FINISH, _fence(each.claim) | {"result": each.part}).first() is not None for each in done
    ]
    _total(unit, claims)
    ids = [each.task_id for each in claims]
    over = set(ids) - {row.id for row in unit.session.execute(_UNFINISHED, {"ids": ids})}
    over &= {claim.task_id for claim, ours in zip(claims, own, strict=True) if ours}
    values = _states("join") | {"ids": sorted(over), "worker": process_id(), "nobody": TAKEN}
    joined = {row.id: row for row in unit.session.execute(JOIN, values)} if over else {}
    last = {claim.task_id: claim for claim, ours in zip(claims, own, strict=True) if ours}
    return {last[each].key: _of_whole(last[each], row) for each, row in joined.items()}


def _of_whole(claim: Claim, row: Any) -> Claim:
    counts = {"attempt": row.attempt, "errors": row.errors, "crashes": row.crashes, "deaths": row.deaths}
    return replace(claim, shard=None, joins=True, lost=False, **counts)


def report(unit: Unit, reports: Sequence[tuple[Claim, int]]) -> set[Key]:
    """Write how many of its units each shard has done, and so the task. Returns the keys of those still held."""
    if not reports:
        return set()
    claims = [claim for claim, _ in reports]
    _lock(unit, claims)
    own = [unit.session.execute(_REPORT, _fence(claim) | {"done": done}).first() is not None for claim, done in reports]
    _total(unit, claims)
    return {claim.key for claim, ours in zip(claims, own, strict=True) if ours}


def put_off(unit: Unit, claim: Claim, delay: timedelta, *, crashed: bool, error: str | None) -> bool:
    """Make the next attempt at a shard due later; the others go on. Returns whether it was still held."""
    _lock(unit, [claim])
    if not _let_go(unit, claim, delay, errors=int(not crashed), crashes=int(crashed)):
        return False
    unit.session.execute(NOTE_SHARD_RETRY, {"id": claim.task_id, "error": error})
    return True


def _let_go(unit: Unit, claim: Claim, delay: timedelta, *, errors: int, crashes: int) -> bool:
    values = _fence(claim) | {"delay": delay, "errors": errors, "crashes": crashes}
    return unit.session.execute(_LET_GO, values).first() is not None


def is_held(unit: Unit, claim: Claim) -> bool:
    """Return whether a shard is still the claim's own; it stays so until this transaction ends."""
    _lock(unit, [claim])
    return fence.is_held(unit.session, claim)


def give_up(unit: Unit, task_id: UUID, worker: UUID) -> int | None:
    """Give the whole of a divided task to the worker of a shard, so that its end passes the same fence as every other.

    Returns:
      the attempt of that claim; None where the task is not divided any more.
    """
    attempt: int | None = unit.session.execute(
        GIVE_UP_SHARD, {"id": task_id, "worker": worker, "sources": list(sources("fail"))}
    ).scalar()
    return attempt


def hand_back(unit: Unit, claims: Sequence[Claim]) -> set[Key]:
    """Give shards back unharmed, and offer them again. Returns the keys of those that were still held."""
    if not claims:
        return set()
    _lock(unit, claims)
    back = {each.key for each in claims if _let_go(unit, each, timedelta(0), errors=0, crashes=0)}
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


def _states(transition: str) -> dict[str, Any]:
    return {"sources": list(sources(transition)), "target": target(transition)}


def _fence(claim: Claim) -> dict[str, Any]:
    """Return what tells a shard that is still the claim's own from one that is not."""
    assert claim.shard is not None
    return {
        "id": claim.task_id,
        "stage": claim.stage,
        "index": claim.shard.index,
        "attempt": claim.attempt,
        "worker": process_id(),
    }


def _lock(unit: Unit, claims: Sequence[Claim]) -> None:
    unit.session.execute(_LOCK, {"ids": [each.task_id for each in claims]})


def _total(unit: Unit, claims: Sequence[Claim]) -> None:
    """Sum up what the shards of tasks have done; progress never falls."""
    stages = {(each.task_id, each.stage): each.task_type for each in claims}
    for (task_id, stage), kind in stages.items():
        start, end = (task_type(kind).progress(stage, share) for share in (0, 1))
        unit.session.execute(COUNT_SHARDS, {"id": task_id, "stage": stage, "start": start, "end": end})


_OWN = "task_id = :id AND stage = :stage AND index = :index AND attempt = :attempt AND worker_id = :worker"

_LOCK = text("SELECT id FROM tasks WHERE id = ANY(CAST(:ids AS uuid[])) ORDER BY id FOR UPDATE")

_FORGET_STAGE = text("DELETE FROM shards WHERE task_id = :id AND stage = :stage")

#: An earlier attempt's ranges stay as they are: what is done of them is known by them.
_RESET = text(
    """
    UPDATE shards SET
        worker_id = NULL, claimed_at = NULL, attempt = attempt + 1, due_at = now(), errors = 0, crashes = 0, deaths = 0
    WHERE task_id = :id AND stage = :stage
    """
)

_INSERT = text(
    """
    INSERT INTO shards (task_id, stage, index, first, last)
    SELECT :id, :stage, place - 1, first, last
    FROM unnest(CAST(:firsts AS integer[]), CAST(:lasts AS integer[])) WITH ORDINALITY AS given(first, last, place)
    """
)

_TAKE = text(
    f"""
    UPDATE shards AS s SET worker_id = :worker, claimed_at = now(), attempt = s.attempt + 1
    FROM (
        SELECT DISTINCT ON (t.id) t.id, s.stage, s.index
        FROM shards AS s JOIN tasks AS t ON t.id = s.task_id AND t.stage = s.stage
        WHERE t.id = ANY(CAST(:ids AS uuid[])) AND {FREE}
        ORDER BY t.id, s.index
    ) AS free
    WHERE s.task_id = free.id AND s.stage = free.stage AND s.index = free.index
    RETURNING s.task_id, s.index AS shard, s.first, s.last, s.attempt, s.errors, s.crashes, s.deaths
    """
)

_UNFINISHED = text(f"SELECT t.id FROM tasks AS t WHERE t.id = ANY(CAST(:ids AS uuid[])) AND {HAS_UNFINISHED}")

_FINISH = text(
    f"""
    UPDATE shards SET
        done_at = now(), units_done = last - first, worker_id = NULL, claimed_at = NULL, result = :result
    WHERE {_OWN} RETURNING index
    """
)

_REPORT = text(f"UPDATE shards SET units_done = greatest(units_done, :done) WHERE {_OWN} RETURNING index")

_LET_GO = text(
    f"""
    UPDATE shards SET
        worker_id = NULL, claimed_at = NULL, due_at = now() + :delay,
        errors = errors + :errors, crashes = crashes + :crashes
    WHERE {_OWN} RETURNING index
    """
)
