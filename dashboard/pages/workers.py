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
        found = await snapshot.TABLES.get()
        # Each beat of all that are well would be news.
        silent = found.as_of - timedelta(seconds=found.lease / 2)
        well = {str(each.id) for each in found.processes if each.heartbeat_at > silent}
        return {"as_of": rfc3339(found.as_of), "well": well, **statistics.workers(found)}
