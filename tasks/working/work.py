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
    done = [outcome for entry in turns for outcome in entry.done]
    over = iter(advance(unit, done) if done else [])
    answers = [Answer([next(over) for _ in entry.done]) for entry in turns]
    asking = [position for position, entry in enumerate(turns) if entry.wanted is not None]
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
    shards.divide(unit, [outcome for outcome in done if outcome.shards])
    joined = shards.finish(unit, [outcome for outcome in done if outcome.claim.shard])
    own = _advance_whole(unit, [outcome for outcome in done if not outcome.shards and not outcome.claim.shard])
    return [joined.get(outcome.claim.key) or outcome.claim.task_id in own for outcome in done]


def _advance_whole(unit: Unit, done: Sequence[Advance]) -> set[UUID]:
    for outcome in done:
        if outcome.first is not None:
            outcome.first(unit)
    held = _held(unit, [outcome.claim for outcome in done if outcome.overtakes or outcome.within or outcome.members])
    if any(outcome.first is not None and outcome.claim.task_id not in held for outcome in done):
        raise NotHeld
    # Rows before locks of KBs, and these in their order: so nobody holds one that another waits for.
    own_done = sorted(
        (outcome for outcome in done if outcome.claim.task_id in held), key=lambda outcome: outcome.claim.kb_id or ""
    )
    for outcome in own_done:
        if outcome.overtakes is not None:
            outcome.result["superseded"] = _overtake(unit, outcome.claim, outcome.overtakes)
    for outcome in own_done:
        if outcome.within is not None:
            outcome.result.update(outcome.within(unit))
        if outcome.members:
            outcome.result["batch_id"] = str(submission.submit_members(unit, outcome.claim.task_id, outcome.members))
    _pass(unit, [outcome for outcome in done if outcome.passed])
    going_on = [outcome for outcome in done if _goes_on(outcome)]
    ended = [outcome for outcome in done if not _goes_on(outcome)]
    worker = process_id()
    own = _next_stage(unit, going_on) | ending.complete(
        unit,
        [
            End(outcome.claim.task_id, outcome.claim.attempt, worker, outcome.result, units=outcome.units)
            for outcome in ended
        ],
    )
    if over := [outcome.claim.task_id for outcome in done if outcome.claim.joins and outcome.claim.task_id in own]:
        shard_repair.forget(unit.session, over)
    return own


def _goes_on(outcome: Advance) -> bool:
    return (
        not outcome.ends
        and not outcome.members
        and task_type(outcome.claim.task_type).after(outcome.claim.stage) is not None
    )


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
    unit.execute(PASS, values | {"done": json_of([_passed(outcome, now) for outcome in done])})
    for outcome in done:
        for stage in outcome.passed:
            unit.count(metrics.SUCCESS, stage.stage)
            unit.observe(metrics.PROCESSING, stage.stage, value=stage.ended - stage.began)
    unit.tell(
        _told(outcome.claim, stage.stage, stage.ended - stage.began, stage.units, waited=0.0 if place else None)
        for outcome in done
        for place, stage in enumerate(outcome.passed)
    )


def _passed(outcome: Advance, now: float) -> Json:
    kind = task_type(outcome.claim.task_type)
    last = kind.after(outcome.passed[-1].stage)
    assert last is not None
    following = [*(step.stage for step in outcome.passed[1:]), last.name]
    return {
        "task_id": outcome.claim.task_id,
        "attempt": outcome.claim.attempt,
        "stage": last.name,
        "queue": last.queue,
        "passed": [
            {
                "name": step.stage,
                "units": step.units,
                "began": now - step.began,
                "ended": now - step.ended,
                "following": after,
                "progress": kind.progress(after, 0),
            }
            for step, after in zip(outcome.passed, following, strict=True)
        ],
    }


def _next_stage(unit: Unit, done: Sequence[Advance]) -> set[UUID]:
    if not done:
        return set()
    rows = unit.execute(
        ADVANCE,
        {
            "done": json_of([_following(outcome) for outcome in done]),
            "worker": process_id(),
            "sources": list(sources("advance")),
            "target": target("advance"),
        },
    )
    unit.ready(rows)
    outcomes = {outcome.claim.task_id: outcome for outcome in done}
    unit.tell(_told(outcomes[row.id].claim, row.done_stage, row.seconds, outcomes[row.id].units) for row in rows)
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


def _following(outcome: Advance) -> Json:
    kind = task_type(outcome.claim.task_type)
    stage = kind.after(outcome.claim.stage)
    assert stage is not None
    return {
        "task_id": outcome.claim.task_id,
        "attempt": outcome.claim.attempt,
        "units": outcome.units,
        "stage": stage.name,
        "queue": stage.queue,
        "progress": kind.progress(stage.name, 0),
    }


def report(unit: Unit, reports: Sequence[tuple[Claim, int, int]]) -> list[bool]:
    """Write how many of its units a running stage has done; progress never falls.

    Returns:
      for each whether the row was still the claim's own.
    """
    whole = [entry for entry in reports if not entry[0].shard]
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
