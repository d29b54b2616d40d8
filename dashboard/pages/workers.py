"""The worker processes: whether they are alive, and what each holds."""

from __future__ import annotations

from api import requests
from api.bulkheads import snapshot
from api.resources.operations import WorkersQuery, listed_workers, silent
from broker.topology import QUEUES
from dashboard.page import Asked, Page, filters_of
from models.base import Json

#: Workers on one page.
AT_ONCE = 50
#: What REST's names say in words.
STATES = {"working": "at work", "idle": "idle", "silent": "silent"}


class Workers(Page):
    """`/workers`"""

    template = "workers.html"

    async def look(self, asked: Asked) -> Json:
        """Find a page of the workers that were heard of."""
        query = requests.fit(WorkersQuery, {"limit": AT_ONCE, **asked.query})
        tables = await snapshot.TABLES.get()
        # Each beat of all that are well would be news.
        shown = {"silent": silent(tables), "states": STATES, "filters": filters_of(WorkersQuery), "all_queues": QUEUES}
        return {**listed_workers(tables, query), **shown}
