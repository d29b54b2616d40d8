"""One knowledge base: its documents, what is being taken in, what has failed, and a search."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.orm import Session

from api import requests
from api.bulkheads.pools import SEARCHING
from api.resources.many.documents import DocumentsQuery, Sort, listed
from dashboard.page import Asked, Page
from dashboard.words import say_in
from models.base import Json, rfc3339
from models.kb import weights
from pipeline import STAGES
from tasks.input.fields import DocumentState, Filter
from tasks.lifecycle import Status
from tasks.views import kbs, reading

#: Tasks that are under way, and failures on one page.
UNDER_WAY, FAILURES = 20, 5
FILTERS = ("prefix", "state", "format", "metadata", "updated_after")
#: What REST's names say in words.
STATES: dict[DocumentState, str] = {"current": "up to date", "pending": "newer under way", "failed": "newer failed"}
ORDERS: dict[Sort, str] = {
    "-document_id": "id, last first",
    "updated_at": "oldest first",
    "-updated_at": "newest first",
    "size": "smallest first",
    "-size": "largest first",
}


class Kb(Page):
    """`/kbs/{kb_id}`"""

    template = "kb.html"

    async def look(self, asked: Asked) -> Json:
        """Find a page of documents, the tasks that are under way, and the failures that nothing has mended."""
        kb_id = asked.params["kb_id"]
        query = requests.fit(
            DocumentsQuery, {name: value for name, value in asked.query.items() if name in DocumentsQuery.model_fields}
        )
        failures = requests.from_cursor(asked.query.get("failures"), UUID)
        say = say_in(asked.viewer.language)
        return {
            **await requests.read_much(_found, kb_id, query, failures, pool=SEARCHING),
            "kb_id": kb_id,
            "names": {name: say(name) for name in (*Status, *STAGES)},
            "filters": FILTERS,
            "metadata": query.metadata,
            "states": STATES,
            "orders": ORDERS,
            "deletion": _deletion(query),
        }


def _found(session: Session, kb_id: str, query: DocumentsQuery, failures: UUID | None) -> Json:
    under_way = [
        task
        for status in (Status.PROCESSING, Status.QUEUED, Status.WAITING)
        for task in reading.page(session, Filter(kb_id=kb_id, status=[str(status)]), limit=UNDER_WAY)
    ]
    failed = kbs.unmended(session, kb_id, limit=FAILURES + 1, before=failures)
    return {
        **listed(session, kb_id, query),
        "under_way": under_way[:UNDER_WAY],
        "failed": requests.page_of(failed, FAILURES, "task_id"),
        "weight": weights(session, [kb_id]).get(kb_id, 1),
    }


def _deletion(query: DocumentsQuery) -> Json | None:
    """Return the body that deletes the documents of a filter; None where there is no filter."""
    wanted = query.wanted()
    named = {
        "prefix": query.prefix,
        "state": query.state,
        "format": query.format,
        "metadata": dict(wanted.filter.metadata),
        "updated_after": query.updated_after and rfc3339(query.updated_after),
    }
    named = {name: value for name, value in named.items() if value}
    return {"filter": named} if named else None
