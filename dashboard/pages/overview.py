"""How it goes: what waits and runs, and what needs somebody's attention."""

from __future__ import annotations

from typing import Any

from api.bulkheads import snapshot
from dashboard.page import Asked, Page
from tasks.views.figures import statistics


class Overview(Page):
    """`/`"""

    template = "overview.html"

    async def look(self, asked: Asked) -> dict[str, Any]:
        """Find the deployment's figures."""
        found = await snapshot.TABLES.get()
        queues = statistics.queues(found, {})
        return {
            "as_of": found.as_of,
            "queues": queues,
            "waiting": sum(each["waiting"] for each in queues),
            "oldest": max(each["oldest_age_seconds"] for each in queues),
            "workers": statistics.workers(found),
        }
