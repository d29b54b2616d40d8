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


#: What a row is set to that begins a part of its life anew, by column.
BLANK = {
    **dict.fromkeys(("worker_id", "claimed_at", "stage_started_at", "finished_at", "result", "error"), "NULL"),
    **dict.fromkeys(("stage_attempts", "errors", "crashes", "deaths", "waited", "worked", "units", "units_done"), "0"),
    **dict.fromkeys(("shards", "returns"), "0"),
    "waiting_for": "'{}'",
}
#: What says that a worker holds a task.
CLAIM = ("worker_id", "claimed_at")
#: What is counted of the present stage, and of its attempts.
STAGE = (
    *("stage_attempts", "errors", "crashes", "deaths", "stage_started_at", "waited", "worked", "units", "units_done"),
    "shards",
)


@dataclass(frozen=True, slots=True)
class Transition:
    """A step of the life cycle.

    Parameters:
      sources: the states that it starts from; none: it makes the row.
      when: what has happened.
      sets: columns that it writes besides `status`, by an expression of its statement.
      resets: columns that it makes `BLANK`.
    """

    name: str
    sources: tuple[Status, ...]
    target: Status
    when: str
    sets: tuple[str, ...] = ()
    resets: tuple[str, ...] = ()


_WAITING, _QUEUED, _PROCESSING = (Status.WAITING,), (Status.QUEUED,), (Status.PROCESSING,)
_ENDS = ("finished_at", "progress", "stages", "attempts", "result", "error", "source_headers")
_RELEASES = (*CLAIM, "waiting_for", "shards")
_REQUEUES = ("worked", "due_at", "attempts")
_RETRIES = ("stage", "queue", "waiting_for", "run", "stages", "attempts", "due_at", "run_at", "expires_at")
_RESTORES = (
    *("stage", "queue", "stages", "attempts", "error", "started_at", "finished_at", "run_at", "expires_at", "returns"),
    *(name for name in STAGE if name != "shards"),
)
_AGAIN = (*STAGE, "returns", "finished_at", "result", "error")

TRANSITIONS = (
    Transition("submit", (), Status.QUEUED, "A client's request is committed."),
    Transition("defer", (), Status.WAITING, "It is submitted with a `run_at` ahead or with tasks it depends on."),
    Transition("wake", _WAITING, Status.QUEUED, "Its due time has come, and it waits for no other task."),
    Transition(
        "release",
        _WAITING,
        Status.QUEUED,
        "The last task that it waits for has ended, and its due time has come.",
        sets=("waiting_for", "due_at"),
    ),
    Transition(
        "claim",
        (Status.QUEUED, Status.PROCESSING),
        Status.PROCESSING,
        "A worker's thread starts the stage.",
        sets=(*CLAIM, "attempt", "stage_attempts", "started_at", "stage_started_at", "waited"),
    ),
    Transition(
        "stand_back",
        _QUEUED,
        Status.WAITING,
        "Another task works on the same document and ends first.",
        sets=("waiting_for",),
    ),
    Transition(
        "advance",
        _PROCESSING,
        Status.PROCESSING,
        "The stage is done and the next one may be claimed.",
        sets=("stage", "queue", "progress", "stages", "attempts", "due_at"),
        resets=(*CLAIM, *STAGE, "error"),
    ),
    Transition(
        "pass",
        _PROCESSING,
        Status.PROCESSING,
        "Several stages were done under one claim, which goes on with the last of them.",
        sets=("stage", "queue", "progress", "stages", "claimed_at", "stage_started_at", "stage_attempts"),
        resets=("errors", "crashes", "waited", "worked", "units", "units_done", "error"),
    ),
    Transition(
        "divide",
        _PROCESSING,
        Status.PROCESSING,
        "The stage is large: its shards are claimed one by one, by any workers.",
        sets=("shards",),
        resets=CLAIM,
    ),
    Transition(
        "join",
        _PROCESSING,
        Status.PROCESSING,
        "The last shard is done; its worker goes on with the stage.",
        sets=(*CLAIM, "attempt"),
    ),
    Transition("complete", _PROCESSING, Status.COMPLETED, "The last stage is done.", _ENDS, _RELEASES),
    Transition(
        "put_off",
        _PROCESSING,
        Status.WAITING,
        "An attempt failed in a way that a later one may not.",
        sets=("due_at", "worked", "retries", "errors", "crashes", "error", "attempts"),
        resets=CLAIM,
    ),
    Transition(
        "hand_back",
        _PROCESSING,
        Status.QUEUED,
        "Its worker hands it back, as one that stops does; no attempt is counted.",
        sets=(*_REQUEUES, "stage_attempts"),
        resets=CLAIM,
    ),
    Transition(
        "requeue",
        _PROCESSING,
        Status.QUEUED,
        "Its worker died; no error is counted.",
        sets=(*_REQUEUES, "deaths"),
        resets=CLAIM,
    ),
    Transition("rescue", _PROCESSING, Status.QUEUED, "Its claim was lost: no worker knows of it.", _REQUEUES, CLAIM),
    Transition(
        "convict",
        _QUEUED,
        Status.PROCESSING,
        "Too many workers died with it: the last of them holds it again, so that it can fail.",
        sets=("worker_id",),
    ),
    Transition(
        "go_back",
        _PROCESSING,
        Status.QUEUED,
        "What an earlier stage made is missing: it resumes there.",
        sets=("stage", "queue", "returns", "retries", "stages", "attempts", "due_at"),
        resets=(*CLAIM, *STAGE),
    ),
    Transition(
        "fail", _PROCESSING, Status.FAILED, "An error that no retry mends, or the last retry.", _ENDS, _RELEASES
    ),
    Transition(
        "expire",
        (Status.WAITING, Status.QUEUED),
        Status.FAILED,
        "No worker had started it by `expires_at`.",
        _ENDS,
        _RELEASES,
    ),
    Transition("orphan", _WAITING, Status.FAILED, "A task that it depends on did not complete.", _ENDS, _RELEASES),
    Transition(
        "supersede",
        OPEN,
        Status.FAILED,
        "A later deletion of its document, or of its KB, overtook it.",
        _ENDS,
        _RELEASES,
    ),
    Transition(
        "cancel",
        OPEN,
        Status.CANCELLED,
        "A client asked for it; whoever works on it is fenced off.",
        _ENDS,
        _RELEASES,
    ),
    Transition(
        "retry",
        (Status.FAILED, Status.CANCELLED),
        Status.QUEUED,
        "A client asked for another run; it resumes at the stage that failed.",
        _RETRIES,
        _AGAIN,
    ),
    Transition(
        "retry_later",
        (Status.FAILED, Status.CANCELLED),
        Status.WAITING,
        "The same, while a task that it depends on has not ended; or its cancellation is undone before its `run_at`.",
        _RETRIES,
        _AGAIN,
    ),
    Transition(
        "restore",
        OPEN,
        Status.FAILED,
        "Its retry is undone: it has the end again that it had before.",
        _RESTORES,
        (*_RELEASES, "result"),
    ),
    Transition(
        "restore_cancelled",
        OPEN,
        Status.CANCELLED,
        "The same, of one that was cancelled before.",
        _RESTORES,
        (*_RELEASES, "result"),
    ),
)

_BY_NAME = {transition.name: transition for transition in TRANSITIONS}


def transition(name: str) -> Transition:
    """Return a transition by its name.

    Raises:
      KeyError: there is none of that name.
    """
    return _BY_NAME[name]


def sources(name: str) -> tuple[str, ...]:
    """Return the states from which a transition may start, for the WHERE of its UPDATE."""
    return tuple(map(str, transition(name).sources))


def target(name: str) -> str:
    """Return the state in which a transition ends."""
    return str(transition(name).target)
