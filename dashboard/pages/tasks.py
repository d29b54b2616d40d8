"""The list of tasks, filtered by what stands in the address."""

from __future__ import annotations

from dataclasses import replace

from falcon import asgi

from api import requests
from api.resources.tasks import TasksQuery, counted, listed
from broker.topology import PRIORITIES, QUEUES
from dashboard.page import Asked, Page
from errors import CODES
from models.base import Json
from tasks.bulk.scope import STATUSES
from tasks.input.fields import Filter
from tasks.lifecycle import Status
from tasks.types import all_types
from tasks.views.selection import TooMany

#: What a filter offers: names to choose from, a time, or None for what is written.
CHOICES: Json = {
    "task_type": sorted(all_types()),
    "queue": QUEUES,
    "stage": sorted({stage.name for kind in all_types().values() for stage in kind.stages}),
    "priority": tuple(PRIORITIES),
    **dict.fromkeys(("created_after", "created_before", "finished_after", "finished_before"), "time"),
}


class Tasks(Page):
    """`/tasks`"""

    template = "tasks.html"

    async def look(self, asked: Asked) -> Json:
        """Find a page of tasks, newest first."""
        query = requests.fit(TasksQuery, dict(asked.query))
        named = dict(asked.query) | ({} if query.status is None else {"status": query.status})
        return {
            **await listed(asked.req, query),
            "asked": replace(asked, query=named),
            "total": await _count(asked.req, query),
            "bulk": _bulk(query, named),
            "filters": list(Filter.model_fields),
            "choices": dict.fromkeys(Filter.model_fields) | CHOICES,
            "statuses": list(map(str, Status)),
            "priorities": tuple(PRIORITIES),
            "codes": sorted(CODES),
        }


async def _count(req: asgi.Request, query: TasksQuery) -> Json | None:
    """Return how many tasks there are; None where too many would have to be looked at."""
    try:
        return await counted(req, query)
    except TooMany:
        return None


def _bulk(query: TasksQuery, named: Json) -> dict[str, Json]:
    """Return what can be done to tasks of this filter, with the body of the request for it."""
    filter = {name: value for name, value in named.items() if name in Filter.model_fields}
    possible = set(map(str, query.within(query.kb_id).statuses()))
    bodies = {}
    for action, statuses in STATUSES.items():
        if fitting := [status for status in statuses if status in possible]:
            meant = filter | ({"status": fitting} if query.status else {})
            bodies[action] = {"filter": meant} if meant else {"filter": {}, "all": True}
    return bodies
