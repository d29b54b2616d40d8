"""The queues, as PostgreSQL and RabbitMQ see them."""

from __future__ import annotations

from api import requests
from api.resources.operations import QueuesQuery, listed_queues
from dashboard.page import Asked, Page
from models.base import Json

#: What REST's names say in words.
STATES = {"paused": "paused", "waiting": "waiting", "running": "running", "no_worker": "no worker"}


class Queues(Page):
    """`/queues`"""

    template = "queues.html"

    async def look(self, asked: Asked) -> Json:
        """Find what waits, is delayed and runs in each queue."""
        return {**await listed_queues(requests.fit(QueuesQuery, dict(asked.query))), "states": STATES}
