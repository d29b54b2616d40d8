"""Tasks over HTTP: submit, show, list, cancel, retry."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from itertools import chain
from typing import Any
from uuid import UUID

import falcon
from falcon import asgi
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from api import requests
from api.access import callers
from api.description import schemas
from api.description.operation import operation
from api.problems import Denied, Invalid, problem
from models import audit
from models.base import Json
from sentences import say
from tasks.accepting.submission import Accepted, Submission, submit
from tasks.ending import ending, retrying
from tasks.input.fields import Filter
from tasks.lifecycle import ENDED
from tasks.transactions.group_commit import GroupCommit
from tasks.transactions.unit import broker, unit_of_work
from tasks.types import all_types, task_type
from tasks.views import reading, selection, why

#: Seconds between two looks at a task that a client waits for.
LOOK_EVERY = 0.25
LONGEST_WAIT = 25.0

EXAMPLE = {"task_type": "test", "payload": {"message": "hello"}}


class TaskQuery(BaseModel):
    """How a task is to be shown."""

    model_config = ConfigDict(extra="forbid")

    wait: float = Field(0, ge=0, description="Answer when the task ends, after so many seconds at the latest (25).")


class TasksQuery(Filter):
    """Which tasks are to be listed."""

    count: bool = Field(False, description="Whether to say how many there are in all, up to 10,000.")
    limit: int = Field(50, ge=1, le=500)
    cursor: str | None = None

    def within(self, kb_id: str | None) -> Filter:
        """Return the filter alone, of one KB."""
        named = {name: getattr(self, name) for name in Filter.model_fields}
        return Filter.model_construct(**named | {"kb_id": kb_id})


def submission_of(task: Any) -> Submission:
    """Return a task as a client may submit it.

    Raises:
      Invalid: naming every field that does not fit.
    """
    payload = task.get("payload") if isinstance(task, dict) else None
    problems: list[dict[str, str]] = []
    if isinstance(payload, dict) and "upload_id" in payload:
        problems.append(problem("payload.upload_id", say("upload_id")))
        # All else is looked at as if it were not there.
        task = {**task, "payload": {name: value for name, value in payload.items() if name != "upload_id"}}
    try:
        submission = requests.fit(Submission, task)
    except Invalid as error:
        raise Invalid([*problems, *error.problems]) from None
    if task_type(submission.task_type).is_ours:
        problems.append(problem("task_type", say("own_task_type", name=submission.task_type)))
    if problems:
        raise Invalid(problems)
    return submission


class Tasks:
    """`/tasks`"""

    def __init__(self, commits: GroupCommit) -> None:
        self._commits = commits

    @operation(
        "Submit a task.",
        {202: "Accepted and durable."},
        id="submit_task",
        tag="tasks",
        takes=("IdempotencyKey",),
        gives=("Location",),
        request=schemas.NewTask,
        response=schemas.AcceptedTask,
        example=EXAMPLE,
    )
    async def on_post(self, req: asgi.Request, resp: asgi.Response) -> None:
        def understand(body: object) -> Submission:
            submission = submission_of(body)
            callers.demand(req, submission.kb_id)
            return submission.under(requests.idempotency_key(req, submission)).by(callers.actor(req))

        submission = await requests.body(req, understand)
        await callers.demand_dependencies(req, submission.depends_on)
        accepted = await requests.committed(self._commits, submit, submission)
        answer(resp, accepted)

    @operation(
        "List tasks, newest first.",
        {200: "A page; `next_cursor` is null on the last."},
        id="list_tasks",
        tag="tasks",
        query=TasksQuery,
        response=schemas.TaskPage,
    )
    async def on_get(self, req: asgi.Request, resp: asgi.Response) -> None:
        resp.media = await listed(req, requests.query(req, TasksQuery))


async def listed(req: asgi.Request, query: TasksQuery) -> Json:
    """Return a page of the tasks that a request may see, newest first."""
    before = requests.from_cursor(query.cursor, UUID)
    chosen = [query.within(kb_id) for kb_id in callers.kbs(req, query.kb_id)]
    items = await requests.read_much(_newest, chosen, limit=query.limit + 1, before=before)
    page = requests.page_of(items, query.limit, "task_id")
    if query.count:
        page["total"] = await counted(req, query)
    return page


async def counted(req: asgi.Request, query: TasksQuery) -> Json:
    """Return how many tasks a request may see, up to a bound.

    Raises:
      selection.TooMany: it took too long.
    """
    chosen = [query.within(kb_id) for kb_id in callers.kbs(req, query.kb_id)]
    return asdict(await requests.read_much(_counted, chosen))


def _newest(session: Session, chosen: Sequence[Filter], *, limit: int, before: UUID | None) -> list[Json]:
    """Return the newest tasks of several filters together."""
    pages = [reading.page(session, choice, limit=limit, before=before) for choice in chosen]
    return sorted(chain.from_iterable(pages), key=lambda task: str(task["task_id"]), reverse=True)[:limit]


def _counted(session: Session, chosen: Sequence[Filter]) -> selection.Count:
    """Return how many tasks fit several filters of which no two fit the same."""
    counts = [selection.count(session, choice) for choice in chosen]
    return selection.Count(sum(count.count for count in counts), any(count.capped for count in counts))


class Task:
    """`/tasks/{task_id}`"""

    @operation(
        "Show a task.",
        {200: "The task.", 304: "Unchanged since the `ETag` that was sent.", 404: "There is no such task."},
        id="get_task",
        tag="tasks",
        takes=("IfNoneMatch",),
        gives=("ETag",),
        query=TaskQuery,
        response=schemas.Task,
    )
    async def on_get(self, req: asgi.Request, resp: asgi.Response, task_id: str) -> None:
        wait = min(requests.query(req, TaskQuery).wait, LONGEST_WAIT)
        deadline = asyncio.get_running_loop().time() + wait
        identifier = requests.identifier(task_id, "task")
        while True:
            left = deadline - asyncio.get_running_loop().time()
            task = await requests.read(reading.show, identifier, estimated=left <= 0)
            if task is None:
                raise requests.missing("task", task_id)
            if task["status"] in ENDED or left <= 0:
                break
            await asyncio.sleep(min(LOOK_EVERY, left))
        resp.media = task
        resp.etag = reading.version(task)
        if req.if_none_match and any(tag in ("*", resp.etag.strip('"')) for tag in req.if_none_match):
            resp.media = None
            resp.status = falcon.HTTP_304

    @operation(
        "Cancel a task.",
        {
            200: "Cancelled; it was not running.",
            202: "Cancelled; its worker stops within 2 seconds.",
            404: "There is no such task.",
            409: "It has ended already.",
        },
        id="cancel_task",
        tag="tasks",
        response=schemas.Task,
    )
    async def on_delete(self, req: asgi.Request, resp: asgi.Response, task_id: str) -> None:
        identifier = requests.identifier(task_id, "task")
        before = await requests.read(reading.show, identifier)
        if before is None:
            raise requests.missing("task", task_id)

        def cancel() -> bool:
            with unit_of_work() as unit:
                if identifier not in ending.cancel(unit, [identifier]):
                    return False
                audit.record(unit.session, callers.actor(req), "task.cancel", "task", identifier, kb_id=before["kb_id"])
                return True

        if not await requests.beside(cancel):
            after = await requests.read(reading.show, identifier)
            detail = say("task_ended", status=(after or before)["status"])
            raise falcon.HTTPConflict(title="Conflict", description=detail)
        running = any(stage["status"] == "processing" for stage in before["stages"])
        resp.status = falcon.HTTP_202 if running else falcon.HTTP_200
        resp.media = await requests.read(reading.show, identifier)


class TaskRetry:
    """`/tasks/{task_id}/retry`"""

    @operation(
        "Run a task again that failed or was cancelled.",
        {
            202: "It resumes at the stage that failed; 24 hours after its end it begins anew.",
            404: "There is no such task.",
            409: "It has not ended, has completed, or depends on a task that did not complete.",
        },
        id="retry_task",
        tag="tasks",
        gives=("Location",),
        response=schemas.Task,
    )
    async def on_post(self, req: asgi.Request, resp: asgi.Response, task_id: str) -> None:
        identifier = requests.identifier(task_id, "task")
        before = await requests.read(reading.show, identifier)
        if before is None:
            raise requests.missing("task", task_id)
        kind = all_types().get(before["task_type"])
        if kind is not None and kind.is_ours and not callers.key(req).may("operate"):
            raise Denied("forbidden_role", say("retry_role", kind=kind.name))

        def retry() -> retrying.Retried:
            with unit_of_work() as unit:
                retried = retrying.retry(unit, [identifier])
                if retried.task_ids:
                    kb_id = before["kb_id"]
                    audit.record(unit.session, callers.actor(req), "task.retry", "task", identifier, kb_id=kb_id)
                return retried

        retried = await requests.beside(retry)
        if not retried.task_ids:
            reason = retried.refused.get(identifier) or say("is_status", status=before["status"])
            detail = say("no_retry", reason=reason)
            raise falcon.HTTPConflict(title="Conflict", description=detail)
        resp.status = falcon.HTTP_202
        resp.location = f"/api/v1/tasks/{identifier}"
        resp.media = await requests.read(reading.show, identifier)


class TaskWhy:
    """`/tasks/{task_id}/why`"""

    @operation(
        "Say why a task does not run, what it waits for, and since when.",
        {
            200: "The first reason that holds, in the order in which the dispatch decides.",
            404: "There is no such task.",
        },
        id="explain_task",
        tag="tasks",
        response=schemas.Why,
    )
    async def on_get(self, req: asgi.Request, resp: asgi.Response, task_id: str) -> None:
        identifier = requests.identifier(task_id, "task")
        answer = await requests.read(why.why, identifier, broker().publishing, repeatable=True)
        if answer is None:
            raise requests.missing("task", task_id)
        resp.media = answer


def answer(resp: asgi.Response, accepted: Accepted) -> None:
    """Answer 202 and where the task is."""
    resp.status = falcon.HTTP_202
    resp.location = f"/api/v1/tasks/{accepted.task_id}"
    resp.media = accepted
