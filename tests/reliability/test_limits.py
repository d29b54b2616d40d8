"""Fairness and limits on whole deployments: what one KB, one key or one provider may take from the others."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from tests.cohere_server import KEY, CohereServer, Failure, cohere_server
from tests.reliability.conftest import House
from tests.servers import eventually, free_port

TEXT = "# Lighthouses\n\n" + "A lighthouse warns ships of rocks. 灯塔警告船只避开礁石。\n\n" * 40
#: Documents of the KB that floods the service.
FLOOD = 10_000


def without_callbacks(house: House) -> House:
    """Nothing but tasks in the queues."""
    del house.deployment.environment["KB_CALLBACK_URL"]
    return house


def seconds_of_a_document(house: House, document_id: str) -> float:
    """From the submission of a KB's only document to its end."""
    began = time.monotonic()
    payload = {"content": TEXT, "document_id": document_id}
    shown = house.ended(house.submit(task_type="document_processing", kb_id="small", payload=payload))
    assert shown["status"] == "completed", shown["error"]
    return time.monotonic() - began


def test_the_backlog_of_one_kb_delays_another_kb_by_seconds(house: House) -> None:
    house = without_callbacks(house)
    house.open("web", "worker", "clock")
    seconds_of_a_document(house, "warm up")
    unloaded = sorted(seconds_of_a_document(house, f"unloaded {number}") for number in range(5))[2]
    for first in range(0, FLOOD, 1000):
        payloads = [{"content": TEXT, "document_id": f"d{first + number}"} for number in range(1000)]
        tasks = [{"task_type": "document_processing", "kb_id": "large", "payload": payload} for payload in payloads]
        answer = house.deployment.http.post("/api/v1/tasks/batch", json={"tasks": tasks})
        assert answer.json()["accepted"] == 1000
    loaded = [seconds_of_a_document(house, f"loaded {number}") for number in range(3)]
    print(f"unloaded {unloaded:.2f} s; loaded {', '.join(f'{seconds:.2f}' for seconds in loaded)} s")
    ((waiting,),) = house.sql("SELECT count(*) FROM tasks WHERE kb_id = 'large' AND finished_at IS NULL")
    assert waiting > FLOOD / 2, "the flood lasted"
    assert max(loaded) <= 3 * unloaded + 5


def test_no_more_stages_run_at_once_than_may_in_all_workers_together(house: House) -> None:
    house = without_callbacks(house)
    house.deployment.environment["MAX_CONCURRENT_TASKS"] = "3"
    house.open("web", "worker", "worker", "clock")
    tasks = [{"task_type": "benchmark", "payload": {"seconds": 0.3}}] * 15
    batch = house.deployment.http.post("/api/v1/tasks/batch", json={"tasks": tasks}).json()["batch_id"]
    seen = set()

    def all_done() -> bool:
        ((running, done),) = house.sql(
            "SELECT count(*) FILTER (WHERE worker_id IS NOT NULL), count(finished_at) FROM tasks WHERE batch_id = %s",
            batch,
        )
        seen.add(running)
        return bool(done == len(tasks))

    eventually(all_done, seconds=60, every=0.005, reason="all are done")
    assert max(seen) == 3
    workers = house.sql("SELECT count(*) FROM workers WHERE kind = 'worker' AND threads = 10")
    assert workers == [(2,)]


@pytest.fixture
def keys(house: House) -> House:
    house.deployment.environment.update(API_KEYS="one:first-key,two:second-key", RATE_LIMIT_PER_MINUTE="6")
    return house


def get(url: str, key: str) -> httpx2.Response:
    return httpx2.get(f"{url}/api/v1/tasks", headers={"Authorization": f"Bearer {key}"})


def test_a_key_may_spend_its_requests_over_all_web_processes_and_no_other_key_suffers(keys: House) -> None:
    keys.open("web")
    port = free_port()
    other = f"http://127.0.0.1:{port}"
    keys.deployment.start("web", PORT=str(port), ready=lambda _: httpx2.get(f"{other}/livez").status_code == 200)
    answers = [get((keys.deployment.url, other)[number % 2], "first-key") for number in range(8)]
    assert [answer.status_code for answer in answers] == [200] * 6 + [429] * 2
    for answer in answers[6:]:
        assert answer.headers["content-type"] == "application/problem+json"
        assert 0 < int(answer.headers["retry-after"]) <= 10
    assert get(other, "second-key").status_code == 200
    assert httpx2.get(f"{other}/health").status_code == 200, "what operators ask is not limited"


def test_submissions_are_refused_while_too_many_tasks_wait(house: House) -> None:
    house.deployment.environment["MAX_BACKLOG"] = "5"
    house.open("web")
    post = house.deployment.http.post

    def refused() -> httpx2.Response | None:
        answer = post("/api/v1/tasks", json={"task_type": "test"})
        return answer if answer.status_code == 503 else None

    # Whoever counts for long, as the first who has to connect may, rests a hundred times as long.
    answer = eventually(refused, seconds=60, every=0.1, reason="the backlog is full")
    assert answer is not None
    assert answer.headers["content-type"] == "application/problem+json"
    assert int(answer.headers["retry-after"]) > 0
    assert post("/api/v1/tasks/batch", json={"tasks": [{"task_type": "test"}]}).status_code == 503
    assert post("/api/v1/kbs/kb/documents", files={"file": ("a.txt", b"tea")}).status_code == 503
    ((count,),) = house.sql("SELECT count(*) FROM tasks")
    assert count >= 5, "as many as may, and those of a second that the count is old"
    assert house.deployment.http.get("/api/v1/tasks").status_code == 200
    house.open("worker", "clock")
    eventually(lambda: refused() is None, seconds=15, every=0.2, reason="they are worked off, and others accepted")


@pytest.fixture
def cohere(house: House) -> Iterator[CohereServer]:
    """Cohere's wire format, spoken by a server that the house embeds with."""
    with cohere_server() as server:
        house.deployment.environment.update(EMBEDDER="cohere", COHERE_API_KEY=KEY, COHERE_BASE_URL=server.url)
        yield server


def embed(house: House, *document_ids: str) -> list[dict[str, Any]]:
    return [house.ended(task_id) for task_id in [house.document(f"Tea. {name}", name) for name in document_ids]]


def test_all_workers_together_keep_to_a_providers_requests_a_minute(house: House, cohere: CohereServer) -> None:
    house = without_callbacks(house)
    # One a second, after a rest five at once.
    house.deployment.environment["EMBED_REQUESTS_PER_MINUTE"] = "60"
    house.open("web", "worker", "worker")
    began = time.monotonic()
    shown = embed(house, *(f"d{number}" for number in range(12)))
    assert {task["status"] for task in shown} == {"completed"}
    assert len(cohere.requests) == 12, "nothing is paid for that was not used"
    # From the beginning: the first requests are sent late, since the SDK is only then imported.
    assert max(request.at for request in cohere.requests) - began > 6, "five at once, and seven at a second each"


def test_tokens_are_charged_as_they_are_used(house: House, cohere: CohereServer) -> None:
    house = without_callbacks(house)
    # Ten a second, after a rest fifty at once.
    house.deployment.environment["EMBED_TOKENS_PER_MINUTE"] = "600"
    # One worker, so that the SDK is imported before the first request only.
    house.open("web", "worker")
    for number in range(4):
        task_id = house.document(" ".join(f"word{number}x{place}" for place in range(30)), f"d{number}")
        shown = house.ended(task_id)
        assert shown["result"]["tokens_embedded"] == 30
    times = [request.at for request in cohere.requests]
    assert times[1] - times[0] < times[3] - times[1], "the second is within what may be used at once"
    # Ninety were used before the fourth, forty more than may be.
    assert times[3] - times[0] > 3.5


def test_a_provider_that_asks_for_patience_slows_every_worker(house: House, cohere: CohereServer) -> None:
    house = without_callbacks(house)
    house.open("web", "worker", "worker", "clock")
    assert embed(house, "before")[0]["status"] == "completed"
    # More than the client itself waits out.
    cohere.fail(*[Failure(status=429, headers={"retry-after": "6"})])
    first = house.document("Coffee.", "first")
    eventually(lambda: len(cohere.requests) == 2, seconds=20, every=0.01, reason="it was asked for patience")
    asked_at = cohere.requests[-1].at
    threading.Event().wait(0.5)
    shown = [*embed(house, "a", "b", "c", "d"), house.ended(first)]
    assert {task["status"] for task in shown} == {"completed"}
    assert min(request.at for request in cohere.requests[2:]) - asked_at > 5.5
