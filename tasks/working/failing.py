"""What becomes of an attempt that did not end its stage: put off, failed, crashed, or handed back."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import metrics
from errors import TaskError
from models.base import json_of
from settings import settings
from tasks.dispatching import concurrency, dispatch
from tasks.ending import ending, shard_repair
from tasks.ending.ending import End, error_fields
from tasks.lifecycle import sources, target
from tasks.process import process_id
from tasks.transactions.unit import Unit
from tasks.transitions.failing import CONVICT, DIED, GO_BACK, HAND_BACK, HAND_BACK_ALL, PUT_OFF
from tasks.types import Stage, all_stages, task_type
from tasks.working import fence, shards
from tasks.working.claim import Claim

#: Deaths of a process that a task alone can have caused, in one stage, before it is given up.
CRASH_BUDGET = 3
#: Workers that may die with a task in one stage. Higher: a worker's death has many causes besides this task.
DEATH_BUDGET = 10
#: Times that a task goes back to an earlier stage in one run. Once mends what was lost; more often nothing does.
MOST_RETURNS = 3
#: Seconds before the first retry; each further one waits RETRY_BACKOFF_FACTOR times as long.
FIRST_DELAY = 1.0
LONGEST_DELAY = 600.0
#: Seconds that somebody else's server may put an attempt off by.
LONGEST_PATIENCE = 3600.0


@dataclass(frozen=True, slots=True)
class Failure:
    """A claim and the error that ended its attempt."""

    claim: Claim
    error: TaskError


def backoff(errors: int, retry_after: float | None = None) -> float:
    """Return the seconds to the next attempt after `errors` failed ones: exponential, spread by a half either way."""
    delay: float = FIRST_DELAY * settings().retry_backoff_factor ** errors
    return max(min(retry_after or 0.0, LONGEST_PATIENCE), min(delay, LONGEST_DELAY) * random.uniform(0.5, 1.5))  # noqa: S311


def fail(unit: Unit, failures: Sequence[Failure]) -> list[bool]:
    """Write down failed attempts: back to an earlier stage where that makes what is missing, put off where a retry may
    help and one is left, else the end of the task.

    Returns:
      for each whether its task has ended with this error.
    """
    ends: dict[UUID, End] = {}
    enders = set()
    ahead = [failure for failure in failures if _earlier(failure) is None]
    for failure in ahead:
        if not _has_another(failure) and failure.claim.task_id not in ends and (end := _end(unit, failure)) is not None:
            ends[failure.claim.task_id] = end
            enders.add(failure.claim.key)
    gone = ending.fail(unit, list(ends.values()))
    for failure in failures:
        if (stage := _earlier(failure)) is not None:
            retried = _go_back(unit, failure, stage)
        else:
            retried = _has_another(failure) and _put_off(unit, failure)
        if retried:
            unit.count(metrics.RETRY, failure.claim.stage)
    concurrency.hand_on(unit)
    return [failure.claim.key in enders and failure.claim.task_id in gone for failure in failures]


def _end(unit: Unit, failure: Failure) -> End | None:
    """End a task by a failure; return None for a shard that is not the claim's own any more."""
    claim = failure.claim
    attempt: int | None = claim.attempt
    if claim.shard:
        attempt = shards.give_up(unit, claim.task_id, process_id()) if shards.is_held(unit, claim) else None
        if attempt is None:
            return None
    return End(claim.task_id, attempt, process_id(), error=error_fields(failure.error, claim.stage))


def _has_another(failure: Failure) -> bool:
    if failure.error.code == "worker_crashed":
        return failure.claim.crashes + 1 < CRASH_BUDGET
    return failure.error.retryable and failure.claim.errors < failure.claim.retry_limit


def _put_off(unit: Unit, failure: Failure) -> bool:
    """Make the next attempt due later. A crash is counted apart from errors."""
    crashed = failure.error.code == "worker_crashed"
    held = failure.claim
    delay = timedelta(seconds=backoff(held.crashes if crashed else held.errors, failure.error.retry_after))
    error = json_of(error_fields(failure.error, held.stage))
    if held.shard:
        return shards.put_off(unit, held, delay, crashed=crashed, error=error)
    rows = unit.execute(
        PUT_OFF,
        {
            "id": held.task_id,
            "attempt": held.attempt,
            "worker": process_id(),
            "delay": delay,
            "crashed": int(crashed),
            "error": error,
            "sources": list(sources("put_off")),
            "target": target("put_off"),
        },
    )
    return bool(rows)


def _earlier(failure: Failure) -> Stage | None:
    """Return the stage before the failed one that makes what was missing; None where going back is no help."""
    claim, name = failure.claim, failure.error.resume_at
    if name is None or claim.shard or claim.returns >= MOST_RETURNS:
        return None
    return next((stage for stage in task_type(claim.task_type).before(claim.stage) if stage.name == name), None)


def _go_back(unit: Unit, failure: Failure, stage: Stage) -> bool:
    """Let a task go on from an earlier stage; no error is counted."""
    claim = failure.claim
    rows = unit.execute(
        GO_BACK,
        {
            "id": claim.task_id,
            "attempt": claim.attempt,
            "worker": process_id(),
            "stage": stage.name,
            "queue": stage.queue,
            "error": json_of(error_fields(failure.error, claim.stage)),
            "before": [step.name for step in task_type(claim.task_type).before(stage.name)],
            "sources": list(sources("go_back")),
            "target": target("go_back"),
        },
    )
    if not rows:
        return False
    shard_repair.forget(unit.session, [claim.task_id])
    dispatch.announce(unit, [stage.queue])
    return True


def hand_back(unit: Unit, claims: Sequence[Claim]) -> list[bool]:
    """Give claims back unharmed, as a worker that is told to stop does: neither an error nor a crash is counted."""
    whole = [claim for claim in claims if not claim.shard]
    rows = unit.execute(
        HAND_BACK,
        {
            "ids": [claim.task_id for claim in whole],
            "attempts": [claim.attempt for claim in whole],
            "worker": process_id(),
            "target": target("hand_back"),
        },
    )
    back = {row.id for row in rows} | shards.hand_back(unit, [claim for claim in claims if claim.shard])
    dispatch.announce(unit, {all_stages()[claim.stage].queue for claim in claims})
    return [(claim.key if claim.shard else claim.task_id) in back for claim in claims]


def hand_back_all(unit: Unit) -> int:
    """Give back whatever this process still holds. Returns how many."""
    values = {"worker": process_id(), "target": target("hand_back")}
    given_back = len(unit.execute(HAND_BACK_ALL, values)) + shard_repair.hand_back_all(unit)
    if given_back:
        dispatch.announce(unit, dispatch.queues())
    return given_back


def requeue(unit: Unit, worker: UUID) -> int:
    """Requeue what a dead process held.

    Several threads share a process, so its death says nothing of any one task: the next attempt of each runs alone
    in a process, where a crash counts as the task's own. Only a task whose workers die one after the
    other, each while it was at work, is given up.

    Returns:
      how many tasks and shards were taken from it.
    """
    fence.cut_off(unit.session, worker)
    rows = unit.execute(DIED, {"worker": worker, "target": target("requeue")})
    hopeless = [row for row in rows if row.deaths >= DEATH_BUDGET]
    if hopeless:
        states = {"sources": list(sources("convict")), "target": target("convict")}
        unit.execute(CONVICT, states | {"ids": [row.id for row in hopeless], "worker": worker})
    parts = shard_repair.requeue(unit, worker)
    lost = {row.task_id: row.stage for row in parts if row.deaths >= DEATH_BUDGET}
    error = TaskError("worker_crashed", f"{DEATH_BUDGET} workers died one after the other while they ran this stage")
    ends = [End(row.id, row.attempt, worker, error=error_fields(error, row.stage)) for row in hopeless] + [
        End(task_id, shards.give_up(unit, task_id, worker), worker, error=error_fields(error, stage))
        for task_id, stage in lost.items()
    ]
    ending.fail(unit, ends)
    dispatch.announce(unit, dispatch.queues())
    return len(rows) + len(parts)
