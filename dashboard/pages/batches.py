"""The batches, newest first, with how far each has come."""

from __future__ import annotations

from api import requests
from api.resources.many.batches import BatchesQuery, listed
from dashboard.page import Asked, Page, filters_of
from models.base import Json
from tasks.lifecycle import Status


class Batches(Page):
    """`/batches`"""

    template = "batches.html"

    async def look(self, asked: Asked) -> Json:
        """Find a page of batches."""
        return {
            **await listed(asked.req, requests.fit(BatchesQuery, dict(asked.query))),
            "filters": filters_of(BatchesQuery),
            "statuses": list(map(str, Status)),
        }
