"""Originals: documents as they came, kept for as long as a version holds them.

It is noted when a version may not hold it: before it is written, and when a version that held it is deleted. So nothing
is left behind by a worker that dies in between.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from sqlalchemy import delete, func, select, text, update
from sqlalchemy.orm import Session

from documents.files import source
from documents.files.storage import Transaction, storage
from models import Original, Orphan, Version
from settings import Settings

#: How long an original may be without a version before anybody looks whether it is to have one.
UNHELD = timedelta(hours=1)


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


def forget(session: Session, settings: Settings, ids: Sequence[UUID]) -> None:
    """Delete originals that no version holds; whoever dies before it is done does it again."""
    storage(settings, kind=Original).delete_all(ids)
    session.execute(delete(Orphan).where(Orphan.id.in_(list(ids))))


_NOTE = text("""
    INSERT INTO orphans (id, due_at)
    SELECT id, now() + CAST(:unheld AS interval) FROM unnest(CAST(:ids AS uuid[])) AS given(id)
    ON CONFLICT (id) DO UPDATE SET due_at = excluded.due_at
""")
