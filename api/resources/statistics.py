"""The deployment as a whole, over HTTP: at a glance, over time, what failed, and how many workers it wants."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Literal

import falcon
from falcon import asgi
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from api import requests
from api.access import callers
from api.bulkheads import snapshot
from api.bulkheads.latest import LatestOf
from api.bulkheads.pools import WATCHING
from api.description import schemas
from api.description.operation import operation
from api.problems import Invalid, problem
from documents.embedding import prices
from keys import Keys, holder
from models import replica
from models.base import Json
from sentences import say
from settings import settings
from tasks.input.fields import Moment, Name
from tasks.transactions.unit import broker
from tasks.views.figures import history, overview, scaling
from tasks.views.figures.failures import failures

#: `cost` is not counted but told by the tokens; what it is, and its unit.
DOLLARS = "US dollars"
COST = "US dollars for tokens, by embedder, as far as prices are known."
#: Over which failures are grouped unless something else is asked.
DAY = timedelta(days=1)


class Overview:
    """`/stats/overview`"""

    @operation(
        "The deployment at a glance, and what needs attention.",
        {200: "From one snapshot, of which `as_of` says the age."},
        id="get_overview",
        tag="operations",
        response=schemas.Overview,
    )
    async def on_get(self, req: asgi.Request, resp: asgi.Response) -> None:
        resp.media = overview.overview(await snapshot.tables(), broker().publishing)


class HistoryQuery(BaseModel):
    """What is to be plotted."""

    model_config = ConfigDict(extra="forbid")

    metric: str = Field(description=", ".join(["`cost`", *(f"`{name}`" for name in history.MEASURES)]))
    window: Literal["1h", "24h", "90d"] = "1h"


class History:
    """`/stats/history`"""

    @operation(
        "A measure over an hour (each 10 seconds), a day (each minute) or 90 days (each hour).",
        {200: "Its series, read once for all who ask for the same; `as_of` says the age."},
        id="get_history",
        tag="operations",
        query=HistoryQuery,
        response=schemas.History,
    )
    async def on_get(self, req: asgi.Request, resp: asgi.Response) -> None:
        query = requests.query(req, HistoryQuery)
        _demand_metric(query.metric)
        resp.media = await _HISTORY.get((query.metric, query.window))


def _demand_metric(metric: str) -> None:
    if metric not in ("cost", *history.MEASURES):
        raise Invalid([problem("metric", say("one_of", names=["cost", *history.MEASURES]))])


def over_time(session: Session, metric: str, window: str) -> Json:
    """Return a measure over one of the windows of `history.WINDOWS`."""
    measure = history.MEASURES["tokens" if metric == "cost" else metric]
    answer = history.series(session, measure, history.WINDOWS[window])
    meaning = measure.help
    if metric == "cost":
        answer["series"], meaning = _priced(answer["series"]), COST
    return {"metric": metric, "window": window, "help": meaning, "unit": unit_of(metric), **answer}


def unit_of(metric: str) -> str:
    """Return what the values of a metric count."""
    return DOLLARS if metric == "cost" else history.MEASURES[metric].unit


def _priced(series: list[Json]) -> list[Json]:
    """Return series of tokens as US dollars; those of which the price is not known are left out."""
    return [
        {"name": line["name"], "values": [value and value * price for value in line["values"]]}
        for line in series
        if (price := prices.per_token(line["name"], settings())) is not None
    ]


class ErrorsQuery(BaseModel):
    """Which failures are to be grouped."""

    model_config = ConfigDict(extra="forbid")

    since: Moment | None = Field(None, description="24 hours ago unless it is given.")
    kb_id: Name | None = None


class Errors:
    """`/stats/errors`"""

    @operation(
        "Why tasks failed: by code, stage and format, with an example and what can be done.",
        {200: "Those of which there are most come first; grouped once for all who ask the same, `as_of` says the age."},
        id="get_errors",
        tag="operations",
        query=ErrorsQuery,
        response=schemas.Errors,
    )
    async def on_get(self, req: asgi.Request, resp: asgi.Response) -> None:
        resp.media = await grouped(req, requests.query(req, ErrorsQuery))


async def grouped(req: asgi.Request, query: ErrorsQuery) -> Json:
    """Return the failures that a request may see, by cause."""
    kb_ids = callers.confined(req, query.kb_id)
    return await _ERRORS.get((query.since or DAY, None if kb_ids is None else tuple(sorted(kb_ids))))


def _grouped(query: tuple[datetime | timedelta, tuple[str, ...] | None]) -> Json:
    since, kb_ids = query
    moment = datetime.now(UTC) - since if isinstance(since, timedelta) else since
    return replica.read(lambda session: failures(session, moment, kb_ids))


def _history(query: tuple[str, str]) -> Json:
    return replica.read(lambda session: over_time(session, *query))


#: Kept as the snapshot of the tables is.
_KEPT = {
    "fresh": snapshot.FRESH,
    "oldest": snapshot.OLDEST,
    "patience": snapshot.PATIENCE,
    "meanwhile": snapshot.MEANWHILE,
}
_ERRORS = LatestOf(_grouped, WATCHING, most=100, **_KEPT)
_HISTORY = LatestOf(_history, WATCHING, most=100, **_KEPT)


class ScaleQuery(BaseModel):
    """For what the workers are to be enough."""

    model_config = ConfigDict(extra="forbid")

    target_seconds: float = Field(60, ge=1, le=86_400, description="In which they would do what waits.")


class Scale:
    """`/stats/scale`"""

    @operation(
        "How many workers are wanted, as an autoscaler asks it.",
        {200: "`wanted` for all, and what each queue asks."},
        id="get_scale",
        tag="operations",
        query=ScaleQuery,
        response=schemas.Scale,
    )
    async def on_get(self, req: asgi.Request, resp: asgi.Response) -> None:
        query = requests.query(req, ScaleQuery)
        resp.media = scaling.scale(await snapshot.tables(), query.target_seconds)


class HireFire:
    """`/hirefire/{token}/info`

    Parameters:
      keys: of the service; without any, every token will do.
    """

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    @operation(
        "How long the oldest task has waited, as HireFire asks it.",
        {200: "Of all for `worker`, and of each queue.", 404: "The token is no API key that may read it."},
        id="get_hirefire",
        tag="operations",
        description="`token` is an API key of the role `scale`.",
        response=schemas.HireFire,
    )
    async def on_get(self, req: asgi.Request, resp: asgi.Response, token: str) -> None:
        """Answer as HireFire asks: how long the oldest has waited, of all for `worker`, and of each queue.

        Raises:
          falcon.HTTPNotFound: the token is no key that may read this; it is not said again.
        """
        key = holder(keys, token.encode()) if (keys := self._keys()) else callers.ANYBODY
        if key is None or not key.may("scale") or key.kbs is not None:
            raise falcon.HTTPNotFound(title="Not Found", description=say("scale_token"))
        scale = scaling.scale(await snapshot.tables(), ScaleQuery().target_seconds)
        ages = {name: queue["oldest_age_seconds"] for name, queue in scale["queues"].items()}
        resp.set_header("Cache-Control", "no-store")
        resp.media = [
            {"name": name, "value": value} for name, value in {"worker": scale["oldest_age_seconds"], **ages}.items()
        ]
