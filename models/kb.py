"""A KB, which is no row of its own: it is what documents and tasks name."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import text

#: The tables in which a KB is found by an index that begins with it.
NAMING = ("documents", "tasks")


def next_of(tables: Sequence[str], after: str) -> str:
    """Return SQL for the first KB that any of these tables names behind another; NULL behind the last."""
    firsts = (f"(SELECT min(kb_id) FROM {table} WHERE {table}.kb_id > {after})" for table in tables)
    return f"least({', '.join(firsts)})"


#: The KBs behind `:after`, `:limit` of them at most. It is walked from one to the next, so that each costs a probe of
#: each table, however many rows it has there. The order is that of the database.
NAMED = text(f"""
    WITH RECURSIVE kb(kb_id) AS (
        SELECT {next_of(NAMING, ":after")}
        UNION ALL
        SELECT {next_of(NAMING, "kb.kb_id")} FROM kb WHERE kb_id IS NOT NULL
    )
    SELECT kb_id FROM kb WHERE kb_id IS NOT NULL LIMIT :limit
""")

#: The same of those that are given.
AMONG = text("""
    SELECT kb_id FROM unnest(CAST(:kb_ids AS text[])) AS given(kb_id) WHERE kb_id > :after ORDER BY kb_id LIMIT :limit
""")
