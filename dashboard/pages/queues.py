"""The queues, as PostgreSQL and RabbitMQ see them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from api import requests
from api.bulkheads import snapshot
from api.bulkheads.pools import WATCHING
from dashboard.page import Asked, Page
from models.base import rfc3339
from tasks.dispatching import pausing
from tasks.views.figures import statistics


class Queues(Page):
    """`/queues`"""

    template = "queues.html"

    async def look(self, asked: Asked) -> dict[str, Any]:
        """Find what waits, is delayed and runs in each queue."""
        found = await snapshot.TABLES.get()
        # Who has pressed a button looks at what it did, and the snapshot may be older.
        found = replace(found, pauses=await requests.read(pausing.pauses, pool=WATCHING))
        return {"as_of": rfc3339(found.as_of), "queues": statistics.queues(found, await snapshot.messages())}
