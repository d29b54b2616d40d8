"""A whole KB taken away a part at a time: its documents, then their versions, then what is known of the KB itself.

The mark of it says when: what was submitted before does not come back. Each function is handed a session and leaves
the commit to whoever opened it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from documents.storing import deletions, index


@dataclass(frozen=True, slots=True)
class Shown:
    """A document, the version that it shows, and the task whose submission that is."""

    document_id: str
    version_id: UUID
    origin: UUID


@dataclass(frozen=True, slots=True)
class Place:
    """Where a version stands in its KB."""

    document_id: str
    version_id: UUID


@dataclass(frozen=True, slots=True)
class Unshown:
    """A version that no document points at, and the task that makes it, or has made it.

    Parameters:
      original: its source as it came, where that is kept.
    """

    document_id: str
    version_id: UUID
    task_id: UUID
    original: UUID | None

    @property
    def place(self) -> Place:
        """Return where it stands."""
        return Place(self.document_id, self.version_id)


def mark(session: Session, kb_id: str, deleted_at: datetime) -> None:
    """Note that all that was submitted to a KB by then is deleted."""
    deletions.note(session, kb_id, deletions.WHOLE_KB, deleted_at)


def versions(session: Session, kb_id: str) -> int:
    """Return how many versions a KB has."""
    count: int = session.execute(_COUNT, {"kb_id": kb_id}).scalar_one()
    return count


def shown(session: Session, kb_id: str, after: str, limit: int) -> list[Shown]:
    """Return the next documents of a KB, in the order of their ids."""
    rows = session.execute(_SHOWN, {"kb_id": kb_id, "after": after, "limit": limit})
    return [Shown(**row._mapping) for row in rows]


def remove(session: Session, kb_id: str, documents: Sequence[Shown]) -> None:
    """Take documents out of the index, those of them that still show the same."""
    index.lock_kb(session, kb_id)
    session.execute(_REMOVE, {"kb_id": kb_id, "version_ids": [document.version_id for document in documents]})


def unshown(session: Session, kb_id: str, after: Place, limit: int) -> list[Unshown]:
    """Return the next versions of a KB that no document points at."""
    place = {"document_id": after.document_id, "version_id": after.version_id}
    rows = session.execute(_UNSHOWN, {"kb_id": kb_id, "limit": limit} | place)
    return [Unshown(**row._mapping) for row in rows]


def finish(session: Session, kb_id: str, deleted_at: datetime) -> int:
    """Forget what else is known of a KB, but for the mark. Returns how many documents were submitted to it since.

    Its vector indexes are forgotten when it is empty; the clock drops what is forgotten.
    """
    index.lock_kb(session, kb_id)
    values = {"kb_id": kb_id, "deleted_at": deleted_at, "whole": deletions.WHOLE_KB}
    for statement in (_FORGET_DELETIONS, _FORGET_INDEXES, _FORGET_SETTINGS):
        session.execute(statement, values)
    left: int = session.execute(_LEFT, values).scalar_one()
    return left


_COUNT = text("SELECT count(*) FROM versions WHERE kb_id = :kb_id")

_SHOWN = text("""
    SELECT d.document_id, d.version_id, coalesce(v.origin, v.id) AS origin
      FROM documents d JOIN versions v ON v.id = d.version_id
     WHERE d.kb_id = :kb_id AND d.document_id > :after ORDER BY d.document_id LIMIT :limit
""")

_REMOVE = text("DELETE FROM documents WHERE kb_id = :kb_id AND version_id = ANY(CAST(:version_ids AS uuid[]))")

_UNSHOWN = text("""
    SELECT document_id, id AS version_id, coalesce(maker, id) AS task_id, original FROM versions
     WHERE kb_id = :kb_id AND (document_id, id) > (:document_id, CAST(:version_id AS uuid))
       AND NOT EXISTS (SELECT FROM documents WHERE documents.version_id = versions.id)
     ORDER BY document_id, id LIMIT :limit
""")

_FORGET_DELETIONS = text("""
    DELETE FROM deletions WHERE kb_id = :kb_id AND document_id <> :whole AND deleted_at <= :deleted_at
""")

_FORGET_INDEXES = text("""
    DELETE FROM vector_indexes WHERE kb_id = :kb_id AND NOT EXISTS (SELECT FROM documents WHERE kb_id = :kb_id)
""")

_FORGET_SETTINGS = text("DELETE FROM kbs WHERE kb_id = :kb_id AND updated_at <= :deleted_at")

_LEFT = text("SELECT count(*) FROM documents WHERE kb_id = :kb_id")
