"""The books of `make cluster-demo`: whether all that was accepted has ended once, and how soon work went on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from tests.receiver import Receiver
from tests.reliability.submitters import Client
from tests.servers import eventually

#: Seconds until all that was accepted has ended and was called back: a callback that a killed worker had taken is tried
#: again after a minute.
AFTERWARDS = 240.0
ENDED = ("completed", "failed", "cancelled")

_TASKS = """
    SELECT id::text, status, batch_id::text, extract(epoch FROM created_at), extract(epoch FROM finished_at) FROM tasks
"""
_UNFINISHED = "SELECT id::text, status, stage FROM tasks WHERE finished_at IS NULL"
_SEARCHABLE = "SELECT document_id FROM documents WHERE version_id IS NOT NULL"
#: All of `submitters.text` are of one length, so all have as many chunks.
_CHUNKS = """
    SELECT d.document_id, count(*), count(DISTINCT c.index), max(c.index) + 1
    FROM documents AS d JOIN chunks AS c USING (version_id) GROUP BY d.document_id
"""

#: Asks the database that takes writes.
Ask = Callable[[str], list[tuple[Any, ...]]]


@dataclass
class Loss:
    """What was lost, when, and when it was there again; seconds of the clock."""

    what: str
    at: float
    back: float = 0.0


@dataclass
class Course:
    """All that happened.

    Parameters:
      began, ended: of the load; seconds of the clock, as all moments.
      asked: for each request that was accepted when it was made first, and when it was accepted.
      accepted: when each task was known to be accepted, by its id.
      tasks: for each task that has ended when its row was made, and when it ended.
      figures: what the books say.
      wrong: what they should not say; empty: all that was accepted has ended, once.
    """

    began: float
    ended: float = 0.0
    losses: list[Loss] = field(default_factory=list)
    asked: list[tuple[float, float]] = field(default_factory=list)
    accepted: dict[str, float] = field(default_factory=dict)
    tasks: list[tuple[float, float]] = field(default_factory=list)
    figures: dict[str, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)


def keep(course: Course, clients: Sequence[Client], sql: Ask, receiver: Receiver) -> None:
    """Wait for the end of all, and compare what was accepted with what is there, has ended and was told."""
    requests = [request for client in clients for request in client.requests]
    course.asked = [(request.asked_at, request.accepted_at) for request in requests if request.accepted_at]
    course.accepted = {task_id: request.accepted_at or 0 for request in requests for task_id in request.task_ids}
    _await(course, lambda: not sql(_UNFINISHED), lambda: f"open: {sql(_UNFINISHED)[:10]}")
    rows = sql(_TASKS)
    course.tasks = [(float(made), float(ended)) for *_, made, ended in rows if ended]
    subjects = {row[0] for row in rows} | {row[2] for row in rows if row[2]}
    ids_by_subject = receiver.ids_by_subject
    _await(
        course,
        lambda: subjects <= ids_by_subject().keys(),
        lambda: f"not called back: {sorted(subjects - ids_by_subject().keys())[:10]}",
    )
    chunks = sql(_CHUNKS)
    course.figures = {
        "requests": len(requests),
        "asked again": sum(client.asked_again for client in clients),
        "tasks accepted": len(course.accepted),
        "ended": sum(status in ENDED for _, status, *_ in rows),
        "ends of tasks and batches called back": len(ids_by_subject()),
        "callbacks": len(receiver.received),
        "documents": len(chunks),
        "chunks": sum(count for _, count, *_ in chunks),
    }
    documents = {f"d{number}" for request in requests for number in request.documents.values()}
    said: dict[str, set[Any]] = {
        "answers that are none": {fault for client in clients for fault in client.faults},
        "accepted and not there": course.accepted.keys() - {row[0] for row in rows},
        "there and not accepted": {row[0] for row in rows} - course.accepted.keys(),
        "not completed": {row[:2] for row in rows if row[1] != "completed"},
        "called back by several ids": {subject for subject, ids in ids_by_subject().items() if len(ids) != 1},
        "callbacks that are not right": {callback.problem for callback in receiver.received if callback.problem},
        "documents that are not searchable": documents - {name for (name,) in sql(_SEARCHABLE)},
        "documents with a chunk twice or none": {row for row in chunks if len({*row[1:], chunks[0][1]}) != 1},
    }
    course.wrong += [f"{what}: {sorted(map(str, cases))[:10]}" for what, cases in said.items() if cases]


def _await(course: Course, ask: Callable[[], bool], why: Callable[[], str]) -> None:
    """Wait until something holds, and note it where it does not."""
    try:
        eventually(ask, seconds=AFTERWARDS, every=0.5)
    except AssertionError:
        course.wrong.append(why())


@dataclass(frozen=True)
class Recovery:
    """Seconds from a loss until work went on.

    Parameters:
      accepted: until a request that was made after it was accepted.
      pause: the longest time without an end of a task from then to the next loss.
      caught_up: until all that had come before it had ended.
      back: until what was lost was there again.
    """

    what: str
    accepted: float
    pause: float
    caught_up: float
    back: float


def recoveries(course: Course) -> list[Recovery]:
    """Return how soon work went on after each loss."""
    until = [loss.at for loss in course.losses[1:]] + [course.ended]
    results = []
    for loss, end in zip(course.losses, until, strict=True):
        ends = sorted(ended for _, ended in course.tasks if loss.at <= ended <= end)
        before = [ended for made, ended in course.tasks if made <= loss.at]
        results.append(
            Recovery(
                loss.what,
                min(accepted for asked, accepted in course.asked if asked > loss.at) - loss.at,
                max(later - earlier for earlier, later in pairwise([loss.at, *ends, end])),
                max(0.0, max(before) - loss.at),
                loss.back - loss.at,
            )
        )
    return results


def report(course: Course) -> str:
    """Say what became of all, as it stands in docs/fail-over.md."""
    lines = ["| lost | accepts again | longest pause | all of before ended | there again |", "|---|---|---|---|---|"]
    for recovery in recoveries(course):
        figures = (recovery.accepted, recovery.pause, recovery.caught_up, recovery.back)
        lines.append(f"| {recovery.what} | " + " | ".join(f"{figure:.1f}" for figure in figures) + " |")
    counts = ", ".join(f"{count:,} {what}" for what, count in course.figures.items())
    return "\n".join([*lines, "", f"{course.ended - course.began:.0f} s of load: {counts}.", *course.wrong])
