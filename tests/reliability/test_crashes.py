"""`kill -9` wherever it hurts: nothing is lost, nothing is done twice, one callback for each ended task."""

from __future__ import annotations

import threading
from contextlib import suppress

import httpx2
import psycopg2
import pytest

from tests.reliability.conftest import LONG, House
from tests.servers import eventually

#: The table that each stage writes before it advances.
TABLES = {
    "preprocessing": "versions",
    "chunking": "drafts",
    "embedding": "draft_vectors",
    "storing": "chunks",
    "indexing": "documents",
}
#: Workers that wait for a table that `House.locked` holds.
AT_ITS_WRITE = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'advisory' AND application_name ~ 'worker'"
#: The tables that a single pass writes.
WRITTEN_AT_ONCE = ("versions", "chunks", "documents")
SHORT = "# A heading\n\n" + "The quick brown fox jumps over the lazy dog. 敏捷的棕色狐狸跳过了懒狗。\n\n" * 80


def test_a_worker_killed_in_any_stage_loses_nothing_and_doubles_nothing(house: House) -> None:
    house.open("web", "clock")
    worker = house.deployment.start("worker", restart=True)
    ids = []
    for stage, table in TABLES.items():
        with house.locked(table):
            task_id = house.document(LONG, stage)
            ids.append(task_id)
            house.at_work(task_id, stage)
            worker.kill()
        shown = house.ended(task_id)
        assert shown["status"] == "completed", (stage, shown["error"])
        assert [entry["name"] for entry in shown["stages"] if entry["attempts"] > 1] == [stage]
        # Before the next kill: a callback that dies with its worker is tried again after a minute only.
        house.called_back_once(task_id)
    chunks = {
        document_id: (count, distinct)
        for document_id, count, distinct in house.sql(
            """
            SELECT v.document_id, count(*), count(DISTINCT c.index)
            FROM chunks AS c JOIN versions AS v ON v.id = c.version_id GROUP BY v.document_id
            """
        )
    }
    assert set(chunks) == set(TABLES)
    assert len(set(chunks.values())) == 1, chunks
    count, distinct = next(iter(chunks.values()))
    assert count == distinct > 1
    house.called_back_once(*ids)
    assert worker.starts == len(TABLES) + 1


def test_a_worker_killed_in_a_single_pass_has_written_nothing_and_its_document_is_done_once(house: House) -> None:
    house.open("web", "clock")
    worker = house.deployment.start("worker", restart=True)
    ids = []
    for table in WRITTEN_AT_ONCE:
        with house.locked(table):
            task_id = house.document(SHORT, table)
            ids.append(task_id)
            eventually(lambda: house.sql(AT_ITS_WRITE) == [(1,)], seconds=20, reason=f"it writes {table}")
            assert house.show(task_id)["stage"] == "preprocessing"
            worker.kill()
        shown = house.ended(task_id)
        assert shown["status"] == "completed", (table, shown["error"])
        assert shown["stages"][0]["attempts"] == 2
        house.called_back_once(task_id)
    assert house.sql("SELECT document_id, number FROM versions ORDER BY 1") == [
        (table, 1) for table in sorted(WRITTEN_AT_ONCE)
    ]
    counts = house.sql("SELECT count(*), count(DISTINCT index), max(index) + 1 FROM chunks GROUP BY version_id")
    assert len(counts) == len(WRITTEN_AT_ONCE)
    assert len(set(counts)) == 1
    assert len(set(counts[0])) == 1
    house.called_back_once(*ids)


def test_web_killed_right_after_a_202_loses_nothing(house: House) -> None:
    house.open("worker", "clock")
    web = house.deployment.start("web", restart=True)
    ids = []
    for number in range(5):
        ids.append(house.document(SHORT, f"d{number}"))
        web.kill()
        house.deployment.wait_until_ready(web)
    for task_id in ids:
        assert house.ended(task_id)["status"] == "completed"
    house.called_back_once(*ids)
    assert house.sql("SELECT count(*) FROM documents") == [(5,)]


def test_a_deploy_hands_work_back_without_spending_an_attempt(house: House) -> None:
    house.open("web", "clock")
    worker = house.deployment.start("worker")
    task_id = house.submit(task_type="benchmark", payload={"seconds": 20})
    eventually(lambda: house.show(task_id)["status"] == "processing", seconds=10)
    worker.terminate()
    (row,) = house.sql("SELECT status, errors, crashes, deaths FROM tasks WHERE id = %s", task_id)
    assert row == ("queued", 0, 0, 0)
    assert house.sql("SELECT count(*) FROM workers WHERE kind = 'worker'") == [(0,)]
    house.deployment.start("worker")
    eventually(lambda: house.show(task_id)["status"] == "processing", seconds=15)


def test_a_cancelled_task_stops_within_two_seconds_and_frees_its_worker(house: House) -> None:
    house.open("web", "clock")
    house.deployment.start("worker", WORKER_POOL_SIZE="1")
    running = house.submit(task_type="benchmark", payload={"seconds": 60})
    eventually(lambda: house.show(running)["stages"][0]["status"] == "processing", seconds=10)
    queued = house.submit(task_type="benchmark", payload={"seconds": 60})
    assert house.deployment.http.delete(f"/api/v1/tasks/{queued}").status_code == 200
    assert house.deployment.http.delete(f"/api/v1/tasks/{running}").status_code == 202
    following = house.submit(task_type="test")
    assert house.ended(following, seconds=4)["status"] == "completed"
    assert house.deployment.http.delete(f"/api/v1/tasks/{running}").status_code == 409
    house.called_back_once(running, queued, following)


def test_every_process_ends_in_good_time(house: House) -> None:
    for name in ("web", "worker", "clock"):
        process = house.deployment.start(name)
        assert process.terminate(seconds=25) < 10, name


@pytest.mark.parametrize("name", ["web", "worker", "clock"])
def test_a_process_ends_within_shutdown_timeout_though_postgresql_does_not_answer(house: House, name: str) -> None:
    process = house.deployment.start(name, SHUTDOWN_TIMEOUT="10")
    connection = psycopg2.connect(house.deployment.database_url)
    try:
        with connection.cursor() as cursor:
            cursor.execute("LOCK TABLE tasks, workers, tallies")
            if name == "web":
                threading.Thread(target=ask_in_vain, args=(f"{house.deployment.url}/api/v1/tasks",)).start()
            blocked = "SELECT count(*) FROM pg_locks WHERE NOT granted"
            eventually(lambda: house.sql(blocked) != [(0,)], seconds=20, reason="it waits for PostgreSQL")
            assert process.terminate() < 10
    finally:
        connection.close()


def ask_in_vain(url: str) -> None:
    with suppress(httpx2.HTTPError):
        httpx2.get(url, timeout=60)
