"""Versions that no document points at: superseded, given up, or deleted with their document; the clock removes them."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, bindparam, delete, func, select, text
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.orm import Session
from sqlalchemy.types import Uuid

from models import Base, Chunk, Document, Draft, DraftVector, Orphan, Version


def makers(session: Session, limit: int, after: UUID | None = None) -> list[UUID]:
    """Return tasks with versions that no document points at, oldest first: superseded, given up, or in the making."""
    maker = func.coalesce(Version.maker, Version.id)
    query = select(maker).where(~select(Document).where(Document.version_id == Version.id).exists())
    if after is not None:
        query = query.where(maker > after)
    return list(session.scalars(query.distinct().order_by(maker).limit(limit)))


def sweep(session: Session, dead: Sequence[UUID], limit: int = 1000) -> int:
    """Delete some rows of versions that no task works at any more; returns how many, 0 when nothing is left.

    Parameters:
      dead: tasks that are over. A version of theirs that a document points at is left alone nevertheless.
      limit: the most rows of each table, so that no transaction is long; call again until it returns 0.
    """
    return _delete(session, Version.id.in_(list(dead)) | Version.maker.in_(list(dead)), limit)


def delete_versions(session: Session, version_ids: Sequence[UUID], limit: int = 5000) -> int:
    """Delete some rows of these versions as `sweep` does, and return how many."""
    return _delete(session, Version.id.in_(list(version_ids)), limit)


def _delete(session: Session, chosen: ColumnElement[bool], limit: int) -> int:
    doomed = list(
        session.scalars(
            select(Version.id)
            .where(chosen)
            .where(~select(Document).where(Document.version_id == Version.id).exists())
            .with_for_update(skip_locked=True)
        )
    )
    deleted = sum(_delete_some(session, table, doomed, limit) for table in (DraftVector, Draft, Chunk))
    if deleted < limit and doomed:
        # What is left of a version that is not yet empty goes with it.
        gone = session.execute(delete(Version).where(Version.id.in_(doomed)).returning(Version.original)).all()
        _let_go(session, [version.original for version in gone if version.original is not None])
        deleted += len(gone)
    return deleted


def _let_go(session: Session, originals: Sequence[UUID]) -> None:
    """Note that an original may have no version any more: it is deleted where it is kept, which may be elsewhere."""
    if originals:
        noted = insert(Orphan).values([{"id": original, "due_at": func.now()} for original in set(originals)])
        session.execute(noted.on_conflict_do_update(index_elements=["id"], set_={"due_at": func.now()}))


def _delete_some(session: Session, model: type[Base], versions: Sequence[UUID], limit: int) -> int:
    """Delete at most `limit` rows of these versions."""
    name = model.__tablename__
    statement = text(
        f"WITH gone AS (DELETE FROM {name} WHERE ctid = ANY(ARRAY(SELECT ctid FROM {name}"
        "  WHERE version_id = ANY(:versions) LIMIT :limit)) RETURNING 1) SELECT count(*) FROM gone"
    ).bindparams(bindparam("versions", type_=ARRAY(Uuid())))
    deleted: int = session.execute(statement, {"versions": list(versions), "limit": limit}).scalar_one()
    return deleted
