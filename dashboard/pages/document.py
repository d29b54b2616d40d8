"""One document: what is searchable of it now, chunk by chunk, and what is to take its place."""

from __future__ import annotations

from itertools import pairwise
from uuid import UUID

from sqlalchemy.orm import Session

from api import requests
from dashboard.page import Asked, Page
from documents.storing import catalogue
from models.base import Json
from tasks.input.fields import Filter
from tasks.views import reading

#: Chunks on one page, and tasks of the document that are shown.
AT_ONCE, TASKS = 50, 10


class Document(Page):
    """`/kbs/{kb_id}/documents/{document_id}`"""

    template = "document.html"

    async def look(self, asked: Asked) -> Json:
        """Find a document, a page of its chunks with the text they stand in, and its newest tasks.

        Raises:
          falcon.HTTPNotFound: it is not searchable, and no task is to make it so.
        """
        kb_id, document_id = asked.params["kb_id"], asked.params["document_id"]
        after = requests.from_cursor(asked.query.get("cursor"), int)
        before = requests.from_cursor(asked.query.get("versions"), UUID)
        facts = await requests.read_much(_found, kb_id, document_id, after, before, repeatable=True)
        if facts["document"] is None and facts["newest"] is None:
            raise requests.missing("document", document_id)
        page = requests.page_of(facts.pop("chunks") or [], AT_ONCE, "index")
        return {
            "kb_id": kb_id,
            "document_id": document_id,
            **facts,
            "tasks": requests.page_of(facts["tasks"], TASKS, "task_id"),
            "parts": _parts(page["items"]),
            "marked": _marked(page["items"], facts["text"]),
            **page,
        }


def _found(session: Session, kb_id: str, document_id: str, after: int | None, before: UUID | None) -> Json:
    """Return a document and its chunks, both of one version."""
    chunks = catalogue.chunks(session, kb_id, document_id, limit=AT_ONCE + 1, after=after)
    shown = (chunks or [])[:AT_ONCE]
    ends = (shown[0]["start"], max(chunk["end"] for chunk in shown)) if shown else (0, 0)
    which = Filter(kb_id=kb_id, document_id=document_id, task_type="document_processing")
    return {
        "document": catalogue.show(session, kb_id, document_id),
        "chunks": chunks,
        "covered": catalogue.covered(session, kb_id, document_id),
        "text": catalogue.stretch(session, kb_id, document_id, *ends),
        "original": catalogue.original(session, kb_id, document_id),
        "newest": next(iter(reading.page(session, which, limit=1)), None),
        "tasks": reading.page(session, which, limit=TASKS + 1, before=before),
    }


def _parts(chunks: list[Json]) -> list[tuple[str, str]]:
    """Divide each chunk's text into what it repeats of the one before, and what is its own."""
    shown, end = [], 0
    for chunk in chunks:
        repeated = min(max(0, end - chunk["start"]), len(chunk["text"]))
        shown.append((chunk["text"][:repeated], chunk["text"][repeated:]))
        end = max(end, chunk["end"])
    return shown


def _marked(chunks: list[Json], text: str) -> list[tuple[str, int | None, bool]]:
    """Divide a text wherever a chunk begins or ends.

    Returns:
      each part with the last chunk that it stands in, if any, and whether it stands in several.
    """
    if not chunks:
        return []
    first = chunks[0]["start"]
    ends = sorted({place for chunk in chunks for place in (chunk["start"], chunk["end"])})
    parts = []
    for start, end in pairwise(ends):
        within = [chunk["index"] for chunk in chunks if chunk["start"] <= start and end <= chunk["end"]]
        parts.append((text[start - first : end - first], within[-1] if within else None, len(within) > 1))
    return parts
