"""A KB: what documents and tasks name, with a row of its own only for what is set for it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import DateTime, SmallInteger, Text, func, select, text
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from models.base import Base, Json


class Kb(Base):
    """What a KB's documents and tasks inherit where a submission does not say it; None: from the settings."""

    __tablename__ = "kbs"

    kb_id: Mapped[str] = mapped_column(Text, primary_key=True)
    chunking: Mapped[Json | None] = mapped_column(JSONB(none_as_null=True))
    """`chunk_size`, `chunk_overlap` and `chunk_unit`, all three: they mean something together only."""
    embedder: Mapped[str | None] = mapped_column(Text)
    """The provider that an empty KB begins with; where there are documents, theirs is the KB's."""
    callback_url: Mapped[str | None] = mapped_column(Text)
    callback_secret: Mapped[str | None] = mapped_column(Text)
    """What callbacks of its tasks are signed with, as in CALLBACK_SECRET. It is never shown."""
    synonyms: Mapped[list[list[str]] | None] = mapped_column(JSONB(none_as_null=True))
    """Groups of terms that mean the same in its documents; searches read them."""
    weight: Mapped[int | None] = mapped_column(SmallInteger)
    """Turns that its tasks get where those of another KB get one; None: one."""
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


def settings_of(session: Session, kb_ids: Sequence[str]) -> dict[str, Kb]:
    """Return what is set for KBs, by their ids; nothing for one of which nothing is."""
    return {row.kb_id: row for row in session.scalars(select(Kb).where(Kb.kb_id.in_(kb_ids)))}


def weights(session: Session, kb_ids: Sequence[str]) -> dict[str, int]:
    """Return the weights of those of these KBs that have another than 1."""
    rows = session.execute(select(Kb.kb_id, Kb.weight).where(Kb.kb_id.in_(kb_ids), Kb.weight.is_not(None)))
    return {kb_id: weight for kb_id, weight in rows if weight is not None}


def change(session: Session, kb_id: str, values: dict[str, object]) -> None:
    """Set what is given for a KB, and leave the rest."""
    written = insert(Kb).values(kb_id=kb_id, **values)
    session.execute(written.on_conflict_do_update(index_elements=["kb_id"], set_=values | {"updated_at": func.now()}))


#: SQL for the weight of a KB.
WEIGHT = "coalesce((SELECT set_for.weight FROM kbs AS set_for WHERE set_for.kb_id = {kb}), 1)"

#: The tables in which a KB is found by an index that begins with it.
NAMING = ("documents", "kbs", "tasks")


def next_of(tables: Sequence[str], after: str) -> str:
    """Return SQL for the first KB that any of these tables names behind another; NULL behind the last."""
    firsts = (f"(SELECT min(kb_id) FROM {table} WHERE {table}.kb_id > {after})" for table in tables)
    return f"least({', '.join(firsts)})"


#: Whether a KB has a task of a status; one that failed before the whole KB was deleted is none. Rows are compared as an
#: index orders them, so that it is one step in it.
_HAS = """coalesce((
        SELECT true FROM tasks
         WHERE (tasks.kb_id, tasks.status) >= (kb.kb_id, CAST(:task_status AS text))
            AND (tasks.kb_id, tasks.status) <= (kb.kb_id, CAST(:task_status AS text)) AND tasks.kb_id IS NOT NULL
            AND (tasks.status <> 'failed' OR tasks.created_at > coalesce((
                SELECT deleted_at FROM deletions WHERE deletions.kb_id = kb.kb_id AND document_id = ''), '-infinity'))
         ORDER BY tasks.kb_id, tasks.status, task_type, id LIMIT 1), false)"""

#: What holds for KBs of a filter; what is NULL does not count.
_FITS = f"""(CAST(:prefix AS text) IS NULL OR starts_with(kb.kb_id, CAST(:prefix AS text)))
        AND (CAST(:task_status AS text) IS NULL OR {_HAS})"""

#: The KBs behind `:after`, `:limit` of them at most. It is walked from one to the next, so that each costs a probe of
#: each table, however many rows it has there. The order is that of the database.
NAMED = text(f"""
    WITH RECURSIVE kb(kb_id) AS (
        SELECT {next_of(NAMING, ":after")}
        UNION ALL
        SELECT {next_of(NAMING, "kb.kb_id")} FROM kb WHERE kb_id IS NOT NULL
    )
    SELECT kb_id FROM kb WHERE kb_id IS NOT NULL AND {_FITS} LIMIT :limit
""")

#: The same of those that are given.
AMONG = text(f"""
    SELECT kb_id FROM unnest(CAST(:kb_ids AS text[])) AS kb(kb_id) WHERE kb_id > :after AND {_FITS}
     ORDER BY kb_id LIMIT :limit
""")
