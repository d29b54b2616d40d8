"""Tasks over HTTP: submit, show, wait, list, cancel."""

from __future__ import annotations

import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any, get_args

import pytest

import settings
from pipeline import STAGES
from tests.api.conftest import Client, bad_fields, is_problem
from tests.servers import eventually

TASKS = "/api/v1/tasks"


@pytest.mark.parametrize(
    "submission",
    [{"task_type": "test", "payload": {"message": "hello"}}, {"task_type": "benchmark", "payload": {}}],
    ids=lambda submission: str(submission["task_type"]),
)
def test_a_submission_is_accepted_and_can_be_followed(client: Client, submission: dict[str, Any]) -> None:
    answer = client.http.post(TASKS, json=submission)
    assert answer.status_code == 202
    accepted = answer.json()
    assert answer.headers["location"] == f"{TASKS}/{accepted['task_id']}"
    assert accepted["status"] == "queued"
    assert accepted["task_type"] == submission["task_type"]
    assert datetime.fromisoformat(accepted["created_at"]).utcoffset() is not None
    shown = client.http.get(answer.headers["location"]).json()
    assert (shown["task_id"], shown["created_at"]) == (accepted["task_id"], accepted["created_at"])
    task = client.ended(accepted["task_id"])
    assert (task["status"], task["progress"], task["error"]) == ("completed", 100.0, None)


def test_what_was_submitted_is_shown_again(idle_client: Client, kb_id: str) -> None:
    said = {
        "task_type": "test",
        "kb_id": kb_id,
        "payload": {"message": "你好"},
        "priority": "urgent",
        "retry_limit": 0,
        "timeout": 7.5,
        "callback_url": "https://kb.example.com/callbacks",
        "metadata": {"a": [1, {"b": None}], "ключ": "значение"},
    }
    shown = idle_client.http.get(f"{TASKS}/{idle_client.submit(**said)}").json()
    assert {name: shown[name] for name in said} == said
    assert (shown["status"], shown["stage"], shown["attempt"], shown["progress"]) == ("queued", "test", 0, 0)
    assert (shown["started_at"], shown["finished_at"], shown["result"], shown["error"]) == (None,) * 4
    assert [(stage["name"], stage["status"]) for stage in shown["stages"]] == [("test", "queued")]


@pytest.mark.parametrize("embedder", get_args(settings.Provider))
def test_every_embedder_that_can_be_set_can_be_named_by_a_submission(
    idle_client: Client, kb_id: str, embedder: str
) -> None:
    payload = {"content": "x", "embedder": embedder}
    idle_client.submit(task_type="document_processing", kb_id=kb_id, payload=payload)
    idle_client.submit(task_type="kb_reindex", kb_id=kb_id, payload={"embedder": embedder})


def test_the_content_of_a_document_is_not_sent_back(idle_client: Client, kb_id: str) -> None:
    payload = {"content": "x" * 5000, "document_id": "d"}
    task_id = idle_client.submit(task_type="document_processing", kb_id=kb_id, payload=payload)
    shown = idle_client.http.get(f"{TASKS}/{task_id}").json()
    assert "content" not in shown["payload"]
    assert shown["payload"]["content_characters"] == 5000
    assert [stage["name"] for stage in shown["stages"]] == list(STAGES)


def test_every_bad_field_is_listed_at_once(idle_client: Client) -> None:
    answer = idle_client.http.post(
        TASKS,
        json={
            "task_type": "document_processing",
            "payload": {"content": "x", "chunk_size": 1, "chunk_overlap": -1, "embedder": "x", "colour": "red"},
            "priority": "highest",
            "retry_limit": 21,
            "timeout": 0,
            "callback_url": "ftp://kb.example.com",
            "metadata": [],
            "colour": "red",
        },
    )
    assert bad_fields(answer) == {
        "kb_id",
        "payload.chunk_size",
        "payload.chunk_overlap",
        "payload.embedder",
        "payload.colour",
        "priority",
        "retry_limit",
        "timeout",
        "callback_url",
        "metadata",
        "colour",
    }


@pytest.mark.parametrize("url", ["https://kb:s3cr3t@example.com/c", "http://kb@example.com?a=b"])
def test_a_callback_url_with_a_password_is_refused_and_not_repeated(idle_client: Client, url: str) -> None:
    task = {"task_type": "test", "callback_url": url}
    batch = {"tasks": [{"task_type": "test"}], "callback_url": url}
    for path, body in ((TASKS, task), (f"{TASKS}/batch", batch)):
        answer = idle_client.http.post(path, json=body)
        assert bad_fields(answer) == {"callback_url"}
        assert "s3cr3t" not in answer.text
        assert "user name or password" in answer.text
    # What is an @ only behind the host is none.
    fine = {"task_type": "test", "callback_url": "https://example.com/@kb?a=b@c"}
    assert idle_client.http.post(TASKS, json=fine).status_code == 202


@pytest.mark.parametrize(
    ("payload", "field"),
    [
        ({}, "payload"),
        ({"content": "x", "url": "https://example.com"}, "payload"),
        ({"content": "x", "chunk_size": 100, "chunk_overlap": 100}, "payload.chunk_overlap"),
        ({"content": "x", "upload_id": str(uuid.uuid4())}, "payload.upload_id"),
        ({"content": 5}, "payload.content"),
        ({"url": "https://kb:s3cr3t@example.com/tea.pdf"}, "payload.url"),
        ({"url": "https://kb@example.com/tea.pdf"}, "payload.url"),
    ],
    ids=["no source", "two sources", "overlap", "another's upload", "no text", "a password", "a user name"],
)
def test_a_payload_that_does_not_fit_is_refused(
    idle_client: Client, kb_id: str, payload: dict[str, Any], field: str
) -> None:
    submission = {"task_type": "document_processing", "kb_id": kb_id, "payload": payload}
    assert bad_fields(idle_client.http.post(TASKS, json=submission)) == {field}


def test_an_unknown_task_type_is_told_those_that_exist(idle_client: Client) -> None:
    (problem,) = is_problem(idle_client.http.post(TASKS, json={"task_type": "dance"}), 422)["errors"]
    assert problem["field"] == "task_type"
    assert "document_processing" in problem["message"]


def test_an_etag_spares_what_has_not_changed(client: Client) -> None:
    address = f"{TASKS}/{client.submit()}"
    client.ended(address.rpartition("/")[2])
    first = client.http.get(address)
    etag = first.headers["etag"]
    assert client.http.get(address).headers["etag"] == etag
    for condition in (etag, f'"other", {etag}', f"W/{etag}", "*"):
        unchanged = client.http.get(address, headers={"If-None-Match": condition})
        assert (unchanged.status_code, unchanged.content, unchanged.headers["etag"]) == (304, b"", etag), condition
    assert client.http.get(address, headers={"If-None-Match": '"other"'}).json() == first.json()


def test_an_etag_changes_with_the_task(idle_client: Client) -> None:
    address = f"{TASKS}/{idle_client.submit()}"
    before = idle_client.http.get(address).headers["etag"]
    idle_client.http.delete(address)
    assert idle_client.http.get(address, headers={"If-None-Match": before}).status_code == 200


def test_waiting_ends_with_the_task(client: Client) -> None:
    task_id = client.submit(task_type="benchmark", payload={"seconds": 1})
    task = client.http.get(f"{TASKS}/{task_id}", params={"wait": 20}).json()
    assert task["status"] == "completed"


def test_waiting_ends_with_the_time_that_was_given(idle_client: Client) -> None:
    task_id = idle_client.submit()
    began = time.monotonic()
    answer = idle_client.http.get(f"{TASKS}/{task_id}", params={"wait": 1})
    assert (answer.status_code, answer.json()["status"]) == (200, "queued")
    assert time.monotonic() - began > 0.9


def test_waiting_clients_do_not_hold_up_others(idle_client: Client) -> None:
    task_id = idle_client.submit()

    def wait(_: int) -> str:
        return str(idle_client.http.get(f"{TASKS}/{task_id}", params={"wait": 20}).json()["status"])

    with ThreadPoolExecutor(30) as clients:
        waiting = [clients.submit(wait, number) for number in range(30)]
        assert idle_client.http.delete(f"{TASKS}/{task_id}").status_code == 200
        assert [future.result() for future in waiting] == ["cancelled"] * 30


@pytest.mark.parametrize("wait", ["soon", "-1", "nan"])
def test_a_wait_that_is_no_time_is_refused(idle_client: Client, wait: str) -> None:
    answer = idle_client.http.get(f"{TASKS}/{uuid.uuid4()}", params={"wait": wait})
    assert bad_fields(answer) == {"wait"}


@pytest.mark.parametrize("task_id", ["01234567-89ab-7def-8123-456789abcdef", "x", "%F0%9F", "..%2F.."])
def test_a_task_that_is_not_there_is_not_found(idle_client: Client, task_id: str) -> None:
    is_problem(idle_client.http.get(f"{TASKS}/{task_id}"), 404)
    is_problem(idle_client.http.delete(f"{TASKS}/{task_id}"), 404)


def listed(client: Client, **query: Any) -> list[str]:
    """The ids of every page."""
    ids: list[str] = []
    while True:
        page = client.http.get(TASKS, params=query).json()
        ids += [item["task_id"] for item in page["items"]]
        if page["next_cursor"] is None:
            return ids
        query["cursor"] = page["next_cursor"]


def test_pages_lose_and_double_nothing_while_tasks_arrive(idle_client: Client, kb_id: str) -> None:
    before = [idle_client.submit(kb_id=kb_id) for _ in range(7)]
    seen: list[str] = []
    query: dict[str, Any] = {"kb_id": kb_id, "limit": 3}
    while True:
        page = idle_client.http.get(TASKS, params=query).json()
        assert len(page["items"]) <= 3
        seen += [item["task_id"] for item in page["items"]]
        idle_client.submit(kb_id=kb_id)
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert seen == before[::-1], "newest first, each once, and none that came later"


def test_a_last_page_that_is_full_has_no_next_one(idle_client: Client, kb_id: str) -> None:
    ids = [idle_client.submit(kb_id=kb_id) for _ in range(4)]
    assert listed(idle_client, kb_id=kb_id, limit=2) == ids[::-1]
    assert idle_client.http.get(TASKS, params={"kb_id": kb_id, "limit": 4}).json()["next_cursor"] is None


def test_a_list_can_be_filtered(idle_client: Client, kb_id: str) -> None:
    first, second = (idle_client.submit(kb_id=kb_id) for _ in range(2))
    third = idle_client.submit(task_type="benchmark", kb_id=kb_id)
    idle_client.http.delete(f"{TASKS}/{first}")
    created = idle_client.http.get(f"{TASKS}/{second}").json()["created_at"]
    assert listed(idle_client, kb_id=kb_id, status="cancelled") == [first]
    assert listed(idle_client, kb_id=kb_id, status="queued", task_type="test") == [second]
    assert listed(idle_client, kb_id=kb_id, task_type="benchmark") == [third]
    assert listed(idle_client, kb_id=kb_id, created_after=created) == [third]
    assert listed(idle_client, kb_id=kb_id, created_after=created.rstrip("Z")) == [third], "without a zone it is UTC"
    assert listed(idle_client, kb_id=kb_id + "x") == []


def test_every_bad_parameter_of_a_list_is_named(idle_client: Client) -> None:
    query = {"status": "lost", "batch_id": "x", "created_after": "yesterday", "limit": "0", "colour": "red"}
    assert bad_fields(idle_client.http.get(TASKS, params=query)) == set(query)


@pytest.mark.parametrize("cursor", ["", "!!", "aGk", "é", "_w", "A" * 1000])
def test_a_cursor_of_ones_own_making_is_refused(idle_client: Client, cursor: str) -> None:
    assert bad_fields(idle_client.http.get(TASKS, params={"cursor": cursor})) == {"cursor"}


def test_cancelling_what_is_queued_is_done_at_once(idle_client: Client) -> None:
    address = f"{TASKS}/{idle_client.submit()}"
    answer = idle_client.http.delete(address)
    assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
    again = is_problem(idle_client.http.delete(address), 409)
    assert "cancelled" in again["detail"]


def test_cancelling_what_is_running_stops_it_within_two_seconds(client: Client) -> None:
    task_id = client.submit(task_type="benchmark", payload={"seconds": 600})
    address = f"{TASKS}/{task_id}"
    eventually(lambda: client.http.get(address).json()["status"] == "processing", reason="the task runs")
    answer = client.http.delete(address)
    assert (answer.status_code, answer.json()["status"]) == (202, "cancelled")

    def held() -> list[str]:
        workers = client.http.get("/api/v1/stats/workers").json()["workers"]
        return [current_id for worker in workers for current_id in worker["current_tasks"]]

    # 2 s to stop, and what a worker takes to say so with its next heartbeat.
    eventually(lambda: task_id not in held(), seconds=15, reason="the worker has let go of it")
    is_problem(client.http.delete(address), 409)


def test_what_has_ended_cannot_be_cancelled(client: Client) -> None:
    task_id = client.submit()
    client.ended(task_id)
    assert "completed" in is_problem(client.http.delete(f"{TASKS}/{task_id}"), 409)["detail"]


def test_a_list_can_be_filtered_by_what_ended_and_why(client: Client, kb_id: str) -> None:
    failed = client.ended(client.submit(task_type="document_processing", kb_id=kb_id, payload={"content": " "}))
    completed = client.ended(client.submit(kb_id=kb_id))
    assert (failed["error"]["code"], completed["status"]) == ("empty", "completed")
    assert listed(client, kb_id=kb_id, error_code="empty") == [failed["task_id"]]
    assert listed(client, kb_id=kb_id, error_code="corrupt") == []
    assert listed(client, kb_id=kb_id, status=["failed", "completed"], limit=1) == [
        completed["task_id"],
        failed["task_id"],
    ]
    assert listed(client, kb_id=kb_id, status="failed,cancelled") == [failed["task_id"]]
    since = {"status": "failed", "finished_after": failed["created_at"]}
    assert listed(client, kb_id=kb_id, finished_before=failed["created_at"]) == []
    assert listed(client, kb_id=kb_id, **since) == [failed["task_id"]]
    answer = client.http.get(TASKS, params={"kb_id": kb_id, "limit": 1, "count": "true"}).json()
    assert (len(answer["items"]), answer["total"]) == (1, {"count": 2, "capped": False})


def test_a_filter_that_no_index_answers_is_refused(idle_client: Client) -> None:
    query = {"document_id": "d", "queue": "default", "status": "failed"}
    assert bad_fields(idle_client.http.get(TASKS, params=query)) == {"document_id", "queue"}
