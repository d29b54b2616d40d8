"""Schedules over HTTP: tasks that are submitted again and again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any
from uuid import UUID

import falcon
from falcon import asgi
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from api import requests
from api.access import callers
from api.description import schemas
from api.description.operation import operation
from api.problems import Invalid, problem
from api.resources.tasks import answer, submission_of
from models import Schedule as Row
from models.audit import Actor
from models.base import Json, json_of
from sentences import say
from tasks.accepting.idempotency import Key
from tasks.accepting.schedules import keeping
from tasks.accepting.schedules.recurrence import Recurrence, time_zone
from tasks.accepting.submission import Accepted, Submission
from tasks.input.bounds import LARGEST_PAYLOAD, storable
from tasks.transactions.unit import Unit, unit_of_work

#: What a schedule says itself, or what is over when it falls due again.
SAID_ELSEWHERE = ("run_at", "expires_at", "depends_on", "on_dependency_failure")

Name = Annotated[str, Field(min_length=1, max_length=255), AfterValidator(storable)]


class NewSchedule(schemas.NewSchedule):
    """A schedule as it is validated: its task apart, so that all that does not fit is listed at once."""

    model_config = ConfigDict(extra="forbid", defer_build=False)

    name: Name | None = None
    task: Json


class ScheduleChange(schemas.ScheduleChange):
    """A change as it is validated: its task apart, as that of a new schedule is."""

    model_config = ConfigDict(extra="forbid", defer_build=False)

    name: Name | None = None
    task: Json = Field(default_factory=dict)

    @model_validator(mode="after")
    def _says_something(self) -> ScheduleChange:
        if not self.model_fields_set:
            raise ValueError(say("no_change"))
        return self


class SchedulesQuery(BaseModel):
    """Which schedules are to be listed."""

    model_config = ConfigDict(extra="forbid")

    kb_id: str | None = None
    limit: int = Field(50, ge=1, le=100)
    cursor: str | None = None


def recurrence_of(cron: str, timezone: str) -> Recurrence:
    """Return the due times that a request asks for.

    Raises:
      Invalid: naming which of both cannot be understood.
    """
    try:
        time_zone(timezone)
    except ValueError as error:
        raise Invalid([problem("timezone", error.args[0])]) from None
    try:
        return Recurrence(cron, timezone)
    except ValueError as error:
        raise Invalid([problem("cron", error.args[0])]) from None


def task_of(req: asgi.Request, task: Json) -> Submission:
    """Return the task that a schedule is to submit.

    Raises:
      Invalid: naming every field that does not fit.
      Denied: it is of a KB that the request may not touch.
    """
    problems = [problem(f"task.{name}", say("scheduled_field")) for name in SAID_ELSEWHERE if name in task]
    if (size := len(json_of(task).encode(errors="replace"))) > LARGEST_PAYLOAD:
        problems.append(problem("task", say("large_scheduled", size=size, most=LARGEST_PAYLOAD)))
    try:
        submission = submission_of({name: value for name, value in task.items() if name not in SAID_ELSEWHERE})
    except Invalid as error:
        problems += [{**entry, "field": f"task.{entry['field']}"} for entry in error.problems]
    if problems:
        raise Invalid(problems)
    callers.demand(req, submission.kb_id)
    return submission


class Schedules:
    """`/schedules`"""

    @operation(
        "Create a schedule.",
        {201: "From its next due time on."},
        id="create_schedule",
        tag="schedules",
        takes=("IdempotencyKey",),
        gives=("Location",),
        request=schemas.NewSchedule,
        response=schemas.Schedule,
        example={
            "name": "nightly",
            "cron": "30 2 * * *",
            "timezone": "Europe/Berlin",
            "task": {"task_type": "test", "payload": {"message": "hello"}},
        },
    )
    async def on_post(self, req: asgi.Request, resp: asgi.Response) -> None:
        wanted, key = await requests.body(req, lambda body: _understood(req, body))

        def write() -> Json:
            with unit_of_work() as unit:
                made = keeping.make(unit, callers.actor(req), wanted, key)
                if not isinstance(made, UUID):
                    raise made
                unit.flush()
                return _existing(keeping.locked(unit.session, made), made)

        shown = await requests.beside(write)
        resp.status = falcon.HTTP_201
        resp.location = f"/api/v1/schedules/{shown['schedule_id']}"
        resp.media = shown

    @operation(
        "List schedules, newest first.",
        {200: "A page; `next_cursor` is null on the last."},
        id="list_schedules",
        tag="schedules",
        query=SchedulesQuery,
        response=schemas.SchedulePage,
    )
    async def on_get(self, req: asgi.Request, resp: asgi.Response) -> None:
        query = requests.query(req, SchedulesQuery)
        before = requests.from_cursor(query.cursor, UUID)
        items = await requests.read(
            keeping.page, limit=query.limit + 1, before=before, kb_ids=callers.kbs(req, query.kb_id)
        )
        resp.media = requests.page_of(items, query.limit, "schedule_id")


def _understood(req: asgi.Request, body: object) -> tuple[keeping.Wanted, Key | None]:
    """Return the schedule that a request asks for, and the key that it came with."""
    request = requests.fit(NewSchedule, body)
    problems: list[dict[str, str]] = []
    recurrence, submission = None, None
    try:
        recurrence = recurrence_of(request.cron, request.timezone)
    except Invalid as error:
        problems += error.problems
    try:
        submission = task_of(req, request.task)
    except Invalid as error:
        problems += error.problems
    if recurrence is None or submission is None:
        raise Invalid(problems)
    wanted = keeping.Wanted(request.name, recurrence, request.catch_up, request.task, submission.kb_id)
    return wanted, requests.idempotency_key(req, request)


def _existing(schedule: Row | None, schedule_id: object) -> Json:
    if schedule is None:
        raise requests.missing("schedule", schedule_id)
    return keeping.shown(schedule)


async def _with(req: asgi.Request, schedule_id: str, act: Callable[[Unit, Row], Any]) -> Any:
    """Do something to a schedule that a request may touch, in one transaction. Returns what `act` does.

    Raises:
      falcon.HTTPNotFound: there is none of that id, or it is of a KB that the request's key may not touch.
    """
    identifier = requests.identifier(schedule_id, "schedule")

    def do() -> Any:
        with unit_of_work() as unit:
            schedule = keeping.locked(unit.session, identifier)
            if schedule is None or not callers.key(req).touches(schedule.kb_id):
                raise requests.missing("schedule", schedule_id)
            return act(unit, schedule)

    return await requests.beside(do)


async def _changed(req: asgi.Request, schedule_id: str, act: Callable[[Unit, Actor, Row], None]) -> Json:
    """Do something to a schedule in the name of whoever asks, as `_with`. Returns it as it is shown then."""

    def do(unit: Unit, row: Row) -> Json:
        act(unit, callers.actor(req), row)
        return keeping.shown(row)

    shown: Json = await _with(req, schedule_id, do)
    return shown


class Schedule:
    """`/schedules/{schedule_id}`"""

    @operation(
        "Show a schedule.",
        {200: "The schedule.", 404: "There is no such schedule."},
        id="get_schedule",
        tag="schedules",
        response=schemas.Schedule,
    )
    async def on_get(self, req: asgi.Request, resp: asgi.Response, schedule_id: str) -> None:
        identifier = requests.identifier(schedule_id, "schedule")
        schedule = await requests.read(keeping.find, identifier)
        if schedule is None or not callers.key(req).touches(schedule["kb_id"]):
            raise requests.missing("schedule", schedule_id)
        resp.media = schedule

    @operation(
        "Change a schedule. Where its times change, the next one is counted from now.",
        {200: "The schedule as it is now.", 404: "There is no such schedule."},
        id="change_schedule",
        tag="schedules",
        request=schemas.ScheduleChange,
        example={"cron": "30 6 * * 1-5", "timezone": "Asia/Shanghai"},
        response=schemas.Schedule,
    )
    async def on_patch(self, req: asgi.Request, resp: asgi.Response, schedule_id: str) -> None:
        def understand(body: object) -> Json:
            request = requests.fit(ScheduleChange, body)
            values = {name: getattr(request, name) for name in request.model_fields_set}
            if "task" in values:
                values["kb_id"] = task_of(req, values["task"]).kb_id
            return values

        values = await requests.body(req, understand)

        def change(unit: Unit, actor: Actor, schedule: Row) -> None:
            recurrence_of(values.get("cron", schedule.cron), values.get("timezone", schedule.timezone))
            keeping.change(unit, actor, schedule, values)

        resp.media = await _changed(req, schedule_id, change)

    @operation(
        "Delete a schedule. The tasks that it submitted stay.",
        {204: "Deleted.", 404: "There is no such schedule."},
        id="delete_schedule",
        tag="schedules",
    )
    async def on_delete(self, req: asgi.Request, resp: asgi.Response, schedule_id: str) -> None:
        await _with(req, schedule_id, lambda unit, row: keeping.delete(unit, callers.actor(req), row))
        resp.status = falcon.HTTP_204


class SchedulePause:
    """`/schedules/{schedule_id}/pause`"""

    @operation(
        "Pause a schedule until it is resumed.",
        {200: "It is paused.", 404: "There is no such schedule."},
        id="pause_schedule",
        tag="schedules",
        response=schemas.Schedule,
    )
    async def on_post(self, req: asgi.Request, resp: asgi.Response, schedule_id: str) -> None:
        resp.media = await _changed(req, schedule_id, keeping.pause)


class ScheduleResume:
    """`/schedules/{schedule_id}/resume`"""

    @operation(
        "Let a paused schedule fall due again. What fell due meanwhile is not caught up with.",
        {200: "It falls due again, from its next time on.", 404: "There is no such schedule."},
        id="resume_schedule",
        tag="schedules",
        response=schemas.Schedule,
    )
    async def on_post(self, req: asgi.Request, resp: asgi.Response, schedule_id: str) -> None:
        resp.media = await _changed(req, schedule_id, keeping.resume)


class ScheduleRun:
    """`/schedules/{schedule_id}/run`"""

    @operation(
        "Submit a schedule's task now, also while it is paused. Its due times stay as they are.",
        {
            202: "Accepted and durable.",
            404: "There is no such schedule.",
        },
        id="run_schedule",
        tag="schedules",
        takes=("IdempotencyKey",),
        gives=("Location",),
        response=schemas.AcceptedTask,
    )
    async def on_post(self, req: asgi.Request, resp: asgi.Response, schedule_id: str) -> None:
        def run(unit: Unit, row: Row) -> Accepted:
            submission = task_of(req, keeping.task_of(row)).by(callers.actor(req))
            submission.under(requests.idempotency_key(req, submission))
            accepted = keeping.run(unit, callers.actor(req), row, submission)
            if isinstance(accepted, Exception):
                raise accepted
            return accepted

        answer(resp, await _with(req, schedule_id, run))
