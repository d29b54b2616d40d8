"""Callbacks over HTTP: those of a task, of a batch, or of all; and their delivery once more."""

from __future__ import annotations

from itertools import chain
from uuid import UUID

import falcon
from falcon import asgi
from pydantic import Field

from api import requests
from api.access import callers
from api.description import schemas
from api.description.operation import operation
from models import audit
from models.base import Json
from tasks.ending import callbacks
from tasks.input.callback_filter import CallbackFilter
from tasks.transactions.unit import unit_of_work
from tasks.views import batches, ownership, reading
from tasks.views import callbacks as shown


class CallbacksQuery(CallbackFilter):
    """Which callbacks are to be listed."""

    limit: int = Field(50, ge=1, le=500)
    cursor: str | None = None

    def filter(self) -> CallbackFilter:
        """Return it without what says how it is to be listed."""
        return CallbackFilter.model_construct(**{name: getattr(self, name) for name in CallbackFilter.model_fields})


class Callbacks:
    """`/callbacks`"""

    @operation(
        "List callbacks, newest first.",
        {200: "A page; `next_cursor` is null on the last."},
        id="list_callbacks",
        tag="callbacks",
        query=CallbacksQuery,
        response=schemas.CallbackPage,
    )
    async def on_get(self, req: asgi.Request, resp: asgi.Response) -> None:
        resp.media = await listed(req, requests.query(req, CallbacksQuery))


async def listed(req: asgi.Request, query: CallbacksQuery) -> Json:
    """Return a page of the callbacks that a request may see, newest first."""
    before = requests.from_cursor(query.cursor, UUID)
    chosen = [query.filter().model_copy(update={"kb_id": kb}) for kb in callers.kbs(req, query.kb_id)]
    pages = [await requests.read_much(shown.page, choice, limit=query.limit + 1, before=before) for choice in chosen]
    items = sorted(chain.from_iterable(pages), key=lambda item: str(item["callback_id"]), reverse=True)
    return requests.page_of(items, query.limit, "callback_id")


class TaskCallbacks:
    """`/tasks/{task_id}/callbacks`"""

    @operation(
        "The callbacks of a task and how their delivery went.",
        {200: "One for each time it ended.", 404: "There is no such task."},
        id="list_task_callbacks",
        tag="callbacks",
        response=schemas.Callbacks,
    )
    async def on_get(self, req: asgi.Request, resp: asgi.Response, task_id: str) -> None:
        identifier = requests.identifier(task_id, "task")
        if await requests.read(reading.show, identifier, estimated=False) is None:
            raise requests.missing("task", task_id)
        resp.media = {"items": await requests.read(shown.of_task, identifier)}


class TaskRedelivery:
    """`/tasks/{task_id}/callbacks/{callback_id}/redeliver`"""

    @operation(
        "Deliver a callback again, under the same `webhook-id`.",
        {202: "It is on its way.", 404: "The task has no such callback."},
        id="redeliver_callback",
        tag="callbacks",
        response=schemas.Callbacks,
    )
    async def on_post(self, req: asgi.Request, resp: asgi.Response, task_id: str, callback_id: str) -> None:
        task = requests.identifier(task_id, "task")
        await _redeliver(req, callback_id, task_id=task)
        resp.status = falcon.HTTP_202
        resp.media = {"items": await requests.read(shown.of_task, task)}


class BatchCallbacks:
    """`/batches/{batch_id}/callbacks`"""

    @operation(
        "The callbacks of a batch itself and how their delivery went.",
        {200: "One for each time it ended.", 404: "There is no such batch."},
        id="list_batch_callbacks",
        tag="callbacks",
        response=schemas.Callbacks,
    )
    async def on_get(self, req: asgi.Request, resp: asgi.Response, batch_id: str) -> None:
        identifier = requests.identifier(batch_id, "batch")
        if await requests.read(batches.show, identifier) is None:
            raise requests.missing("batch", batch_id)
        resp.media = {"items": await requests.read(shown.of_batch, identifier)}


class BatchRedelivery:
    """`/batches/{batch_id}/callbacks/{callback_id}/redeliver`"""

    @operation(
        "Deliver a batch's callback again, under the same `webhook-id`.",
        {202: "It is on its way.", 404: "The batch has no such callback."},
        id="redeliver_batch_callback",
        tag="callbacks",
        response=schemas.Callbacks,
    )
    async def on_post(self, req: asgi.Request, resp: asgi.Response, batch_id: str, callback_id: str) -> None:
        batch = requests.identifier(batch_id, "batch")
        await _redeliver(req, callback_id, batch_id=batch)
        resp.status = falcon.HTTP_202
        resp.media = {"items": await requests.read(shown.of_batch, batch)}


async def _redeliver(
    req: asgi.Request, callback_id: str, *, task_id: UUID | None = None, batch_id: UUID | None = None
) -> None:
    callback = requests.identifier(callback_id, "callback")
    owner = {
        name: str(owner_id) for name, owner_id in (("task_id", task_id), ("batch_id", batch_id)) if owner_id is not None
    }

    def redeliver() -> bool:
        with unit_of_work() as unit:
            if not callbacks.redeliver(unit, callback, task_id=task_id, batch_id=batch_id):
                return False
            kb_id = None if task_id is None else ownership.kb_of(unit.session, task_id)
            actor = callers.actor(req)
            audit.record(unit.session, actor, "callback.redeliver", "callback", callback, kb_id=kb_id, **owner)
            return True

    if not await requests.beside(redeliver):
        raise requests.missing("callback", callback_id)
