"""The states of a task and the transitions between them, as data."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """What a task's row says of it."""

    WAITING = "waiting"
    QUEUED = "queued"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


MEANING = {
    Status.WAITING: "Accepted, but not due yet: it is scheduled, waits for another, or its next attempt is put off.",
    Status.QUEUED: "Ready; no worker has started its next attempt.",
    Status.PROCESSING: "Started: a worker holds it, or its next stage awaits one.",
    Status.COMPLETED: "Every stage is done, and the result can be read.",
    Status.FAILED: "It ended without a result, and the error says why.",
    Status.CANCELLED: "It was stopped on request; what it had written is not visible.",
}

#: A task in one of these has ended; nothing but a retry by hand moves it again.
ENDED = (Status.COMPLETED, Status.FAILED, Status.CANCELLED)
OPEN = (Status.WAITING, Status.QUEUED, Status.PROCESSING)


@dataclass(frozen=True, slots=True)
class Transition:
    """A step of the life cycle: from which states, to which, and when."""

    name: str
    sources: tuple[Status, ...]
    target: Status
    when: str


TRANSITIONS = (
    Transition("submit", (), Status.QUEUED, "A client's request is committed."),
    Transition("defer", (), Status.WAITING, "It is submitted with a `run_at` ahead or with tasks it depends on."),
    Transition("wake", (Status.WAITING,), Status.QUEUED, "Its due time has come, and what it waits for has ended."),
    Transition("claim", (Status.QUEUED, Status.PROCESSING), Status.PROCESSING, "A worker's thread starts the stage."),
    Transition(
        "stand_back", (Status.QUEUED,), Status.WAITING, "Another task works on the same document and ends first."
    ),
    Transition(
        "advance",
        (Status.PROCESSING,),
        Status.PROCESSING,
        "The stage is done and the next one may be claimed.",
    ),
    Transition(
        "divide",
        (Status.PROCESSING,),
        Status.PROCESSING,
        "The stage is large: its shards are claimed one by one, by any workers.",
    ),
    Transition(
        "join", (Status.PROCESSING,), Status.PROCESSING, "The last shard is done; its worker goes on with the stage."
    ),
    Transition("complete", (Status.PROCESSING,), Status.COMPLETED, "The last stage is done."),
    Transition(
        "put_off",
        (Status.PROCESSING,),
        Status.WAITING,
        "An attempt failed in a way that a later one may not.",
    ),
    Transition(
        "requeue",
        (Status.PROCESSING,),
        Status.QUEUED,
        "Its worker died or handed it back; no error is counted.",
    ),
    Transition(
        "go_back",
        (Status.PROCESSING,),
        Status.QUEUED,
        "What an earlier stage made is missing: it resumes there.",
    ),
    Transition("fail", (Status.PROCESSING,), Status.FAILED, "An error that no retry mends, or the last retry."),
    Transition("expire", (Status.WAITING, Status.QUEUED), Status.FAILED, "No worker had started it by `expires_at`."),
    Transition("orphan", (Status.WAITING,), Status.FAILED, "A task that it depends on did not complete."),
    Transition("supersede", OPEN, Status.FAILED, "A later deletion of its document, or of its KB, overtook it."),
    Transition("cancel", OPEN, Status.CANCELLED, "A client asked for it; whoever works on it is fenced off."),
    Transition(
        "retry",
        (Status.FAILED, Status.CANCELLED),
        Status.QUEUED,
        "A client asked for another run; it resumes at the stage that failed.",
    ),
    Transition(
        "retry_later",
        (Status.FAILED, Status.CANCELLED),
        Status.WAITING,
        "The same, while a task that it depends on has not ended; or its cancellation is undone before its `run_at`.",
    ),
)


def sources(name: str) -> tuple[str, ...]:
    """Return the states from which a transition may start, for the WHERE of its UPDATE.

    Raises:
      StopIteration: for a name that is no transition's.
    """
    return tuple(str(status) for status in next(t for t in TRANSITIONS if t.name == name).sources)


def target(name: str) -> str:
    """Return the state in which a transition ends."""
    return str(next(t for t in TRANSITIONS if t.name == name).target)
