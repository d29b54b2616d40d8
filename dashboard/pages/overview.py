"""How it goes: what waits and runs, what happened lately, and what needs somebody's attention."""

from __future__ import annotations

from functools import partial

import msgspec
from falcon import asgi

from api.bulkheads import snapshot
from api.bulkheads.latest import Latest
from api.bulkheads.pools import WATCHING
from api.resources.statistics import over_time, unit_of
from dashboard import compression
from dashboard.page import Asked, Page
from models import replica
from models.base import Json
from tasks.transactions.unit import broker
from tasks.views.figures.overview import overview

#: The windows of the plots, and the plots: a measure of `/stats/history`, and its title.
WINDOWS = ("1h", "24h", "90d")
PLOTS = (
    ("completed", "Completed"),
    ("failed", "Failed"),
    ("waiting", "Waiting"),
    ("stage_seconds_p50", "Half of the attempts took at most"),
    ("stage_seconds_p95", "95 % of the attempts took at most"),
    ("tokens", "Tokens"),
    ("cost", "Cost"),
)
#: Series of a plot at most: those of which there is most.
MOST_SERIES = 8


class Overview(Page):
    """`/`"""

    template = "overview.html"

    async def look(self, asked: Asked) -> Json:
        """Find the deployment's figures."""
        window = asked.query.get("window")
        return {
            **overview(await snapshot.tables(), broker().publishing),
            "window": window if window in WINDOWS else WINDOWS[0],
            "windows": WINDOWS,
            "plots": [(metric, title, unit_of(metric)) for metric, title in PLOTS],
        }


class Plots:
    """`/plots`"""

    def __init__(self) -> None:
        # However many look at the overview, the counters are read once in ten seconds, as the clock notes them.
        self._known = {
            window: Latest(partial(_plots, window), WATCHING, fresh=10.0, oldest=60.0, patience=12.0, meanwhile=300.0)
            for window in WINDOWS
        }

    async def on_get(self, req: asgi.Request, resp: asgi.Response) -> None:
        """Answer with what the plots of a window show, as `/stats/history` tells it, all in one."""
        window = req.get_param("window")
        resp.content_type = "application/json"
        figures = await self._known[window if window in WINDOWS else WINDOWS[0]].get()
        compression.send(req, resp, figures)


def _plots(window: str) -> bytes:
    return replica.read(
        lambda session: msgspec.json.encode({name: _plot(over_time(session, name, window)) for name, _ in PLOTS})
    )


def _plot(history: Json) -> Json:
    """Leave out of a measure what a plot does not show."""
    sums = {line["name"]: sum(value or 0 for value in line["values"]) for line in history["series"]}
    kept = sorted((name for name in sums if sums[name]), key=lambda name: -sums[name])[:MOST_SERIES]
    series = [line for line in history["series"] if line["name"] in kept]
    return {"unit": history["unit"], "times": history["times"] if series else [], "series": series}
