"""Batches over HTTP: many tasks in one request, counted and called back together."""

from __future__ import annotations

from functools import partial
from typing import Any
from uuid import UUID

import falcon
from falcon import asgi
from pydantic import BaseModel, ConfigDict, Field

from api import requests
from api.access import callers
from api.description import schemas
from api.description.operation import operation
from api.problems import Denied, Invalid, problem
from api.resources.tasks import EXAMPLE, submission_of
from models import audit
from models.base import Json
from sentences import say
from tasks.accepting.submission import Accepted, NewBatch, Submission, submit_batch
from tasks.ending import dependencies, ending
from tasks.input.batch_filter import BatchFilter
from tasks.input.fields import CallbackAddress
from tasks.transactions.group_commit import GroupCommit
from tasks.transactions.unit import unit_of_work
from tasks.views import batches

LARGEST = 1000


class BatchRequest(BaseModel):
    """Tasks to be submitted together."""

    model_config = ConfigDict(extra="forbid")

    tasks: list[Json] = Field(
        min_length=1,
        max_length=LARGEST,
        description="As for `POST /tasks`; one with a `name` can be depended on by the others.",
    )
    callback_url: CallbackAddress | None = None
    atomic: bool = Field(False, description="All or none: one task that does not fit rejects the rest.")


class Batches:
    """`/tasks/batch`"""

    def __init__(self, commits: GroupCommit) -> None:
        self._commits = commits

    @operation(
        "Submit 1 to 1,000 tasks.",
        {202: "Those that fit are accepted; the others carry an `error`.", 422: "None was accepted."},
        id="submit_batch",
        tag="batches",
        takes=("IdempotencyKey",),
        gives=("Location",),
        request=schemas.NewBatch,
        response=schemas.AcceptedBatch,
        example={"tasks": [EXAMPLE, EXAMPLE]},
    )
    async def on_post(self, req: asgi.Request, resp: asgi.Response) -> None:
        batch, good, bad, names = await requests.body(req, partial(_understood, req))
        await callers.demand_dependencies(req, {task_id for one in batch.submissions for task_id in one.depends_on})
        answer = await requests.committed(self._commits, submit_batch, batch)
        accepted: dict[int, Json] = {}
        for position, task in zip(good, answer.tasks, strict=True):
            if isinstance(task, Accepted):
                accepted[position] = {"index": position, "task_id": str(task.task_id), "status": task.status}
            else:
                bad[position] = [_unknown(task_id, names) for task_id in task.unknown]
        if answer.batch_id is None:
            raise _all_refused(bad)
        refused = {position: {"index": position, "error": {"errors": problems}} for position, problems in bad.items()}
        resp.status = falcon.HTTP_202
        resp.location = f"/api/v1/batches/{answer.batch_id}"
        resp.media = {
            "batch_id": str(answer.batch_id),
            "tasks": [item for _, item in sorted((accepted | refused).items())],
            "accepted": len(accepted),
            "rejected": len(refused),
        }


def _understood(
    req: asgi.Request, body: object
) -> tuple[NewBatch, dict[int, Submission], dict[int, list[dict[str, str]]], dict[UUID, str]]:
    """Return a batch of the items that fit; these, what is wrong with the others, and the names of all."""
    request = requests.fit(BatchRequest, body)
    try:
        items, names = dependencies.by_name(request.tasks)
    except dependencies.Misnamed as error:
        raise Invalid([problem(error.field, error.message)]) from None
    good, bad = _sorted_out(req, request.tasks, items, {name: task_id for task_id, name in names.items()})
    if not good or (bad and request.atomic):
        raise _all_refused(bad)
    batch = NewBatch(submissions=list(good.values()), callback_url=request.callback_url, atomic=request.atomic)
    return batch.under(requests.idempotency_key(req, request)), good, bad, names


def _sorted_out(
    req: asgi.Request, tasks: list[Any], items: list[Any], ids: dict[str, UUID]
) -> tuple[dict[int, Submission], dict[int, list[dict[str, str]]]]:
    """Return the items that fit, and what is wrong with the others, by their position."""
    good: dict[int, Submission] = {}
    bad: dict[int, list[dict[str, str]]] = {}
    for position, (named, item) in enumerate(zip(tasks, items, strict=True)):
        try:
            submission = submission_of(item).by(callers.actor(req))
            callers.demand(req, submission.kb_id)
        except Invalid as error:
            bad[position] = error.problems
            continue
        except Denied as error:
            bad[position] = [problem("kb_id", error.told, error.denial)]
            continue
        name = named.get("name")
        good[position] = submission if name is None else submission.named(ids[name])
    return good, bad


def _unknown(task_id: UUID, names: dict[UUID, str]) -> dict[str, str]:
    if task_id in names:
        return problem("depends_on", say("rejected_item", name=names[task_id]))
    return problem("depends_on", say("no_task", ids=task_id))


def _all_refused(bad: dict[int, list[dict[str, str]]]) -> Invalid:
    return Invalid(
        [
            {**entry, "field": f"tasks.{position}.{entry['field']}"}
            for position, problems in sorted(bad.items())
            for entry in problems
        ]
    )


class BatchesQuery(BatchFilter):
    """Which batches are to be listed."""

    limit: int = Field(20, ge=1, le=100)
    cursor: str | None = None


class AllBatches:
    """`/batches`"""

    @operation(
        "List batches, newest first, with their counts by status.",
        {200: "A page; `next_cursor` is null on the last.", 422: "Too many would have to be looked through."},
        id="list_batches",
        tag="batches",
        query=BatchesQuery,
        response=schemas.BatchPage,
    )
    async def on_get(self, req: asgi.Request, resp: asgi.Response) -> None:
        resp.media = await listed(req, requests.query(req, BatchesQuery))


async def listed(req: asgi.Request, query: BatchesQuery) -> Json:
    """Return a page of the batches that a request may see, newest first."""
    before = requests.from_cursor(query.cursor, UUID)
    kb_ids = callers.confined(req, query.kb_id)
    items = await requests.read_much(batches.page, query, kb_ids, limit=query.limit + 1, before=before)
    return requests.page_of(items, query.limit, "batch_id")


class Batch:
    """`/batches/{batch_id}`"""

    @operation(
        "Show a batch.",
        {200: "Its counts by status.", 404: "There is no such batch."},
        id="get_batch",
        tag="batches",
        response=schemas.Batch,
    )
    async def on_get(self, req: asgi.Request, resp: asgi.Response, batch_id: str) -> None:
        resp.media = await _shown(batch_id)

    @operation(
        "Cancel every task of a batch that has not ended.",
        {
            200: "Cancelled; none of them was running.",
            202: "Cancelled; the workers that run some of them stop within 2 seconds.",
            404: "There is no such batch.",
            409: "All of its tasks have ended already.",
        },
        id="cancel_batch",
        tag="batches",
        response=schemas.Batch,
    )
    async def on_delete(self, req: asgi.Request, resp: asgi.Response, batch_id: str) -> None:
        await _shown(batch_id)
        identifier = requests.identifier(batch_id, "batch")

        def cancel() -> tuple[set[UUID], bool]:
            with unit_of_work() as unit:
                cancelled, any_ran = ending.cancel_batch(unit, identifier)
                if count := len(cancelled):
                    audit.record(unit.session, callers.actor(req), "batch.cancel", "batch", identifier, cancelled=count)
                return cancelled, any_ran

        cancelled, any_ran = await requests.beside(cancel)
        if not cancelled:
            raise falcon.HTTPConflict(title="Conflict", description=say("batch_ended"))
        resp.status = falcon.HTTP_202 if any_ran else falcon.HTTP_200
        resp.media = await _shown(batch_id)


async def _shown(batch_id: str) -> Json:
    batch = await requests.read(batches.show, requests.identifier(batch_id, "batch"))
    if batch is None:
        raise requests.missing("batch", batch_id)
    return batch
