"""One document: what is searchable of it now, chunk by chunk."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from api import requests
from dashboard.page import Asked, Page
from documents.storing import catalogue

#: Chunks on one page.
AT_ONCE = 50


class Document(Page):
    """`/kbs/{kb_id}/documents/{document_id}`"""

    template = "document.html"

    async def look(self, asked: Asked) -> dict[str, Any]:
        """Find a document and a page of its chunks.

        Raises:
          falcon.HTTPNotFound: it is not searchable.
        """
        kb_id, document_id = asked.params["kb_id"], asked.params["document_id"]
        after = requests.from_cursor(asked.query.get("cursor"), int)
        document, chunks = await requests.read_much(_found, kb_id, document_id, after, repeatable=True)
        if document is None or chunks is None:
            raise requests.missing("document", document_id)
        page = requests.page_of(chunks, AT_ONCE, "index")
        return {"kb_id": kb_id, "document": document, "parts": _parts(page["items"]), **page}


def _found(
    session: Session, kb_id: str, document_id: str, after: int | None
) -> tuple[dict[str, Any] | None, list[dict[str, Any]] | None]:
    """Return a document and its chunks, both of one version."""
    chunks = catalogue.chunks(session, kb_id, document_id, limit=AT_ONCE + 1, after=after)
    return catalogue.show(session, kb_id, document_id), chunks


def _parts(chunks: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Divide each chunk's text into what it repeats of the one before, and what is its own."""
    shown, end = [], 0
    for chunk in chunks:
        repeated = min(max(0, end - chunk["start"]), len(chunk["text"]))
        shown.append((chunk["text"][:repeated], chunk["text"][repeated:]))
        end = max(end, chunk["end"])
    return shown
