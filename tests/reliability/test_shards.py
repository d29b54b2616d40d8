"""One long document is shared by several workers: joined once whatever dies, small in every process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil
import pytest

from bench.footprint import peak
from tests.cohere_server import KEY, CohereServer, Failure, cohere_server
from tests.documents.long_pdf import long_pdf
from tests.processes import Process
from tests.rabbitmq import RabbitServer
from tests.reliability.conftest import House
from tests.servers import eventually
from worker.stage import REPORT_EVERY

#: Bytes that no process may ever hold, whatever document is read.
MOST = 300 * 1024 * 1024


class Peaks(dict[str, int]):
    """The most bytes that each process has had resident, by its number and command."""

    def look(self, processes: list[Process]) -> None:
        for child in (member for process in processes for member in process.members):
            with suppress(psutil.NoSuchProcess, OSError, IndexError):
                self[f"{child.pid} {' '.join(child.cmdline()[:4])}"] = peak(child)


@contextmanager
def peaks(processes: list[Process]) -> Iterator[Peaks]:
    """Look at these processes and their children all the time."""
    sizes, stop = Peaks(), threading.Event()

    def look() -> None:
        while not stop.wait(0.05):
            sizes.look(processes)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield sizes
    finally:
        stop.set()
        thread.join()


def upload(house: House, data: bytes, document_id: str = "long", **fields: str) -> str:
    answer = house.deployment.http.post(
        "/api/v1/kbs/kb/documents",
        files={"file": (f"{document_id}.pdf", data)},
        data={"document_id": document_id, **fields},
    )
    assert answer.status_code == 202, answer.text
    return str(answer.json()["task_id"])


def test_a_pdf_of_1600_pages_is_ingested_with_every_process_below_300_mb(house: House) -> None:
    house.open("clock")
    processes = [house.deployment.start(name) for name in ("web", "worker", "worker")]
    with peaks(processes) as sizes:
        shown = house.ended(upload(house, long_pdf(1600)), seconds=200)
    assert shown["status"] == "completed", shown["error"]
    assert (shown["result"]["pages"], shown["stages"][0]["units_done"]) == (1600, 1600)
    assert shown["result"]["chunks"] == house.sql("SELECT count(DISTINCT index) FROM chunks")[0][0] > 4000
    assert sum("documents.sandbox.child" in name for name in sizes) >= 2
    assert {name: size for name, size in sizes.items() if size >= MOST} == {}


#: Texts that one call to Cohere holds.
BATCH = 96
#: Chunks of the document that is embedded in shards: three of four batches each.
CHUNKS = 1150
HELD = "SELECT DISTINCT worker_id FROM shards WHERE worker_id IS NOT NULL"


@pytest.fixture
def cohere(house: House) -> Iterator[CohereServer]:
    """Cohere's wire format, spoken by a server that the house embeds with."""
    with cohere_server() as server:
        house.deployment.environment.update(
            EMBEDDER="cohere", COHERE_API_KEY=KEY, COHERE_BASE_URL=server.url, WORKER_POOL_SIZE="1"
        )
        yield server


def long_text(house: House, document_id: str, **fields: object) -> str:
    """Submit a text that is cut into a chunk for each of its paragraphs."""
    paragraphs = [f"{document_id} {number}: a fox jumps over {number * 7919 % 1000}. " * 3 for number in range(CHUNKS)]
    payload = {"content": "\n\n".join(paragraphs), "document_id": document_id, "chunk_size": 150, "chunk_overlap": 0}
    return house.submit(task_type="document_processing", kb_id="kb", payload=payload, **fields)


def held_by(house: House, count: int) -> None:
    """Wait until so many workers hold a shard."""
    eventually(lambda: len(house.sql(HELD)) == count, seconds=30, reason=f"{count} workers hold shards")


def unpaid(house: House, task_id: str) -> int:
    """How many chunks of a document have no vector yet."""
    count = "SELECT count(*) FROM draft_vectors WHERE version_id = %s"
    return CHUNKS - int(house.sql(count, task_id)[0][0])


def test_a_worker_killed_in_a_shard_and_a_purged_queue_cost_time_only(
    house: House, cohere: CohereServer, rabbitmq: RabbitServer
) -> None:
    house.open("web", "clock")
    first, _ = (house.deployment.start("worker", restart=True) for _ in range(2))
    # Each worker embeds a batch of its shard, long enough for its progress to be written, and waits for the second.
    cohere.fail(*[Failure(delay=REPORT_EVERY + 0.2)] * 2, *[Failure(delay=5)] * 2)
    task_id = long_text(house, "long")
    held_by(house, 2)
    eventually(lambda: len(cohere.requests) == 4, seconds=20, reason="both are at their second batch")
    rabbitmq.management("/queues/{vhost}/embedding/contents", "DELETE")
    eventually(lambda: house.show(task_id)["progress"] > 40, seconds=4, reason="its progress is that of its shards")
    before = house.show(task_id)
    first.kill()
    shown = house.ended(task_id)
    assert shown["status"] == "completed", shown["error"]
    assert shown["progress"] == 100 > before["progress"]
    (embedding,) = [stage for stage in shown["stages"] if stage["name"] == "embedding"]
    assert (embedding["units"], embedding["units_done"], embedding["attempts"]) == (CHUNKS, CHUNKS, 2)
    assert house.sql("SELECT count(*), count(DISTINCT index) FROM chunks") == [(CHUNKS, CHUNKS)]
    assert len(set(cohere.texts)) == CHUNKS
    assert CHUNKS < len(cohere.texts) <= CHUNKS + BATCH, "the batch on its way is paid for twice, and no other"
    assert house.sql("SELECT count(*) FROM shards") == [(0,)]
    house.called_back_once(task_id)


def test_a_shard_that_fails_or_a_cancel_ends_the_task_once_and_stops_every_worker(
    house: House, cohere: CohereServer
) -> None:
    house.open("web", "clock")
    for _ in range(2):
        house.deployment.start("worker")
    cohere.fail(*[Failure()] * 3, *[Failure(status=401)] * 40)
    wrong = long_text(house, "wrong", retry_limit=0)
    shown = house.ended(wrong)
    assert (shown["status"], shown["error"]["code"], shown["error"]["stage"]) == (
        "failed", "embedder_rejected", "embedding",
    )  # fmt: skip
    assert house.sql(HELD) == []
    cohere.succeed()
    cohere.fail(*[Failure(delay=1)] * 40)
    cancelled = long_text(house, "cancelled")
    held_by(house, 2)
    # What is on its way at a cancel is paid for again.
    eventually(lambda: unpaid(house, cancelled) < CHUNKS, seconds=30, reason="a batch is written down")
    assert house.deployment.http.delete(f"/api/v1/tasks/{cancelled}").status_code == 202
    # Each worker has one thread, which is free again.
    following = [house.submit(task_type="benchmark", payload={"seconds": 1}) for _ in range(2)]
    for task_id in following:
        assert house.ended(task_id, seconds=5)["status"] == "completed"
    cohere.succeed()
    paid = len(cohere.texts)
    left = unpaid(house, cancelled)
    assert house.deployment.http.post(f"/api/v1/tasks/{cancelled}/retry").status_code == 202
    assert house.ended(cancelled)["status"] == "completed"
    assert len(cohere.texts) - paid == left < CHUNKS, "the retry embeds what is missing"
    eventually(lambda: len(house.receiver.received) == 5, seconds=20)
    assert [callback.body["data"]["task_id"] for callback in house.receiver.received].count(wrong) == 1
