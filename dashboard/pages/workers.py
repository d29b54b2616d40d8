"""The worker processes: whether they are alive, and what each holds."""

from __future__ import annotations

from typing import Any

from api.bulkheads import snapshot
from dashboard.page import Asked, Page
from tasks.views.figures import statistics


class Workers(Page):
    """`/workers`"""

    template = "workers.html"

    async def look(self, asked: Asked) -> dict[str, Any]:
        """Find the workers that were heard of."""
        found = await snapshot.TABLES.get()
        return {"as_of": found.as_of, **statistics.workers(found)}
