"""What every request passes: its id, its key, its address, its body; and how each is refused."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from broker.topology import QUEUES
from errors import REFUSALS
from sentences import Bilingual, say
from tasks.lifecycle import ENDED
from tasks.types import all_types
from tests.api.conftest import Client, bad_fields, is_problem
from tests.guard import Guard
from tests.processes import Deployment
from tests.servers import free_port

TASKS = "/api/v1/tasks"
NO_TASK = "01a20c00-e385-77bb-a3bd-460960adfaf4"
BULK = {"action": "cancel", "filter": {"kb_id": "kb"}}
JSON = {"content-type": "application/json"}
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def post(client: Client, body: bytes, **headers: str) -> httpx2.Response:
    """Post a task as it stands."""
    return client.http.post(TASKS, content=body, headers=JSON | headers)


@pytest.mark.parametrize("request_id", ["abc-123", "a.b:c/d+e=f@g_h", "x" * 128])
def test_a_request_id_is_echoed(idle_client: Client, request_id: str) -> None:
    answer = idle_client.http.get("/livez", headers={"X-Request-ID": request_id})
    assert answer.headers["x-request-id"] == request_id
    refused = idle_client.http.get("/nothing", headers={"X-Request-ID": request_id})
    assert is_problem(refused, 404)["request_id"] == request_id


@pytest.mark.parametrize("request_id", [None, "", "x" * 129, "a b", "<script>", "a\tb", "é"])
def test_a_request_without_a_good_id_gets_one(idle_client: Client, request_id: str | None) -> None:
    headers = {} if request_id is None else {b"X-Request-ID": request_id.encode()}
    answers = [idle_client.http.get("/livez", headers=headers).headers["x-request-id"] for _ in range(2)]
    assert all(UUID.fullmatch(answer) for answer in answers)
    assert answers[0] != answers[1]


@pytest.mark.parametrize("path", ["/nothing", "/api/v1/nothing", "/api/v2/tasks", "/api/v1/kbs/kb/x", "/%F0%9F"])
def test_what_is_not_there_is_not_found(idle_client: Client, path: str) -> None:
    for method in ("GET", "POST", "DELETE"):
        is_problem(idle_client.http.request(method, path), 404)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", TASKS, {"GET", "HEAD", "POST"}),
        ("PATCH", f"{TASKS}/x", {"GET", "HEAD", "DELETE"}),
        ("GET", f"{TASKS}/batch", {"POST"}),
        ("POST", "/health", {"GET", "HEAD"}),
        ("HEAD", "/api/v1/events", {"GET"}),
        ("DELETE", "/api/v1/kbs/kb/documents", {"GET", "HEAD", "POST"}),
    ],
)
def test_a_method_that_is_not_understood_is_told_those_that_are(
    idle_client: Client, method: str, path: str, allowed: set[str]
) -> None:
    answer = idle_client.http.request(method, path)
    assert answer.status_code == 405
    assert method == "HEAD" or method in is_problem(answer, 405)["detail"]
    assert set(answer.headers["allow"].split(", ")) - {"OPTIONS"} == allowed


@pytest.mark.parametrize("path", [TASKS, "/livez", "/readyz", "/health", "/metrics", "/docs", "/api/v1/stats/queues"])
def test_head_answers_as_get_does_without_a_body(idle_client: Client, path: str) -> None:
    shown, head = idle_client.http.get(path), idle_client.http.head(path)
    assert (head.status_code, head.content) == (shown.status_code, b"")
    assert head.headers["content-type"] == shown.headers["content-type"]
    assert int(head.headers["content-length"]) > 0


def test_head_of_what_is_not_there_is_not_found(idle_client: Client) -> None:
    assert idle_client.http.head(f"{TASKS}/01a20c00-e385-77bb-a3bd-460960adfaf4").status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"{'task_type': 'test'}",
        b'{"task_type": "test",}',
        '{"task_type": "tést"}'.encode("latin-1"),
        '{"task_type": "test"}'.encode("utf-16"),
        b'{"task_type": "test", "metadata": {"a": NaN}}',
        b'{"task_type": "test", "payload": {"a": -Infinity}}',
        b'{"task_type": "test", "metadata": {"a": ' + b"9" * 5000 + b"}}",
        b'{"task_type": "test", "metadata": {"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}}",
    ],
    ids=["empty", "cut off", "quotes", "comma", "latin-1", "utf-16", "nan", "infinity", "digits", "deep"],
)
def test_a_body_that_is_not_json_is_a_bad_request(idle_client: Client, body: bytes) -> None:
    is_problem(post(idle_client, body), 400)


@pytest.mark.parametrize("body", [b"[]", b"null", b'"task"', b"1"])
def test_a_body_that_is_no_object_does_not_fit(idle_client: Client, body: bytes) -> None:
    assert bad_fields(post(idle_client, body)) == {"body"}


@pytest.mark.parametrize("kind", ["", "text/plain", "application/jsonlines", "application/x-www-form-urlencoded"])
def test_a_body_of_another_type_is_refused(idle_client: Client, kind: str) -> None:
    is_problem(post(idle_client, b'{"task_type": "test"}', **{"content-type": kind}), 415)


def test_a_compressed_body_is_refused(idle_client: Client) -> None:
    is_problem(post(idle_client, b'{"task_type": "test"}', **{"content-encoding": "gzip"}), 415)


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "Application/JSON"])
def test_a_type_is_understood_however_it_is_written(idle_client: Client, kind: str) -> None:
    assert post(idle_client, b'\xef\xbb\xbf{"task_type": "test"}', **{"content-type": kind}).status_code == 202


NUL, HALF = b'"a\\u0000"', b'"\\ud83c"'


@pytest.mark.parametrize("value", [NUL, HALF], ids=["nul", "surrogate"])
@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b'{"task_type": VALUE}', "task_type"),
        (b'{"task_type": "test", "kb_id": VALUE}', "kb_id"),
        (b'{"task_type": "test", "priority": VALUE}', "priority"),
        (b'{"task_type": "test", "callback_url": VALUE}', "callback_url"),
        (b'{"task_type": "test", "payload": {"message": VALUE}}', "payload"),
        (b'{"task_type": "test", "metadata": {"a": [{"b": VALUE}]}}', "metadata"),
        (b'{"task_type": "test", "metadata": {VALUE: 1}}', "metadata"),
        (b'{"task_type": "document_processing", "kb_id": "kb", "payload": {"content": VALUE}}', "payload"),
    ],
)
def test_a_text_that_cannot_be_stored_names_its_field(
    idle_client: Client, body: bytes, field: str, value: bytes
) -> None:
    assert bad_fields(post(idle_client, body.replace(b"VALUE", value))) == {field}


@pytest.mark.parametrize("name", [NUL, HALF], ids=["nul", "surrogate"])
def test_a_field_whose_name_is_no_text_is_refused(idle_client: Client, name: bytes) -> None:
    is_problem(post(idle_client, b'{"task_type": "test", NAME: 1}'.replace(b"NAME", name)), 422)


@pytest.mark.parametrize(
    "value", [b"[" * 200 + b"]" * 200, b'{"a":' * 200 + b"1" + b"}" * 200, b"1e999"], ids=["lists", "objects", "number"]
)
def test_what_json_allows_and_the_service_does_not_names_its_field(idle_client: Client, value: bytes) -> None:
    assert bad_fields(post(idle_client, b'{"task_type": "test", "metadata": {"a": ' + value + b"}}")) == {"metadata"}


def test_a_bad_text_fails_no_neighbour(idle_client: Client) -> None:
    assert is_problem(post(idle_client, b'{"task_type": "test", "metadata": {"a": ' + HALF + b"}}"), 422)
    assert idle_client.submit(metadata={"a": "🍵"})


def test_a_huge_body_is_refused(idle_client: Client) -> None:
    def pieces() -> Iterator[bytes]:
        yield b'{"task_type": "test", "metadata": {"a": "'
        for _ in range(40):
            yield b"x" * 1024 * 1024
        yield b'"}}'

    body = b"".join(pieces())
    assert is_problem(post(idle_client, body), 413)["code"] == "too_large"
    # Without a Content-Length, as chunks.
    assert is_problem(idle_client.http.post(TASKS, content=pieces(), headers=JSON), 413)["code"] == "too_large"


ADDRESSES = [
    "/api/v1/tasks/%00",
    "/api/v1/tasks?kb_id=%00",
    "/api/v1/tasks?task_type=a%00",
    "/api/v1/batches/%00",
    "/api/v1/kbs/%00/documents",
    "/api/v1/kbs/kb/documents/%00",
    "/api/v1/kbs/kb/documents/%00%2F/text",
    "/api/v1/kbs/kb/documents/%00/chunks",
]


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_nul_character_in_an_address_is_a_bad_request(idle_client: Client, address: str) -> None:
    is_problem(idle_client.http.get(address), 400)


@pytest.mark.parametrize("wrong", ["%FF", "%ED%A0%80", "%", "%zz"])
def test_an_address_that_is_not_utf_8_is_no_error_of_ours(idle_client: Client, wrong: str) -> None:
    for path in (f"/api/v1/tasks/{wrong}", f"/api/v1/tasks?kb_id={wrong}", f"/api/v1/kbs/{wrong}/documents"):
        assert idle_client.http.get(path).status_code < 500, path


@pytest.fixture(scope="module")
def locked(idle: Deployment, tmp_path_factory: pytest.TempPathFactory, guard: Guard) -> Iterator[Deployment]:
    """A web process that asks for keys."""
    folder = tmp_path_factory.mktemp("locked")
    servers = (idle.environment["DATABASE_URL"], idle.environment["RABBITMQ_URL"])
    with Deployment(*servers, folder, guard, API_KEYS="kb:s3cret,ops:an0ther") as deployment:
        deployment.start("web")
        yield deployment


@pytest.mark.parametrize("key", ["Bearer s3cret", "bearer an0ther", "BEARER   s3cret"])
def test_a_key_opens(locked: Deployment, key: str) -> None:
    assert locked.http.get(TASKS, headers={"Authorization": key}).status_code == 200


@pytest.mark.parametrize(
    "key", [None, "", "Bearer", "Bearer s3cre", "Bearer s3crets", "Basic s3cret", "s3cret", "Bearer é", "kb"]
)
def test_without_a_right_key_nothing_is_told(locked: Deployment, key: str | None) -> None:
    headers = {} if key is None else {b"Authorization": key.encode()}
    for method, path in (("GET", TASKS), ("POST", TASKS), ("GET", "/api/v1/stats/queues"), ("PUT", TASKS)):
        answer = locked.http.request(method, path, headers=headers)
        problem = is_problem(answer, 401)
        assert answer.headers["www-authenticate"] == "Bearer"
        assert "s3cret" not in str(problem)


@pytest.mark.parametrize("path", ["/health", "/livez", "/readyz", "/metrics", "/docs", "/openapi.json"])
def test_what_operators_ask_needs_no_key(locked: Deployment, path: str) -> None:
    assert locked.http.get(path).status_code == 200


def test_a_key_is_never_logged(locked: Deployment) -> None:
    locked.http.get(TASKS, headers={"Authorization": "Bearer s3cret"})
    locked.http.get(TASKS, headers={"Authorization": "Bearer s3cret-wrong"})
    assert "s3cret" not in locked.logs()


def test_without_postgresql_nothing_is_accepted_and_the_client_is_told_when_to_try_again(
    rabbitmq: Any, tmp_path_factory: pytest.TempPathFactory, guard: Guard
) -> None:
    away = f"postgresql://nobody@127.0.0.1:{free_port()}/nothing"
    with Deployment(away, rabbitmq.url, tmp_path_factory.mktemp("away"), guard) as deployment:
        deployment.start("web")
        for answer in (deployment.http.post(TASKS, json={"task_type": "test"}), deployment.http.get(TASKS)):
            is_problem(answer, 503)
            assert int(answer.headers["retry-after"]) > 0
        assert deployment.http.get("/livez").status_code == 200
        assert deployment.http.get("/readyz").status_code == 503
        health = deployment.http.get("/health")
        assert (health.status_code, health.json()["status"]) == (200, "degraded")
        assert health.json()["checks"]["postgresql"]["status"] == "down"


@pytest.mark.parametrize(
    ("body", "codes"),
    [
        ({}, {"task_type": "missing"}),
        ({"task_type": "test", "colour": 1, "priority": "now"}, {"colour": "unknown", "priority": "not_allowed"}),
        (
            {"task_type": "test", "timeout": "long", "retry_limit": 21},
            {"timeout": "wrong_type", "retry_limit": "out_of_range"},
        ),
        (
            {"task_type": "test", "kb_id": "", "run_at": "2026-01-01T00:00:00"},
            {"kb_id": "wrong_length", "run_at": "invalid"},
        ),
        ({"task_type": "nothing"}, {"task_type": "invalid"}),
    ],
)
def test_programs_tell_what_is_wrong_with_a_field_by_its_code(
    idle_client: Client, body: dict[str, Any], codes: dict[str, str]
) -> None:
    problem = is_problem(idle_client.http.post(TASKS, json=body), 422)
    assert problem["code"] == "invalid_request"
    assert problem["param"] == problem["errors"][0]["field"]
    assert {error["field"]: error["code"] for error in problem["errors"]} == codes


def test_what_is_wrong_with_a_payload_comes_with_all_else(idle_client: Client) -> None:
    payload = {"chunk_size": 1, "upload_id": "a", "content": "tea", "colour": "green"}
    body = {"task_type": "document_processing", "priority": "now", "payload": payload}
    assert bad_fields(idle_client.http.post(TASKS, json=body)) == {
        "kb_id",
        "payload.chunk_size",
        "payload.colour",
        "payload.upload_id",
        "priority",
    }
    body = {"task_type": "document_processing", "kb_id": "kb", "payload": {"chunk_overlap": 1000, "colour": "green"}}
    assert bad_fields(idle_client.http.post(TASKS, json=body)) == {"payload", "payload.chunk_overlap", "payload.colour"}


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/nothing", "no_such_resource"),
        ("GET", f"{TASKS}/nothing", "no_such_resource"),
        ("PUT", TASKS, "method_not_allowed"),
        ("GET", f"{TASKS}?kb_id=%00", "bad_request"),
        ("POST", TASKS, "unsupported_media_type"),
    ],
)
def test_programs_tell_a_refusal_by_its_code(idle_client: Client, method: str, path: str, code: str) -> None:
    answer = idle_client.http.request(method, path)
    problem = is_problem(answer, answer.status_code)
    assert problem["code"] == code
    assert problem["hint"] == REFUSALS[code].hint
    assert problem["hint_zh"] == REFUSALS[code].hint_zh


DOCUMENT = {"task_type": "document_processing", "kb_id": "kb"}
CRON = {"cron": "0 0 * * *", "task": {"task_type": "test"}}


@pytest.mark.parametrize(
    ("path", "body", "field", "sentence"),
    [
        (TASKS, {"task_type": "nothing"}, "task_type", say("task_type", names=list(all_types()))),
        (TASKS, {"task_type": "bulk", "payload": BULK}, "task_type", say("own_task_type", name="bulk")),
        (TASKS, {"task_type": "document_processing"}, "kb_id", say("needs_kb", name="document_processing")),
        (TASKS, {"task_type": "test", "run_at": "9999-06-01T00:00:00Z"}, "run_at", say("year", first=1970, last=9999)),
        (TASKS, {"task_type": "test", "expires_at": "2001-01-01T00:00:00Z"}, "expires_at", say("expires_at")),
        (TASKS, {"task_type": "test", "metadata": {"a": "\0"}}, "metadata", say("nul")),
        (
            TASKS,
            {"task_type": "test", "metadata": {"a": [0] * 10_001}},
            "metadata",
            say("too_many_values", most=10_000),
        ),
        (TASKS, {"task_type": "test", "callback_url": "https://a:b@c.de/"}, "callback_url", say("credentials")),
        (TASKS, {"task_type": "test", "depends_on": [NO_TASK]}, "depends_on", say("no_task", ids=NO_TASK)),
        (TASKS, DOCUMENT, "payload", say("one_source", given="none")),
        (
            TASKS,
            DOCUMENT | {"payload": {"content": "a", "file_path": "b"}},
            "payload",
            say("one_source", given="file_path, content"),
        ),
        (
            TASKS,
            DOCUMENT | {"payload": {"content": "a", "headers": {"A": "b"}}},
            "payload.headers",
            say("headers_with_url"),
        ),
        (
            TASKS,
            DOCUMENT | {"payload": {"content": "a", "chunk_overlap": 2000}},
            "payload.chunk_overlap",
            say("chunk_overlap"),
        ),
        (
            TASKS,
            DOCUMENT | {"payload": {"content": "a", "document_id": "茶" * 512}},
            "payload.document_id",
            say("long_id", most=1500),
        ),
        (TASKS, DOCUMENT | {"payload": {"upload_id": "a"}}, "payload.upload_id", say("upload_id")),
        (f"{TASKS}/batch", {"tasks": [{"name": ""}]}, "tasks.0.name", say("item_name")),
        (f"{TASKS}/cancel", {}, "filter", say("filter_empty")),
        (
            f"{TASKS}/cancel",
            {"kb_id": "kb", "status": "failed"},
            "status",
            say("filter_status", action="cancel", names=["waiting", "queued", "processing"]),
        ),
        ("/api/v1/schedules", CRON | {"cron": "0 0"}, "cron", say("cron_fields")),
        ("/api/v1/schedules", CRON | {"timezone": "Mars"}, "timezone", say("time_zone", name="Mars")),
        (
            "/api/v1/schedules",
            CRON | {"task": {"task_type": "test", "run_at": "2030-01-01T00:00:00Z"}},
            "task.run_at",
            say("scheduled_field"),
        ),
        ("/api/v1/kbs/kb/search", {"query": "a", "rerank": True}, "rerank", say("no_rerank")),
    ],
)
def test_a_rule_that_is_broken_is_told_in_both_languages(
    idle_client: Client, path: str, body: dict[str, Any], field: str, sentence: Bilingual
) -> None:
    problem = is_problem(idle_client.http.post(path, json=body), 422)
    (error,) = [entry for entry in problem["errors"] if entry["field"] == field]
    assert (error["message"], error["message_zh"]) == (sentence, sentence.chinese)
    assert error["type"] == f"/docs/errors#{error['code']}"


@pytest.mark.parametrize(
    ("query", "field", "sentence"),
    [
        ("status=nothing", "status", say("status", names=["waiting", "queued", "processing", *ENDED])),
        ("queue=nothing", "queue", say("one_of", names=QUEUES)),
        ("document_id=a", "document_id", say("document_needs_kb")),
        ("error_code=corrupt&status=queued", "error_code", say("error_status")),
        ("queue=default&error_code=corrupt", "queue", say("queue_error")),
        ("cursor=nothing", "cursor", say("cursor")),
    ],
)
def test_a_filter_that_cannot_be_answered_is_told_in_both_languages(
    idle_client: Client, query: str, field: str, sentence: Bilingual
) -> None:
    problem = is_problem(idle_client.http.get(f"{TASKS}?{query}"), 422)
    (error,) = problem["errors"]
    assert (error["field"], error["message"], error["message_zh"]) == (field, sentence, sentence.chinese)


@pytest.mark.parametrize(
    ("method", "path", "sentence"),
    [
        ("GET", "/nothing", say("no_address")),
        ("PUT", TASKS, say("method", method="PUT")),
        ("GET", f"{TASKS}/x", say("gone", what="task", what_zh="任务", value="x")),
        ("GET", "/api/v1/kbs/nothing", say("gone", what="KB", what_zh="知识库", value="nothing")),
        ("GET", f"{TASKS}?kb_id=%00", say("address_nul")),
        ("POST", TASKS, say("no_json_type")),
        ("POST", "/api/v1/kbs/kb/documents", say("no_form")),
        ("GET", f"{TASKS}?limit=0", say("one_field")),
        ("GET", f"{TASKS}?limit=0&count=x", say("fields", count=2)),
    ],
)
def test_what_happened_is_told_in_both_languages(
    idle_client: Client, method: str, path: str, sentence: Bilingual
) -> None:
    answer = idle_client.http.request(method, path)
    problem = is_problem(answer, answer.status_code)
    assert (problem["detail"], problem["detail_zh"]) == (sentence, sentence.chinese)
