"""Which documents were deleted when: what was submitted before does not bring one back, however late it ends."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, text
from sqlalchemy.orm import Session

from documents.storing import index
from errors import TaskError
from models import Document

#: In place of a document's id, which is never empty: the whole KB was deleted.
WHOLE_KB = ""


def remove(session: Session, kb_id: str, document_id: str, deleted_at: datetime | None = None) -> UUID | None:
    """Take a document out of the index at once; returns the version that nothing points at any more.

    Parameters:
      deleted_at: when that was asked for; None: now.
    """
    note(session, kb_id, document_id, deleted_at)
    removal = delete(Document).where(Document.kb_id == kb_id, Document.document_id == document_id)
    return session.scalar(removal.returning(Document.version_id))


def note(session: Session, kb_id: str, document_id: str, deleted_at: datetime | None = None) -> None:
    """Note that a document was deleted, or with WHOLE_KB all of its KB.

    Parameters:
      deleted_at: when that was asked for; None: now.
    """
    index.lock_kb(session, kb_id)
    session.execute(_NOTE, {"kb_id": kb_id, "document_id": document_id, "deleted_at": deleted_at})


def of_kbs(session: Session, kb_ids: Sequence[str]) -> dict[str, datetime]:
    """Return when whole KBs were last deleted, by their ids."""
    rows = session.execute(_OF_KBS, {"kb_ids": list(kb_ids), "whole": WHOLE_KB})
    return {row.kb_id: row.deleted_at for row in rows}


def check(session: Session, kb_id: str, document_id: str, submitted_at: datetime) -> None:
    """Make sure that a document was not deleted after it was submitted, and is not until this transaction ends.

    Raises:
      TaskError: superseded.
    """
    index.lock_kb(session, kb_id)
    values = {"kb_id": kb_id, "document_id": document_id, "whole": WHOLE_KB, "submitted_at": submitted_at}
    if session.execute(_SINCE, values).first() is not None:
        raise TaskError("superseded", "the document was deleted after this submission of it")


def submission_shown(session: Session, kb_id: str, document_id: str) -> UUID | None:
    """Return the task whose submission a document shows; None where it shows nothing."""
    shown: UUID | None = session.scalar(_SHOWN, {"kb_id": kb_id, "document_id": document_id})
    return shown


def count(session: Session, kb_id: str, deleted_at: datetime) -> int:
    """Return how many documents were deleted by what was asked for at a moment."""
    number: int = session.execute(_COUNT, {"kb_id": kb_id, "deleted_at": deleted_at}).scalar_one()
    return number


def forget(session: Session, kept: timedelta) -> int:
    """Forget deletions that are older. Returns how many."""
    return int(session.execute(_FORGET, {"kept": kept}).rowcount)  # type: ignore[attr-defined]


_NOTE = text(
    """
    INSERT INTO deletions AS before (kb_id, document_id, deleted_at)
    VALUES (:kb_id, :document_id, coalesce(CAST(:deleted_at AS timestamptz), now()))
    ON CONFLICT (kb_id, document_id) DO UPDATE SET deleted_at = greatest(before.deleted_at, excluded.deleted_at)
    """
)

_OF_KBS = text(
    "SELECT kb_id, deleted_at FROM deletions WHERE kb_id = ANY(CAST(:kb_ids AS text[])) AND document_id = :whole"
)

_SINCE = text(
    "SELECT FROM deletions"
    " WHERE kb_id = :kb_id AND document_id IN (:document_id, :whole) AND deleted_at > :submitted_at"
)

_COUNT = text("SELECT count(*) FROM deletions WHERE kb_id = :kb_id AND deleted_at = :deleted_at")

_SHOWN = text(
    """
    SELECT coalesce(v.origin, v.id) FROM documents AS d JOIN versions AS v ON v.id = d.version_id
    WHERE d.kb_id = :kb_id AND d.document_id = :document_id
    """
)

_FORGET = text("DELETE FROM deletions WHERE deleted_at < now() - CAST(:kept AS interval)")
