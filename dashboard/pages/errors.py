"""Why tasks failed, each cause in one row, with what can be done about it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from api import requests
from api.resources.statistics import ErrorsQuery, grouped
from dashboard.page import Asked, Page
from models.base import Json
from tasks.input.fields import NO_FORMAT

#: How far back one may look, by what stands in the address.
WINDOWS = {"1h": timedelta(hours=1), "24h": timedelta(days=1), "7d": timedelta(days=7), "90d": timedelta(days=90)}


class Errors(Page):
    """`/errors`"""

    template = "errors.html"

    async def look(self, asked: Asked) -> Json:
        """Find the failures of a window, those of which there are most first."""
        window = asked.query.get("window", "24h")
        # The same for a minute: all who look at a window see the same, and are sent it when something has failed.
        since = datetime.now(UTC).replace(second=0, microsecond=0) - WINDOWS.get(window, WINDOWS["24h"])
        query = requests.fit(ErrorsQuery, {"since": since, "kb_id": asked.query.get("kb_id")})
        return {**await grouped(asked.req, query), "window": window, "windows": WINDOWS, "no_format": NO_FORMAT}
