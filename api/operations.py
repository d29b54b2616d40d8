"""What operators ask: health, metrics, queues and workers."""

from __future__ import annotations

from typing import Any

import falcon
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from api import requests
from api.latest import Latest
from api.operation import operation
from api.pools import PROBING, Busy
from broker.topology import QUEUES
from models import database, migration
from models.trouble import why
from tasks import pausing, statistics
from tasks.unit import broker, unit_of_work

#: Seconds in which PostgreSQL must answer whether it can be used.
READY_WITHIN = 3.0


def _lacking() -> str | None:
    """What is missing in the database; None when nothing is."""
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
    return {"postgresql": postgres, "rabbitmq": rabbitmq}


class Health:
    """`/health`"""

    @operation("Each dependency's state; `degraded` while one is away.", {200: "The process answers."})
    async def on_get(self, req: Any, resp: Any) -> None:
        checks = await _checks()
        healthy = all(each["status"] == "up" for each in checks.values())
        resp.media = {"status": "ok" if healthy else "degraded", "checks": checks}


class Live:
    """`/livez`"""

    @operation("Whether the process answers at all.", {200: "It does."})
    async def on_get(self, req: Any, resp: Any) -> None:
        resp.media = {"status": "ok"}


class Ready:
    """`/readyz`"""

    @operation(
        "Whether requests can be served.",
        {200: "They can.", 503: "PostgreSQL is away, or a migration is missing."},
    )
    async def on_get(self, req: Any, resp: Any) -> None:
        checks = await _checks()
        ready = checks["postgresql"]["status"] == "up"
        resp.status = falcon.HTTP_200 if ready else falcon.HTTP_503
        resp.media = {"status": "ok" if ready else "unavailable", "checks": checks}


class Metrics:
    """`/metrics`"""

    @operation(
        "The deployment's metrics; every web process shows the same, so scrape one.",
        {200: "Prometheus' text format."},
        media="text/plain; version=0.0.4; charset=utf-8",
    )
    async def on_get(self, req: Any, resp: Any) -> None:
        resp.content_type = "text/plain; version=0.0.4; charset=utf-8"
        resp.data = await requests.read(statistics.exposition)


class Workers:
    """`/stats/workers`"""

    @operation("The worker processes: heartbeats and current tasks.", {200: "All that are alive."})
    async def on_get(self, req: Any, resp: Any) -> None:
        resp.media = await requests.read(statistics.workers)


class Queues:
    """`/stats/queues`"""

    @operation(
        "The queues, as PostgreSQL and RabbitMQ see them.",
        {200: "RabbitMQ's figures are null while it is away."},
    )
    async def on_get(self, req: Any, resp: Any) -> None:
        resp.media = {"queues": await requests.read(statistics.queues)}


class Pause:
    """`/queues/{name}/pause`"""

    @operation(
        "Hold a queue back in the whole deployment.",
        {200: "From now on no worker starts work from it; what runs goes on.", 404: "There is no such queue."},
    )
    async def on_post(self, req: Any, resp: Any, name: str) -> None:
        resp.media = await _set_paused(name, True)


class Resume:
    """`/queues/{name}/resume`"""

    @operation("Let a queue go on.", {200: "Work starts again.", 404: "There is no such queue."})
    async def on_post(self, req: Any, resp: Any, name: str) -> None:
        resp.media = await _set_paused(name, False)


async def _set_paused(queue: str, paused: bool) -> dict[str, Any]:
    if queue not in QUEUES:
        raise requests.missing("queue", queue)

    def change() -> None:
        with unit_of_work() as unit:
            (pausing.pause if paused else pausing.resume)(unit, queue)

    await requests.beside(change)
    return {"queue": queue, "paused": paused}
