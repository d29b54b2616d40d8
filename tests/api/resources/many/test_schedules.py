"""Schedules over HTTP."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest

from tests.api.conftest import Client, bad_fields, is_problem

SCHEDULES = "/api/v1/schedules"
NIGHTLY = {"name": "nightly", "cron": "30 2 * * *", "timezone": "Europe/Berlin"}


def task(kb_id: str, **more: Any) -> dict[str, Any]:
    return {"task_type": "test", "kb_id": kb_id, "payload": {"message": "hello"}, **more}


def made(client: Client, kb_id: str, **more: Any) -> dict[str, Any]:
    answer = client.http.post(SCHEDULES, json={**NIGHTLY, "task": task(kb_id), **more})
    assert answer.status_code == 201, answer.text
    assert answer.headers["location"] == f"{SCHEDULES}/{answer.json()['schedule_id']}"
    shown: dict[str, Any] = answer.json()
    return shown


def document(kb_id: str, **payload: Any) -> dict[str, Any]:
    """A task that takes in a document again and again."""
    payload = {"url": "http://203.0.113.1/a.md", **payload}
    return {"task_type": "document_processing", "kb_id": kb_id, "payload": payload}


def test_headers_of_its_document_are_kept_and_not_shown(idle_client: Client, kb_id: str) -> None:
    secret = {"Authorization": "Bearer s3cr3t"}
    schedule = made(idle_client, kb_id, task=document(kb_id, headers=secret))
    shown = document(kb_id, header_names=["Authorization"])
    assert schedule["task"] == shown == idle_client.http.get(path(schedule)).json()["task"]
    assert idle_client.http.patch(path(schedule), json={"name": "a"}).json()["task"] == shown

    def run(number: int) -> Any:
        answer = idle_client.http.post(path(schedule, "/run"), headers={"Idempotency-Key": f"{kb_id}-{number}"})
        ((headers,),) = idle_client.sql("SELECT source_headers FROM tasks WHERE id = %s", answer.json()["task_id"])
        return headers

    assert run(1) == secret
    refused = idle_client.http.patch(path(schedule), json={"task": shown})
    assert bad_fields(refused) == {"task.payload.header_names"}, "what is shown is not what was said"
    assert run(2) == secret
    changed = idle_client.http.patch(path(schedule), json={"task": document(kb_id)}).json()
    assert changed["task"] == document(kb_id)
    assert run(3) is None
    assert "s3cr3t" not in str(idle_client.http.get("/api/v1/audit", params={"kb_id": kb_id}).json())


def path(schedule: dict[str, Any], act: str = "") -> str:
    return f"{SCHEDULES}/{schedule['schedule_id']}{act}"


def acts(client: Client, kb_id: str) -> list[str]:
    entries = client.http.get("/api/v1/audit", params={"kb_id": kb_id}).json()["items"]
    return [entry["action"] for entry in reversed(entries)]


def test_a_schedule_is_made_shown_changed_and_deleted(idle_client: Client, kb_id: str) -> None:
    schedule = made(idle_client, kb_id)
    assert schedule["task"] == task(kb_id), "as it was said"
    assert (schedule["kb_id"], schedule["catch_up"], schedule["paused_at"]) == (kb_id, "one", None)
    assert schedule["next_due_at"] > datetime.now(UTC).isoformat()
    assert schedule["next_due_at"][14:] == "30:00Z"
    assert idle_client.http.get(path(schedule)).json() == schedule
    change = {"name": None, "cron": "15 4 * * *", "catch_up": "all", "task": task(kb_id, priority="low")}
    changed = idle_client.http.patch(path(schedule), json=change).json()
    assert {name: changed[name] for name in change} == change
    assert changed["next_due_at"][14:] == "15:00Z"
    assert changed["timezone"] == "Europe/Berlin"
    assert idle_client.http.delete(path(schedule)).status_code == 204
    for answer in (
        idle_client.http.get(path(schedule)),
        idle_client.http.patch(path(schedule), json=change),
        idle_client.http.delete(path(schedule)),
        *(idle_client.http.post(path(schedule, f"/{act}")) for act in ("pause", "resume", "run")),
        idle_client.http.get(f"{SCHEDULES}/nonsense"),
    ):
        is_problem(answer, 404)
    assert acts(idle_client, kb_id) == ["schedule.create", "schedule.change", "schedule.delete"]


def test_what_does_not_fit_is_refused_with_every_field(idle_client: Client, kb_id: str) -> None:
    def refused(**asked: Any) -> set[str]:
        return bad_fields(idle_client.http.post(SCHEDULES, json={**NIGHTLY, "task": task(kb_id), **asked}))

    assert refused(cron="x", task={"task_type": "nope"}) == {"cron", "task.task_type"}
    assert refused(timezone="Mars/Olympus") == {"timezone"}
    assert refused(cron="0 0 time zone") == {"cron"}, "what is named is what does not fit"
    assert refused(task=task(kb_id, priority="now", colour="red")) == {"task.priority", "task.colour"}
    late = {"run_at": "2030-01-01T00:00:00Z", "expires_at": "2030-01-01T00:00:00Z", "depends_on": [str(uuid.uuid4())]}
    assert refused(task=task(kb_id, **late)) == {f"task.{name}" for name in late}
    assert refused(task={"task_type": "kb_deletion", "kb_id": kb_id}) == {"task.task_type"}
    large = {"task_type": "document_processing", "kb_id": kb_id, "payload": {"content": "x" * 300_000}}
    assert refused(task=large) == {"task"}
    schedule = made(idle_client, kb_id)
    for change, fields in (({}, {"body"}), ({"cron": None}, {"cron"}), ({"timezone": "x"}, {"timezone"})):
        assert bad_fields(idle_client.http.patch(path(schedule), json=change)) == fields
    assert idle_client.http.get(path(schedule)).json() == schedule


def test_a_schedule_is_paused_and_resumed(idle_client: Client, kb_id: str) -> None:
    schedule = made(idle_client, kb_id)
    paused = idle_client.http.post(path(schedule, "/pause")).json()
    assert paused["paused_at"] is not None
    assert paused["next_due_at"] is None
    assert idle_client.http.post(path(schedule, "/pause")).json() == paused, "a second time changes nothing"
    later = idle_client.http.patch(path(schedule), json={"cron": "0 5 * * *"}).json()
    assert later["next_due_at"] is None, "it stays paused"
    resumed = idle_client.http.post(path(schedule, "/resume")).json()
    assert resumed["paused_at"] is None
    assert resumed["next_due_at"][14:] == "00:00Z"
    assert acts(idle_client, kb_id) == [f"schedule.{act}" for act in ("create", "pause", "change", "resume")]


def test_a_schedule_is_run_at_once_and_its_due_time_stays(idle_client: Client, kb_id: str) -> None:
    schedule = made(idle_client, kb_id)
    idle_client.http.post(path(schedule, "/pause"))
    headers = {"Idempotency-Key": f"run-{kb_id}"}
    answers = [idle_client.http.post(path(schedule, "/run"), headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].json() == answers[1].json()
    task_id = answers[0].json()["task_id"]
    assert answers[0].headers["location"] == f"/api/v1/tasks/{task_id}"
    assert idle_client.http.get(f"/api/v1/tasks/{task_id}").json()["payload"]["message"] == "hello"
    shown = idle_client.http.get(path(schedule)).json()
    assert (shown["last_task_id"], shown["next_due_at"]) == (task_id, None)
    assert acts(idle_client, kb_id).count("schedule.run") == 1


def test_the_same_key_makes_one_schedule(idle_client: Client, kb_id: str) -> None:
    def make(**more: Any) -> httpx2.Response:
        said = {**NIGHTLY, "task": task(kb_id), **more}
        return idle_client.http.post(SCHEDULES, json=said, headers={"Idempotency-Key": f"make-{kb_id}"})

    first, second = make(), make()
    assert first.json() == second.json()
    assert len(idle_client.http.get(SCHEDULES, params={"kb_id": kb_id}).json()["items"]) == 1
    is_problem(make(name="another"), 422)


def test_there_are_only_so_many_schedules(idle_client: Client, kb_id: str) -> None:
    schedule = made(idle_client, kb_id)
    try:
        idle_client.execute(
            f"""
            INSERT INTO schedules (id, name, kb_id, cron, timezone, catch_up, task, paused_at)
            SELECT gen_random_uuid(), 'many', kb_id, cron, timezone, catch_up, task, now()
            FROM schedules, generate_series(1, 10000) WHERE id = '{schedule["schedule_id"]}'
            """
        )
        said = is_problem(idle_client.http.post(SCHEDULES, json={**NIGHTLY, "task": task(kb_id)}), 422)
        assert said["code"] == "too_many_schedules"
        assert "10,000" in said["detail"]
        assert said["hint_zh"]
    finally:
        idle_client.execute("DELETE FROM schedules WHERE name = 'many'")
    made(idle_client, kb_id)


def test_schedules_are_listed_by_the_page(idle_client: Client, kb_id: str) -> None:
    ids = [made(idle_client, kb_id)["schedule_id"] for _ in range(3)]
    first = idle_client.http.get(SCHEDULES, params={"kb_id": kb_id, "limit": 2}).json()
    query = {"kb_id": kb_id, "limit": 2, "cursor": first["next_cursor"]}
    second = idle_client.http.get(SCHEDULES, params=query).json()
    assert [schedule["schedule_id"] for page in (first, second) for schedule in page["items"]] == ids[::-1]
    assert second["next_cursor"] is None


@pytest.mark.parametrize("act", ["pause", "run"])
def test_what_a_schedule_is_asked_takes_no_body(idle_client: Client, kb_id: str, act: str) -> None:
    assert idle_client.http.post(path(made(idle_client, kb_id), f"/{act}"), json={}).status_code in (200, 202)


def test_the_deletion_of_a_kb_takes_its_schedules_with_it(client: Client, kb_id: str) -> None:
    gone, other = made(client, kb_id), made(client, f"{kb_id}-other")
    client.take_in(kb_id, "Green tea.", "a")
    task_id = client.http.delete(f"/api/v1/kbs/{kb_id}").json()["task_id"]
    later = made(client, kb_id)
    assert client.ended(task_id)["status"] == "completed"
    is_problem(client.http.get(path(gone)), 404)
    assert client.http.get(path(other)).status_code == 200
    assert client.http.get(path(later)).status_code == 200, "it was made after the deletion"
