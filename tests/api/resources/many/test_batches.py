"""Batches over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.conftest import Client, bad_fields, is_problem
from tests.servers import eventually

BATCH = "/api/v1/tasks/batch"
GOOD: dict[str, Any] = {"task_type": "test"}
BAD: dict[str, Any] = {"task_type": "test", "priority": "highest", "colour": "red"}


def total(client: Client) -> int:
    """Tasks there are."""
    ((count,),) = client.sql("SELECT count(*) FROM tasks")
    return int(count)


def test_a_batch_is_accepted_and_counted(client: Client) -> None:
    answer = client.http.post(BATCH, json={"tasks": [GOOD] * 3})
    assert answer.status_code == 202
    batch = answer.json()
    assert answer.headers["location"] == f"/api/v1/batches/{batch['batch_id']}"
    assert (batch["accepted"], batch["rejected"]) == (3, 0)
    assert [(item["index"], item["status"]) for item in batch["tasks"]] == [(0, "queued"), (1, "queued"), (2, "queued")]
    assert len({item["task_id"] for item in batch["tasks"]}) == 3
    ended = eventually(
        lambda: (shown := client.http.get(answer.headers["location"]).json())["status"] == "completed" and shown,
        seconds=60,
        reason="the batch ends",
    )
    assert isinstance(ended, dict)
    assert (ended["total"], ended["counts"]["completed"], ended["progress"]) == (3, 3, 100.0)
    assert ended["finished_at"] is not None
    page = client.http.get("/api/v1/tasks", params={"batch_id": batch["batch_id"]}).json()
    assert [item["task_id"] for item in page["items"]] == [item["task_id"] for item in batch["tasks"]][::-1]


def test_a_bad_item_does_not_reject_the_rest(idle_client: Client) -> None:
    tasks = [GOOD, BAD, {"task_type": "test", "metadata": {"a": "\0"}}, GOOD]
    answer = idle_client.http.post(BATCH, json={"tasks": tasks})
    assert answer.status_code == 202
    batch = answer.json()
    assert (batch["accepted"], batch["rejected"]) == (2, 2)
    assert [item["index"] for item in batch["tasks"]] == [0, 1, 2, 3]
    assert ["task_id" in item for item in batch["tasks"]] == [True, False, False, True]
    assert {error["field"] for error in batch["tasks"][1]["error"]["errors"]} == {"priority", "colour"}
    assert {error["field"] for error in batch["tasks"][2]["error"]["errors"]} == {"metadata"}
    assert idle_client.http.get(answer.headers["location"]).json()["total"] == 2


def test_a_bad_item_rejects_an_atomic_batch(idle_client: Client) -> None:
    before = total(idle_client)
    answer = idle_client.http.post(BATCH, json={"tasks": [GOOD, BAD], "atomic": True})
    assert bad_fields(answer) == {"tasks.1.priority", "tasks.1.colour"}
    assert total(idle_client) == before


def test_a_batch_without_a_good_item_is_refused(idle_client: Client) -> None:
    answer = idle_client.http.post(BATCH, json={"tasks": [BAD, {"task_type": "dance"}]})
    assert bad_fields(answer) == {"tasks.0.priority", "tasks.0.colour", "tasks.1.task_type"}


def test_a_thousand_tasks_are_a_batch_and_one_more_is_none(idle_client: Client) -> None:
    answer = idle_client.http.post(BATCH, json={"tasks": [GOOD] * 1000})
    assert answer.json()["accepted"] == 1000
    shown = idle_client.http.get(answer.headers["location"]).json()
    assert (shown["total"], shown["counts"]["queued"], shown["progress"]) == (1000, 1000, 0.0)
    assert bad_fields(idle_client.http.post(BATCH, json={"tasks": [GOOD] * 1001})) == {"tasks"}


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"tasks"}),
        ({"tasks": []}, {"tasks"}),
        ({"tasks": [GOOD, 5]}, {"tasks.1"}),
        ({"tasks": GOOD}, {"tasks"}),
        (
            {"tasks": [GOOD], "atomic": "perhaps", "callback_url": "kb", "colour": 1},
            {"atomic", "callback_url", "colour"},
        ),
        ({"tasks": [GOOD], "callback_url": "https://kb\0"}, {"callback_url"}),
        ([GOOD], {"body"}),
    ],
    ids=["nothing", "empty", "no task", "no list", "many", "nul", "a list"],
)
def test_a_batch_that_does_not_fit_is_refused(idle_client: Client, body: Any, fields: set[str]) -> None:
    assert bad_fields(idle_client.http.post(BATCH, json=body)) == fields


@pytest.mark.parametrize("batch_id", ["01234567-89ab-7def-8123-456789abcdef", "x"])
def test_a_batch_that_is_not_there_is_not_found(idle_client: Client, batch_id: str) -> None:
    is_problem(idle_client.http.get(f"/api/v1/batches/{batch_id}"), 404)


def made(client: Client, count: int, **fields: Any) -> str:
    """Submit a batch of tasks that wait for long. Returns its id."""
    task = GOOD | {"run_at": "2990-01-01T00:00:00Z"}
    answer = client.http.post(BATCH, json={"tasks": [task] * count, **fields})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["batch_id"])


def test_batches_are_listed_newest_first_with_their_counts(idle_client: Client) -> None:
    made_here = [made(idle_client, count) for count in (1, 2, 3)]
    first = idle_client.http.get("/api/v1/batches", params={"limit": 2}).json()
    assert [(batch["batch_id"], batch["total"]) for batch in first["items"]] == [(made_here[2], 3), (made_here[1], 2)]
    assert first["items"][0]["counts"]["waiting"] == 3
    second = idle_client.http.get("/api/v1/batches", params={"limit": 2, "cursor": first["next_cursor"]}).json()
    assert second["items"][0]["batch_id"] == made_here[0]
    shown = idle_client.http.get(f"/api/v1/batches/{made_here[1]}").json()
    del shown["estimated_completion"]
    assert shown == first["items"][1]


def test_batches_are_listed_by_whether_they_have_ended_by_their_tasks_and_by_time(
    idle_client: Client, kb_id: str
) -> None:
    http = idle_client.http

    def find(**query: str) -> list[str]:
        return [batch["batch_id"] for batch in http.get("/api/v1/batches", params=query).json()["items"]]

    task = GOOD | {"run_at": "2990-01-01T00:00:00Z"}
    bodies = [[kb_id], [kb_id, f"{kb_id}-other"], [kb_id]]
    first, mixed, ended = (
        http.post(BATCH, json={"tasks": [task | {"kb_id": name} for name in kbs]}).json()["batch_id"] for kbs in bodies
    )
    assert http.delete(f"/api/v1/batches/{ended}").status_code == 200
    assert find(kb_id=kb_id) == [ended, first], "of which all tasks are of the KB"
    assert find(kb_id=kb_id, status="processing") == [first]
    assert find(kb_id=kb_id, status="completed") == [ended]
    assert find(task_status="cancelled")[0] == ended
    assert mixed in find(task_status="waiting")
    assert not {first, mixed} & set(find(task_status="cancelled"))
    moments = {batch["batch_id"]: batch["created_at"] for batch in http.get("/api/v1/batches").json()["items"]}
    assert find(kb_id=kb_id, created_after=moments[first]) == [ended]
    assert find(kb_id=kb_id, created_before=moments[ended]) == [first]
    assert bad_fields(http.get("/api/v1/batches", params={"status": "late", "task_status": "late"})) == {
        "status",
        "task_status",
    }


def test_open_batches_are_found_by_an_index_of_their_own(idle_client: Client) -> None:
    made(idle_client, 1)
    # Older than any other.
    idle_client.execute("""
        INSERT INTO batches (id, total, pending, finished_at)
        SELECT CAST('00000000-0000-7000-8000-' || lpad(CAST(n AS text), 12, '0') AS uuid), 1, 0, now()
          FROM generate_series(1, 20000) AS n;
        ANALYZE batches
    """)
    try:
        plan = idle_client.sql("EXPLAIN SELECT * FROM batches WHERE finished_at IS NULL ORDER BY id DESC LIMIT 21")
        assert "ix_batches_open" in str(plan)
    finally:
        idle_client.execute("DELETE FROM batches WHERE id < '00000000-0000-7000-8000-ffffffffffff'")


def test_a_batch_is_cancelled_as_a_whole(idle_client: Client) -> None:
    batch_id = made(idle_client, 3, callback_url="http://203.0.113.1/callback")
    answer = idle_client.http.delete(f"/api/v1/batches/{batch_id}")
    assert answer.status_code == 200
    assert (answer.json()["status"], answer.json()["counts"]["cancelled"]) == ("completed", 3)
    is_problem(idle_client.http.delete(f"/api/v1/batches/{batch_id}"), 409)
    is_problem(idle_client.http.delete("/api/v1/batches/00000000-0000-0000-0000-000000000000"), 404)


def test_the_callback_of_a_batch_is_shown_and_delivered_again(idle_client: Client) -> None:
    batch_id = made(idle_client, 2, callback_url="http://203.0.113.1/callback")
    path = f"/api/v1/batches/{batch_id}/callbacks"
    assert idle_client.http.get(path).json() == {"items": []}
    idle_client.http.delete(f"/api/v1/batches/{batch_id}")
    (shown,) = idle_client.http.get(path).json()["items"]
    assert (shown["type"], shown["batch_id"], shown["state"]) == ("batch.completed", batch_id, "owed")
    idle_client.sql(
        "UPDATE callbacks SET status = 'failed', attempts = 10 WHERE id = %s RETURNING id", shown["callback_id"]
    )
    answer = idle_client.http.post(f"{path}/{shown['callback_id']}/redeliver")
    (again,) = answer.json()["items"]
    assert (answer.status_code, again["state"], again["attempts"]) == (202, "owed", 0)
    is_problem(idle_client.http.post(f"{path}/{batch_id}/redeliver"), 404)
    is_problem(idle_client.http.get("/api/v1/batches/00000000-0000-0000-0000-000000000000/callbacks"), 404)
