"""What is done over HTTP to all tasks, or callbacks, of a filter: with a preview, as a task, and undone as a whole."""

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
from api.problems import Invalid, problem
from api.resources.many.asking import (
    PREVIEWED,
    UNLESS_NAMED,
    Asked,
    BatchesRequest,
    CallbacksRequest,
    Filtered,
    PriorityRequest,
    Request,
    RetryBatchesRequest,
    RetryRequest,
    TasksRequest,
    understood,
)
from api.resources.tasks import answer
from broker.topology import PRIORITY_NAMES
from models import audit
from models.base import Json
from sentences import say
from tasks.accepting.submission import Submission, submit
from tasks.bulk import actions, items, scope
from tasks.ending import retrying
from tasks.ending.retrying import Retried
from tasks.lifecycle import ENDED
from tasks.transactions.group_commit import GroupCommit
from tasks.transactions.unit import unit_of_work
from tasks.types.bulk import TYPE, Action, Bulk
from tasks.views import reading

#: Tasks that `POST /tasks/retry` retries at once where it is asked as in the first version.
MOST_AT_ONCE = 1000
#: Before what waits already, since it decides what becomes of that.
PRIORITY = "urgent"


class ItemsQuery(BaseModel):
    """Which items of a bulk are to be listed."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(50, ge=1, le=500)
    cursor: str | None = None


class _Bulks:
    """A route on which bulks are asked for."""

    def __init__(self, commits: GroupCommit) -> None:
        self._commits = commits

    async def _answer(
        self, req: asgi.Request, resp: asgi.Response, request: Request, wanted: Bulk, kb_id: str | None
    ) -> None:
        """Preview a bulk, or submit the task that does it."""
        key = requests.idempotency_key(req, request)
        if request.dry_run:
            resp.media = await requests.read(_preview, wanted)
            return
        payload = wanted.model_dump(mode="json", exclude_none=True)
        submission = Submission(task_type=TYPE.name, kb_id=kb_id, payload=payload, priority=PRIORITY)
        submission.under(key).by(callers.actor(req))
        answer(resp, await requests.committed(self._commits, submit, submission))


async def _asked(req: asgi.Request, model: type[Asked], action: Action) -> Asked:
    """Return what a request asks for, of the KBs of its key."""
    request = await requests.body(req, partial(understood, model, action))
    _confine(req, request)
    return request


def _confine(req: asgi.Request, request: Filtered) -> None:
    """Keep a request to the KBs of its key.

    Raises:
      Denied: it names another.
      Invalid: it names none, and there are several.
    """
    kb_ids = callers.kbs(req, request.filter.kb_id)
    if len(kb_ids) > 1:
        raise Invalid([problem("filter.kb_id", say("one_kb"))])
    request.filter.kb_id = kb_ids[0]


def _bulk(action: Action, request: Filtered, **more: object) -> Bulk:
    return Bulk(action=action, filter=request.filter.model_dump(mode="json", exclude_none=True), **more)


def _bulk_of_batches(action: Action, request: BatchesRequest, **more: object) -> Bulk:
    kb_id = request.filter.kb_id
    tasks = {"status": UNLESS_NAMED[action]} | ({} if kb_id is None else {"kb_id": kb_id})
    return Bulk(action=action, filter=tasks, batches=request.filter.model_dump(mode="json", exclude_none=True), **more)


def _preview(session: Any, wanted: Bulk) -> Json:
    preview = scope.preview(session, wanted)
    return {"count": preview.count.count, "capped": preview.count.capped, "examples": preview.examples}


class Cancel(_Bulks):
    """`/tasks/cancel`"""

    @operation(
        "Cancel tasks by a filter.",
        {200: PREVIEWED, 202: "The task that cancels them; it can be undone."},
        id="cancel_tasks",
        tag="tasks",
        takes=("IdempotencyKey",),
        gives=("Location",),
        request=TasksRequest,
        response=schemas.AcceptedTask,
        besides={200: schemas.TasksPreview},
        example={"filter": {"kb_id": "handbook", "status": ["waiting", "queued"]}, "dry_run": True},
    )
    async def on_post(self, req: asgi.Request, resp: asgi.Response) -> None:
        request = await _asked(req, TasksRequest, "cancel")
        await self._answer(req, resp, request, _bulk("cancel", request), request.filter.kb_id)


class Retry(_Bulks):
    """`/tasks/retry`"""

    @operation(
        "Run tasks again that failed or were cancelled, by a filter.",
        {
            200: PREVIEWED,
            202: "The task that retries them; it can be undone. Where the fields of the filter stand alone, without "
            "`filter`, `all` and `dry_run`: what was retried at once, at most 1,000; call again while `more` is true.",
        },
        id="retry_tasks",
        tag="tasks",
        takes=("IdempotencyKey",),
        gives=("Location",),
        request=RetryRequest,
        response=schemas.RetryStarted,
        besides={200: schemas.TasksPreview},
        example={"filter": {"kb_id": "handbook", "error_code": "embedder_unavailable"}, "dry_run": True},
    )
    async def on_post(self, req: asgi.Request, resp: asgi.Response) -> None:
        request, at_once = await requests.body(req, _retry_understood)
        if at_once:
            requests.idempotency_key(req, request)  # refused where it is none, though nothing is kept under it
            resp.status = falcon.HTTP_202
            resp.media = await _retried_at_once(req, request)
            return
        _confine(req, request)
        await self._answer(req, resp, request, _retry_of(request), request.filter.kb_id)


def _retry_of(request: RetryRequest) -> Bulk:
    named = request.filter.error_code is not None or request.filter.ids is not None
    return _bulk("retry", request, include_permanent=request.include_permanent or named)


async def _retried_at_once(req: asgi.Request, request: RetryRequest) -> Json:
    """Retry the oldest tasks of a filter, as the first version does."""
    ids: list[UUID] = []
    named = request.filter.model_dump(mode="json", exclude_none=True, exclude={"kb_id"})
    for kb_id in callers.kbs(req, kb_id_asked := request.filter.kb_id):
        request.filter.kb_id = kb_id
        ids += await requests.read(scope.oldest, _retry_of(request), MOST_AT_ONCE)
    task_ids = sorted(ids)[:MOST_AT_ONCE]

    def retry() -> Retried:
        with unit_of_work() as unit:
            retried = retrying.retry(unit, task_ids)
            if count := len(retried.task_ids):
                detail = {"filter": named, "retried": count}
                audit.record(unit.session, callers.actor(req), "tasks.retry", "tasks", kb_id=kb_id_asked, **detail)
            return retried

    retried = await requests.beside(retry)
    return {
        "retried": len(retried.task_ids),
        "task_ids": [str(task_id) for task_id in retried.task_ids],
        "refused": [{"task_id": str(task_id), "reason": why} for task_id, why in retried.refused.items()],
        "more": len(task_ids) == MOST_AT_ONCE and bool(retried.task_ids),
    }


def _retry_understood(body: object) -> tuple[RetryRequest, bool]:
    """Return the request, and whether it is one of the first version, which is answered when all is done."""
    at_once = isinstance(body, dict) and body.keys().isdisjoint({"filter", "all", "dry_run"})
    return understood(RetryRequest, "retry", body), at_once


class Prioritise(_Bulks):
    """`/tasks/prioritise`"""

    @operation(
        "Change the priority of waiting and queued tasks by a filter.",
        {200: PREVIEWED, 202: "The task that changes it; it can be undone."},
        id="prioritise_tasks",
        tag="tasks",
        takes=("IdempotencyKey",),
        gives=("Location",),
        request=PriorityRequest,
        response=schemas.AcceptedTask,
        besides={200: schemas.TasksPreview},
        example={"filter": {"kb_id": "handbook"}, "priority": "urgent", "dry_run": True},
    )
    async def on_post(self, req: asgi.Request, resp: asgi.Response) -> None:
        request = await _asked(req, PriorityRequest, "prioritise")
        await self._answer(
            req, resp, request, _bulk("prioritise", request, priority=request.priority), request.filter.kb_id
        )


class Reingest(_Bulks):
    """`/tasks/reingest`"""

    @operation(
        "Re-ingest documents by a filter, from where they came and as they were submitted; what each shows now "
        "stays searchable until it is replaced.",
        {200: PREVIEWED, 202: "The task that submits them; each becomes a task of its own."},
        id="reingest_documents",
        tag="tasks",
        takes=("IdempotencyKey",),
        gives=("Location",),
        request=TasksRequest,
        response=schemas.AcceptedTask,
        besides={200: schemas.TasksPreview},
        example={"filter": {"kb_id": "handbook", "created_before": "2026-11-01T00:00:00Z"}, "dry_run": True},
    )
    async def on_post(self, req: asgi.Request, resp: asgi.Response) -> None:
        request = await _asked(req, TasksRequest, "reingest")
        await self._answer(req, resp, request, _bulk("reingest", request), request.filter.kb_id)


class CancelBatches(_Bulks):
    """`/batches/cancel`"""

    @operation(
        "Cancel every task of batches that has not ended, by a filter of the batches.",
        {200: PREVIEWED, 202: "The task that cancels them; it can be undone."},
        id="cancel_batches",
        tag="batches",
        takes=("IdempotencyKey",),
        gives=("Location",),
        request=BatchesRequest,
        response=schemas.AcceptedTask,
        besides={200: schemas.TasksPreview},
        example={"filter": {"kb_id": "handbook", "status": "processing"}, "dry_run": True},
    )
    async def on_post(self, req: asgi.Request, resp: asgi.Response) -> None:
        request = await _asked(req, BatchesRequest, "cancel")
        await self._answer(req, resp, request, _bulk_of_batches("cancel", request), request.filter.kb_id)


class RetryBatches(_Bulks):
    """`/batches/retry`"""

    @operation(
        "Run the failed tasks of batches again, by a filter of the batches.",
        {200: PREVIEWED, 202: "The task that retries them; it can be undone."},
        id="retry_batches",
        tag="batches",
        takes=("IdempotencyKey",),
        gives=("Location",),
        request=RetryBatchesRequest,
        response=schemas.AcceptedTask,
        besides={200: schemas.TasksPreview},
        example={"filter": {"created_after": "2026-11-29T00:00:00Z", "status": "completed"}, "dry_run": True},
    )
    async def on_post(self, req: asgi.Request, resp: asgi.Response) -> None:
        request = await _asked(req, RetryBatchesRequest, "retry")
        wanted = _bulk_of_batches("retry", request, include_permanent=request.include_permanent)
        await self._answer(req, resp, request, wanted, request.filter.kb_id)


class Redeliver(_Bulks):
    """`/callbacks/redeliver`"""

    @operation(
        "Deliver callbacks again by a filter, each under its `webhook-id`.",
        {200: PREVIEWED, 202: "The task that has them delivered."},
        id="redeliver_callbacks",
        tag="callbacks",
        takes=("IdempotencyKey",),
        gives=("Location",),
        request=CallbacksRequest,
        response=schemas.AcceptedTask,
        besides={200: schemas.CallbacksPreview},
        example={"filter": {"state": "failed", "host": "kb.example.com"}, "dry_run": True},
    )
    async def on_post(self, req: asgi.Request, resp: asgi.Response) -> None:
        request = await _asked(req, CallbacksRequest, "redeliver")
        await self._answer(req, resp, request, _bulk("redeliver", request), request.filter.kb_id)


class Undo(_Bulks):
    """`/tasks/{task_id}/undo`"""

    @operation(
        "Take back as a whole what a bulk has done: retry what it cancelled, give what it retried its earlier end back,"
        " or give each task its priority back. What has ended or was changed again since stays.",
        {
            200: PREVIEWED,
            202: "The task that does it; it can be undone as well.",
            404: "There is no such task.",
            409: "It is no bulk, has not ended, or did what cannot be taken back.",
        },
        id="undo_bulk",
        tag="tasks",
        takes=("IdempotencyKey",),
        gives=("Location",),
        request=Request,
        example={"dry_run": True},
        body_required=False,
        response=schemas.AcceptedTask,
        besides={200: schemas.TasksPreview},
    )
    async def on_post(self, req: asgi.Request, resp: asgi.Response, task_id: str) -> None:
        identifier = requests.identifier(task_id, "task")
        request = await requests.body(req, Request.model_validate) if req.content_length else Request()
        done = await _shown_bulk(identifier)
        if done["status"] not in ENDED:
            raise _conflict(say("bulk_runs", status=done["status"]))
        wanted = actions.undoing(identifier, Bulk.model_validate(done["payload"]))
        if wanted is None:
            raise _conflict(say("no_undo"))
        await self._answer(req, resp, request, wanted, done["kb_id"])


class Items:
    """`/tasks/{task_id}/items`"""

    @operation(
        "What a bulk is for, and what became of each, newest first.",
        {200: "A page; `next_cursor` is null on the last.", 404: "There is no such task.", 409: "It is no bulk."},
        id="list_bulk_items",
        tag="tasks",
        query=ItemsQuery,
        response=schemas.BulkItemPage,
    )
    async def on_get(self, req: asgi.Request, resp: asgi.Response, task_id: str) -> None:
        identifier, query = requests.identifier(task_id, "task"), requests.query(req, ItemsQuery)
        resp.media = await listed(await _shown_bulk(identifier), query)


async def listed(done: Json, query: ItemsQuery) -> Json:
    """Return a page of the items of a bulk, newest first.

    Parameters:
      done: the bulk as it is shown.
    """
    before = requests.from_cursor(query.cursor, UUID)
    rows = await requests.read(items.page, UUID(done["task_id"]), limit=query.limit + 1, before=before)
    key = "callback_id" if done["payload"]["action"] == "redeliver" else "task_id"
    return requests.page_of([_item(row, key) for row in rows], query.limit, key)


def _item(row: Any, key: str) -> Json:
    return {
        key: str(row.item_id),
        "outcome": "open" if row.changed is None else "changed" if row.changed else "refused",
        "reason": row.refused,
        "priority_before": PRIORITY_NAMES.get(row.before),
        "priority_after": PRIORITY_NAMES.get(row.after),
    }


async def _shown_bulk(identifier: UUID) -> Json:
    done = await requests.read(reading.show, identifier, estimated=False)
    if done is None:
        raise requests.missing("task", identifier)
    if done["task_type"] != TYPE.name:
        raise _conflict(say("no_bulk", kind=done["task_type"]))
    return done


def _conflict(reason: str) -> falcon.HTTPConflict:
    return falcon.HTTPConflict(title="Conflict", description=reason)
