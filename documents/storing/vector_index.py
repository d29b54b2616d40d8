"""Building the HNSW indexes of large KBs, beside everything that goes on, and taking away those that serve no more.

An index covers a range of a KB's versions, which sort by time. Chunks that came later are in none and are searched
exactly, until there are so many that the next one is built: so whoever stores chunks never waits for a graph.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

import structlog
from sqlalchemy import Connection, delete, insert, select, text

from models import VectorIndex, database
from models.base import Json, new_id

#: Chunks among which the nearest are found by looking at each: some 40 ms of CPU. HNSW would be faster, and miss some.
EXACT = 20_000
#: Chunks of an index: it is built in memory (below), and a larger one finds less.
LARGEST = 100_000
#: Memory for building; one that needs more is finished on disk, ten times as slowly.
MEMORY = "400MB"
#: The most dimensions that pgvector indexes of a `halfvec`.
MOST_DIMENSIONS = 4000
#: What every index begins with that is built here.
PREFIX = "ix_chunks_near_"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Plan:
    """An index to be built: its row, and the one that it takes the place of."""

    row: Json
    replaced: str | None


class VectorIndexes:
    """Looks after the indexes of the database; `stop` ends a build that goes on."""

    def __init__(self) -> None:
        self._building: Connection | None = None
        self._stopped = False

    def tend(self) -> None:
        """Take away one kind of what serves no more, or else build the one index that is needed most.

        Does nothing while another process is at it.
        """
        with database.engine().connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            # Of the session, not of a transaction: an index can be built concurrently outside of any only.
            lock = {"name": "vector indexes"}
            if not connection.scalar(text("SELECT pg_try_advisory_lock(hashtext(:name))"), lock):
                return
            self._building = connection
            try:
                if not self._stopped and _can_scan_on(connection):
                    _forget_decayed(connection)
                    _drop_orphans(connection)
                    plan = _plan(connection)
                    if plan is not None:
                        _build(connection, plan)
            finally:
                self._building = None
                connection.scalar(text("SELECT pg_advisory_unlock(hashtext(:name))"), lock)

    def stop(self) -> None:
        """Have PostgreSQL give up what it is building; what is half built is dropped by the next who tends."""
        self._stopped = True
        connection = self._building
        if connection is not None:
            # The one call of a connection that another thread may make.
            connection.connection.dbapi_connection.cancel()  # type: ignore[union-attr]


def _can_scan_on(connection: Connection) -> bool:
    """Return whether pgvector goes on scanning when a filter has left too few (0.8 and newer)."""
    version = connection.scalar(text("SELECT extversion FROM pg_extension WHERE extname = 'vector'")) or "0"
    return tuple(map(int, version.split(".")[:2])) >= (0, 8)


def _forget_decayed(connection: Connection) -> None:
    """Forget indexes of which most chunks are superseded or deleted, and those after them: they are built anew."""
    connection.execute(
        text("""
            WITH decayed AS (
                SELECT kb_id, embedder, up_to FROM vector_indexes v
                 WHERE 2 * (SELECT coalesce(sum(d.chunks), 0) FROM documents d
                             WHERE d.kb_id = v.kb_id AND d.embedder = v.embedder
                               AND d.version_id > v.after AND d.version_id <= v.up_to) < v.chunks)
            DELETE FROM vector_indexes v USING decayed
             WHERE v.kb_id = decayed.kb_id AND v.embedder = decayed.embedder AND v.up_to >= decayed.up_to
        """)
    )


def _drop_orphans(connection: Connection) -> None:
    """Drop indexes that no row names: forgotten, replaced, or left half built by a process that died."""
    for name in connection.scalars(
        text("""
            SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
             WHERE i.indrelid = 'chunks'::regclass AND starts_with(c.relname, :prefix)
               AND c.relname NOT IN (SELECT name FROM vector_indexes)
        """),
        {"prefix": PREFIX},
    ).all():
        connection.execute(text(f'DROP INDEX CONCURRENTLY IF EXISTS "{name}"'))
        log.info("vector_index_dropped", name=name)


def _plan(connection: Connection) -> _Plan | None:
    """Return what to build for the KB with the most chunks in no index; None when none has more than EXACT."""
    kb = connection.execute(
        text("""
            SELECT d.kb_id, d.embedder, sum(d.chunks) AS chunks
              FROM documents d
              LEFT JOIN (SELECT DISTINCT ON (kb_id, embedder) kb_id, embedder, up_to FROM vector_indexes
                          ORDER BY kb_id, embedder, up_to DESC) v USING (kb_id, embedder)
             WHERE v.up_to IS NULL OR d.version_id > v.up_to
             GROUP BY 1, 2 HAVING sum(d.chunks) > :exact ORDER BY 3 DESC LIMIT 1
        """),
        {"exact": EXACT},
    ).one_or_none()
    if kb is None:
        return None
    of_kb = (VectorIndex.kb_id == kb.kb_id, VectorIndex.embedder == kb.embedder)
    last = connection.execute(
        select(VectorIndex.name, VectorIndex.after, VectorIndex.up_to, VectorIndex.chunks)
        .where(*of_kb)
        .order_by(VectorIndex.up_to.desc())
        .limit(1)
    ).one_or_none()
    grows = last is not None and last.chunks + kb.chunks <= LARGEST
    after = UUID(int=0) if last is None else last.after if grows else last.up_to
    row = _range(connection, kb.kb_id, kb.embedder, after)
    if row["dimension"] > MOST_DIMENSIONS:
        return None
    return _Plan(row, last.name if last is not None and grows else None)


def _range(connection: Connection, kb_id: str, embedder: str, after: UUID) -> Json:
    """Return the row of an index that begins after a version. It covers as many versions as fit, and at least one."""
    rows = connection.execute(
        text("""
            SELECT version_id, total, (SELECT vector_dims(embedding) FROM chunks c
                                        WHERE c.version_id = sums.version_id LIMIT 1) AS dimension
              FROM (SELECT version_id, sum(chunks) OVER (ORDER BY version_id) AS total FROM documents
                     WHERE kb_id = :kb_id AND embedder = :embedder AND version_id > :after) AS sums
             ORDER BY total > :largest, CASE WHEN total > :largest THEN total ELSE -total END LIMIT 1
        """),
        {"kb_id": kb_id, "embedder": embedder, "after": after, "largest": LARGEST},
    ).one()
    return {
        "name": f"{PREFIX}{new_id().hex}",
        "kb_id": kb_id,
        "embedder": embedder,
        "dimension": rows.dimension,
        "after": after,
        "up_to": rows.version_id,
        "chunks": rows.total,
    }


def _build(connection: Connection, plan: _Plan) -> None:
    row = plan.row
    log.info("vector_index_begun", name=row["name"], chunks=row["chunks"])
    connection.execute(
        text("SELECT set_config('maintenance_work_mem', :memory, false), set_config('statement_timeout', '0', false)"),
        {"memory": MEMORY},
    )
    # Parallel workers would build it in shared memory, of which a container has 64 MB.
    connection.execute(text("SET max_parallel_maintenance_workers = 0"))
    # No parameters are possible here, so the values are written by PostgreSQL itself.
    statement = connection.scalar(
        text(f"""
            SELECT format('CREATE INDEX CONCURRENTLY "{row["name"]}" ON chunks'
                          ' USING hnsw ((embedding::halfvec({row["dimension"]})) halfvec_ip_ops)'
                          ' WHERE kb_id = %L AND embedder = %L AND version_id > %L AND version_id <= %L',
                          CAST(:kb_id AS text), CAST(:embedder AS text), CAST(:after AS uuid), CAST(:up_to AS uuid))
        """),
        row,
    )
    connection.execute(text(str(statement).replace(":", r"\:")))
    with connection.engine.begin() as other:
        if plan.replaced is not None:
            other.execute(delete(VectorIndex).where(VectorIndex.name == plan.replaced))
        other.execute(insert(VectorIndex).values(**row))
    log.info("vector_index_built", name=row["name"], chunks=row["chunks"])
    _drop_orphans(connection)
