"""What is searchable now: the documents of a KB, and of a document its chunks and its text."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import Row, func, select, update
from sqlalchemy.orm import Session

from models import Chunk, Document, Version
from models.base import rfc3339

_FACTS = (
    Document.document_id,
    func.coalesce(Version.origin, Version.id).label("task_id"),
    Document.chunks,
    Document.embedder,
    Document.details,
    Document.created_at,
    Document.updated_at,
    Version.number,
    Version.filename,
    Version.format,
    Version.size,
    Version.encoding,
    Version.characters,
    Version.pages,
    Version.properties,
    Version.warnings,
    Version.sha256,
)


def page(
    session: Session, kb_id: str, *, limit: int, after: str | None = None, prefix: str | None = None
) -> list[dict[str, Any]]:
    """Return a page of a KB's documents in the order of their ids.

    Parameters:
      after: the id that the page before ended with.
      prefix: with which their ids begin.
    """
    query = select(*_FACTS).join(Version, Version.id == Document.version_id).where(Document.kb_id == kb_id)
    if after is not None:
        query = query.where(Document.document_id > after)
    if prefix is not None:
        query = query.where(func.starts_with(Document.document_id, prefix))
    return [_shown(row) for row in session.execute(query.order_by(Document.document_id).limit(limit))]


def show(session: Session, kb_id: str, document_id: str) -> dict[str, Any] | None:
    """Return a document, or None when it is not searchable."""
    row = session.execute(
        select(*_FACTS)
        .join(Version, Version.id == Document.version_id)
        .where(Document.kb_id == kb_id, Document.document_id == document_id)
    ).one_or_none()
    return None if row is None else _shown(row)


def chunks(
    session: Session, kb_id: str, document_id: str, *, limit: int, after: int | None = None
) -> list[dict[str, Any]] | None:
    """Return a page of a document's chunks in the order of its text, or None when the document is not searchable.

    Parameters:
      after: the index that the page before ended with.
    """
    # One statement, so one version: between two, another could be published and this one be swept.
    query = (
        select(Chunk)
        .join(Document, Document.version_id == Chunk.version_id)
        .where(Document.kb_id == kb_id, Document.document_id == document_id)
        .order_by(Chunk.index)
        .limit(limit)
    )
    if after is not None:
        query = query.where(Chunk.index > after)
    found = session.scalars(query).all()
    # Every searchable document has a chunk; beyond the last one there may be none.
    if not found and (after is None or version_of(session, kb_id, document_id) is None):
        return None
    return [
        {
            "chunk_id": f"{chunk.version_id}:{chunk.index}",
            "index": chunk.index,
            "text": chunk.text,
            "start": chunk.start_offset,
            "end": chunk.end_offset,
            "page": chunk.page,
            "heading_path": chunk.heading_path,
            "context": chunk.context,
        }
        for chunk in found
    ]


def around(session: Session, kb_id: str, document_id: str, index: int, neighbours: int) -> dict[str, Any] | None:
    """Return a chunk by its index, and so many before and after it; None when there is no such chunk to be found."""
    first = max(0, index - neighbours)
    found = chunks(session, kb_id, document_id, limit=index + neighbours - first + 1, after=first - 1) or []
    at = next((each for each in found if each["index"] == index), None)
    if at is None:
        return None
    return {
        "chunk": at,
        "before": [each for each in found if each["index"] < index],
        "after": [each for each in found if each["index"] > index],
    }


def set_metadata(session: Session, kb_id: str, document_id: str, metadata: dict[str, Any]) -> bool:
    """Give a document other `metadata`, and leave its version as it is. Returns whether there is such a document."""
    of_document = (Document.kb_id == kb_id, Document.document_id == document_id)
    changed = update(Document).where(*of_document).values(details=metadata, updated_at=func.now())
    return session.scalar(changed.returning(Document.document_id)) is not None


def text(session: Session, kb_id: str, document_id: str) -> str | None:
    """Return the text that offsets of chunks point into, or None when the document is not searchable."""
    return session.scalar(
        select(Version.text)
        .join(Document, Document.version_id == Version.id)
        .where(Document.kb_id == kb_id, Document.document_id == document_id)
    )


def covered(session: Session, kb_id: str, document_id: str) -> int | None:
    """Return how many characters of a document's text stand in at least one chunk; None when it is not searchable."""
    version_id = version_of(session, kb_id, document_id)
    if version_id is None:
        return None
    reached = func.max(Chunk.end_offset).over(order_by=Chunk.index, rows=(None, -1))
    ranges = select(Chunk.end_offset, func.greatest(Chunk.start_offset, func.coalesce(reached, 0)).label("start"))
    each = ranges.where(Chunk.version_id == version_id).subquery()
    return session.scalar(select(func.coalesce(func.sum(func.greatest(0, each.c.end_offset - each.c.start)), 0)))


def stretch(session: Session, kb_id: str, document_id: str, start: int, end: int) -> str:
    """Return what stands between two offsets of a document's text; nothing when it is not searchable."""
    found = session.scalar(
        select(func.substr(Version.text, start + 1, end - start))
        .join(Document, Document.version_id == Version.id)
        .where(Document.kb_id == kb_id, Document.document_id == document_id)
    )
    return found or ""


def version_of(session: Session, kb_id: str, document_id: str) -> UUID | None:
    """Return the version that a document shows now."""
    return session.scalar(
        select(Document.version_id).where(Document.kb_id == kb_id, Document.document_id == document_id)
    )


def _shown(row: Row[Any]) -> dict[str, Any]:
    return {
        "document_id": row.document_id,
        "version": row.number,
        "task_id": str(row.task_id),
        "chunks": row.chunks,
        "characters": row.characters,
        "bytes": row.size,
        "pages": row.pages,
        "filename": row.filename,
        "format": row.format,
        "encoding": row.encoding,
        "embedder": row.embedder,
        "metadata": row.details,
        "properties": row.properties,
        "warnings": row.warnings,
        "sha256": row.sha256.hex(),
        "created_at": rfc3339(row.created_at),
        "updated_at": rfc3339(row.updated_at),
    }
