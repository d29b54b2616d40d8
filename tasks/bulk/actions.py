"""What a bulk does to a page of its items, each action as it is done to one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import select

from broker.topology import PRIORITIES
from models import Task, audit
from models.audit import Actor
from models.base import json_of
from models.statement import OfId, Statement
from tasks.accepting.again import submit_again
from tasks.bulk.items import Outcome
from tasks.bulk.scope import STATUSES, still_meant
from tasks.ending import callbacks, ending, restoring, retrying
from tasks.transactions.unit import Unit
from tasks.transitions.prioritising import PRIORITISE
from tasks.types.bulk import Bulk

#: What takes an action back; one that is not named here cannot be. What has been retried is cancelled with the end
#: that it had before, as far as that was noted.
INVERSE = {"cancel": "retry", "retry": "cancel", "prioritise": "prioritise"}


def undoing(bulk_id: UUID, done: Bulk) -> Bulk | None:
    """Return the bulk that takes another back; None: what that did cannot be taken back."""
    inverse = INVERSE.get(done.action)
    return None if inverse is None else Bulk(action=inverse, undoes=bulk_id)


def record(unit: Unit, bulk_id: UUID, wanted: Bulk, count: int) -> None:
    """Write into the audit log that a bulk begins to change items, in the name of whoever requested it."""
    kind = "callbacks" if wanted.action == "redeliver" else "tasks"
    detail = wanted.model_dump(mode="json", exclude_none=True, exclude={"action"})
    audit.record_of_task(unit.session, bulk_id, f"{kind}.{wanted.action}", kind, items=count, **detail)


def act(unit: Unit, bulk_id: UUID, wanted: Bulk, ids: Sequence[UUID]) -> list[Outcome]:
    """Do to these items what a bulk is for. What has become something else since they were collected is left so."""
    meant = still_meant(unit.session, wanted, ids)
    refused = _touched_since(unit, wanted, [item_id for item_id in ids if item_id not in meant])
    left = [Outcome(item_id, changed=False, refused=refused.get(item_id)) for item_id in ids if item_id not in meant]
    return left + _act(unit, bulk_id, wanted, [item_id for item_id in ids if item_id in meant])


def _touched_since(unit: Unit, wanted: Bulk, ids: Sequence[UUID]) -> dict[UUID, str]:
    """Say of what an undoing leaves, and its status does not explain, that somebody has changed it again."""
    if wanted.undoes is None or not ids:
        return {}
    rows = unit.execute(_IN_STATUS, {"ids": list(ids), "statuses": list(STATUSES[wanted.action])})
    return dict.fromkeys([row.id for row in rows], "it was changed again since")


def _act(unit: Unit, bulk_id: UUID, wanted: Bulk, ids: Sequence[UUID]) -> list[Outcome]:
    if wanted.action == "prioritise":
        return _prioritise(unit, wanted, ids)
    refused: Mapping[UUID, str] = {}
    if wanted.action == "cancel":
        changed = set() if wanted.undoes is None else restoring.restore(unit, wanted.undoes, ids)
        changed |= ending.cancel(unit, [item_id for item_id in ids if item_id not in changed])
    elif wanted.action == "redeliver":
        changed = callbacks.redeliver_all(unit, ids)
    elif wanted.action == "reingest":
        changed, refused = _reingest(unit, bulk_id, ids)
    else:
        restoring.note(unit, bulk_id, ids)
        # What is taken back goes on as it was.
        retried = retrying.retry(unit, ids, keeps_times=wanted.undoes is not None)
        changed, refused = set(retried.task_ids), retried.refused
    return [Outcome(item_id, item_id in changed, refused=refused.get(item_id)) for item_id in ids]


def _reingest(unit: Unit, bulk_id: UUID, ids: Sequence[UUID]) -> tuple[set[UUID], dict[UUID, str]]:
    """Submit documents again in the name of whoever asked for the bulk. Returns which were, and why others were not."""
    bulk = unit.session.get_one(Task, bulk_id)
    asked_by = Actor(bulk.submitted_by, bulk.request_id, bulk.traceparent)
    tasks = unit.session.scalars(select(Task).where(Task.id.in_(ids)).order_by(Task.id)).all()
    refused = submit_again(unit, asked_by, tasks)
    return {task.id for task in tasks} - refused.keys(), refused


def _prioritise(unit: Unit, wanted: Bulk, ids: Sequence[UUID]) -> list[Outcome]:
    """Set the priority of tasks, or give each the one back that it had."""
    if wanted.priority is not None:
        priorities = dict.fromkeys(ids, PRIORITIES[wanted.priority])
    else:
        rows = unit.execute(_BEFORE, {"bulk": wanted.undoes, "ids": list(ids)})
        priorities = {row.item_id: row.before for row in rows}
    wishes = json_of([{"task_id": task_id, "priority": priority} for task_id, priority in priorities.items()])
    changed = unit.execute(PRIORITISE, {"wishes": wishes, "sources": list(STATUSES["prioritise"])})
    before = {row.id: row.before for row in changed}
    return [
        Outcome(task_id, task_id in before, before.get(task_id), priorities[task_id] if task_id in before else None)
        for task_id in ids
    ]


_IN_STATUS = Statement(
    "SELECT id FROM tasks WHERE id = ANY(CAST(:ids AS uuid[])) AND status = ANY(CAST(:statuses AS text[]))", OfId
)


class Before(NamedTuple):
    """The priority that a task had before a bulk changed it."""

    item_id: UUID
    before: int


_BEFORE = Statement(
    "SELECT item_id, before FROM bulk_items WHERE bulk_id = :bulk AND item_id = ANY(CAST(:ids AS uuid[]))", Before
)
