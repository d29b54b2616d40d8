"""The spans of attempts: one for each, linked to the one before, with one in it for each stage of a single pass."""

from __future__ import annotations

import tracing
from models.base import trace_id_of
from tasks.types import all_stages
from tasks.working.claim import Advance, Claim
from tracing import Span


def begin(claim: Claim) -> Span | None:
    """Begin the span of an attempt; None where traces are not sent, or the task is of none."""
    if not tracing.is_on() or claim.traceparent is None:
        return None
    queue = all_stages()[claim.stage].queue
    facts: dict[str, str | int] = {
        "messaging.system": "rabbitmq",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": queue,
        "messaging.message.id": str(claim.task_id),
        "task.type": claim.task_type,
        "task.stage": claim.stage,
        "task.attempt": claim.attempt,
    }
    if claim.shard is not None:
        facts["task.shard"] = claim.shard.index
    follows = _id_of(claim, claim.attempt - 1) if claim.attempt > 1 else None
    name = f"process {queue}"
    return tracing.begin(
        name, "CONSUMER", claim.traceparent, facts, span_id=_id_of(claim, claim.attempt), follows=follows
    )


def end(span: Span, outcome: object) -> None:
    """End the span of an attempt that went well, with the stages that it went through without a claim for each."""
    for step in outcome.passed if isinstance(outcome, Advance) else ():
        inner = tracing.begin(
            step.stage, "INTERNAL", span.traceparent, {"task.stage": step.stage}, at=tracing.unix_time(step.began)
        )
        assert inner is not None
        inner.end(at=tracing.unix_time(step.ended))
    span.end()


def _id_of(claim: Claim, attempt: int) -> int:
    """Return the id of the span of an attempt. Attempts at a shard are counted apart."""
    part = () if claim.shard is None else (claim.stage, claim.shard.index)
    return tracing.id_of(trace_id_of(claim.traceparent), claim.task_id, *part, attempt)
