"""Another run of tasks that did not complete, on request: it resumes at the stage that failed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

from models.base import Json
from models.statement import Statement
from sentences import Bilingual, say
from tasks.dispatching import dispatch
from tasks.ending import dependencies, shard_repair
from tasks.ending.retention import RESUMABLE
from tasks.lifecycle import Status, sources, target
from tasks.transactions.unit import Unit
from tasks.transitions.ending import RETRY
from tasks.types import all_types


@dataclass(slots=True)
class Retried:
    """What became of a request to retry tasks.

    Parameters:
      refused: why a task cannot run again, by its id.
    """

    task_ids: list[UUID] = field(default_factory=list)
    refused: dict[UUID, Bilingual] = field(default_factory=dict)


def retry(unit: Unit, task_ids: Sequence[UUID], *, keeps_times: bool = False) -> Retried:
    """Run tasks again that failed or were cancelled; one of any other status is left out.

    Parameters:
      keeps_times: whether `run_at` and `expires_at` of those that were cancelled still hold, as if they had not been.
    """
    answer = Retried()
    rows = [row._asdict() for row in unit.execute(_CHOSEN, _values(task_ids))]
    answer.refused = {row["id"]: why for row in rows if (why := _refusal(row)) is not None}
    rows = [row for row in rows if row["id"] not in answer.refused]
    # Whoever depends on one that cannot run again cannot either.
    while orphans := dependencies.watch(unit, rows):
        for orphan in orphans:
            answer.refused[orphan.task_id] = say("it_depends", cause=orphan.cause, status=orphan.cause_status)
        rows = [row for row in rows if row["id"] not in answer.refused]
    if rows:
        again = [_again(row, keeps_times) for row in rows]
        for values in again:
            unit.execute(RETRY, values)
        if anew := [values["id"] for values in again if not values["resumes"]]:
            shard_repair.forget(unit.session, anew)
        _reopen_batches(unit, rows)
        dispatch.announce(unit, {row["queue"] for row in rows})
    answer.task_ids = [row["id"] for row in rows]
    return answer


def _refusal(row: Json) -> Bilingual | None:
    """Return why a task cannot run again, whatever it depends on; None where it can."""
    if row["task_type"] not in all_types():
        return say("no_type", kind=row["task_type"])
    # Before its headers, which went with such an end.
    if row["code"] == "superseded":
        return say("overtaken")
    if row["lacks_headers"]:
        return say("lacks_headers")
    return None


def _values(task_ids: Sequence[UUID]) -> Json:
    return {"ids": list(task_ids), "sources": list(sources("retry")), "resumable": RESUMABLE}


def _again(row: Json, keeps_times: bool) -> Json:
    """Return the values with which a row starts its next run."""
    kind = all_types()[row["task_type"]]
    keeps_times = keeps_times and row["status"] == Status.CANCELLED
    names = [stage.name for stage in kind.stages]
    # What the stages made is gone after a while, and a stage may be gone with an older release.
    resumes = row["resumable"] and row["stage"] in names
    stage = kind.stage(row["stage"]) if resumes else kind.stages[0]
    row["queue"] = stage.queue
    return {
        "id": row["id"],
        "stage": stage.name,
        "queue": stage.queue,
        "resumes": resumes,
        "waiting_for": row["waiting_for"],
        "keeps_times": keeps_times,
        "target": target("retry_later" if row["waiting_for"] or (keeps_times and row["lies_ahead"]) else "retry"),
    }


def _reopen_batches(unit: Unit, rows: Sequence[Json]) -> None:
    counts = Counter(row["batch_id"] for row in rows if row["batch_id"] is not None)
    for batch_id, count in sorted(counts.items()):
        unit.execute(_REOPEN, {"id": batch_id, "count": count})


class Chosen(NamedTuple):
    """A task that did not complete.

    Parameters:
      code: of its error.
      resumable: what its stages made is still kept.
      lies_ahead: its `run_at` does.
      lacks_headers: those that its URL was to be fetched with are gone.
    """

    id: UUID
    task_type: str
    status: str
    stage: str
    batch_id: UUID | None
    depends_on: list[UUID]
    on_dependency_failure: str
    code: str | None
    resumable: bool
    lies_ahead: bool
    lacks_headers: bool


_CHOSEN = Statement(
    """
    SELECT id, task_type, status, stage, batch_id, depends_on, on_dependency_failure, error->>'code' AS code,
        finished_at > now() - CAST(:resumable AS interval) AS resumable,
        coalesce(run_at > now(), false) AS lies_ahead,
        payload ? 'header_names' AND source_headers IS NULL AS lacks_headers
    FROM tasks WHERE id = ANY(CAST(:ids AS uuid[])) AND status = ANY(CAST(:sources AS text[]))
    ORDER BY id FOR UPDATE
    """,
    Chosen,
)

_REOPEN = Statement(
    """
    UPDATE batches SET pending = pending + :count, run = run + CAST(pending = 0 AS integer), finished_at = NULL
    WHERE id = :id
    """
)
