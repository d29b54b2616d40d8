"""What queue, state and storage add to the reading of documents: the service against the same calls in a loop."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import psutil

from bench import cpu
from bench.contestants import OURS, Running, running
from bench.footprint import mixed_documents
from bench.peers.ingest import OVERLAP, SIZE
from bench.servers import Servers
from documents.embedding.local import LocalEmbedder
from documents.sandbox.pool import Sandbox
from documents.storing.index import embedded_text
from tests.servers import eventually

#: File name and content.
Document = tuple[str, bytes]

#: Documents that are taken in before the clock starts, at most: children are warm then, in the service as in the loop.
WARM = 20
THREADS = 10
UPLOADS_AT_ONCE = 4
UNFINISHED = "SELECT count(*) FROM tasks WHERE status IN ('waiting', 'queued', 'processing')"


def measure(servers: Servers, rounds: int, count: int, samples: dict[str, list[float]]) -> None:
    """Loop and service in turn, on the same documents. Seconds, and milliseconds of CPU a document by process group.

    Raises:
      AssertionError: when a document was not taken in.
    """
    warm, documents = mixture(count)
    for turn in range(rounds):
        with tempfile.TemporaryDirectory(prefix="loop-") as folder:
            _note(samples, "loop", count, *_loop(servers, warm, documents, Path(folder)))
        with running(OURS, servers, servers.folder / f"pipeline-{turn}") as ours:
            _note(samples, "service", count, *service(ours, warm, documents))
        print(
            f"documents: loop {samples['loop, s'][-1]:.1f} s, service {samples['service, s'][-1]:.1f} s, "
            f"{samples['service, CPU ms'][-1]:.1f} ms of CPU each",
            flush=True,
        )


def mixture(count: int) -> tuple[list[Document], list[Document]]:
    """Documents to warm up with, and the `count` that are measured."""
    warm = min(WARM, count)
    documents = list(mixed_documents(warm + count))
    return documents[:warm], documents[warm:]


def _note(samples: dict[str, list[float]], name: str, count: int, wall: float, used: dict[str, float]) -> None:
    samples.setdefault(f"{name}, s", []).append(wall)
    samples.setdefault(f"{name}, CPU ms", []).append(sum(used.values()) / count * 1000)
    for group, seconds in used.items():
        samples.setdefault(f"{name}, {group}, CPU ms", []).append(seconds / count * 1000)


def _loop(
    servers: Servers, warm: list[Document], documents: list[Document], folder: Path
) -> tuple[float, dict[str, float]]:
    """Extract, chunk and embed each document in as many threads as a worker has, and do nothing else."""
    sandbox, embedder = Sandbox(), LocalEmbedder()

    def read(document: Document) -> None:
        name, data = document
        path = folder / name
        path.write_bytes(data)
        extracted = sandbox.extract(path, filename=name, timeout=300)
        pieces = list(sandbox.split(extracted.text, extracted.anchors, SIZE, OVERLAP, timeout=300))
        texts = [
            embedded_text(piece.heading_path, piece.context, extracted.text[piece.start : piece.end])
            for piece in pieces
        ]
        embedder.embed(texts, "document")

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(read, warm))
        # RabbitMQ was started by this process, and is counted with it.
        groups = {"reading": [psutil.Process()], "RabbitMQ": servers.processes["RabbitMQ"]}
        began, before = time.perf_counter(), cpu.by_group(groups)
        list(pool.map(read, documents))
        wall, used = time.perf_counter() - began, cpu.spent(groups, before)
    sandbox.close()
    return wall, {"reading": used["reading"] - used["RabbitMQ"]}


def service(ours: Running, warm: list[Document], documents: list[Document]) -> tuple[float, dict[str, float]]:
    """Upload the same documents, and measure from the first request to the end of the last task."""
    take_in(ours.url, ours.ask, warm)
    began, before = time.perf_counter(), cpu.by_group(ours.processes)
    take_in(ours.url, ours.ask, documents)
    return time.perf_counter() - began, cpu.spent(ours.processes, before)


def take_in(url: str, ask: Callable[[str], tuple[float, ...]], documents: list[Document]) -> None:
    """Upload documents, and wait until all are searchable.

    Parameters:
      ask: for the first row that a statement gives.

    Raises:
      AssertionError: when one was refused or failed.
    """
    with httpx2.Client(base_url=url, timeout=60) as http, ThreadPoolExecutor(UPLOADS_AT_ONCE) as pool:

        def upload(document: Document) -> int:
            return http.post("/api/v1/kbs/mixed/documents", files={"file": document}).status_code

        assert set(pool.map(upload, documents)) == {202}
    eventually(lambda: not ask(UNFINISHED)[0], seconds=600, every=0.1, reason="all documents are read")
    failed = ask("SELECT count(*) FROM tasks WHERE status <> 'completed'")[0]
    assert not failed, f"{failed} documents were not taken in"
