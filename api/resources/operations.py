"""What operators ask: health, metrics, queues and workers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Literal
from uuid import UUID

import falcon
from falcon import asgi
from pydantic import BaseModel, ConfigDict, Field, field_validator
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

import metrics
from api import counting, requests
from api.access import callers
from api.access.rules import RULES
from api.bulkheads import snapshot
from api.bulkheads.latest import Latest
from api.bulkheads.pools import PROBING, WATCHING, Busy
from api.description import schemas
from api.description.operation import operation
from api.streams import Hub
from broker.topology import QUEUES, Counts
from models import audit, database, migration, replica
from models.base import Json, rfc3339
from models.trouble import why
from tasks.dispatching import pausing
from tasks.input.bounds import storable
from tasks.input.fields import Name
from tasks.transactions.unit import broker, unit_of_work
from tasks.views.figures import exposition, statistics
from tasks.views.figures.exposition import Besides, Samples

#: Seconds in which PostgreSQL must answer whether it can be used.
READY_WITHIN = 3.0
#: Seconds for which `/health` waits for what it says of clock and workers.
TOLD_WITHIN = 1.5
NOT_READ = "searches, lists and figures read the primary until the replica has caught up; web's log says why"
NO_CLOCK = "no clock ticks: nothing that is due is started, nothing that was lost is repaired; start: python -m clock"


def _lacking() -> str | None:
    """Return what is missing in the database; None when nothing is."""
    with database.probing() as session:
        session.execute(text("SELECT 1"))
        lacking = migration.missing(session)
    return None if lacking is None else f"migration {lacking} is missing; run: alembic upgrade head"


_PROBE = Latest(_lacking, PROBING, fresh=0.5, oldest=1.0, patience=READY_WITHIN)


async def _checks() -> dict[str, dict[str, str]]:
    try:
        reason = await _PROBE.get()
    except (DBAPIError, PoolTimeout) as error:
        reason = why(error)
    except Busy:
        reason = f"no answer within {READY_WITHIN:.0f} s"
    postgres = {"status": "down", "reason": reason} if reason else {"status": "up"}
    state = broker().publishing
    rabbitmq = {"status": state}
    if state != "up":
        rabbitmq["reason"] = "tasks are accepted and wait in PostgreSQL until RabbitMQ is back"
    checks = {"postgresql": postgres, "rabbitmq": rabbitmq}
    if (read := replica.state()) is not None:
        checks["replica"] = {"status": read} if read == "up" else {"status": read, "reason": NOT_READ}
    return checks


async def _deployment() -> dict[str, dict[str, str]]:
    """Return whether anybody works and repairs, and whether anything can be written."""
    try:
        tables = await snapshot.TABLES.get(TOLD_WITHIN)
        full = await snapshot.FULL.get(TOLD_WITHIN)
    except (DBAPIError, PoolTimeout, Busy) as error:
        reason = f"no answer within {TOLD_WITHIN} s" if isinstance(error, Busy) else why(error)
        return {name: {"status": "unknown", "reason": f"PostgreSQL: {reason}"} for name in ("clock", "workers")}
    checks = {"clock": {"status": "up"}, "workers": {"status": "up"}}
    if not tables.alive("clock"):
        checks["clock"] = {"status": "down", "reason": NO_CLOCK}
    if unserved := tables.unserved():
        reason = f"tasks wait, and no worker serves {', '.join(unserved)}; start one: sh deploy/worker.sh"
        checks["workers"] = {"status": "down", "reason": reason}
    if full:
        checks["postgresql"] = {"status": "full", "reason": "its disk is full: tasks are refused; make room"}
    return checks


class Health:
    """`/health`"""

    @operation(
        "The state of each dependency, of the clock and of the workers; `degraded` while one is not up.",
        {200: "The process answers."},
        id="check_health",
        tag="operations",
        response=schemas.Health,
    )
    async def on_get(self, req: asgi.Request, resp: asgi.Response) -> None:
        servers, deployment = await asyncio.gather(_checks(), _deployment())
        checks = servers | (deployment if servers["postgresql"]["status"] == "up" else {})
        healthy = all(check["status"] == "up" for check in checks.values())
        resp.media = {"status": "ok" if healthy else "degraded", "checks": checks}


class Live:
    """`/livez`"""

    @operation(
        "Whether the process answers at all.",
        {200: "It does."},
        id="check_alive",
        tag="operations",
        response=schemas.Alive,
    )
    async def on_get(self, req: asgi.Request, resp: asgi.Response) -> None:
        resp.media = {"status": "ok"}


class Ready:
    """`/readyz`"""

    @operation(
        "Whether requests can be served.",
        {200: "They can.", 503: "PostgreSQL is away, or a migration is missing."},
        id="check_ready",
        tag="operations",
        response=schemas.Readiness,
        besides={503: schemas.Readiness},
    )
    async def on_get(self, req: asgi.Request, resp: asgi.Response) -> None:
        checks = await _checks()
        ready = checks["postgresql"]["status"] == "up"
        resp.status = falcon.HTTP_200 if ready else falcon.HTTP_503
        resp.media = {"status": "ok" if ready else "unavailable", "checks": checks}


class Metrics:
    """`/metrics`

    Parameters:
      hub: of the event streams of this process.
      most_streams: that may be open.
    """

    def __init__(self, hub: Hub, most_streams: int) -> None:
        self._hub = hub
        self._most_streams = most_streams
        self._zeros = counting.zeros(list(RULES))

    @operation(
        "The deployment's metrics; every web process shows the same, so scrape one.",
        {200: "Prometheus' text format; without PostgreSQL only what needs none, such as `dependency_up`."},
        id="get_metrics",
        tag="operations",
        media="text/plain; version=0.0.4; charset=utf-8",
    )
    async def on_get(self, req: asgi.Request, resp: asgi.Response) -> None:
        resp.content_type = "text/plain; version=0.0.4; charset=utf-8"
        up = {name: check["status"] == "up" for name, check in (await _checks()).items()}
        tables = await snapshot.tables() if up["postgresql"] else None
        counts = await snapshot.messages() if up["rabbitmq"] else {}
        gauges = self._of_process() | _of_rabbitmq(counts)
        if up["postgresql"]:
            gauges |= exposition.of_server(await snapshot.SERVER.get())
        gauges[metrics.UP] = {(name,): works for name, works in up.items()}
        besides = Besides(gauges, self._zeros)
        resp.data = await WATCHING.run(exposition.exposition, tables, besides)

    def _of_process(self) -> dict[metrics.Metric, Samples]:
        in_use, idle, most = database.pooled()
        return {
            metrics.STREAMS: {(): self._hub.open},
            metrics.MOST_STREAMS: {(): self._most_streams},
            metrics.POOL: {("in use",): in_use, ("idle",): idle},
            metrics.MOST_POOLED: {(): most},
        }


def _of_rabbitmq(counts: Mapping[str, Counts]) -> dict[metrics.Metric, Samples]:
    return {
        metrics.MESSAGES: {(name,): count.ready for name, count in counts.items()},
        metrics.DEAD_LETTERS: {
            (name,): count.dead_lettered for name, count in counts.items() if count.dead_lettered is not None
        },
        metrics.CONSUMERS: {(name,): count.consumers for name, count in counts.items()},
    }


#: What of a queue is asked for: by name, what holds for it.
QUEUE_STATES: dict[str, Callable[[Json], bool]] = {
    "paused": lambda queue: bool(queue["paused"]),
    "waiting": lambda queue: queue["waiting"] > 0,
    "running": lambda queue: queue["running"] > 0,
    "no_worker": lambda queue: bool(queue["waiting"] and not queue["worker_threads"]),
}


class QueuesQuery(BaseModel):
    """Which queues are to be listed."""

    model_config = ConfigDict(extra="forbid")

    state: Literal["paused", "waiting", "running", "no_worker"] | None = Field(
        None,
        description="`waiting`, `running`: some of its tasks are. `no_worker`: tasks wait, and no worker serves it.",
    )


class WorkersQuery(BaseModel):
    """Which workers are to be listed."""

    model_config = ConfigDict(extra="forbid")

    queue: Name | None = Field(None, description="That they serve.")
    state: Literal["working", "idle", "silent"] | None = Field(
        None, description="`silent`: not heard of for half of LEASE_SECONDS."
    )
    limit: int | None = Field(None, ge=1, le=500, description="All unless it is given.")
    cursor: str | None = None


class Workers:
    """`/stats/workers`"""

    @operation(
        "The worker processes: heartbeats and current tasks.",
        {200: "All that are alive."},
        id="list_workers",
        tag="operations",
        query=WorkersQuery,
        response=schemas.Workers,
    )
    async def on_get(self, req: asgi.Request, resp: asgi.Response) -> None:
        resp.media = listed_workers(await snapshot.TABLES.get(), requests.query(req, WorkersQuery))


def listed_workers(figures: statistics.Snapshot, query: WorkersQuery) -> Json:
    """Return the workers that are asked for, in the order in which they began."""
    shown = statistics.workers(figures)
    unheard = silent(figures)
    states: dict[str, Callable[[Json], bool]] = {
        "working": lambda worker: worker["active"] > 0,
        "idle": lambda worker: worker["active"] == 0,
        "silent": lambda worker: worker["worker_id"] in unheard,
    }
    after = requests.from_cursor(query.cursor, UUID)
    fitting = [
        worker
        for worker in shown["workers"]
        if (query.queue is None or query.queue in worker["queues"])
        and (query.state is None or states[query.state](worker))
        and (after is None or worker["worker_id"] > str(after))
    ]
    page = requests.page_of(fitting, query.limit or len(fitting), "worker_id")
    named = {"workers": page["items"], "next_cursor": page["next_cursor"]}
    return {"as_of": rfc3339(figures.as_of), **shown, **named}


class Queues:
    """`/stats/queues`"""

    @operation(
        "The queues, as PostgreSQL and RabbitMQ see them.",
        {200: "RabbitMQ's figures are null while it is away."},
        id="list_queues",
        tag="operations",
        query=QueuesQuery,
        response=schemas.Queues,
    )
    async def on_get(self, req: asgi.Request, resp: asgi.Response) -> None:
        resp.media = await listed_queues(requests.query(req, QueuesQuery))


def silent(figures: statistics.Snapshot) -> set[str]:
    """Return the processes that were not heard of for half of the time after which one counts as dead."""
    since = figures.as_of - timedelta(seconds=figures.lease / 2)
    return {str(process.id) for process in figures.processes if process.heartbeat_at <= since}


async def listed_queues(query: QueuesQuery) -> Json:
    """Return the queues that are asked for."""
    figures = await snapshot.tables()
    shown = statistics.queues(figures, await snapshot.messages())
    if query.state is not None:
        shown = list(filter(QUEUE_STATES[query.state], shown))
    return {"as_of": rfc3339(figures.as_of), "queues": shown}


class PauseRequest(BaseModel):
    """Why a queue is paused; the body may be left out."""

    model_config = ConfigDict(extra="forbid")

    reason: str | None = Field(None, max_length=1000, description="Shown to whoever looks at the queues.")

    _can_be_stored = field_validator("reason")(storable)


class Pause:
    """`/queues/{name}/pause`"""

    @operation(
        "Hold a queue back in the whole deployment.",
        {200: "From now on no worker starts work from it; what runs goes on.", 404: "There is no such queue."},
        request=PauseRequest,
        example={"reason": "the provider is being moved"},
        body_required=False,
        id="pause_queue",
        tag="operations",
        response=schemas.PausedQueue,
    )
    async def on_post(self, req: asgi.Request, resp: asgi.Response, name: str) -> None:
        _demand_queue(name)
        is_empty = req.content_length in (None, 0) and req.get_header("Transfer-Encoding") is None
        request = PauseRequest() if is_empty else await requests.body(req, PauseRequest.model_validate)

        def pause() -> Json:
            with unit_of_work() as unit:
                actor = callers.actor(req)
                pausing.pause(unit, name, by=actor.name, reason=request.reason)
                audit.record(unit.session, actor, "queue.pause", "queue", name, reason=request.reason)
                return statistics.pause_of(pausing.pauses(unit.session).get(name))

        resp.media = {"queue": name, "paused": True, **await requests.beside(pause)}


class Resume:
    """`/queues/{name}/resume`"""

    @operation(
        "Let a queue go on.",
        {200: "Work starts again.", 404: "There is no such queue."},
        id="resume_queue",
        tag="operations",
        response=schemas.ResumedQueue,
    )
    async def on_post(self, req: asgi.Request, resp: asgi.Response, name: str) -> None:
        _demand_queue(name)

        def resume() -> None:
            with unit_of_work() as unit:
                pausing.resume(unit, name)
                audit.record(unit.session, callers.actor(req), "queue.resume", "queue", name)

        await requests.beside(resume)
        resp.media = {"queue": name, "paused": False}


def _demand_queue(name: str) -> None:
    if name not in QUEUES:
        raise requests.missing("queue", name)
