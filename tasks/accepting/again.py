"""Documents that are submitted once more, as they were."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from pydantic import ValidationError

from models import Task
from models.audit import Actor
from tasks.accepting.submission import Submission, inherited_from, submit
from tasks.transactions.unit import Unit


def submit_again(unit: Unit, actor: Actor, tasks: Sequence[Task]) -> dict[UUID, str]:
    """Submit documents again, to be read anew although nothing of them may have changed.

    Parameters:
      actor: whoever asks for it, and by which request.

    Returns:
      why it cannot be done, by the ids of those tasks.
    """
    refused, submissions = {}, []
    for task in tasks:
        if "upload_id" in task.payload:
            refused[task.id] = "its upload is not kept once it has completed; upload it again"
            continue
        if "header_names" in task.payload:
            refused[task.id] = "its headers are not kept once it has completed; submit it again, with them"
            continue
        try:
            submissions.append(_again(task).by(actor))
        except ValidationError:
            refused[task.id] = "this release does not accept any more what was submitted; submit it anew"
    submit(unit, submissions)
    return refused


def _again(task: Task) -> Submission:
    again = Submission(**inherited_from(task), payload={**task.payload, "force": True})
    # As it was accepted, which may have been by an earlier release that asked for less.
    again.callback_url = task.callback_url
    return again
