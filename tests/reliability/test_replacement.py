"""A document that is submitted anew is replaced at one moment; if that never comes, the old one stays."""

from __future__ import annotations

import re
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import httpx2

from clock import TIDY, tick
from models import database
from tasks.ending.retention import RESUMABLE
from tests.cohere_server import KEY, CohereServer, Failure
from tests.reliability.conftest import House
from tests.servers import eventually

DOCUMENT = "/api/v1/kbs/kb/documents/doc"
#: Pieces of text that one call to Cohere holds.
BATCH: Final = 96
#: The tables whose insertions are met in the stages before the one that publishes.
TABLES = {"preprocessing": "versions", "chunking": "drafts", "embedding": "draft_vectors", "storing": "chunks"}

#: Paragraphs of an edition that is too long for a single pass.
LONG = 80

Look = Callable[[httpx2.Client], int]


def edition(number: int, paragraphs: int | None = None) -> str:
    """A text that says in each of its chunks which edition it is; no two that follow one another are equally long."""
    count = paragraphs or 10 + 4 * (number % 5)
    return "\n\n".join(
        f"Paragraph {part} of edition {number}. The quick brown fox jumps over the lazy dog. 敏捷的棕色狐狸跳过了懒狗。"
        for part in range(count)
    )


def submit(house: House, number: int, paragraphs: int | None = None, **fields: Any) -> str:
    """Submit an edition of the document, cut into a chunk for each paragraph."""
    payload = {"content": edition(number, paragraphs), "document_id": "doc", "chunk_size": 150, "chunk_overlap": 0}
    return house.submit(task_type="document_processing", kb_id="kb", payload=payload, **fields)


def whole(pieces: list[dict[str, Any]]) -> int:
    """The edition that these pieces are, all of it and nothing else."""
    (number,) = {int(digits) for piece in pieces for digits in re.findall(r"edition (\d+)", piece["text"])}
    text, end = edition(number), 0
    for piece in sorted(pieces, key=lambda part: part["start"]):
        assert text[piece["start"] : piece["end"]] == piece["text"]
        assert text[end : piece["start"]].strip() == "", f"edition {number} lacks {text[end : piece['start']]!r}"
        end = piece["end"]
    assert text[end:].strip() == "", f"edition {number} ends early"
    return number


def by_search(mode: str) -> Look:
    def look(http: httpx2.Client) -> int:
        question = {"query": "quick brown fox 狐狸", "mode": mode, "limit": 100}
        answer = http.post("/api/v1/kbs/kb/search", json=question)
        assert answer.status_code == 200, answer.text
        hits = answer.json()["hits"]
        assert [hit["text"] for hit in hits if hit["document_id"] == "beside"] == ["A fox beside it. 旁边的狐狸。"]
        return whole([hit for hit in hits if hit["document_id"] == "doc"])

    return look


def by_chunks(http: httpx2.Client) -> int:
    answer = http.get(f"{DOCUMENT}/chunks", params={"limit": 500})
    assert answer.status_code == 200, answer.text
    return whole(answer.json()["items"])


def by_text(http: httpx2.Client) -> int:
    answer = http.get(f"{DOCUMENT}/text")
    (number,) = set(re.findall(r"edition (\d+)", answer.text))
    assert answer.text == edition(int(number))
    return int(number)


#: What needs no embedder, and so can be asked while that fails.
WITHOUT_VECTORS: Mapping[str, Look] = {"text": by_search("text"), "chunks": by_chunks, "whole text": by_text}
LOOKS: Mapping[str, Look] = {**WITHOUT_VECTORS, "vector": by_search("vector"), "hybrid": by_search("hybrid")}


@contextmanager
def watched(house: House, looks: Mapping[str, Look]) -> Iterator[dict[str, list[int]]]:
    """Look at the document from several threads all the time; the editions that each saw, in order.

    Raises:
      AssertionError: an answer was not one edition, or an older one than the answer before.
    """
    seen: dict[str, list[int]] = defaultdict(list)
    problems: list[str] = []
    stop = threading.Event()

    def watch(name: str, look: Look) -> None:
        with httpx2.Client(base_url=house.deployment.url, timeout=40) as http:
            while not stop.is_set() and not problems:
                try:
                    seen[name].append(look(http))
                except Exception as error:
                    problems.append(f"{name} after edition {seen[name][-1:]}: {type(error).__name__}: {error}")

    threads = [threading.Thread(target=watch, args=item) for item in looks.items()]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        assert problems == []
    for name, editions in seen.items():
        assert editions == sorted(editions), f"{name} saw an older edition after a newer one"


@contextmanager
def tidied_all_the_time(house: House) -> Iterator[None]:
    """Delete superseded versions as the clock does every 30 s, but without a pause."""
    stop = threading.Event()

    def work() -> None:
        while not stop.wait(0.01):
            tick(TIDY)

    database.connect(house.deployment.database_url, pool_size=2, application_name="tests")
    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        database.disconnect()


def only_one_version_is_left(house: House, task_id: str) -> None:
    """Delete the other document, let a day pass, and wait until no row of another version than this task's is left."""
    assert house.deployment.http.delete("/api/v1/kbs/kb/documents/beside").status_code == 204
    # Until then whoever retries a task that did not complete goes on with what its stages made.
    house.sql("UPDATE tasks SET finished_at = finished_at - %s WHERE status <> 'completed'", RESUMABLE)
    columns = house.sql("SELECT table_name FROM information_schema.columns WHERE column_name = 'version_id'")
    tables = {name for (name,) in columns}
    assert {"documents", "chunks", "drafts", "draft_vectors"} <= tables
    queries = [f"SELECT '{table}', version_id::text FROM {table}" for table in tables]
    rows = " UNION ".join([*queries, "SELECT 'versions', id::text FROM versions"])
    expected = [(table, task_id) for table in ("chunks", "documents", "versions")]
    eventually(lambda: sorted(house.sql(rows)) == expected, seconds=60, every=0.5, reason="dead versions are swept")


def opened(house: House) -> str:
    """Start the house and let it know the first edition. Returns the id of its task."""
    house.open("web", "worker", "clock")
    assert house.ended(house.document("A fox beside it. 旁边的狐狸。", "beside"))["status"] == "completed"
    first = submit(house, 1)
    assert house.ended(first)["status"] == "completed"
    return first


def test_every_answer_is_one_edition_while_a_document_is_replaced_again_and_again(house: House) -> None:
    opened(house)
    with tidied_all_the_time(house), watched(house, LOOKS) as seen:
        for number in range(2, 10):
            shown = house.ended(submit(house, number))
            assert shown["status"] == "completed", shown["error"]
            assert shown["result"]["version"] == number
        eventually(lambda: all(editions[-1:] == [9] for editions in seen.values()), reason="all see the last")
    assert set(seen) == set(LOOKS)
    for name, editions in seen.items():
        assert len(set(editions)) > 2, f"{name} hardly saw any replacement: {editions}"


def test_of_editions_that_come_at_once_the_last_one_stays(house: House) -> None:
    opened(house)
    with watched(house, LOOKS) as seen:
        ids = [submit(house, number) for number in range(2, 12)]
        results = [house.ended(task_id) for task_id in ids]
        assert {shown["status"] for shown in results} == {"completed"}
        eventually(lambda: all(editions[-1:] == [11] for editions in seen.values()), reason="all see the last")
    numbers = [shown["result"]["version"] for shown in results if not shown["result"]["warnings"]]
    assert len(numbers) == len(set(numbers))


def test_a_cancelled_replacement_leaves_the_old_edition_and_nothing_else(house: House) -> None:
    first = opened(house)
    with watched(house, LOOKS) as seen:
        for stage, table in TABLES.items():
            with house.locked(table):
                task_id = submit(house, 2, LONG)
                house.at_work(task_id, stage)
                assert house.deployment.http.delete(f"/api/v1/tasks/{task_id}").status_code == 202
            assert house.ended(task_id)["status"] == "cancelled"
        house.ended(house.submit(task_type="test"))
    assert {number for editions in seen.values() for number in editions} == {1}
    only_one_version_is_left(house, first)
    again = house.ended(submit(house, 2))
    assert again["result"]["version"] == 2


def test_a_replacement_cancelled_between_two_batches_of_vectors_stops_there(house: House, cohere: CohereServer) -> None:
    house.deployment.environment["WORKER_POOL_SIZE"] = "1"
    first = opened(house)
    known = len(cohere.texts)
    with watched(house, WITHOUT_VECTORS) as seen:
        cohere.fail(*[Failure(delay=0.7)] * 10)
        task_id = submit(house, 2, paragraphs=10 * BATCH)
        embedded = "SELECT count(*) >= %s FROM draft_vectors WHERE version_id = %s"
        eventually(lambda: house.sql(embedded, 2 * BATCH, task_id) == [(True,)], seconds=30, reason="two batches")
        assert house.deployment.http.delete(f"/api/v1/tasks/{task_id}").status_code == 202
        # The only thread is free again.
        assert house.ended(house.submit(task_type="test"), seconds=15)["status"] == "completed"
        assert house.show(task_id)["status"] == "cancelled"
    assert {number for editions in seen.values() for number in editions} == {1}
    assert 2 * BATCH <= len(cohere.texts) - known < 10 * BATCH
    with tidied_all_the_time(house):
        only_one_version_is_left(house, first)


def test_a_worker_killed_after_some_batches_pays_for_one_again_at_most(house: House, cohere: CohereServer) -> None:
    house.open("web", "clock")
    worker = house.deployment.start("worker", restart=True, WORKER_POOL_SIZE="1")
    # The third batch is paid for, and its vectors never arrive.
    cohere.fail(Failure(), Failure(), Failure(delay=5))
    task_id = submit(house, 1, paragraphs=5 * BATCH)
    eventually(lambda: len(cohere.requests) == 3, seconds=30, reason="a third batch")
    worker.kill()
    shown = house.ended(task_id)
    assert (shown["status"], shown["result"]["chunks"]) == ("completed", 5 * BATCH)
    assert len(set(cohere.texts)) == 5 * BATCH
    assert cohere.texts[2 * BATCH : 3 * BATCH] == cohere.texts[3 * BATCH : 4 * BATCH]
    assert len(cohere.texts) == 6 * BATCH


#: How Cohere answers after the first batch, and what becomes of the task: its code, and the attempts at the stage.
FAILURES: Mapping[str, tuple[Failure, str, int]] = {
    "bad request": (Failure(status=400), "embedder_rejected", 1),
    "wrong key": (Failure(status=401), "embedder_rejected", 1),
    "too few vectors": (Failure(missing=1), "embedder_unavailable", 2),
    "server error": (Failure(status=500), "embedder_unavailable", 2),
    "slow down": (Failure(status=429, headers={"retry-after": "6"}), "rate_limited", 2),
}


def test_a_failed_replacement_leaves_the_old_edition_and_nothing_else(house: House, cohere: CohereServer) -> None:
    first = opened(house)
    with tidied_all_the_time(house), watched(house, WITHOUT_VECTORS) as seen:
        for name, (failure, code, attempts) in FAILURES.items():
            before = len(cohere.requests)
            # More than the tries of both attempts; the first batch of the first attempt succeeds.
            cohere.fail(Failure(), *[failure] * 12)
            shown = house.ended(submit(house, 2, paragraphs=2 * BATCH, retry_limit=1))
            assert shown["status"] == "failed", name
            assert (shown["error"]["code"], shown["error"]["stage"]) == (code, "embedding"), name
            assert shown["error"]["hint"]
            assert shown["error"]["hint_zh"]
            assert KEY not in str(shown)
            (embedding,) = [stage for stage in shown["stages"] if stage["name"] == "embedding"]
            assert embedding["attempts"] == attempts, name
            assert len(cohere.requests) - before > attempts, name
            cohere.succeed()
    assert {number for editions in seen.values() for number in editions} == {1}
    with tidied_all_the_time(house):
        only_one_version_is_left(house, first)
    assert house.ended(submit(house, 2))["result"]["version"] == 2
