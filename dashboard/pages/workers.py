"""The worker processes: whether they are alive, and what each holds."""

from __future__ import annotations

from datetime import timedelta

from api.bulkheads import snapshot
from dashboard.page import Asked, Page
from models.base import Json, rfc3339
from tasks.views.figures import statistics


class Workers(Page):
    """`/workers`"""

    template = "workers.html"

    async def look(self, asked: Asked) -> Json:
        """Find the workers that were heard of."""
        tables = await snapshot.TABLES.get()
        # Each beat of all that are well would be news.
        silent = tables.as_of - timedelta(seconds=tables.lease / 2)
        well = {str(process.id) for process in tables.processes if process.heartbeat_at > silent}
        return {"as_of": rfc3339(tables.as_of), "well": well, **statistics.workers(tables)}
