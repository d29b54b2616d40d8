"""One knowledge base: its documents, what is being taken in, and a search."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from api import requests
from dashboard.page import Asked, Page
from documents.storing import catalogue
from tasks.input.fields import Filter
from tasks.views import reading

#: Documents on one page, and tasks of each state.
AT_ONCE, TASKS = 50, 20


class Kb(Page):
    """`/kbs/{kb_id}`"""

    template = "kb.html"

    async def look(self, asked: Asked) -> dict[str, Any]:
        """Find a page of documents, and the tasks that are under way or have failed."""
        after = requests.from_cursor(asked.query.get("cursor"), str)
        return await requests.read_much(_found, asked.params["kb_id"], after, asked.query.get("prefix"))


def _found(session: Session, kb_id: str, after: str | None, prefix: str | None) -> dict[str, Any]:
    documents = catalogue.page(session, kb_id, limit=AT_ONCE + 1, after=after, prefix=prefix)
    processing, queued, waiting, failed = (
        reading.page(session, Filter(kb_id=kb_id, status=[status]), limit=TASKS)
        for status in ("processing", "queued", "waiting", "failed")
    )
    page = requests.page_of(documents, AT_ONCE, "document_id")
    return {"kb_id": kb_id, "under_way": [*processing, *queued, *waiting][:TASKS], "failed": failed, **page}
