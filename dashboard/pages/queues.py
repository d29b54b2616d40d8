"""The queues, as PostgreSQL and RabbitMQ see them."""

from __future__ import annotations

from api.bulkheads import snapshot
from dashboard.page import Asked, Page
from models.base import Json, rfc3339
from tasks.views.figures import statistics


class Queues(Page):
    """`/queues`"""

    template = "queues.html"

    async def look(self, asked: Asked) -> Json:
        """Find what waits, is delayed and runs in each queue."""
        tables = await snapshot.tables()
        return {"as_of": rfc3339(tables.as_of), "queues": statistics.queues(tables, await snapshot.messages())}
