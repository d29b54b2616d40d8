"""The nearest vectors in KBs of every size, while documents come, change and go."""

from __future__ import annotations

import math
import random
import threading
from array import array
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from documents.searching import vector_search
from documents.searching.ranking import Ranked
from documents.searching.scope import EVERYTHING, scope_of
from documents.searching.vector_search import by_vector
from documents.storing import copying, vector_index
from documents.storing.filter import Filter
from documents.storing.vector_index import VectorIndexes
from models import database as models_database
from models.base import new_id
from tests.servers import eventually

#: Chunks of a document.
CHUNKS = 10
COLUMNS = "version_id index kb_id start_offset end_offset heading_path text hash embedder tokens token_count embedding"


_VERSION = text("""
    INSERT INTO versions (id, kb_id, document_id, format, sha256, size, characters, text, anchors)
    VALUES (:version, :kb_id, :name, 'text', '', 1, 1, '', '[]')
""")
_DOCUMENT = text("""
    INSERT INTO documents (kb_id, document_id, version_id, embedder, chunks, tokens)
    VALUES (:kb_id, :name, :version, :embedder, :chunks, 0)
    ON CONFLICT (kb_id, document_id) DO UPDATE SET version_id = excluded.version_id
""")


class Shelf:
    """KBs of random vectors around a hundred centres, as texts lie around topics."""

    def __init__(self) -> None:
        self._random = random.Random(7)
        self._centres: dict[int, list[list[float]]] = {}

    def vector(self, dimension: int = 16) -> array[float]:
        """A vector of length 1."""
        centres = self._centres.setdefault(dimension, [self._noise(dimension, 2) for _ in range(100)])
        near = zip(self._random.choice(centres), self._noise(dimension, 1), strict=True)
        values = [centre + noise for centre, noise in near]
        norm = math.hypot(*values)
        return array("f", [value / norm for value in values])

    def add(self, kb_id: str, names: Iterator[str] | list[str], dimension: int = 16) -> None:
        """Show documents of CHUNKS chunks each, in place of those of the same name."""
        versions: list[dict[str, Any]] = [
            {"kb_id": kb_id, "name": name, "version": new_id(), "embedder": f"test:{dimension}", "chunks": CHUNKS}
            for name in names
        ]
        with models_database.transaction() as session:
            session.execute(_VERSION, versions)
            rows = (
                self._chunk(version["version"], index, kb_id, dimension)
                for version in versions
                for index in range(CHUNKS)
            )
            copying.copy(session, "chunks", COLUMNS.split(), rows)
            session.execute(_DOCUMENT, versions)

    def _chunk(self, version: UUID, index: int, kb_id: str, dimension: int) -> list[bytes]:
        return [
            copying.uuid(version),
            copying.integer(index),
            copying.text(kb_id),
            copying.integer(0),
            copying.integer(1),
            copying.texts([]),
            copying.text("x"),
            b"",
            copying.text(f"test:{dimension}"),
            copying.ts_vector([]),
            copying.integer(0),
            copying.half_vector(self.vector(dimension)),
        ]

    def delete(self, kb_id: str, names: list[str]) -> None:
        """Let documents be shown no more."""
        with models_database.transaction() as session:
            statement = text("DELETE FROM documents WHERE kb_id = :kb_id AND document_id = ANY(:names)")
            session.execute(statement, {"kb_id": kb_id, "names": names})

    def _noise(self, dimension: int, most: float) -> list[float]:
        return [self._random.uniform(-most, most) for _ in range(dimension)]


def names(count: int, first: int = 0) -> list[str]:
    """Names of documents."""
    return [f"d{number}" for number in range(first, first + count)]


def nearest(kb_id: str, vector: array[float], limit: int = 10, filter: Filter = EVERYTHING) -> Ranked:
    """As a search finds them."""
    with models_database.transaction(repeatable=True) as session:
        scope = scope_of(session, kb_id, filter)
        return by_vector(session, scope, vector, limit) if scope is not None else []


def indexes() -> dict[str, int]:
    """The HNSW indexes that there are in PostgreSQL, and how often each was scanned."""
    # A connection tells of its scans when its process ends, if not before.
    models_database.engine().dispose()
    eventually(_is_alone, seconds=20, reason="the other connections have ended")
    with models_database.transaction() as session:
        rows = session.execute(
            text("""
                SELECT indexrelname AS name, idx_scan FROM pg_stat_user_indexes
                 WHERE starts_with(indexrelname, :prefix)
            """),
            {"prefix": vector_index.PREFIX},
        )
        return {row.name: row.idx_scan for row in rows}


def _is_alone() -> bool:
    with models_database.transaction() as session:
        others = text(
            "SELECT FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend'"
            " AND pid <> pg_backend_pid()"
        )
        return session.execute(others).first() is None


def recall(shelf: Shelf, kb_id: str, monkeypatch: pytest.MonkeyPatch, filter: Filter = EVERYTHING) -> float:
    """The share of the 10 nearest that a search finds, over 20 queries; each must find 10."""
    queries = [shelf.vector() for _ in range(20)]
    results = [nearest(kb_id, query, filter=filter) for query in queries]
    assert [len(result) for result in results] == [10] * len(queries)
    with monkeypatch.context() as changed:
        changed.setattr(vector_search, "EXACT", 10**9)
        exact = [nearest(kb_id, query, filter=filter) for query in queries]
    hits = sum(len(dict(one).keys() & dict(other).keys()) for one, other in zip(results, exact, strict=True))
    return hits / (10 * len(queries))


@pytest.fixture
def shelf(database: Engine, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    """Empty; what is large is small here, so that a test need not store 20,000 chunks."""
    for module in (vector_index, vector_search):
        monkeypatch.setattr(module, "EXACT", 500)
    monkeypatch.setattr(vector_search, "FEW", 50)
    monkeypatch.setattr(vector_index, "LARGEST", 2000)
    return Shelf()


def test_a_small_kb_is_searched_exactly_and_gets_no_index(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf.add("kb", names(50))
    VectorIndexes().tend()
    assert indexes() == {}
    assert recall(shelf, "kb", monkeypatch) == 1


def test_a_large_kb_is_searched_by_its_index(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf.add("kb", names(100))
    shelf.add("other", names(100), dimension=8)
    for _ in range(3):
        VectorIndexes().tend()
    assert len(indexes()) == 2
    assert recall(shelf, "kb", monkeypatch) >= 0.95
    assert sorted(indexes().values()) == [0, 20]


def test_what_comes_later_is_found_at_once_and_joins_the_index(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf.add("kb", names(75))
    VectorIndexes().tend()
    (first,) = indexes()
    shelf.add("kb", names(25, 75))
    assert recall(shelf, "kb", monkeypatch) >= 0.95
    VectorIndexes().tend()
    assert set(indexes()) == {first}
    shelf.add("kb", names(30, 100))
    VectorIndexes().tend()
    (second,) = indexes()
    assert second != first
    assert recall(shelf, "kb", monkeypatch) >= 0.95


def test_an_index_that_is_large_enough_is_followed_by_another(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf.add("kb", names(275))
    for _ in range(3):
        VectorIndexes().tend()
    assert len(indexes()) == 2
    assert recall(shelf, "kb", monkeypatch) >= 0.95
    assert sorted(indexes().values()) == [20, 20]


@pytest.mark.parametrize("kept", [range(0, 200, 10), range(20)], ids=["every tenth", "those of one range"])
def test_a_filter_is_filled(shelf: Shelf, monkeypatch: pytest.MonkeyPatch, kept: range) -> None:
    shelf.add("kb", names(200))
    VectorIndexes().tend()
    wanted = Filter([f"d{number}" for number in kept])
    assert recall(shelf, "kb", monkeypatch, wanted) == 1
    monkeypatch.setattr(vector_search, "EXACT", 10)
    assert recall(shelf, "kb", monkeypatch, wanted) >= 0.9


def test_superseded_chunks_in_the_index_leave_no_gap(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf.add("kb", names(150))
    VectorIndexes().tend()
    shelf.add("kb", names(70))
    shelf.delete("kb", names(2, 70))
    assert recall(shelf, "kb", monkeypatch) >= 0.95
    assert next(iter(indexes().values())) >= 20


def test_an_index_of_which_little_is_left_is_dropped(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf.add("kb", names(125))
    VectorIndexes().tend()
    (first,) = indexes()
    shelf.delete("kb", names(50))
    VectorIndexes().tend()
    assert set(indexes()) == {first}
    shelf.delete("kb", names(30, 50))
    VectorIndexes().tend()
    assert indexes() == {}
    assert recall(shelf, "kb", monkeypatch) == 1


def test_a_build_can_be_stopped_and_is_done_by_the_next(shelf: Shelf, database: Engine) -> None:
    shelf.add("kb", names(100))
    tending = VectorIndexes()
    failed: list[DBAPIError] = []

    def tend() -> None:
        try:
            tending.tend()
        except DBAPIError as error:
            failed.append(error)

    with database.connect() as reader:
        # Whoever builds an index beside others waits for those who have begun.
        reader.execute(text("SELECT count(*) FROM chunks"))
        reader.execute(text("LOCK TABLE chunks IN SHARE UPDATE EXCLUSIVE MODE"))
        builder = threading.Thread(target=tend)
        builder.start()
        eventually(lambda: waits(), seconds=20, reason="the build waits")
        tending.stop()
        builder.join(20)
        assert not builder.is_alive()
    assert [type(error.orig).__name__ for error in failed] == ["QueryCanceled"]
    tending.tend()
    assert indexes() == {}
    VectorIndexes().tend()
    assert len(indexes()) == 1


def waits() -> bool:
    """Whether an index is about to be built."""
    with models_database.transaction() as session:
        return bool(
            session.scalar(
                text("""
                    SELECT count(*) FROM pg_stat_activity
                     WHERE query LIKE 'CREATE INDEX CONCURRENTLY%' AND wait_event_type = 'Lock'
                       AND datname = current_database()
                """)
            )
        )


def test_what_is_left_half_built_is_dropped(shelf: Shelf, database: Engine) -> None:
    name = f"{vector_index.PREFIX}{UUID(int=1).hex}"
    with database.begin() as connection:
        connection.execute(text(f'CREATE INDEX "{name}" ON chunks (index)'))
    VectorIndexes().tend()
    assert indexes() == {}
