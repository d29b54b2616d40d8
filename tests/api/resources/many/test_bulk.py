"""Bulks over HTTP: what is previewed, done and undone, and what is refused."""

from __future__ import annotations

import uuid
from typing import Any

import httpx2
import pytest

from tests.api.conftest import Client, bad_fields, is_problem

TASKS = "/api/v1/tasks"
FAILING = {"task_type": "document_processing", "payload": {"content": " ", "document_id": "d"}}


def status(client: Client, task_id: str) -> str:
    return str(client.http.get(f"{TASKS}/{task_id}").json()["status"])


def asked(client: Client, path: str, **body: Any) -> httpx2.Response:
    return client.http.post(f"/api/v1{path}", json=body)


def previewed(client: Client, path: str, **body: Any) -> dict[str, Any]:
    answer = asked(client, path, dry_run=True, **body)
    assert answer.status_code == 200, answer.text
    said: dict[str, Any] = answer.json()
    assert said.keys() == {"count", "capped", "examples"}
    return said


def done(client: Client, path: str, **body: Any) -> dict[str, Any]:
    """The task of a bulk, when it has completed."""
    answer = asked(client, path, **body)
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"] == f"{TASKS}/{answer.json()['task_id']}"
    assert answer.json()["task_type"] == "bulk"
    ended = client.ended(answer.json()["task_id"])
    assert ended["status"] == "completed", ended
    return ended


def later(client: Client, kb_id: str, count: int = 1) -> list[str]:
    """Tasks that wait for long."""
    return [client.submit(kb_id=kb_id, run_at="2990-01-01T00:00:00Z") for _ in range(count)]


def test_what_a_filter_names_is_previewed_cancelled_and_undone(client: Client, kb_id: str) -> None:
    tasks, other = later(client, kb_id, 12), later(client, f"{kb_id}-other")[0]
    said = previewed(client, "/tasks/cancel", filter={"kb_id": kb_id})
    assert (said["count"], said["capped"], len(said["examples"])) == (12, False, 10)
    assert {task["task_id"] for task in said["examples"]} < set(tasks)
    assert status(client, tasks[0]) == "waiting", "a preview changes nothing"

    bulk = done(client, "/tasks/cancel", filter={"kb_id": kb_id}, dry_run=False)
    assert (bulk["kb_id"], bulk["progress"]) == (kb_id, 100)
    assert bulk["result"] == {"action": "cancel", "changed": 12, "refused": 0}
    assert {status(client, task_id) for task_id in tasks} == {"cancelled"}
    assert status(client, other) == "waiting"
    items = client.http.get(f"{TASKS}/{bulk['task_id']}/items", params={"limit": 5}).json()
    assert [item["task_id"] for item in items["items"]] == tasks[:6:-1]
    assert items["items"][0]["outcome"] == "changed"
    assert items["next_cursor"]

    undo = f"/tasks/{bulk['task_id']}/undo"
    assert previewed(client, undo)["count"] == 12
    assert client.http.post(f"/api/v1{undo}").status_code == 202, "an undo needs no body"
    (task_id,) = client.sql(
        "SELECT id::text FROM tasks WHERE task_type = 'bulk' AND payload->>'undoes' = %s", bulk["task_id"]
    )[0]
    assert client.ended(task_id)["result"]["changed"] == 12
    assert "cancelled" not in {status(client, task_id) for task_id in tasks}


def test_a_priority_is_changed_and_given_back(idle_client: Client, kb_id: str) -> None:
    """Without a worker: what is asked for is shown as a task that waits."""
    idle_client.submit(kb_id=kb_id, priority="low")
    idle_client.submit(kb_id=kb_id, priority="high")
    body = {"filter": {"kb_id": kb_id}, "priority": "high"}
    assert previewed(idle_client, "/tasks/prioritise", **body)["count"] == 1, "one has it already"
    answer = asked(idle_client, "/tasks/prioritise", **body)
    shown = idle_client.http.get(answer.headers["location"]).json()
    assert (shown["status"], shown["priority"], shown["kb_id"]) == ("queued", "urgent", kb_id)
    assert shown["payload"]["action"] == "prioritise"
    assert asked(idle_client, f"/tasks/{shown['task_id']}/undo").status_code == 409, "it has not ended"
    assert idle_client.http.delete(answer.headers["location"]).status_code == 200
    assert previewed(idle_client, f"/tasks/{shown['task_id']}/undo")["count"] == 0


def test_a_retry_leaves_what_it_cannot_mend(client: Client, kb_id: str) -> None:
    task_id = client.submit(kb_id=kb_id, **FAILING)
    assert client.ended(task_id)["error"]["code"] == "empty"
    for filter, more, count in [
        ({"kb_id": kb_id}, {}, 0),
        ({"kb_id": kb_id}, {"include_permanent": True}, 1),
        ({"kb_id": kb_id, "error_code": "empty"}, {}, 1),
        ({"ids": [task_id]}, {}, 1),
    ]:
        assert previewed(client, "/tasks/retry", filter=filter, **more)["count"] == count, (filter, more)
    assert done(client, "/tasks/retry", filter={"ids": [task_id]})["result"]["changed"] == 1
    client.ended(task_id)
    assert client.sql("SELECT run FROM tasks WHERE id = %s", task_id) == [(2,)]


def test_a_retry_of_the_first_version_is_answered_when_it_is_done(client: Client, kb_id: str) -> None:
    task_id = client.submit(kb_id=kb_id, **FAILING)
    client.ended(task_id)
    none = {"retried": 0, "task_ids": [], "refused": [], "more": False}
    assert asked(client, "/tasks/retry", kb_id=kb_id).json() == none
    answer = asked(client, "/tasks/retry", kb_id=kb_id, include_permanent=True)
    assert (answer.status_code, answer.json()) == (202, none | {"retried": 1, "task_ids": [task_id]})


def test_an_idempotency_key_holds_for_a_bulk(idle_client: Client, kb_id: str) -> None:
    headers = {"Idempotency-Key": str(uuid.uuid4())}
    body = {"filter": {"kb_id": kb_id}}
    first, second = (idle_client.http.post(f"{TASKS}/cancel", json=body, headers=headers) for _ in range(2))
    assert first.json()["task_id"] == second.json()["task_id"]
    body = {"filter": {"kb_id": f"{kb_id}-other"}}
    assert idle_client.http.post(f"{TASKS}/cancel", json=body, headers=headers).status_code == 422


@pytest.mark.parametrize(
    ("path", "body", "fields"),
    [
        ("/tasks/cancel", {}, {"filter"}),
        ("/tasks/retry", {}, {"filter"}),
        ("/tasks/retry", {"filter": {}}, {"filter"}),
        ("/tasks/prioritise", {"priority": "low"}, {"filter"}),
        ("/callbacks/redeliver", {"dry_run": True}, {"filter"}),
        ("/batches/cancel", {"dry_run": True}, {"filter"}),
        ("/batches/retry", {"filter": {"kb_id": None}}, {"filter"}),
        ("/batches/cancel", {"filter": {"status": "failed"}}, {"filter.status"}),
        ("/batches/retry", {"task_status": "late"}, {"task_status"}),
        ("/tasks/prioritise", {"all": True}, {"priority"}),
        ("/tasks/cancel", {"filter": {"status": ["completed"]}}, {"filter.status"}),
        ("/tasks/cancel", {"status": "failed"}, {"status"}),
        ("/tasks/prioritise", {"filter": {"status": "processing"}, "priority": "low"}, {"filter.status"}),
        ("/tasks/cancel", {"filter": {"colour": "red"}}, {"filter.colour"}),
        ("/tasks/cancel", {"filter": {"ids": []}}, {"filter.ids"}),
        ("/tasks/cancel", {"filter": {"ids": [str(uuid.UUID(int=n)) for n in range(1001)]}}, {"filter.ids"}),
        ("/callbacks/redeliver", {"filter": {"state": "lost"}}, {"filter.state"}),
        ("/tasks", {"task_type": "bulk", "payload": {"action": "cancel"}}, {"task_type"}),
    ],
)
def test_what_is_not_meant_or_does_not_fit_is_refused(
    idle_client: Client, path: str, body: dict[str, Any], fields: set[str]
) -> None:
    assert bad_fields(asked(idle_client, path, **body)) == fields


def test_all_must_be_said(idle_client: Client) -> None:
    assert previewed(idle_client, "/tasks/cancel", all=True)["count"] >= 0
    assert "all" in asked(idle_client, "/tasks/cancel").json()["errors"][0]["message"]


def test_only_a_bulk_can_be_undone(client: Client) -> None:
    task_id = client.submit()
    client.ended(task_id)
    is_problem(asked(client, f"/tasks/{task_id}/undo"), 409)
    is_problem(asked(client, f"/tasks/{uuid.uuid4()}/undo"), 404)
    is_problem(client.http.get(f"{TASKS}/{task_id}/items"), 409)
    redelivered = done(client, "/callbacks/redeliver", filter={"kb_id": str(uuid.uuid4())})
    is_problem(asked(client, f"/tasks/{redelivered['task_id']}/undo"), 409)


def batch(client: Client, *kb_ids: str, **task: Any) -> tuple[str, list[str]]:
    """A batch with a task of each of these KBs, which waits for long. Returns its id, and theirs."""
    tasks = [{"task_type": "test", "run_at": "2990-01-01T00:00:00Z", "kb_id": kb_id, **task} for kb_id in kb_ids]
    said = asked(client, "/tasks/batch", tasks=tasks).json()
    return said["batch_id"], [item["task_id"] for item in said["tasks"]]


def test_what_is_open_of_the_batches_of_a_filter_is_previewed_cancelled_and_undone(client: Client, kb_id: str) -> None:
    (first, tasks), (second, more) = batch(client, *[kb_id] * 11), batch(client, kb_id)
    _, mixed = batch(client, kb_id, f"{kb_id}-other")
    (alone,) = later(client, kb_id)
    said = previewed(client, "/batches/cancel", filter={"kb_id": kb_id})
    assert (said["count"], said["capped"]) == (12, False)
    assert [task["task_id"] for task in said["examples"]] == [*more, *tasks[:1:-1]], "the newest"
    assert status(client, tasks[0]) == "waiting", "a preview changes nothing"

    bulk = done(client, "/batches/cancel", filter={"kb_id": kb_id})
    assert (bulk["kb_id"], bulk["progress"]) == (kb_id, 100)
    assert bulk["result"] == {"action": "cancel", "changed": 12, "refused": 0}
    assert bulk["payload"]["batches"] == {"kb_id": kb_id}
    (act,) = client.http.get("/api/v1/audit", params={"action": "tasks.cancel", "kb_id": kb_id}).json()["items"]
    assert (act["detail"]["batches"], act["detail"]["items"]) == ({"kb_id": kb_id}, 12)
    assert {item["task_id"] for item in items(client, bulk)} == {*tasks, *more}
    assert {status(client, task_id) for task_id in (*mixed, alone)} == {"waiting"}, (
        "what is of no batch of the KB alone"
    )
    shown = {
        row["batch_id"]: row for row in client.http.get("/api/v1/batches", params={"kb_id": kb_id}).json()["items"]
    }
    assert (shown[first]["status"], shown[second]["counts"]["cancelled"]) == ("completed", 1)

    answer = asked(client, f"/tasks/{bulk['task_id']}/undo")
    assert client.ended(answer.json()["task_id"])["result"] == {"action": "retry", "changed": 12, "refused": 0}
    assert client.http.get(f"/api/v1/batches/{first}").json()["counts"]["waiting"] == 11


def test_what_failed_of_the_batches_of_a_filter_is_retried_and_that_is_undone(client: Client, kb_id: str) -> None:
    batch_id, (failed,) = batch(client, kb_id, run_at=None, **FAILING)
    alone = client.submit(kb_id=kb_id, **FAILING)
    assert {client.ended(task_id)["status"] for task_id in (failed, alone)} == {"failed"}
    named = {"kb_id": kb_id, "status": "completed"}
    assert previewed(client, "/batches/retry", **named)["count"] == 0, "no retry can mend it"
    assert previewed(client, "/batches/retry", **named, include_permanent=True)["count"] == 1
    queue = "/api/v1/queues/preprocessing"
    assert client.http.post(f"{queue}/pause", json={"reason": "a test"}).status_code == 200
    try:
        bulk = done(client, "/batches/retry", **named, include_permanent=True)
        assert [item["task_id"] for item in items(client, bulk)] == [failed]
        assert client.http.get(f"/api/v1/batches/{batch_id}").json()["status"] == "processing"
        answer = asked(client, f"/tasks/{bulk['task_id']}/undo")
        assert client.ended(answer.json()["task_id"])["result"]["changed"] == 1
    finally:
        client.http.post(f"{queue}/resume")
    assert status(client, failed) == "failed"
    assert client.http.get(f"/api/v1/batches/{batch_id}").json()["status"] == "completed"


def test_batches_are_meant_by_the_filter_of_their_list(idle_client: Client, kb_id: str) -> None:
    http = idle_client.http
    made = [batch(idle_client, *kb_ids) for kb_ids in ([kb_id] * 2, [kb_id] * 3, [kb_id, f"{kb_id}-other"])]
    assert http.delete(f"{TASKS}/{made[1][1][0]}").status_code == 200
    _, ended = batch(idle_client, kb_id)
    http.delete(f"{TASKS}/{ended[0]}")
    moment = http.get(f"/api/v1/batches/{made[0][0]}").json()["created_at"]
    for named in (
        {"kb_id": kb_id},
        {"kb_id": kb_id, "status": "processing"},
        {"kb_id": kb_id, "status": "completed"},
        {"kb_id": kb_id, "task_status": "cancelled"},
        {"task_status": "cancelled", "created_after": moment},
        {"created_after": moment},
        {"kb_id": kb_id, "created_before": moment},
        {"created_before": "0001-01-01T00:00:00+14:00"},
    ):
        listed = http.get("/api/v1/batches", params=named).json()["items"]
        count = sum(row["counts"]["waiting"] for row in listed)
        assert previewed(idle_client, "/batches/cancel", filter=named)["count"] == count, named
    assert previewed(idle_client, "/batches/cancel", filter={"kb_id": kb_id})["count"] == 4


def test_documents_of_a_filter_are_previewed_and_deleted(client: Client, kb_id: str) -> None:
    for name in ("a/1", "a/2", "b/1"):
        client.take_in(kb_id, f"What {name} says.", name)
    path = f"/api/v1/kbs/{kb_id}/documents"
    said = client.http.post(f"{path}/delete", json={"filter": {"prefix": "a/"}, "dry_run": True}).json()
    assert said == {"count": 2, "capped": False, "examples": ["a/1", "a/2"]}
    assert len(client.http.get(path).json()["items"]) == 3, "a preview changes nothing"
    answer = client.http.post(f"{path}/delete", json={"filter": {"prefix": "a/"}})
    assert answer.status_code == 202
    assert client.ended(answer.json()["task_id"])["result"] == {"deleted": 2}
    assert [document["document_id"] for document in client.http.get(path).json()["items"]] == ["b/1"]
    nothing: list[dict[str, Any]] = [{}, {"filter": {}}, {"dry_run": True}]
    for body in nothing:
        assert bad_fields(client.http.post(f"{path}/delete", json=body)) == {"filter"}


def test_documents_are_deleted_by_the_filter_of_their_list(client: Client, kb_id: str) -> None:
    for name in ("a", "b", "c"):
        client.take_in(kb_id, f"What {name} says.", name)
    client.ended(
        client.submit(kb_id=kb_id, task_type="document_processing", payload={"content": " ", "document_id": "b"})
    )
    path = f"/api/v1/kbs/{kb_id}/documents"

    def previewed(**named: Any) -> list[str]:
        said = client.http.post(f"{path}/delete", json=named | {"dry_run": True}).json()
        assert (said["count"], said["capped"]) == (len(said["examples"]), False), said
        return [str(example) for example in said["examples"]]

    def listed(**named: Any) -> list[str]:
        return [document["document_id"] for document in client.http.get(path, params=named).json()["items"]]

    shown = client.http.get(f"{path}/a").json()
    for named in (
        {"state": "failed"},
        {"state": "current"},
        {"format": shown["format"], "prefix": "a"},
        {"format": "pdf"},
        {"updated_after": shown["updated_at"], "state": "current"},
        {"updated_after": "0001-01-01T00:00:00+14:00"},
    ):
        assert previewed(**named) == listed(**named), named
        assert previewed(filter=named) == previewed(**named), named
    assert listed(state="failed") == ["b"]
    answer = client.http.post(f"{path}/delete", json={"state": "failed"})
    assert client.ended(answer.json()["task_id"])["result"] == {"deleted": 1}
    assert listed() == ["a", "c"]
    for body, field in (
        ({"colour": "red"}, "colour"),
        ({"filter": {"colour": "red"}}, "filter.colour"),
        ({"filter": {"state": "lost"}}, "filter.state"),
        ({"prefix": "a\0b", "dry_run": True}, "prefix"),
    ):
        assert bad_fields(client.http.post(f"{path}/delete", json=body)) == {field}


def test_documents_are_taken_in_again_as_they_came_but_for_uploads(client: Client, kb_id: str) -> None:
    client.take_in(kb_id, "An older text.", "d")
    shown = client.take_in(kb_id, "A text.", "d", chunk_size=50)["task_id"]
    uploaded = client.ended(client.upload(kb_id, b"Uploaded.", "u.txt").json()["task_id"])
    assert uploaded["status"] == "completed"
    client.ended(client.submit(kb_id=kb_id))
    said = previewed(client, "/tasks/reingest", filter={"kb_id": kb_id})
    assert {task["task_id"] for task in said["examples"]} == {shown, uploaded["task_id"]}, "what is shown, and no test"

    bulk = done(client, "/tasks/reingest", filter={"kb_id": kb_id})
    assert bulk["result"] == {"action": "reingest", "changed": 1, "refused": 1}
    refused = {item["task_id"]: item["reason"] for item in items(client, bulk) if item["outcome"] == "refused"}
    assert "upload it again" in refused[uploaded["task_id"]]
    (again,) = client.sql(
        "SELECT id::text, payload->>'chunk_size' FROM tasks WHERE kb_id = %s AND payload->>'force' = 'true'", kb_id
    )
    assert client.ended(again[0])["result"]["unchanged"] is False
    assert again[1] == "50"
    assert client.http.get(f"/api/v1/kbs/{kb_id}/documents/d").json()["version"] == 3
    is_problem(client.http.post(f"{TASKS}/{bulk['task_id']}/undo"), 409)


def items(client: Client, bulk: dict[str, Any]) -> list[dict[str, Any]]:
    page: list[dict[str, Any]] = client.http.get(f"{TASKS}/{bulk['task_id']}/items").json()["items"]
    return page
