"""What a worker writes down of its claims: how far a stage is, and that it is done."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.orm import Session

import metrics
from logs import StageEnded, milliseconds
from models import database
from models.base import Json, json_of, trace_id_of
from models.statement import OfId, Statement, prepared
from tasks.accepting import submission
from tasks.dispatching import concurrency
from tasks.ending import ending, shard_repair
from tasks.ending.ending import End
from tasks.lifecycle import sources, target
from tasks.process import process_id
from tasks.transactions.unit import Unit
from tasks.transitions.pieces import own
from tasks.transitions.working import ADVANCE, PASS, REPORT
from tasks.types import task_type
from tasks.working import claiming, shards
from tasks.working.claim import Advance, Answer, Claim, Turn
from tasks.working.fence import NotHeld


def turn(unit: Unit, turns: Sequence[Turn]) -> list[Answer]:
    """Write down what threads have done, and claim what they run next: one transaction for both.

    Returns:
      for each thread what came of it.
    """
    done = [each for given in turns for each in given.done]
    over = iter(advance(unit, done) if done else [])
    answers = [Answer([next(over) for _ in given.done]) for given in turns]
    asking = [position for position, given in enumerate(turns) if given.wanted is not None]
    if asking:
        wanted = turns[asking[0]].wanted
        assert wanted is not None
        woken = sum(turns[position].woken for position in asking)
        shared = claiming.take(unit, wanted, len(asking), woken=woken)
        for position, claims in zip(asking, shared, strict=True):
            answers[position].claims = claims
    if len(done) > sum(len(answer.claims) for answer in answers):
        concurrency.hand_on(unit)
    return answers


def advance(unit: Unit, done: Sequence[Advance]) -> list[bool | Claim]:
    """Write down stages that are done: the next stage becomes ready, or the task completes.

    Whoever takes no part of the next stage in the same transaction wakes another for it.

    Returns:
      for each whether its stage is over by it. It is not where the row was no longer the claim's own, and nothing
      was written; nor where the stage was divided. The last of its shards is answered with the claim of the whole.

    Raises:
      NotHeld: the row of one that has written `first` was no longer its claim's own.
    """
    shards.divide(unit, [each for each in done if each.shards])
    joined = shards.finish(unit, [each for each in done if each.claim.shard])
    own = _advance_whole(unit, [each for each in done if not each.shards and not each.claim.shard])
    return [joined.get(each.claim.key) or each.claim.task_id in own for each in done]


def _advance_whole(unit: Unit, done: Sequence[Advance]) -> set[UUID]:
    for each in done:
        if each.first is not None:
            each.first(unit)
    held = _held(unit, [each.claim for each in done if each.overtakes or each.within or each.members])
    if any(each.first is not None and each.claim.task_id not in held for each in done):
        raise NotHeld
    # Rows before locks of KBs, and these in their order: so nobody holds one that another waits for.
    own_done = sorted((each for each in done if each.claim.task_id in held), key=lambda each: each.claim.kb_id or "")
    for each in own_done:
        if each.overtakes is not None:
            each.result["superseded"] = _overtake(unit, each.claim, each.overtakes)
    for each in own_done:
        if each.within is not None:
            each.result.update(each.within(unit))
        if each.members:
            each.result["batch_id"] = str(submission.submit_members(unit, each.claim.task_id, each.members))
    _pass(unit, [each for each in done if each.passed])
    going_on = [each for each in done if _goes_on(each)]
    ended = [each for each in done if not _goes_on(each)]
    worker = process_id()
    own = _next_stage(unit, going_on) | ending.complete(
        unit, [End(each.claim.task_id, each.claim.attempt, worker, each.result, units=each.units) for each in ended]
    )
    if over := [each.claim.task_id for each in done if each.claim.joins and each.claim.task_id in own]:
        shard_repair.forget(unit.session, over)
    return own


def _goes_on(done: Advance) -> bool:
    return not done.ends and not done.members and task_type(done.claim.task_type).after(done.claim.stage) is not None


def _held(unit: Unit, claims: Sequence[Claim]) -> set[UUID]:
    """Return those of these claims' tasks whose rows are still their own; they stay so until this transaction ends.

    All at once: who holds some, and a lock of a KB besides, never waits for another.
    """
    if not claims:
        return set()
    held = json_of([{"task_id": claim.task_id, "attempt": claim.attempt} for claim in claims])
    return {row.id for row in unit.execute(_HELD, {"claims": held, "worker": process_id()})}


def _overtake(unit: Unit, claim: Claim, overtaken: str) -> int:
    """End the tasks of a type that were submitted before this one, to work on the same."""
    subject = task_type(claim.task_type).subject
    assert subject is not None
    assert claim.kb_id is not None
    return ending.overtake(unit, claim.kb_id, subject(claim.payload), overtaken, by=claim.task_id)


def timings(session: Session, claim: Claim) -> dict[str, float]:
    """Return the seconds of work that each stage of a task took, the present one until now."""
    rows = database.rows(session, _TIMINGS, {"id": claim.task_id})
    return {row.name: round(row.seconds, 3) for row in rows}


def _pass(unit: Unit, done: Sequence[Advance]) -> None:
    """Write down the stages that were gone through without claims of their own, each with its event."""
    if not done:
        return
    now = time.monotonic()
    values = {"worker": process_id(), "sources": list(sources("pass")), "target": target("pass")}
    unit.execute(PASS, values | {"done": json_of([_passed(each, now) for each in done])})
    for each in done:
        for stage in each.passed:
            unit.count(metrics.SUCCESS, stage.stage)
            unit.observe(metrics.PROCESSING, stage.stage, value=stage.ended - stage.began)
    unit.tell(
        _told(each.claim, stage.stage, stage.ended - stage.began, stage.units, waited=0.0 if place else None)
        for each in done
        for place, stage in enumerate(each.passed)
    )


def _passed(done: Advance, now: float) -> Json:
    kind = task_type(done.claim.task_type)
    last = kind.after(done.passed[-1].stage)
    assert last is not None
    following = [*(each.stage for each in done.passed[1:]), last.name]
    return {
        "task_id": done.claim.task_id,
        "attempt": done.claim.attempt,
        "stage": last.name,
        "queue": last.queue,
        "passed": [
            {
                "name": each.stage,
                "units": each.units,
                "began": now - each.began,
                "ended": now - each.ended,
                "following": after,
                "progress": kind.progress(after, 0),
            }
            for each, after in zip(done.passed, following, strict=True)
        ],
    }


def _next_stage(unit: Unit, done: Sequence[Advance]) -> set[UUID]:
    if not done:
        return set()
    rows = unit.execute(
        ADVANCE,
        {
            "done": json_of([_following(each) for each in done]),
            "worker": process_id(),
            "sources": list(sources("advance")),
            "target": target("advance"),
        },
    )
    unit.ready(rows)
    given = {each.claim.task_id: each for each in done}
    unit.tell(_told(given[row.id].claim, row.done_stage, row.seconds, given[row.id].units) for row in rows)
    for row in rows:
        unit.count(metrics.SUCCESS, row.done_stage)
        unit.observe(metrics.PROCESSING, row.done_stage, value=row.seconds)
    return {row.id for row in rows}


def _told(claim: Claim, stage: str, worked: float, units: int, waited: float | None = None) -> StageEnded:
    return StageEnded(
        task_id=claim.task_id,
        task_type=claim.task_type,
        stage=stage,
        attempt=claim.attempt,
        waited_ms=milliseconds(claim.waited if waited is None else waited),
        worked_ms=milliseconds(worked),
        units=units,
        kb_id=claim.kb_id,
        request_id=claim.request_id,
        trace_id=trace_id_of(claim.traceparent),
    )


def _following(done: Advance) -> Json:
    kind = task_type(done.claim.task_type)
    stage = kind.after(done.claim.stage)
    assert stage is not None
    return {
        "task_id": done.claim.task_id,
        "attempt": done.claim.attempt,
        "units": done.units,
        "stage": stage.name,
        "queue": stage.queue,
        "progress": kind.progress(stage.name, 0),
    }


def report(unit: Unit, reports: Sequence[tuple[Claim, int, int]]) -> list[bool]:
    """Write how many of its units a running stage has done; progress never falls.

    Returns:
      for each whether the row was still the claim's own.
    """
    whole = [each for each in reports if not each[0].shard]
    rows = unit.execute(
        REPORT,
        {
            "reports": json_of(
                [
                    {
                        "task_id": held.task_id,
                        "attempt": held.attempt,
                        "units": units,
                        "done": done,
                        "progress": task_type(held.task_type).progress(held.stage, done / max(units, 1)),
                    }
                    for held, done, units in whole
                ]
            ),
            "worker": process_id(),
        },
    )
    own = {row.id for row in rows} | shards.report(unit, [(held, done) for held, done, _ in reports if held.shard])
    return [(held.key if held.shard else held.task_id) in own for held, _, _ in reports]


_HELD = prepared(
    f"""
    SELECT own.id FROM json_to_recordset(CAST(:claims AS json)) AS given(task_id uuid, attempt integer)
    JOIN tasks AS own ON {own("own", "given")}
    ORDER BY own.id FOR UPDATE OF own
    """,
    OfId,
)


class Timing(NamedTuple):
    """The seconds of work that a stage took."""

    name: str
    seconds: float


#: A stage of that name may be known while the task's type is not.
_TIMINGS = Statement(
    """
    SELECT each->>'name' AS name,
        coalesce(
            (each->>'seconds')::float,  -- not yet in what an earlier release wrote
            extract(epoch FROM (each->>'finished_at')::timestamptz - (each->>'started_at')::timestamptz)::float
        ) AS seconds
    FROM tasks CROSS JOIN LATERAL jsonb_array_elements(stages) AS each WHERE id = :id
    UNION ALL
    SELECT stage, worked + extract(epoch FROM
        clock_timestamp() - CASE WHEN shards > 0 THEN stage_started_at ELSE claimed_at END)::float
    FROM tasks WHERE id = :id
    """,
    Timing,
)
