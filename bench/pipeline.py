"""What queue, state and storage add to the reading of documents: the service against the same calls in a loop."""

from __future__ import annotations

import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import psutil
import psycopg2

from bench.contestants import OURS, Running, running
from bench.footprint import mixed_documents
from bench.servers import Servers
from documents.embedding.local import LocalEmbedder
from documents.sandbox.pool import Sandbox
from documents.storing.index import embedded_text
from tests.servers import eventually

#: Documents that are taken in before the clock starts: children are warm then, in the service as in the loop.
WARM = 20
THREADS = 10
UPLOADS_AT_ONCE = 4
CHUNK_SIZE, CHUNK_OVERLAP = 1000, 200


def measure(servers: Servers, rounds: int, count: int, samples: dict[str, list[float]]) -> None:
    """Loop and service in turn, on the same documents. Seconds on the wall and of CPU, servers' included.

    Raises:
      AssertionError: when a document was not taken in.
    """
    documents = list(mixed_documents(WARM + count))
    for turn in range(rounds):
        with tempfile.TemporaryDirectory(prefix="loop-") as folder:
            wall, cpu = _loop(documents, Path(folder))
        samples.setdefault("loop, s", []).append(wall)
        samples.setdefault("loop, CPU s", []).append(cpu)
        with running(OURS, servers, servers.folder / f"pipeline-{turn}") as found:
            wall, cpu = _service(found, servers, documents)
        samples.setdefault("service, s", []).append(wall)
        samples.setdefault("service, CPU s", []).append(cpu)
        print(f"documents: loop {samples['loop, s'][-1]:.1f} s, service {wall:.1f} s", flush=True)


def _loop(documents: list[tuple[str, bytes]], folder: Path) -> tuple[float, float]:
    """Extraction, chunking and embedding of each document in as many threads as a worker has, and nothing else."""
    sandbox, embedder = Sandbox(), LocalEmbedder()

    def read(document: tuple[str, bytes]) -> None:
        name, data = document
        path = folder / name
        path.write_bytes(data)
        extracted = sandbox.extract(path, filename=name, timeout=300)
        pieces = list(sandbox.split(extracted.text, extracted.anchors, CHUNK_SIZE, CHUNK_OVERLAP, timeout=300))
        texts = [
            embedded_text(each.heading_path, each.context, extracted.text[each.start : each.end]) for each in pieces
        ]
        embedder.embed(texts, "document")

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(read, documents[:WARM]))
        began, before = time.perf_counter(), _cpu([psutil.Process()])
        list(pool.map(read, documents[WARM:]))
        figures = time.perf_counter() - began, _cpu([psutil.Process()]) - before
    sandbox.close()
    return figures


def _service(found: Running, servers: Servers, documents: list[tuple[str, bytes]]) -> tuple[float, float]:
    """The same documents as uploads, from the first request to the end of the last task."""
    _take_in(found, documents[:WARM])
    roots = _processes(found, servers)
    began, before = time.perf_counter(), _cpu(roots)
    _take_in(found, documents[WARM:])
    return time.perf_counter() - began, _cpu(roots) - before


def _take_in(found: Running, documents: list[tuple[str, bytes]]) -> None:
    with httpx2.Client(base_url=found.url, timeout=60) as http, ThreadPoolExecutor(UPLOADS_AT_ONCE) as pool:

        def upload(document: tuple[str, bytes]) -> int:
            return http.post("/api/v1/kbs/mixed/documents", files={"file": document}).status_code

        assert set(pool.map(upload, documents)) == {202}
    eventually(lambda: not found.ask(OURS.unfinished)[0], seconds=600, every=0.1, reason="all documents are read")
    failed = found.ask("SELECT count(*) FROM tasks WHERE status <> 'completed'")[0]
    assert not failed, f"{failed} documents were not taken in"


def _processes(found: Running, servers: Servers) -> list[psutil.Process]:
    """Every process that the service needs, both servers included."""
    connection = psycopg2.connect(servers.postgres.url)
    with connection.cursor() as cursor:
        cursor.execute("SHOW data_directory")
        (folder,) = cursor.fetchone() or ("",)
    connection.close()
    postmaster = int((Path(folder) / "postmaster.pid").read_text().splitlines()[0])
    broker = int(servers.rabbitmq.control("eval", "list_to_integer(os:getpid()).").strip())
    return [psutil.Process(pid) for pid in (*found.pids, postmaster, broker)]


def _cpu(roots: list[psutil.Process]) -> float:
    """Seconds of CPU of processes and of all that they started, those that have ended included."""
    total = 0.0
    for root in roots:
        for each in (root, *root.children(recursive=True)):
            try:
                times = each.cpu_times()
            except psutil.NoSuchProcess:
                continue
            total += times.user + times.system + times.children_user + times.children_system
    return total
