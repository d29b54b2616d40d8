"""What is searchable now: the documents of a KB, and of a document its chunks and its text."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from sqlalchemy import Row, func, select, update
from sqlalchemy import text as sql
from sqlalchemy.orm import Session

from documents.storing.filter import Filter, beginning
from models import Chunk, Document, Version
from models.base import Json, rfc3339

#: Documents that are looked at for one page of a list, in its order.
MOST_LOOKED_AT = 20_000
#: What documents are sorted by: an expression that an index begins with after the KB, and its type.
SORTED_BY = {"document_id": ("d.document_id", "text"), "updated_at": ("d.updated_at", "timestamptz"),
             "size": ("coalesce(d.bytes, 0)", "bigint")}  # fmt: skip

#: What is shown of `documents d` and `versions v`.
_COLUMNS = """
    d.document_id, coalesce(v.origin, v.id) AS task_id, d.chunks, d.embedder, d.metadata AS details, d.created_at,
    d.updated_at, v.number, v.filename, v.format, v.size, v.encoding, v.characters, v.pages, v.properties, v.warnings,
    v.sha256
"""
_DOCUMENTS = f"SELECT {_COLUMNS} FROM documents AS d JOIN versions AS v ON v.id = d.version_id WHERE d.kb_id = :kb_id"


def page(
    session: Session, kb_id: str, *, limit: int, after: str | None = None, prefix: str | None = None
) -> list[Json]:
    """Return a page of a KB's documents in the order of their ids.

    Parameters:
      after: the id that the page before ended with.
      prefix: with which their ids begin.
    """
    behind = "" if after is None else " AND d.document_id > :after"
    within = "" if prefix is None else " AND d.document_id LIKE :prefix"
    rows = session.execute(
        sql(f"{_DOCUMENTS}{behind}{within} ORDER BY d.document_id LIMIT :limit"),
        {"kb_id": kb_id, "after": after, "prefix": prefix and beginning(prefix), "limit": limit},
    )
    return [_shown(row) for row in rows]


@dataclass(frozen=True, slots=True)
class Mark:
    """Where a page ended: the last document that was looked at, and what it is sorted by."""

    value: str
    document_id: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which documents of a KB are listed, and in which order.

    Parameters:
      filter: of its `documents` not too many.
      sort: a key of SORTED_BY.
      descending: from the last to the first.
    """

    filter: Filter = field(default_factory=Filter)
    sort: str = "document_id"
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Listed:
    """A page of documents.

    Parameters:
      marks: of each of `items`.
      following: where the next page goes on; None: there is none.
    """

    items: list[Json]
    marks: list[Mark]
    following: Mark | None


def listed(session: Session, kb_id: str, wanted: Wanted, *, limit: int, after: Mark | None = None) -> Listed:
    """Return a page of a KB's documents. Where few fit it may be short, or empty, and others follow nevertheless.

    Parameters:
      after: where the page before ended.
    """
    column, kind = SORTED_BY[wanted.sort]
    direction, behind = ("DESC", "<") if wanted.descending else ("ASC", ">")
    order = f"{column} {direction}, d.document_id {direction}"
    inner: list[str] = []
    values: dict[str, object] = {"kb_id": kb_id, "limit": limit + 1, "most": MOST_LOOKED_AT}
    if after is not None:
        inner.append(f"({column}, d.document_id) {behind} (CAST(:value AS {kind}), :last)")
        values |= {"value": after.value, "last": after.document_id}
    chosen = wanted.filter
    # What an index knows is looked for within the walk, the rest of what is walked over.
    within, of_walk = replace(chosen, metadata={}, prefix=None, format=None).condition()
    inner.append(within)
    values |= of_walk
    condition, more = Filter(metadata=chosen.metadata, prefix=chosen.prefix).condition()
    outer = [condition, *(["v.format = :format"] if chosen.format is not None else [])]
    looked_at = f"SELECT * FROM documents AS d WHERE {' AND '.join(inner)} ORDER BY {order} LIMIT :most"
    rows = session.execute(
        sql(
            f"SELECT {_COLUMNS}, CAST({column} AS text) AS mark FROM ({looked_at}) AS d"
            # One by one in this order, as far as they are needed.
            " CROSS JOIN LATERAL (SELECT * FROM versions WHERE id = d.version_id OFFSET 0) AS v"
            f" WHERE {' AND '.join(outer)} ORDER BY {order} LIMIT :limit"
        ),
        values | more | {"format": chosen.format},
    ).all()
    marks = [Mark(row.mark, row.document_id) for row in rows[:limit]]
    items = [_shown(row) for row in rows[:limit]]
    if len(rows) > limit:
        return Listed(items, marks, marks[-1])
    last = session.execute(
        sql(f"SELECT CAST({column} AS text), d.document_id FROM ({looked_at}) AS d ORDER BY {order} OFFSET :most - 1"),
        values,
    ).one_or_none()
    return Listed(items, marks, None if last is None else Mark(*last))


def show(session: Session, kb_id: str, document_id: str) -> Json | None:
    """Return a document, or None when it is not searchable."""
    row = session.execute(
        sql(f"{_DOCUMENTS} AND d.document_id = :document_id"), {"kb_id": kb_id, "document_id": document_id}
    ).one_or_none()
    return None if row is None else _shown(row)


def chunks(
    session: Session, kb_id: str, document_id: str, *, limit: int, after: int | None = None
) -> list[Json] | None:
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
    rows = session.scalars(query).all()
    # Every searchable document has a chunk; beyond the last one there may be none.
    if not rows and (after is None or version_of(session, kb_id, document_id) is None):
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
        for chunk in rows
    ]


def around(session: Session, kb_id: str, document_id: str, index: int, neighbours: int) -> Json | None:
    """Return a chunk by its index, and so many before and after it; None when there is no such chunk to be found."""
    first = max(0, index - neighbours)
    rows = chunks(session, kb_id, document_id, limit=index + neighbours - first + 1, after=first - 1) or []
    at = next((chunk for chunk in rows if chunk["index"] == index), None)
    if at is None:
        return None
    return {
        "chunk": at,
        "before": [chunk for chunk in rows if chunk["index"] < index],
        "after": [chunk for chunk in rows if chunk["index"] > index],
    }


def set_metadata(session: Session, kb_id: str, document_id: str, metadata: Json) -> bool:
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
    spans = ranges.where(Chunk.version_id == version_id).subquery()
    return session.scalar(select(func.coalesce(func.sum(func.greatest(0, spans.c.end_offset - spans.c.start)), 0)))


def stretch(session: Session, kb_id: str, document_id: str, start: int, end: int) -> str:
    """Return what stands between two offsets of a document's text; nothing when it is not searchable."""
    passage = session.scalar(
        select(func.substr(Version.text, start + 1, end - start))
        .join(Document, Document.version_id == Version.id)
        .where(Document.kb_id == kb_id, Document.document_id == document_id)
    )
    return passage or ""


def original(session: Session, kb_id: str, document_id: str) -> Any | None:
    """Return what is known of a document's source: `original` (None where it is not kept), `content_type`, `filename`
    and `size`; None when the document is not searchable.
    """
    return session.execute(
        select(Version.original, Version.content_type, Version.filename, Version.size)
        .join(Document, Document.version_id == Version.id)
        .where(Document.kb_id == kb_id, Document.document_id == document_id)
    ).one_or_none()


def version_of(session: Session, kb_id: str, document_id: str) -> UUID | None:
    """Return the version that a document shows now."""
    return session.scalar(
        select(Document.version_id).where(Document.kb_id == kb_id, Document.document_id == document_id)
    )


def _shown(row: Row[Any]) -> Json:
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
