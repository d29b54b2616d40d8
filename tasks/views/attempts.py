"""The attempts of a task: what each waited and worked, by which worker, and how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from models import Task
from models.base import Json, rfc3339
from models.shard import TAKEN
from tasks.lifecycle import Status


def attempts(task: Task) -> list[Json]:
    """Return each attempt that was kept, from the oldest to the present one; see `tasks.transitions.attempts`.

    A divided stage is one attempt, from its division to its joining, by the worker that joined it.
    """
    entries = [*(task.attempts or []), *_of_stages(task), *_present(task)]
    return [_shown(entry) for entry in sorted(entries, key=lambda entry: datetime.fromisoformat(entry["started_at"]))]


def _of_stages(task: Task) -> list[Json]:
    """Return those that are told by the stages which they completed, in one attempt."""
    # An earlier release named no worker, and kept no attempts.
    return [
        {"run": task.run, "stage": stage["name"], "number": stage["attempts"], "outcome": stage["status"], **stage}
        for stage in task.stages
        if stage.get("worker", "") is not None and stage["started_at"] is not None
    ]


def _present(task: Task) -> list[Json]:
    """Return the one that runs, if any."""
    began = task.stage_started_at if task.shards else task.claimed_at
    if task.status != Status.PROCESSING or began is None:
        return []
    waited = max(0.0, (began - task.due_at).total_seconds())
    return [
        {
            "run": task.run,
            "stage": task.stage,
            "number": task.stage_attempts,
            "worker": str(task.worker_id) if task.worker_id else None,
            "started_at": began.isoformat(),
            "finished_at": None,
            "waited": waited,
            "outcome": "running",
        }
    ]


def _shown(entry: Mapping[str, Any]) -> Json:
    finished_at, worker, waited = entry["finished_at"], entry.get("worker"), entry.get("waited")
    return {
        "run": entry["run"],
        "stage": entry["stage"],
        "number": entry["number"],
        "worker": worker if worker != str(TAKEN) else None,
        "started_at": rfc3339(datetime.fromisoformat(entry["started_at"])),
        "finished_at": rfc3339(datetime.fromisoformat(finished_at)) if finished_at else None,
        "waited_seconds": round(waited, 3) if waited is not None else None,
        "outcome": entry["outcome"],
        "error": entry.get("error"),
    }
