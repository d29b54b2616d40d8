"""A KB's documents made ready in another embedder's vectors, beside those that are searched, and shown all at once.

A shadow version has the text, the chunks and the words of another, and vectors of its own. Each function is handed a
session and leaves the commit to whoever opened it.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Table, delete, select, text
from sqlalchemy.orm import Session

from documents.storing import index
from models import Draft, Version
from models.base import Json, new_id


@dataclass(frozen=True, slots=True)
class Reindexing:
    """The task that changes a KB's embedder, and the `name` of the embedder to come."""

    task_id: UUID
    kb_id: str
    embedder: str

    @property
    def values(self) -> dict[str, object]:
        """For the statements below."""
        return {"task_id": self.task_id, "kb_id": self.kb_id, "embedder": self.embedder}


@dataclass(frozen=True, slots=True)
class Shadow:
    """A version in the making, of which document, and how many chunks it will have."""

    id: UUID
    document_id: str
    chunks: int


def _columns(table: object, *without: str) -> str:
    assert isinstance(table, Table)
    return ", ".join(f'"{column.name}"' for column in table.columns if column.name not in without)


#: What a shadow version takes over; all else it begins anew.
_OF_VERSION = _columns(
    Version.__table__,
    *("id", "maker", "origin", "embedder", "chunks", "tokens_embedded", "chunks_reused", "chunks_refused"),
)
_OF_DRAFT = _columns(Draft.__table__, "version_id")

#: Documents with the version that they show, and its shadow version where that is ready.
_DOCUMENTS = """
    documents d JOIN versions v ON v.id = d.version_id
    LEFT JOIN versions shadow ON shadow.maker = :task_id AND shadow.origin = coalesce(v.origin, v.id)
                             AND shadow.embedder = :embedder AND shadow.chunks IS NOT NULL
"""

_PROGRESS = text(f"""
    SELECT coalesce(sum(d.chunks) FILTER (WHERE d.embedder = :embedder OR shadow.id IS NOT NULL), 0) AS done,
           coalesce(sum(d.chunks), 0) AS units
      FROM {_DOCUMENTS} WHERE d.kb_id = :kb_id
""")

_NEXT = text(f"""
    SELECT v.id, coalesce(v.origin, v.id) AS origin, d.document_id, d.chunks FROM {_DOCUMENTS}
     WHERE d.kb_id = :kb_id AND d.document_id > :after AND d.embedder <> :embedder AND shadow.id IS NULL
     ORDER BY d.document_id LIMIT 1
""")

_SHADOW = text(f"""
    INSERT INTO versions (id, maker, origin, {_OF_VERSION})
    SELECT :shadow, :task_id, coalesce(origin, id), {_OF_VERSION} FROM versions WHERE id = :source
        ON CONFLICT (maker, origin) DO NOTHING
""")

_DRAFTS = text(
    f"INSERT INTO drafts (version_id, {_OF_DRAFT}) SELECT :shadow, {_OF_DRAFT} FROM chunks WHERE version_id = :source"
)

_PUBLISH = text(f"""
    UPDATE documents AS shown SET version_id = found.shadow, embedder = :embedder, tokens_embedded = found.billed
      FROM (SELECT d.document_id, shadow.id AS shadow, shadow.tokens_embedded AS billed FROM {_DOCUMENTS}
             WHERE d.kb_id = :kb_id AND d.embedder <> :embedder) AS found
     WHERE shown.kb_id = :kb_id AND shown.document_id = found.document_id
""")

_OUTCOME = text("""
    SELECT (SELECT count(*) FROM documents WHERE kb_id = :kb_id) AS documents,
           (SELECT coalesce(sum(chunks), 0) FROM documents WHERE kb_id = :kb_id) AS chunks,
           coalesce(sum(chunks_reused), 0) AS chunks_reused, coalesce(sum(chunks_refused), 0) AS chunks_refused,
           coalesce(sum(tokens_embedded), 0) AS tokens_embedded
      FROM versions WHERE maker = :task_id
""")


def progress(session: Session, to: Reindexing) -> tuple[int, int]:
    """Return how many chunks of a KB's documents are ready in the new embedder's vectors, and how many there are."""
    row = session.execute(_PROGRESS, to.values).one()
    return row.done, row.units


def next_shadow(session: Session, to: Reindexing, after: str = "") -> Shadow | None:
    """Begin, or go on with, the shadow version of the next document that has none ready; None when all have.

    Parameters:
      after: the id of the document before the first that is looked at.
    """
    source = session.execute(_NEXT, to.values | {"after": after}).one_or_none()
    if source is None:
        return None
    version = session.execute(
        select(Version.id, Version.embedder, Version.chunks)
        .where(Version.maker == to.task_id, Version.origin == source.origin)
        .with_for_update()
    ).one_or_none()
    if version is not None and version.embedder in (None, to.embedder) and version.chunks is None:
        return Shadow(version.id, source.document_id, source.chunks)
    if version is not None:
        # Of an embedder that is not wanted any more: the settings have changed between two attempts.
        session.execute(delete(Version).where(Version.id == version.id))
    shadow = new_id()
    session.execute(_SHADOW, to.values | {"shadow": shadow, "source": source.id})
    session.execute(_DRAFTS, {"shadow": shadow, "source": source.id})
    return Shadow(shadow, source.document_id, source.chunks)


def finish_shadow(session: Session, shadow: UUID) -> None:
    """Turn a shadow version's drafts and vectors into chunks, which makes it ready to be shown."""
    index.store(session, shadow, joining=False)
    index.delete_drafts(session, shadow)


def publish(session: Session, to: Reindexing) -> Json | None:
    """Let every document of a KB show its shadow version, at one moment; None, and nothing is changed, when one is not
    ready.

    Returns:
      how many documents and chunks the KB has, how many chunks were reused and refused, and the tokens billed.
    """
    index.lock_kb(session, to.kb_id)
    if session.execute(_NEXT, to.values | {"after": ""}).first() is not None:
        return None
    session.execute(_PUBLISH, to.values)
    return dict(session.execute(_OUTCOME, to.values).one()._mapping)
