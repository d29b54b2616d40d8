"""The life of tasks over HTTP: keys, poisoned rows, dependencies, retries, pauses, schedules."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import httpx2
import pytest

from tests.api.conftest import Client, bad_fields, is_problem

TASKS = "/api/v1/tasks"
TEST: dict[str, Any] = {"task_type": "test"}


def status(client: Client, task_id: str) -> str:
    return str(client.http.get(f"{TASKS}/{task_id}").json()["status"])


def batch(client: Client, *items: dict[str, Any]) -> list[str]:
    """The ids of a batch's tasks, all of which must be accepted."""
    answer = client.http.post(f"{TASKS}/batch", json={"tasks": items}).json()
    assert answer["rejected"] == 0, answer
    return [task["task_id"] for task in answer["tasks"]]


def test_a_row_that_postgresql_refuses_fails_alone(idle_client: Client) -> None:
    """Beyond what validation knows: here by a rule of the database."""
    poison = f"poison-{uuid.uuid4()}"
    rule = f"ALTER TABLE tasks ADD CONSTRAINT poison CHECK (kb_id <> '{poison}') NOT VALID"
    idle_client.sql(f"{rule}; SELECT 1")
    try:

        def post(number: int) -> httpx2.Response:
            kb_id = poison if number % 10 == 5 else "kb"
            return idle_client.http.post(TASKS, json=TEST | {"kb_id": kb_id, "metadata": {"number": number}})

        # Many at once share a commit, some with the poisoned one.
        with ThreadPoolExecutor(25) as pool:
            answers = list(pool.map(post, range(100)))
    finally:
        idle_client.sql("ALTER TABLE tasks DROP CONSTRAINT poison; SELECT 1")
    for number, answer in enumerate(answers):
        if number % 10 == 5:
            assert bad_fields(answer) == {"body"}
        else:
            assert answer.status_code == 202, answer.text
            shown = idle_client.http.get(answer.headers["location"]).json()
            assert shown["metadata"] == {"number": number}
    assert idle_client.sql("SELECT count(*) FROM tasks WHERE kb_id = %s", poison) == [(0,)]


@pytest.mark.parametrize("path", ["/tasks", "/tasks/batch"])
def test_the_same_key_and_body_get_the_same_answer(idle_client: Client, kb_id: str, path: str) -> None:
    task = TEST | {"kb_id": kb_id}
    body: dict[str, Any] = {"tasks": [task] * 3} if path.endswith("batch") else task
    key = {"Idempotency-Key": str(uuid.uuid4())}

    def post(_: int = 0) -> httpx2.Response:
        return idle_client.http.post(f"/api/v1{path}", json=body, headers=key)

    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(post, range(20)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.text for answer in answers}) == len({answer.headers["location"] for answer in answers}) == 1
    assert idle_client.sql("SELECT count(*) FROM tasks WHERE kb_id = %s", kb_id) == [(len(body.get("tasks", [0])),)]
    body = {"tasks": [task] * 2} if path.endswith("batch") else task | {"priority": "high"}
    assert bad_fields(post()) == {"Idempotency-Key"}


def test_an_upload_has_a_key_too(idle_client: Client, kb_id: str) -> None:
    def upload(data: bytes) -> httpx2.Response:
        files = {"file": ("a.txt", data)}
        return idle_client.http.post(f"/api/v1/kbs/{kb_id}/documents", files=files, headers={"Idempotency-Key": kb_id})

    assert upload(b"tea").json() == upload(b"tea").json()
    assert bad_fields(upload(b"coffee")) == {"Idempotency-Key"}
    assert idle_client.sql("SELECT count(*) FROM tasks WHERE kb_id = %s", kb_id) == [(1,)]


def test_a_key_that_is_none_is_refused(idle_client: Client) -> None:
    for key in ("", "x" * 256, "a b"):
        answer = idle_client.http.post(TASKS, json=TEST, headers={"Idempotency-Key": key})
        assert bad_fields(answer) == {"Idempotency-Key"}


def test_items_of_a_batch_depend_on_each_other_by_name(client: Client) -> None:
    last, first, middle = batch(
        client,
        TEST | {"depends_on": ["first", "middle"]},
        TEST | {"name": "first"},
        TEST | {"name": "middle", "depends_on": ["first"]},
    )
    shown = [client.ended(task_id) for task_id in (first, middle, last)]
    assert [task["status"] for task in shown] == ["completed"] * 3
    assert shown[2]["depends_on"] == [first, middle]
    for before, after in pairwise(shown):
        assert before["finished_at"] <= after["started_at"]


def test_a_circle_in_a_batch_is_refused_and_named(idle_client: Client) -> None:
    items = [TEST | {"name": name, "depends_on": [other]} for name, other in ("ab", "bc", "ca")]
    answer = idle_client.http.post(f"{TASKS}/batch", json={"tasks": [*items, TEST]})
    assert bad_fields(answer) == {"tasks"}
    (problem,) = answer.json()["errors"]
    assert any(circle in problem["message"] for circle in ("a → b → c → a", "b → c → a → b", "c → a → b → c"))


def test_what_becomes_of_those_that_depend_on_one_that_did_not_complete(idle_client: Client) -> None:
    first, fails, runs, last = batch(
        idle_client,
        TEST | {"name": "first"},
        TEST | {"name": "fails", "depends_on": ["first"]},
        TEST | {"name": "runs", "depends_on": ["first"], "on_dependency_failure": "run"},
        TEST | {"depends_on": ["fails"]},
    )
    assert [status(idle_client, task_id) for task_id in (first, fails, runs, last)] == ["queued"] + ["waiting"] * 3
    assert idle_client.http.delete(f"{TASKS}/{first}").status_code == 200
    assert status(idle_client, runs) == "queued"
    for task_id, cause in ((fails, first), (last, fails)):
        shown = idle_client.http.get(f"{TASKS}/{task_id}").json()
        assert (shown["status"], shown["error"]["code"]) == ("failed", "dependency_failed")
        assert cause in shown["error"]["message"]


def test_a_task_that_is_not_there_cannot_be_depended_on(idle_client: Client) -> None:
    missing = str(uuid.uuid4())
    answer = idle_client.http.post(TASKS, json=TEST | {"depends_on": [missing]})
    assert bad_fields(answer) == {"depends_on"}
    assert missing in answer.text


def test_cancelling_what_waits_is_done_at_once(idle_client: Client) -> None:
    task_id = idle_client.submit(run_at="2990-01-01T00:00:00Z")
    assert status(idle_client, task_id) == "waiting"
    assert idle_client.http.delete(f"{TASKS}/{task_id}").status_code == 200


@pytest.mark.parametrize(
    ("times", "field"),
    [
        ({"run_at": "9999-12-31T23:59:59-23:00"}, "run_at"),
        ({"run_at": "0001-01-01T00:00:00+23:00"}, "run_at"),
        ({"run_at": "2030-01-01T00:00:00"}, "run_at"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"run_at": "2990-01-02T00:00:00Z", "expires_at": "2990-01-01T00:00:00Z"}, "expires_at"),
    ],
)
def test_a_time_that_makes_no_sense_is_refused(idle_client: Client, times: dict[str, str], field: str) -> None:
    assert bad_fields(idle_client.http.post(TASKS, json=TEST | times)) == {field}


def test_a_retry_resumes_at_the_stage_that_failed(client: Client, kb_id: str) -> None:
    payload = {"content": "Green tea.", "document_id": "d", "embedder": "cohere"}
    task_id = client.submit(task_type="document_processing", kb_id=kb_id, payload=payload)
    first = client.ended(task_id)
    assert (first["error"]["code"], first["error"]["stage"]) == ("embedder_rejected", "embedding")
    other = client.submit(kb_id=kb_id)
    client.ended(other)

    answer = client.http.post(f"{TASKS}/retry", json={"kb_id": kb_id, "error_code": "embedder_rejected"})
    assert answer.status_code == 202
    assert answer.json() == {"retried": 1, "task_ids": [task_id], "refused": [], "more": False}
    again = client.ended(task_id)
    assert (again["status"], again["stage"]) == ("failed", "embedding")
    assert again["finished_at"] > first["finished_at"]
    assert again["stages"][:2] == first["stages"][:2], "what was done is not done again"
    assert again["progress"] >= first["progress"]

    assert client.http.post(f"{TASKS}/{task_id}/retry").status_code == 202
    client.ended(task_id)
    is_problem(client.http.post(f"{TASKS}/{other}/retry"), 409)
    is_problem(client.http.post(f"{TASKS}/{uuid.uuid4()}/retry"), 404)
    none = client.http.post(f"{TASKS}/retry", json={"kb_id": kb_id, "error_code": "corrupt"})
    assert none.json()["retried"] == 0
    assert bad_fields(client.http.post(f"{TASKS}/retry", json={"status": "completed"})) == {"status"}


def test_a_queue_that_is_paused_keeps_its_tasks_until_it_is_resumed(client: Client) -> None:
    queues = "/api/v1/queues/default"
    try:
        assert client.http.post(f"{queues}/pause").json()["paused"] is True
        task_id = client.submit()
        shown = client.http.get(f"{TASKS}/{task_id}", params={"wait": 2}).json()
        assert shown["status"] == "queued"
        stats = client.http.get("/api/v1/stats/queues").json()["queues"]
        assert [queue["queue"] for queue in stats if queue["paused"]] == ["default"]
    finally:
        assert client.http.post(f"{queues}/resume").json() == {"queue": "default", "paused": False}
    assert client.ended(task_id)["status"] == "completed"
    is_problem(client.http.post("/api/v1/queues/nowhere/pause"), 404)


def test_a_task_that_waits_for_the_year_11533_is_shown_listed_and_cancelled(idle_client: Client, kb_id: str) -> None:
    task_id = idle_client.submit(kb_id=kb_id, run_at="2999-01-01T00:00:00Z")
    idle_client.sql("UPDATE tasks SET due_at = '11533-01-01' WHERE id = %s RETURNING id", task_id)
    assert idle_client.http.get(f"{TASKS}/{task_id}").json()["status"] == "waiting"
    for query in ({"kb_id": kb_id}, {"kb_id": kb_id, "status": "waiting"}):
        assert [task["task_id"] for task in idle_client.http.get(TASKS, params=query).json()["items"]] == [task_id]
    assert idle_client.http.delete(f"{TASKS}/{task_id}").status_code in (200, 202)
    assert idle_client.http.get(f"{TASKS}/{task_id}").json()["status"] == "cancelled"
