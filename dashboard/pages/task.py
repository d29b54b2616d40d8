"""One task: its stages and attempts, why it waits, its callbacks and its result."""

from __future__ import annotations

from api import requests
from api.resources.many.bulk import ItemsQuery, listed
from dashboard.page import Asked, Page
from dashboard.waterfall import bars
from models.base import Json
from tasks.input.fields import KEPT
from tasks.transactions.unit import broker
from tasks.types.bulk import TYPE as BULK
from tasks.views import callbacks, reading, why

#: What is shown of a submission, besides what has a place of its own.
FACTS = tuple(name for name in (*KEPT, "batch_id", "submitted_by") if name not in ("payload", "metadata"))


class Task(Page):
    """`/tasks/{task_id}`"""

    template = "task.html"

    async def look(self, asked: Asked) -> Json:
        """Find a task.

        Raises:
          falcon.HTTPNotFound: there is none of that id.
        """
        identifier = requests.identifier(asked.params["task_id"], "task")
        task = await requests.read(reading.show, identifier)
        if task is None:
            raise requests.missing("task", asked.params["task_id"])
        reason = await requests.read(why.why, identifier, broker().publishing, repeatable=True)
        payload, result = task["payload"] or {}, task["result"] or {}
        items = requests.fit(ItemsQuery, {"cursor": asked.query.get("cursor")})
        return {
            "task": task,
            "facts": FACTS,
            "why": reason if reason and reason["reason"] not in ("running", "ended") else None,
            "attempts": task.get("attempts", []),
            "bars": bars(task),
            "touched": await listed(task, items) if task["task_type"] == BULK.name else None,
            "callbacks": await requests.read(callbacks.of_task, identifier),
            "document_id": result.get("document_id") or payload.get("document_id"),
        }
