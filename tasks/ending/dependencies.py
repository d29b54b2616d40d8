"""Tasks that wait for others: who is waited for, and who is released when one ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import NamedTuple, Protocol
from uuid import UUID

from models.base import Json, new_id
from models.statement import OfId, Statement, prepared
from sentences import Bilingual, say
from tasks.lifecycle import OPEN, Status, sources, target
from tasks.transactions.unit import Unit
from tasks.transitions.ending import RELEASE_DEPENDENTS, WAITS_FOR


class Depending(Protocol):
    """What a submission says of others."""

    depends_on: list[UUID]

    @property
    def task_id(self) -> UUID | None: ...


class Unknown(Exception):
    """A submission depends on tasks that do not exist.

    Parameters:
      task_ids: those, in the order in which they were named.
    """

    def __init__(self, task_ids: Sequence[UUID]) -> None:
        super().__init__(say("no_task", ids=", ".join(map(str, task_ids))))
        self.task_ids = task_ids


@dataclass(frozen=True, slots=True)
class Orphan:
    """A task that cannot run any more, since `cause` did not complete."""

    task_id: UUID
    stage: str
    cause: UUID
    cause_status: str


def unknown(unit: Unit, submissions: Sequence[Depending]) -> dict[int, list[UUID]]:
    """Return those of these submissions that depend on tasks which neither exist nor come with them.

    Returns:
      by the position of the submission what it names in vain.
    """
    task_ids = {task_id for submission in submissions for task_id in submission.depends_on}
    if not task_ids:
        return {}
    stored = {row.id for row in unit.execute(_STATUSES, {"ids": sorted(task_ids)})}
    refusals: dict[int, list[UUID]] = {}
    while True:
        coming = {submission.task_id for position, submission in enumerate(submissions) if position not in refusals}
        more = {
            position: missing
            for position, submission in enumerate(submissions)
            if position not in refusals
            and (missing := [one for one in submission.depends_on if one not in stored | coming])
        }
        if not more:
            return refusals
        # What depends on a submission that is refused is refused with it.
        refusals |= more


def watch(unit: Unit, rows: Sequence[Json]) -> list[Orphan]:
    """Set `waiting_for` of rows that are about to run: what they depend on and has not ended.

    The rows that are depended on stay as they are until this transaction ends, so none can end unseen.

    Returns:
      those that cannot run, because something they depend on has ended already without completing.
    """
    task_ids = sorted({task_id for row in rows for task_id in row["depends_on"]})
    statuses = {row.id: row.status for row in unit.execute(_STATUSES, {"ids": task_ids})} if task_ids else {}
    statuses |= {row["id"]: str(Status.QUEUED) for row in rows}
    orphans = []
    for row in rows:
        # One that was deleted since is over, and long ago.
        seen = {task_id: statuses[task_id] for task_id in dict.fromkeys(row["depends_on"]) if task_id in statuses}
        row["waiting_for"] = [task_id for task_id, status in seen.items() if status in OPEN]
        cause = _cause(seen) if row["on_dependency_failure"] == "fail" else None
        if cause:
            # It waits, so that it ends as every task does that waits for one which fails.
            row["waiting_for"] = row["waiting_for"] or [cause]
            orphans.append(Orphan(row["id"], row["stage"], cause, seen[cause]))
    return orphans


def _cause(statuses: Mapping[UUID, str]) -> UUID | None:
    failed = (Status.FAILED, Status.CANCELLED)
    return next((task_id for task_id, status in statuses.items() if status in failed), None)


def release(unit: Unit, ended: Mapping[UUID, str]) -> tuple[set[str], list[Orphan]]:
    """Tell those that wait for these tasks that they have ended.

    Parameters:
      ended: the status of each.

    Returns:
      the queues in which tasks have become ready, and the tasks that cannot run any more.
    """
    if not ended:
        return set(), []
    # As one text, which is made in half the time that psycopg2 takes for an array of ids.
    ids = f"{{{','.join(map(str, ended))}}}"
    # As a rule nobody waits. An UPDATE of no row costs more than twice as much: it fires the trigger of events as well.
    if not unit.execute(_IS_WAITED_FOR, {"ids": ids, "sources": list(sources("release"))}):
        return set(), []
    rows = unit.execute(
        RELEASE_DEPENDENTS,
        {
            "ids": ids,
            "statuses": list(ended.values()),
            "completed": str(Status.COMPLETED),
            "sources": list(sources("release")),
            "target": target("release"),
        },
    )
    ready = {row.queue for row in rows if row.status == target("release")}
    return ready, [Orphan(row.id, row.stage, row.cause, ended[row.cause]) for row in rows if row.cause]


class OfStatus(NamedTuple):
    """A task and its status."""

    id: UUID
    status: str


_IS_WAITED_FOR = prepared(f"SELECT t.id FROM tasks AS t WHERE {WAITS_FOR} LIMIT 1", OfId)

_STATUSES = Statement(
    "SELECT id, status FROM tasks WHERE id = ANY(CAST(:ids AS uuid[])) ORDER BY id FOR SHARE", OfStatus
)


def by_name(items: Sequence[object]) -> tuple[list[object], dict[UUID, str]]:
    """Replace the names by which the items of a batch depend on each other with ids that are made for them.

    Returns:
      the items without their names, and the name of each id, in the order of the items.

    Raises:
      Misnamed: two items of one name, or items that depend on each other in a circle.
    """
    ids: dict[str, UUID] = {}
    for position, item in enumerate(items):
        name = item.get("name") if isinstance(item, dict) else None
        if name is None:
            continue
        if not isinstance(name, str) or not name or name in ids:
            raise Misnamed(f"tasks.{position}.name", say("item_name"))
        ids[name] = new_id()
    _refuse_circles(items, ids)
    resolved: list[object] = []
    for item in items:
        if isinstance(item, dict):
            item = {key: value for key, value in item.items() if key != "name"}
            if isinstance(item.get("depends_on"), list):
                item["depends_on"] = [_id_of(reference, ids) for reference in item["depends_on"]]
        resolved.append(item)
    return resolved, {task_id: name for name, task_id in ids.items()}


class Misnamed(Exception):
    """The names of a batch's items do not make sense.

    Parameters:
      field: where.
      message: what.
    """

    def __init__(self, field: str, message: Bilingual) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message


def _id_of(reference: object, ids: Mapping[str, UUID]) -> object:
    return ids.get(reference, reference) if isinstance(reference, str) else reference


def _refuse_circles(items: Sequence[object], ids: Mapping[str, UUID]) -> None:
    named = {item["name"]: item.get("depends_on") for item in items if isinstance(item, dict) and item.get("name")}
    graph = {
        name: [other for other in others if isinstance(other, str) and other in ids]
        for name, others in named.items()
        if isinstance(others, list)
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        circle = " → ".join(reversed(error.args[1]))
        raise Misnamed("tasks", say("circle", circle=circle)) from None
