"""What queue, state and storage add to the reading of documents: the service against the same calls in a loop."""

from __future__ import annotations

import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import psutil

from bench import cpu
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
    """Loop and service in turn, on the same documents. Seconds, and milliseconds of CPU a document by process group.

    Raises:
      AssertionError: when a document was not taken in.
    """
    documents = list(mixed_documents(WARM + count))
    for turn in range(rounds):
        with tempfile.TemporaryDirectory(prefix="loop-") as folder:
            _note(samples, "loop", count, *_loop(servers, documents, Path(folder)))
        with running(OURS, servers, servers.folder / f"pipeline-{turn}") as found:
            _note(samples, "service", count, *_service(found, documents))
        print(
            f"documents: loop {samples['loop, s'][-1]:.1f} s, service {samples['service, s'][-1]:.1f} s, "
            f"{samples['service, CPU ms'][-1]:.1f} ms of CPU each",
            flush=True,
        )


def _note(samples: dict[str, list[float]], name: str, count: int, wall: float, used: dict[str, float]) -> None:
    samples.setdefault(f"{name}, s", []).append(wall)
    samples.setdefault(f"{name}, CPU ms", []).append(sum(used.values()) / count * 1000)
    for group, seconds in used.items():
        samples.setdefault(f"{name}, {group}, CPU ms", []).append(seconds / count * 1000)


def _loop(servers: Servers, documents: list[tuple[str, bytes]], folder: Path) -> tuple[float, dict[str, float]]:
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
        # RabbitMQ was started by this process, and is counted with it.
        groups = {"reading": [psutil.Process()], "RabbitMQ": servers.processes["RabbitMQ"]}
        began, before = time.perf_counter(), cpu.by_group(groups)
        list(pool.map(read, documents[WARM:]))
        wall, used = time.perf_counter() - began, cpu.spent(groups, before)
    sandbox.close()
    return wall, {"reading": used["reading"] - used["RabbitMQ"]}


def _service(found: Running, documents: list[tuple[str, bytes]]) -> tuple[float, dict[str, float]]:
    """The same documents as uploads, from the first request to the end of the last task."""
    _take_in(found, documents[:WARM])
    began, before = time.perf_counter(), cpu.by_group(found.processes)
    _take_in(found, documents[WARM:])
    return time.perf_counter() - began, cpu.spent(found.processes, before)


def _take_in(found: Running, documents: list[tuple[str, bytes]]) -> None:
    with httpx2.Client(base_url=found.url, timeout=60) as http, ThreadPoolExecutor(UPLOADS_AT_ONCE) as pool:

        def upload(document: tuple[str, bytes]) -> int:
            return http.post("/api/v1/kbs/mixed/documents", files={"file": document}).status_code

        assert set(pool.map(upload, documents)) == {202}
    eventually(lambda: not found.ask(OURS.unfinished)[0], seconds=600, every=0.1, reason="all documents are read")
    failed = found.ask("SELECT count(*) FROM tasks WHERE status <> 'completed'")[0]
    assert not failed, f"{failed} documents were not taken in"
