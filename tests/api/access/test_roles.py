"""What each role may do on every route, and what a key that is bound to KBs sees and touches."""

from __future__ import annotations

import http.client
import json
import re
import uuid
from collections.abc import Iterator
from typing import Any

import falcon.inspect
import httpx2
import pytest

from api.access import rules
from api.access.rules import PREFIX, PUBLIC, RULES
from api.app import create_app
from broker.topology import QUEUES
from dashboard.routes import pages
from keys import ROLES, Role
from settings import read
from tests.api.conftest import Client, bad_fields, is_problem
from tests.guard import Guard
from tests.processes import Deployment
from tests.servers import eventually

KEYS = {role: f"key-of-{role}" for role in ROLES}
MINE, ALSO_MINE, THEIRS = (f"kb-{uuid.uuid4()}" for _ in range(3))
BOUND = "key-of-bound"

#: The routes that a key of the least role may ask, and those for the greatest alone.
FOR_ALL = {
    ("GET", f"{PREFIX}/health"),
    ("GET", f"{PREFIX}/stats/scale"),
    ("GET", f"{PREFIX}/session"),
    ("DELETE", f"{PREFIX}/session"),
}
#: Where a key is shown in place of one that is sent.
SIGN_IN = ("POST", f"{PREFIX}/session")
FOR_OPERATORS = {
    ("GET", "/audit"),
    ("PATCH", f"{PREFIX}/kbs/{{kb_id}}"),
    ("DELETE", f"{PREFIX}/kbs/{{kb_id}}"),
    ("POST", f"{PREFIX}/queues/{{name}}/pause"),
    ("POST", f"{PREFIX}/queues/{{name}}/resume"),
    ("GET", f"{PREFIX}/audit"),
    ("POST", f"{PREFIX}/tasks/prioritise"),
    ("POST", f"{PREFIX}/tasks/{{task_id}}/undo"),
    ("POST", f"{PREFIX}/tasks/{{task_id}}/callbacks/{{callback_id}}/redeliver"),
    ("POST", f"{PREFIX}/batches/{{batch_id}}/callbacks/{{callback_id}}/redeliver"),
    ("POST", f"{PREFIX}/callbacks/redeliver"),
    ("POST", f"{PREFIX}/schedules"),
    ("PATCH", f"{PREFIX}/schedules/{{schedule_id}}"),
    ("DELETE", f"{PREFIX}/schedules/{{schedule_id}}"),
    ("POST", f"{PREFIX}/schedules/{{schedule_id}}/pause"),
    ("POST", f"{PREFIX}/schedules/{{schedule_id}}/resume"),
    ("POST", f"{PREFIX}/schedules/{{schedule_id}}/run"),
}
#: What is sent by POST since it is long, and changes nothing.
READING = ("/search", "/chunk-preview")

ROUTES = sorted(
    (method.method, route.path)
    for route in falcon.inspect.inspect_routes(create_app(read({}), pages()))
    for method in route.methods
    if not method.internal
)


def least(method: str, route: str) -> Role:
    """The least role that may, as docs/access.md says it."""
    method = "GET" if method == "HEAD" else method
    if (method, route) in FOR_ALL:
        return "scale"
    if (method, route) in FOR_OPERATORS:
        return "operate"
    return "read" if method == "GET" or route.endswith(READING) else "submit"


@pytest.fixture(scope="module")
def locked(idle: Deployment, tmp_path_factory: pytest.TempPathFactory, guard: Guard) -> Iterator[Deployment]:
    """A web process with a key of each role, and one that is bound to two KBs."""
    servers = (idle.environment["DATABASE_URL"], idle.environment["RABBITMQ_URL"])
    keys = [f"{role}-s:{key}:{role}" for role, key in KEYS.items()]
    keys += [f"bound:{BOUND}:operate:{MINE}+{ALSO_MINE}", "ops:first", "ops:second"]
    folder = tmp_path_factory.mktemp("roles")
    with Deployment(*servers, folder, guard, API_KEYS=",".join(keys)) as deployment:
        deployment.start("web")
        yield deployment


class Holder:
    """Who sends every request with one key."""

    def __init__(self, deployment: Deployment, key: str) -> None:
        self._http = deployment.http
        self._headers = {"Authorization": f"Bearer {key}"}

    def ask(self, method: str, path: str, **more: Any) -> httpx2.Response:
        """The answer to a request below the prefix."""
        return self._http.request(method, PREFIX + path, headers=self._headers, **more)

    def submit(self, kb_id: str | None, **more: Any) -> httpx2.Response:
        """The answer to a test task of a KB."""
        return self.ask("POST", "/tasks", json={"task_type": "test", "kb_id": kb_id, **more})


@pytest.fixture
def bound(locked: Deployment) -> Holder:
    return Holder(locked, BOUND)


@pytest.fixture
def operator(locked: Deployment) -> Holder:
    return Holder(locked, "first")


def is_denied(answer: httpx2.Response, code: str) -> dict[str, Any]:
    """The problem of a 403, which says in two languages what to do."""
    problem = is_problem(answer, 403)
    assert (problem["code"], bool(problem["hint"]), bool(problem["hint_zh"])) == (code, True, True)
    return problem


def ask(port: int, method: str, path: str, key: str) -> tuple[int, str | None]:
    """The status of an answer, whose end is not waited for, and the code of its problem."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request(method, path, headers={"Authorization": f"Bearer {key}"})
        answer = connection.getresponse()
        problem = answer.getheader("Content-Type") == "application/problem+json" and method != "HEAD"
        return answer.status, json.loads(answer.read()).get("code") if problem else None
    finally:
        connection.close()


def test_a_kb_is_deleted_by_its_own_request_alone(locked: Deployment) -> None:
    task = {"task_type": "kb_deletion", "kb_id": "kb"}
    submitter = Holder(locked, KEYS["submit"])
    assert bad_fields(submitter.ask("POST", "/tasks", json=task)) == {"task_type"}
    assert bad_fields(submitter.ask("POST", "/tasks/batch", json={"tasks": [task]})) == {"tasks.0.task_type"}


@pytest.mark.parametrize("role", ROLES)
def test_every_route_is_for_its_role_and_those_above(locked: Deployment, role: Role) -> None:
    wrong = []
    for method, route in ROUTES:
        path = re.sub(r"{\w+}", str(uuid.uuid4()), route)
        status, code = ask(locked.port, method, path, KEYS[role])
        needs_none = route in PUBLIC or (method, route) == SIGN_IN
        allowed = needs_none or ROLES.index(role) >= ROLES.index(least(method, route))
        denied = status == 403 and (code == "forbidden_role" or method == "HEAD")
        if status == 401 or denied == allowed:
            wrong.append(f"{method} {route}: {status} {code}")
    assert wrong == []


def test_a_denial_names_both_roles_and_no_key(locked: Deployment) -> None:
    problem = is_denied(Holder(locked, KEYS["read"]).submit("kb"), "forbidden_role")
    assert "read" in problem["detail"]
    assert "submit" in problem["detail"]
    assert KEYS["read"] not in str(problem)


def test_two_keys_of_one_name_open_alike(locked: Deployment) -> None:
    for key in ("first", "second"):
        assert Holder(locked, key).ask("GET", "/stats/queues").status_code == 200


def test_a_route_that_the_table_does_not_know_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(RULES, ("POST", f"{PREFIX}/tasks/retry"))
    with pytest.raises(RuntimeError, match="POST /api/v1/tasks/retry"):
        create_app(read({}), pages())
    monkeypatch.setitem(RULES, ("POST", f"{PREFIX}/tasks/retry"), rules.Rule("submit", "own"))
    monkeypatch.setitem(RULES, ("PUT", f"{PREFIX}/tasks"), rules.Rule("submit", "own"))
    with pytest.raises(RuntimeError, match="PUT /api/v1/tasks"):
        create_app(read({}), pages())


def routes_of(scope: str) -> list[tuple[str, str]]:
    """The routes of REST with a scope; the pages have tests of their own."""
    return [route for route, rule in RULES.items() if rule.scope == scope and route[1].startswith(PREFIX)]


def test_a_bound_key_touches_no_other_kb_by_its_address(bound: Holder) -> None:
    for method, route in routes_of("kb"):
        path = route.removeprefix(PREFIX).replace("{document_id}", "d")
        is_denied(bound.ask(method, path.replace("{kb_id}", THEIRS)), "forbidden_kb")
        assert bound.ask(method, path.replace("{kb_id}", MINE)).status_code in (200, 404, 415), (method, route)


def test_a_bound_key_sets_its_kb_but_not_its_weight_against_others(bound: Holder) -> None:
    assert bound.ask("PATCH", f"/kbs/{MINE}", json={"chunk_size": 500}).status_code == 200
    is_denied(bound.ask("PATCH", f"/kbs/{MINE}", json={"weight": 100}), "forbidden_kb")


def test_a_task_and_a_batch_of_another_kb_are_not_there_for_a_bound_key(bound: Holder, operator: Holder) -> None:
    task_ids = [operator.submit(kb_id).json()["task_id"] for kb_id in (THEIRS, None)]
    tasks = [{"task_type": "test", "kb_id": kb_id} for kb_id in (MINE, THEIRS)]
    batch_id = operator.ask("POST", "/tasks/batch", json={"tasks": tasks}).json()["batch_id"]
    absent = str(uuid.uuid4())
    for scope, ids in {"task": task_ids, "batch": [batch_id]}.items():
        for method, route in routes_of(scope):
            path = route.removeprefix(PREFIX).replace("{callback_id}", absent)
            for thing_id in ids:
                there, nowhere = (
                    bound.ask(method, path.replace(f"{{{scope}_id}}", name)) for name in (thing_id, absent)
                )
                assert is_problem(there, 404)["detail"].replace(thing_id, absent) == is_problem(nowhere, 404)["detail"]
    assert all(operator.ask("GET", f"/tasks/{task_id}").json()["status"] == "queued" for task_id in task_ids)


def test_a_bound_key_has_its_own_tasks_and_batches(bound: Holder) -> None:
    task_id = bound.submit(ALSO_MINE).json()["task_id"]
    tasks = [{"task_type": "test", "kb_id": kb_id} for kb_id in (MINE, ALSO_MINE)]
    batch_id = bound.ask("POST", "/tasks/batch", json={"tasks": tasks}).json()["batch_id"]
    assert bound.ask("GET", f"/batches/{batch_id}").json()["total"] == 2
    assert bound.ask("GET", f"/tasks/{task_id}/callbacks").json() == {"items": []}
    assert bound.ask("DELETE", f"/tasks/{task_id}").json()["status"] == "cancelled"
    assert bound.ask("POST", f"/tasks/{task_id}/retry").status_code == 202


def test_a_bound_key_is_refused_what_is_of_the_whole_deployment(bound: Holder) -> None:
    for method, route in routes_of("whole"):
        path = route.removeprefix(PREFIX).replace("{name}", "default")
        is_denied(bound.ask(method, path), "forbidden_kb")


def test_every_route_that_keeps_to_the_keys_kbs_by_itself_has_a_test_here() -> None:
    assert {f"{method} {route.removeprefix(PREFIX)}" for method, route in routes_of("own")} == {
        "POST /tasks",
        "POST /tasks/batch",
        "GET /tasks",
        "POST /tasks/cancel",
        "POST /tasks/retry",
        "POST /tasks/prioritise",
        "POST /tasks/reingest",
        "GET /batches",
        "POST /batches/cancel",
        "POST /batches/retry",
        "GET /callbacks",
        "GET /stats/errors",
        "POST /callbacks/redeliver",
        "POST /schedules",
        "GET /schedules",
        "GET /schedules/{schedule_id}",
        "PATCH /schedules/{schedule_id}",
        "DELETE /schedules/{schedule_id}",
        "POST /schedules/{schedule_id}/pause",
        "POST /schedules/{schedule_id}/resume",
        "POST /schedules/{schedule_id}/run",
        "POST /search",
        "GET /events",
        "GET /kbs",
        "GET /audit",
    }


def test_a_bound_key_submits_to_its_own_kbs_alone(bound: Holder) -> None:
    for kb_id in (THEIRS, None):
        is_denied(bound.submit(kb_id), "forbidden_kb")
    tasks = [{"task_type": "test", "kb_id": kb_id} for kb_id in (MINE, THEIRS, None)]
    answer = bound.ask("POST", "/tasks/batch", json={"tasks": tasks}).json()
    assert (answer["accepted"], answer["rejected"]) == (1, 2)
    assert [task["error"]["errors"][0]["field"] for task in answer["tasks"][1:]] == ["kb_id", "kb_id"]


def test_a_bound_key_cannot_depend_on_a_task_of_another_kb(bound: Holder, operator: Holder) -> None:
    foreign = operator.submit(THEIRS).json()["task_id"]
    assert bad_fields(bound.submit(MINE, depends_on=[foreign])) == {"depends_on"}
    tasks = [{"task_type": "test", "kb_id": MINE, "depends_on": [foreign]}]
    assert bad_fields(bound.ask("POST", "/tasks/batch", json={"tasks": tasks})) == {"depends_on"}
    form = {"files": {"file": ("a.txt", b"text")}, "data": {"depends_on": foreign}}
    assert bad_fields(bound.ask("POST", f"/kbs/{MINE}/documents", **form)) == {"depends_on"}
    own = bound.submit(ALSO_MINE).json()["task_id"]
    assert bound.submit(MINE, depends_on=[own]).status_code == 202


def test_a_bound_key_lists_its_own_tasks_by_the_page(bound: Holder, operator: Holder) -> None:
    expected = [
        holder.submit(kb_id, metadata={"list": True}).json()["task_id"]
        for holder, kb_id in [(bound, MINE), (operator, THEIRS), (operator, ALSO_MINE), (operator, None), (bound, MINE)]
    ]
    seen: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        page = bound.ask("GET", "/tasks", params={"limit": 2, **cursor}).json()
        seen += page["items"]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert {task["kb_id"] for task in seen} == {MINE, ALSO_MINE}
    assert [task["task_id"] for task in seen][:3] == [expected[4], expected[2], expected[0]]
    assert [task["task_id"] for task in seen] == sorted({task["task_id"] for task in seen}, reverse=True)
    is_denied(bound.ask("GET", "/tasks", params={"kb_id": THEIRS}), "forbidden_kb")
    only = bound.ask("GET", "/tasks", params={"kb_id": ALSO_MINE, "limit": 500}).json()["items"]
    assert {task["kb_id"] for task in only} == {ALSO_MINE}


def test_a_bound_key_retries_its_own_tasks_by_a_filter(bound: Holder, operator: Holder) -> None:
    ids = {kb_id: operator.submit(kb_id).json()["task_id"] for kb_id in (MINE, ALSO_MINE, THEIRS)}
    for task_id in ids.values():
        assert operator.ask("DELETE", f"/tasks/{task_id}").status_code == 200
    retried = bound.ask("POST", "/tasks/retry", json={"status": "cancelled"}).json()["task_ids"]
    assert {ids[MINE], ids[ALSO_MINE]} <= set(retried)
    assert ids[THEIRS] not in retried
    assert operator.ask("GET", f"/tasks/{ids[THEIRS]}").json()["status"] == "cancelled"
    is_denied(bound.ask("POST", "/tasks/retry", json={"status": "cancelled", "kb_id": THEIRS}), "forbidden_kb")


def test_a_bound_key_lists_its_own_kbs_by_the_page(bound: Holder, operator: Holder) -> None:
    for kb_id in (MINE, ALSO_MINE, THEIRS):
        assert operator.submit(kb_id).status_code == 202
    first = bound.ask("GET", "/kbs", params={"limit": 1}).json()
    second = bound.ask("GET", "/kbs", params={"limit": 1, "cursor": first["next_cursor"]}).json()
    assert [kb["kb_id"] for page in (first, second) for kb in page["items"]] == sorted((MINE, ALSO_MINE))
    assert second["next_cursor"] is None
    assert {MINE, ALSO_MINE, THEIRS} <= {kb["kb_id"] for kb in operator.ask("GET", "/kbs").json()["items"]}


@pytest.mark.parametrize(
    ("path", "more"),
    [
        ("/tasks/cancel", {}),
        ("/tasks/retry", {}),
        ("/tasks/prioritise", {"priority": "high"}),
        ("/tasks/reingest", {}),
        ("/batches/cancel", {}),
        ("/batches/retry", {}),
        ("/callbacks/redeliver", {}),
    ],
)
def test_a_bound_key_does_bulks_to_one_of_its_own_kbs(bound: Holder, path: str, more: dict[str, Any]) -> None:
    def asked(filter: dict[str, Any]) -> httpx2.Response:
        return bound.ask("POST", path, json={"filter": filter, "dry_run": True, **more})

    assert asked({"kb_id": MINE}).status_code == 200
    is_denied(asked({"kb_id": THEIRS}), "forbidden_kb")
    assert bad_fields(asked({"created_after": "2020-01-01T00:00:00Z"})) == {"filter.kb_id"}


def test_a_bound_key_keeps_schedules_of_its_own_kbs_alone(bound: Holder, operator: Holder) -> None:
    def made(holder: Holder, kb_id: str | None) -> httpx2.Response:
        said = {"cron": "0 0 1 1 *", "task": {"task_type": "test", "kb_id": kb_id}}
        return holder.ask("POST", "/schedules", json=said)

    theirs, nobodys = (made(operator, kb_id).json()["schedule_id"] for kb_id in (THEIRS, None))
    mine = made(bound, MINE).json()["schedule_id"]
    for kb_id in (THEIRS, None):
        is_denied(made(bound, kb_id), "forbidden_kb")
    listed = bound.ask("GET", "/schedules").json()["items"]
    assert {schedule["kb_id"] for schedule in listed} == {MINE}
    assert {theirs, nobodys, mine} <= {
        schedule["schedule_id"] for schedule in operator.ask("GET", "/schedules").json()["items"]
    }
    is_denied(bound.ask("GET", "/schedules", params={"kb_id": THEIRS}), "forbidden_kb")
    for schedule_id in (theirs, nobodys):
        for method, act in (("GET", ""), ("DELETE", ""), ("POST", "/pause"), ("POST", "/resume"), ("POST", "/run")):
            is_problem(bound.ask(method, f"/schedules/{schedule_id}{act}"), 404)
        is_problem(bound.ask("PATCH", f"/schedules/{schedule_id}", json={"name": "x"}), 404)
    to_theirs = {"task": {"task_type": "test", "kb_id": THEIRS}}
    is_denied(bound.ask("PATCH", f"/schedules/{mine}", json=to_theirs), "forbidden_kb")


def test_a_bound_key_cannot_name_what_is_of_another_kb(bound: Holder, operator: Holder) -> None:
    own, foreign = (operator.submit(kb_id).json()["task_id"] for kb_id in (MINE, THEIRS))
    filter = {"kb_id": MINE, "ids": [own, foreign]}
    said = bound.ask("POST", "/tasks/cancel", json={"filter": filter, "dry_run": True}).json()
    assert [task["task_id"] for task in said["examples"]] == [own]
    bulk = bound.ask("POST", "/tasks/cancel", json={"filter": filter}).json()
    assert bulk["kb_id"] == MINE
    assert bound.ask("GET", f"/tasks/{bulk['task_id']}/items").json() == {"items": [], "next_cursor": None}


def test_a_bound_key_lists_its_own_batches_and_callbacks(bound: Holder, operator: Holder) -> None:
    url = {"callback_url": "http://203.0.113.1/callback"}
    batches = {
        kb_ids: operator.ask(
            "POST", "/tasks/batch", json={"tasks": [{"task_type": "test", "kb_id": kb_id, **url} for kb_id in kb_ids]}
        ).json()["batch_id"]
        for kb_ids in [(MINE, ALSO_MINE), (MINE, THEIRS), (THEIRS,), (None,), (ALSO_MINE,)]
    }
    listed = [batch["batch_id"] for batch in bound.ask("GET", "/batches").json()["items"]]
    assert listed[:2] == [batches[(ALSO_MINE,)], batches[(MINE, ALSO_MINE)]]
    assert set(listed).isdisjoint({batches[(MINE, THEIRS)], batches[(THEIRS,)], batches[(None,)]})
    for batch_id in batches.values():
        operator.ask("DELETE", f"/batches/{batch_id}")
    callbacks = bound.ask("GET", "/callbacks", params={"limit": 500}).json()["items"]
    assert {callback["kb_id"] for callback in callbacks} == {MINE, ALSO_MINE}
    is_denied(bound.ask("GET", "/callbacks", params={"kb_id": THEIRS}), "forbidden_kb")


def test_a_bound_key_is_shown_the_failures_of_its_own_kbs_alone(bound: Holder) -> None:
    assert bound.ask("GET", "/stats/errors", params={"kb_id": MINE}).status_code == 200
    is_denied(bound.ask("GET", "/stats/errors", params={"kb_id": THEIRS}), "forbidden_kb")


def test_a_bound_key_searches_its_own_kbs_alone(bound: Holder) -> None:
    assert bound.ask("POST", "/search", json={"kbs": [MINE, ALSO_MINE], "query": "tea"}).status_code == 200
    is_denied(bound.ask("POST", "/search", json={"kbs": [MINE, THEIRS], "query": "tea"}), "forbidden_kb")


def test_a_bound_key_follows_its_own_tasks_alone(
    locked: Deployment, bound: Holder, operator: Holder, idle_client: Client
) -> None:
    headers = {"Authorization": f"Bearer {BOUND}"}
    (last,) = idle_client.sql("SELECT coalesce(max(id), 1) FROM events")[0]
    # What comes from the log, and then what comes while it is open.
    mine = [bound.submit(MINE).json()["task_id"]]
    operator.submit(THEIRS)
    address = f"{locked.url}{PREFIX}/events"
    with httpx2.stream("GET", address, headers={**headers, "Last-Event-ID": str(last)}, timeout=30) as stream:
        events = (json.loads(line[5:]) for line in stream.iter_lines() if line.startswith("data:"))
        assert next(events)["task_id"] == mine[0]
        for kb_id in (THEIRS, None):
            operator.submit(kb_id)
        mine.append(bound.submit(ALSO_MINE).json()["task_id"])
        assert next(events)["task_id"] == mine[1]


def test_hirefire_is_told_by_an_address_that_holds_a_key(locked: Deployment) -> None:
    http = httpx2.Client(base_url=locked.url)
    answer = http.get(f"/hirefire/{KEYS['scale']}/info")
    assert answer.status_code == 200
    values = {figure["name"]: figure["value"] for figure in answer.json()}
    assert values.keys() == {"worker", *QUEUES}
    assert values["worker"] == max(values.values())
    for token in ("none", BOUND):
        refused = http.get(f"/hirefire/{token}/info")
        assert refused.status_code == 404
        assert token not in refused.text


def test_an_address_that_holds_a_key_is_repeated_nowhere(locked: Deployment) -> None:
    key = KEYS["scale"]
    http = httpx2.Client(base_url=locked.url)
    addresses = [f"/hirefire/{key}{end}" for end in ("", "/", "/info", "/info/", "/info%00", "/none", "%2Fmore/info")]
    for address in addresses:
        for method in ("GET", "POST"):
            for accepted in ("application/json", "text/html"):
                answer = http.request(method, address, headers={"Accept": accepted})
                assert key not in answer.text, (method, address, accepted)
    assert http.post(addresses[2]).json()["instance"] == "/hirefire/{token}/info"
    eventually(lambda: "/hirefire/{token}/info" in locked.logs(), reason="the lines are written")
    assert key not in locked.logs()
    assert key not in http.get("/metrics").text
