"""Who did what: the submitter of a task, who paused a queue and why, and the log of acts."""

from __future__ import annotations

import io
import uuid
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from api.access.rules import PREFIX
from models import audit, database
from models.audit import Actor, AuditEntry
from models.base import id_at
from tests.api.conftest import Client, bad_fields
from tests.guard import Guard
from tests.processes import Deployment

MINE, THEIRS = (f"kb-{uuid.uuid4()}" for _ in range(2))


@pytest.fixture(scope="module")
def locked(running: Deployment, tmp_path_factory: pytest.TempPathFactory, guard: Guard) -> Iterator[Deployment]:
    """A web process with keys, of a service whose tasks are worked on."""
    servers = (running.environment["DATABASE_URL"], running.environment["RABBITMQ_URL"])
    keys = f"ops:first,site:second:submit,bound:third:operate:{MINE}"
    folder = tmp_path_factory.mktemp("audit")
    with Deployment(*servers, folder, guard, API_KEYS=keys) as deployment:
        deployment.start("web")
        yield deployment


class Caller(Client):
    """Who sends every request with one key."""

    def __init__(self, deployment: Deployment, key: str) -> None:
        super().__init__(deployment)
        self._headers = {"Authorization": f"Bearer {key}"}

    def ask(self, method: str, path: str, **more: Any) -> Any:
        """What a request that succeeds is answered."""
        headers = self._headers | more.pop("headers", {})
        answer = self.http.request(method, PREFIX + path, headers=headers, **more)
        assert answer.status_code < 300, answer.text
        return answer.json() if answer.content else None

    def acts(self, **filters: Any) -> list[dict[str, Any]]:
        """The newest acts."""
        items: list[dict[str, Any]] = self.ask("GET", "/audit", params=filters)["items"]
        return items


@pytest.fixture
def ops(locked: Deployment) -> Caller:
    return Caller(locked, "first")


@pytest.fixture
def site(locked: Deployment) -> Caller:
    return Caller(locked, "second")


def test_a_task_knows_its_submitter(site: Caller, ops: Caller, client: Client) -> None:
    task = site.ask("POST", "/tasks", json={"task_type": "test"})["task_id"]
    batch = site.ask("POST", "/tasks/batch", json={"tasks": [{"task_type": "test"}]})["tasks"][0]["task_id"]
    upload = site.ask("POST", f"/kbs/{THEIRS}/documents", files={"file": ("a.txt", b"Tea.")})["task_id"]
    for task_id in (task, batch, upload):
        assert ops.ask("GET", f"/tasks/{task_id}")["submitted_by"] == "site"
    listed = {item["task_id"]: item["submitted_by"] for item in ops.ask("GET", "/tasks")["items"]}
    assert listed[task] == "site"
    # Where no key is asked for.
    assert client.http.get(f"/api/v1/tasks/{client.submit()}").json()["submitted_by"] is None


def test_the_members_of_an_archive_have_its_submitter(site: Caller, ops: Caller, client: Client) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        for name in ("one.txt", "two.txt"):
            file.writestr(name, f"What {name} says.")
    task = site.ask("POST", f"/kbs/{THEIRS}/documents", files={"file": ("both.zip", archive.getvalue())})["task_id"]
    batch_id = client.ended(task)["result"]["batch_id"]
    members = ops.ask("GET", "/tasks", params={"batch_id": batch_id})["items"]
    assert [member["submitted_by"] for member in members] == ["site", "site"]


def test_each_act_is_told_with_its_actor_its_target_and_its_request(ops: Caller, site: Caller, client: Client) -> None:
    soon = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    task = site.ask("POST", "/tasks", json={"task_type": "test", "kb_id": MINE, "run_at": soon})["task_id"]
    site.ask("DELETE", f"/tasks/{task}", headers={"X-Request-ID": "the-request"})
    ops.ask("POST", f"/tasks/{task}/retry")
    client.take_in(MINE, "Tea.", "tea/green")
    site.ask("DELETE", f"/kbs/{MINE}/documents/tea%2Fgreen")
    newest = ops.acts(kb_id=MINE)[:3]
    assert [(act["name"], act["action"], act["target"]) for act in newest] == [
        ("site", "document.delete", {"kind": "document", "id": "tea/green"}),
        ("ops", "task.retry", {"kind": "task", "id": task}),
        ("site", "task.cancel", {"kind": "task", "id": task}),
    ]
    assert newest[2]["request_id"] == "the-request"
    assert all(act["kb_id"] == MINE and act["at"].endswith("Z") for act in newest)


def test_a_deletion_that_is_submitted_is_told_as_one_by_its_address(ops: Caller, site: Caller, client: Client) -> None:
    for document_id in ("tea/green", "tea/black"):
        client.take_in(MINE, "Tea.", document_id)
    site.ask("DELETE", f"/kbs/{MINE}/documents/tea%2Fgreen", headers={"X-Request-ID": "the-first"})
    deletion = {"task_type": "document_deletion", "kb_id": MINE, "payload": {"document_id": "tea/black"}}
    task_id = site.ask("POST", "/tasks", json=deletion, headers={"X-Request-ID": "the-second"})["task_id"]
    client.ended(task_id)
    second, first = ops.acts(kb_id=MINE, action="document.delete")[:2]
    assert [(act["name"], act["target"]["id"], act["request_id"]) for act in (first, second)] == [
        ("site", "tea/green", "the-first"),
        ("site", "tea/black", "the-second"),
    ]
    assert second["detail"] == {"task_id": task_id}


def test_a_retry_by_a_filter_is_one_act(ops: Caller, site: Caller) -> None:
    kb_id = f"kb-{uuid.uuid4()}"
    soon = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    for _ in range(2):
        task = site.ask("POST", "/tasks", json={"task_type": "test", "kb_id": kb_id, "run_at": soon})["task_id"]
        site.ask("DELETE", f"/tasks/{task}")
    ops.ask("POST", "/tasks/retry", json={"status": "cancelled", "kb_id": kb_id})
    (act,) = ops.acts(kb_id=kb_id, action="tasks.retry")
    assert (act["name"], act["detail"]["retried"], act["target"]["id"]) == ("ops", 2, None)
    assert act["detail"]["filter"] == {"status": ["cancelled"]}


def test_a_bulk_is_one_act_of_whoever_asked_for_it(ops: Caller, site: Caller, client: Client) -> None:
    kb_id = f"kb-{uuid.uuid4()}"
    soon = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    for _ in range(2):
        site.ask("POST", "/tasks", json={"task_type": "test", "kb_id": kb_id, "run_at": soon})
    bulk = site.ask("POST", "/tasks/cancel", json={"filter": {"kb_id": kb_id}})["task_id"]
    client.ended(bulk)
    (act,) = ops.acts(kb_id=kb_id)
    assert (act["name"], act["action"], act["target"]["kind"]) == ("site", "tasks.cancel", "tasks")
    assert (act["detail"]["task_id"], act["detail"]["items"]) == (bulk, 2)
    assert act["detail"]["filter"]["kb_id"] == kb_id


def test_the_cancellation_of_a_batch_is_told(ops: Caller) -> None:
    soon = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    task = {"task_type": "test", "run_at": soon}
    batch = ops.ask("POST", "/tasks/batch", json={"tasks": [task, task]})["batch_id"]
    ops.ask("DELETE", f"/batches/{batch}")
    (act,) = ops.acts(action="batch.cancel")
    assert (act["target"], act["detail"]) == ({"kind": "batch", "id": batch}, {"cancelled": 2})


def test_a_redelivery_is_told(ops: Caller, client: Client) -> None:
    task = ops.ask("POST", "/tasks", json={"task_type": "test", "kb_id": MINE, "callback_url": "http://127.0.0.1:9/"})
    client.ended(task["task_id"])
    (callback,) = ops.ask("GET", f"/tasks/{task['task_id']}/callbacks")["items"]
    ops.ask("POST", f"/tasks/{task['task_id']}/callbacks/{callback['callback_id']}/redeliver")
    (act,) = ops.acts(action="callback.redeliver", kb_id=MINE)
    assert act["target"] == {"kind": "callback", "id": callback["callback_id"]}
    assert act["detail"] == {"task_id": task["task_id"]}


def test_what_was_not_done_is_not_told(ops: Caller, client: Client) -> None:
    task = client.submit()
    client.ended(task)
    before = ops.acts()
    headers = {"Authorization": "Bearer first"}
    assert ops.http.delete(f"{PREFIX}/tasks/{task}", headers=headers).status_code == 409
    assert ops.http.delete(f"{PREFIX}/kbs/{MINE}/documents/none", headers=headers).status_code == 404
    assert ops.http.post(f"{PREFIX}/queues/none/pause", headers=headers).status_code == 404
    assert ops.acts() == before


def test_a_pause_says_who_and_why_until_it_ends(ops: Caller, client: Client) -> None:
    def shown() -> tuple[Any, ...]:
        queues = ops.ask("GET", "/stats/queues")["queues"]
        queue = next(queue for queue in queues if queue["queue"] == "callback")
        return tuple(queue[name] for name in ("paused", "paused_by", "reason", "paused_at"))

    assert shown() == (False, None, None, None)
    try:
        answer = ops.ask("POST", "/queues/callback/pause", json={"reason": "the KB service moves"})
        assert (answer["queue"], answer["paused"]) == ("callback", True)
        assert (answer["paused_by"], answer["reason"]) == ("ops", "the KB service moves")
        assert shown() == (True, "ops", "the KB service moves", answer["paused_at"]), "who pauses sees it at once"
        attention = ops.ask("GET", "/stats/overview")["attention"]
        assert {"queue": "callback"} in [notice["about"] for notice in attention if notice["code"] == "queue_paused"]
        # A client of an earlier release sends no body.
        assert client.http.post(f"{PREFIX}/queues/callback/pause").json()["paused"] is True
        assert bad_fields(client.http.post(f"{PREFIX}/queues/callback/pause", json={"reason": "a\0b", "x": 1})) == {
            "reason",
            "x",
        }
    finally:
        assert ops.ask("POST", "/queues/callback/resume") == {"queue": "callback", "paused": False}
    acts = ops.acts()[:3]
    assert [(act["name"], act["action"], act["detail"]) for act in acts] == [
        ("ops", "queue.resume", {}),
        (None, "queue.pause", {}),
        ("ops", "queue.pause", {"reason": "the KB service moves"}),
    ]


def test_acts_are_filtered_and_come_by_the_page(ops: Caller, site: Caller) -> None:
    kb_id = f"kb-{uuid.uuid4()}"
    soon = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    tasks = []
    for caller in (ops, site, ops):
        task = caller.ask("POST", "/tasks", json={"task_type": "test", "kb_id": kb_id, "run_at": soon})["task_id"]
        caller.ask("DELETE", f"/tasks/{task}")
        tasks.append(task)
    first = ops.ask("GET", "/audit", params={"kb_id": kb_id, "limit": 2})
    second = ops.ask("GET", "/audit", params={"kb_id": kb_id, "limit": 2, "cursor": first["next_cursor"]})
    assert [act["target"]["id"] for act in first["items"] + second["items"]] == tasks[::-1]
    assert second["next_cursor"] is None
    assert [act["target"]["id"] for act in ops.acts(kb_id=kb_id, name="site")] == [tasks[1]]
    assert ops.acts(kb_id=kb_id, action="task.retry") == []
    assert [act["target"]["id"] for act in ops.acts(kb_id=kb_id, since=first["items"][0]["at"])] == [tasks[2]]
    assert ops.acts(kb_id=kb_id, since="2999-01-01T00:00:00") == []


def test_a_bound_key_sees_the_acts_of_its_kbs_alone(locked: Deployment, ops: Caller) -> None:
    soon = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    for kb_id in (MINE, THEIRS, None):
        task = ops.ask("POST", "/tasks", json={"task_type": "test", "kb_id": kb_id, "run_at": soon})["task_id"]
        ops.ask("DELETE", f"/tasks/{task}")
    bound = Caller(locked, "third")
    assert {act["kb_id"] for act in bound.acts()} == {MINE}
    answer = bound.http.get(f"{PREFIX}/audit?kb_id={THEIRS}", headers={"Authorization": "Bearer third"})
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden_kb")


@pytest.mark.usefixtures("database")
def test_acts_are_forgotten_after_90_days() -> None:
    now = datetime.now(UTC)
    with database.transaction() as session:
        audit.record(session, Actor("ops"), "task.cancel", "task", "new")
        old = now - audit.KEPT - timedelta(minutes=1)
        session.add(AuditEntry(id=id_at(old), at=old, action="task.cancel", target_kind="task", target_id="old"))
        young = now - audit.KEPT + timedelta(minutes=1)
        session.add(AuditEntry(id=id_at(young), at=young, action="task.cancel", target_kind="task", target_id="young"))
    with database.transaction() as session:
        audit.forget(session)
        assert [act["target"]["id"] for act in audit.page(session, limit=9)] == ["new", "young"]
