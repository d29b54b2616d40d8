"""Originals: documents as they came, kept for as long as a version holds them.

It is noted when a version may not hold it: before it is written, and when a version that held it is deleted. So nothing
is left behind by a worker that dies in between. A small one needs no note: the transaction that writes its version
writes it as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from sqlalchemy import Connection, delete, func, select, text, update
from sqlalchemy.orm import Session

from documents.files import source
from documents.files.source import Source
from documents.files.storage import PAGE, Transaction, storage
from models import Original, Orphan, Version, database
from models.statement import prepared
from settings import Settings

#: How long an original may be without a version before anybody looks whether it is to have one.
UNHELD = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Small:
    """A document of less than a page, to be written by the transaction that writes its version.

    Parameters:
      sha256: of the bytes.
    """

    data: bytes
    sha256: bytes

    def write(self, opened: Connection, task_id: UUID) -> UUID:
        """Keep it, in place of what an earlier attempt kept. Returns the id that the version is to name."""
        values = {"id": task_id, "data": self.data, "size": len(self.data), "sha256": self.sha256}
        database.execute(opened, _WRITE, values)
        return task_id


def small(source: Source, settings: Settings) -> Small | None:
    """Return a document that fits into a page of the table; None: it is to be kept by `keep`."""
    if settings.storage_url is not None or source.size >= PAGE:
        return None
    return Small(source.path.read_bytes(), source.sha256)


def keep(path: Path, settings: Settings, task_id: UUID, transaction: Transaction) -> UUID:
    """Keep a document as it came. It is held once the version that names it is written.

    Parameters:
      transaction: opens the transactions in which it is kept, which fail when the task is in other hands.

    Returns:
      the id that the version is to name.
    """
    with transaction() as session:
        session.execute(_NOTE, {"ids": [task_id], "unheld": UNHELD})
    source.keep(path, settings, task_id, transaction, Original)
    return task_id


def due(session: Session, limit: int) -> list[UUID]:
    """Forget the notes of originals that a version holds, and return some of the others, whose time has come."""
    held = select(Version).where(Version.original == Orphan.id).exists()
    session.execute(delete(Orphan).where(Orphan.due_at <= func.now(), held))
    return list(session.scalars(select(Orphan.id).where(Orphan.due_at <= func.now()).limit(limit)))


def put_off(session: Session, ids: Sequence[UUID]) -> None:
    """Look at some later, since their tasks are not over."""
    session.execute(update(Orphan).where(Orphan.id.in_(list(ids))).values(due_at=func.now() + UNHELD))


def forget_unheld(session: Session, settings: Settings, ids: Sequence[UUID]) -> None:
    """Delete those of some originals that no version holds."""
    held = select(Version.original).where(Version.original == Orphan.id).exists()
    forget(session, settings, list(session.scalars(select(Orphan.id).where(Orphan.id.in_(list(ids)), ~held))))


def forget(session: Session, settings: Settings, ids: Sequence[UUID]) -> None:
    """Delete originals that no version holds; whoever dies before the commit does it again."""
    if not ids:
        return
    storage(settings, lambda: nullcontext(session), Original).delete_all(ids)
    session.execute(delete(Orphan).where(Orphan.id.in_(list(ids))))


_WRITE = prepared("""
    INSERT INTO originals (id, page, data, size, sha256)
    VALUES (:id, 0, :data, CAST(:size AS bigint), CAST(:sha256 AS bytea))
    ON CONFLICT (id, page) DO UPDATE SET data = excluded.data, size = excluded.size, sha256 = excluded.sha256
""")

_NOTE = text("""
    INSERT INTO orphans (id, due_at)
    SELECT id, now() + CAST(:unheld AS interval) FROM unnest(CAST(:ids AS uuid[])) AS given(id)
    ON CONFLICT (id) DO UPDATE SET due_at = excluded.due_at
""")
