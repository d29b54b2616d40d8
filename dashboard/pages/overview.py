"""How it goes: what waits and runs, what happened lately, and what needs somebody's attention."""

from __future__ import annotations

from typing import Any

from api.bulkheads import snapshot
from dashboard.page import Asked, Page
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


class Overview(Page):
    """`/`"""

    template = "overview.html"

    async def look(self, asked: Asked) -> dict[str, Any]:
        """Find the deployment's figures."""
        window = asked.query.get("window")
        return {
            **overview(await snapshot.TABLES.get(), broker().publishing),
            "window": window if window in WINDOWS else WINDOWS[0],
            "windows": WINDOWS,
            "plots": PLOTS,
        }
