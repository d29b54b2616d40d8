"""The queues, as PostgreSQL and RabbitMQ see them."""

from __future__ import annotations

from typing import Any

from api.bulkheads import snapshot
from api.bulkheads.pools import Busy
from dashboard.page import Asked, Page
from tasks.views.figures import statistics


class Queues(Page):
    """`/queues`"""

    template = "queues.html"

    async def look(self, asked: Asked) -> dict[str, Any]:
        """Find what waits, is delayed and runs in each queue."""
        found = await snapshot.TABLES.get()
        try:
            counts = await snapshot.MESSAGES.get()
        except Busy:
            counts = {}
        return {"as_of": found.as_of, "queues": statistics.queues(found, counts)}
