"""The list of tasks, filtered by what stands in the address."""

from __future__ import annotations

from typing import Any

from api import requests
from api.resources.tasks import TasksQuery, listed
from dashboard.page import Asked, Page
from errors import CODES
from tasks.lifecycle import Status
from tasks.types import all_types

FILTERS = tuple(name for name in TasksQuery.model_fields if name not in ("limit", "cursor", "count"))


class Tasks(Page):
    """`/tasks`"""

    template = "tasks.html"

    async def look(self, asked: Asked) -> dict[str, Any]:
        """Find a page of tasks, newest first."""
        return {
            **await listed(asked.req, requests.fit(TasksQuery, dict(asked.query))),
            "filters": FILTERS,
            "statuses": list(Status),
            "types": sorted(all_types()),
            "codes": sorted(CODES),
        }
