"""Each call answers what the request of its route does: field by field, error by error, role by role."""

from __future__ import annotations

import inspect
import json
import uuid
from collections.abc import Iterator
from typing import Any

import grpc
import httpx2
import pytest
from google.protobuf.struct_pb2 import Struct

from api.access.rules import RULES
from api.description.schemas.documents import ShownChunk
from api.resources import search
from api.resources.documents import UploadForm
from keys import ROLES
from rpc.generated.taskmanager.v1 import search_service_pb2, task_pb2
from rpc.generated.taskmanager.v1.document_service_pb2 import DocumentInfo, UploadDocumentRequest
from rpc.generated.taskmanager.v1.kb_service_pb2 import DeleteKbRequest
from rpc.generated.taskmanager.v1.search_service_pb2 import SearchFilter, SearchRequest
from rpc.generated.taskmanager.v1.task_service_pb2 import (
    BatchItem,
    CancelRequest,
    GetRequest,
    ListRequest,
    RetryRequest,
    SubmitBatchRequest,
    SubmitRequest,
    WatchRequest,
)
from rpc.methods import METHODS, SERVICES
from rpc.statuses import CODES
from tests.rpc.conftest import BOUND, KEYS, MAX_DOCUMENT_BYTES, MINE, Both, fields, is_serving, steady
from tests.servers import eventually, free_port

NOBODY = str(uuid.UUID(int=0))
TEXT = "# Leave\n\nEverybody has thirty days of leave.\n\n# Travel\n\nTrains are booked by the office.\n"


def struct(**values: Any) -> Struct:
    """A Struct of these."""
    made = Struct()
    made.update(values)
    return made


def upload(**info: Any) -> list[UploadDocumentRequest]:
    """An upload in two messages."""
    return [UploadDocumentRequest(info=DocumentInfo(**info)), UploadDocumentRequest(data=TEXT.encode())]


def iterated(name: str, message: Any) -> Any:
    """A message as its method takes it."""
    return iter(message) if name == "UploadDocument" else message


@pytest.fixture
def kb_id() -> str:
    """A KB of the test's own."""
    return f"kb-{uuid.uuid4()}"


def ended(both: Both, task_id: str) -> Any:
    """The task when it has ended, by gRPC."""

    def ask() -> Any:
        task = both.rpc().call("Get", GetRequest(task_id=task_id, wait=20)).task
        return task if task.status in ("completed", "failed", "cancelled") else None

    return eventually(ask, seconds=60, reason=f"{task_id} ends")


def test_a_task_is_submitted_and_shown_as_by_rest(both: Both, kb_id: str) -> None:
    body: dict[str, Any] = {
        "task_type": "document_processing",
        "kb_id": kb_id,
        "payload": {"content": TEXT, "document_id": "a/ü.md", "chunk_size": 300, "chunk_overlap": 0},
        "priority": "high",
        "retry_limit": 0,
        "timeout": 12.5,
        "metadata": {"a": [1, 2.5, None, "x"], "b": {"c": True}},
    }
    message = SubmitRequest(**{**body, "payload": struct(**body["payload"]), "metadata": struct(**body["metadata"])})
    answer = fields(both.rpc().call("Submit", message))
    assert answer.keys() == both.rest("POST", "/tasks", json=body).json().keys()
    task = ended(both, answer["task_id"])
    assert task.status == "completed", task
    assert task.payload["chunk_size"] == 300
    rest = both.rest("GET", f"/tasks/{task.task_id}").json()
    assert fields(task).keys() - {"left_out"} == rest.keys()
    assert steady(fields(task)) == steady(rest | {"left_out": []})
    assert {field.name for field in task_pb2.Stage.DESCRIPTOR.fields} == rest["stages"][0].keys()
    assert {field.name for field in task_pb2.Attempt.DESCRIPTOR.fields} == rest["attempts"][0].keys()


def test_a_failed_task_shows_its_error_as_by_rest_and_is_retried(both: Both, kb_id: str) -> None:
    payload = struct(content="%PDF-1.7 nothing", filename="a.pdf")
    message = SubmitRequest(task_type="document_processing", kb_id=kb_id, payload=payload)
    task = ended(both, both.rpc().call("Submit", message).task_id)
    rest = both.rest("GET", f"/tasks/{task.task_id}").json()
    assert task.status == "failed"
    assert fields(task.error) == rest["error"]
    assert steady(fields(task)) == steady(rest | {"left_out": []})
    again = both.rpc().call("Retry", RetryRequest(task_id=task.task_id)).task
    assert again.task_id == task.task_id
    assert again.status in ("queued", "processing", "failed")


def test_tasks_are_listed_by_pages_as_by_rest(both: Both, kb_id: str) -> None:
    for number in range(3):
        both.rpc().call("Submit", SubmitRequest(task_type="test", kb_id=kb_id, payload=struct(message=str(number))))
    for task in both.rest("GET", "/tasks", params={"kb_id": kb_id}).json()["items"]:
        ended(both, task["task_id"])
    page = both.rpc().call("List", ListRequest(kb_id=kb_id, status=["completed", "failed"], limit=2, count=True))
    asked = {"kb_id": kb_id, "status": "completed,failed", "limit": 2, "count": "true"}
    rest = both.rest("GET", "/tasks", params=asked).json()
    assert [task.task_id for task in page.items] == [task["task_id"] for task in rest["items"]]
    assert steady(fields(page)) == steady(
        rest | {"items": [{**task, "left_out": [], "attempts": []} for task in rest["items"]]}
    )
    assert (page.total.count, page.total.capped) == (3, False)
    rest_of_it = both.rpc().call("List", ListRequest(kb_id=kb_id, limit=2, cursor=page.next_cursor))
    assert len(rest_of_it.items) == 1
    assert not rest_of_it.HasField("next_cursor")


def test_a_batch_answers_each_of_its_items_as_by_rest(both: Both, kb_id: str) -> None:
    items: list[dict[str, Any]] = [
        {"task_type": "test", "name": "first"},
        {"task_type": "no such"},
        {"task_type": "test", "depends_on": ["first"]},
    ]
    answer = both.rpc().call("SubmitBatch", SubmitBatchRequest(tasks=[BatchItem(**item) for item in items]))
    rest = both.rest("POST", "/tasks/batch", json={"tasks": items}).json()
    assert (answer.accepted, answer.rejected) == (rest["accepted"], rest["rejected"]) == (2, 1)
    assert fields(answer.tasks[1])["error"] == rest["tasks"][1]["error"]
    assert [task.index for task in answer.tasks] == [0, 1, 2]
    assert answer.tasks[0].status == rest["tasks"][0]["status"]


def test_a_task_is_cancelled_once(both: Both, kb_id: str) -> None:
    later = SubmitRequest(task_type="test", kb_id=kb_id)
    later.run_at.FromJsonString("2100-01-01T00:00:00Z")
    task_id = both.rpc().call("Submit", later).task_id
    cancelled = both.rpc().call("Cancel", CancelRequest(task_id=task_id)).task
    assert cancelled.status == "cancelled"
    assert cancelled.run_at.ToJsonString() == "2100-01-01T00:00:00Z"
    assert both.rest("GET", f"/tasks/{task_id}").json()["status"] == "cancelled"
    code, details = both.rpc().refused("Cancel", CancelRequest(task_id=task_id))
    assert (code, details["ErrorInfo"]["reason"]) == ("FAILED_PRECONDITION", "conflict")


def test_a_document_is_uploaded_and_found_as_by_rest(both: Both, kb_id: str) -> None:
    info = {"kb_id": kb_id, "filename": "手册.md", "chunk_size": 60, "chunk_overlap": 0, "metadata": struct(year=2026)}
    answer = both.rpc().stub("UploadDocument")(iter(upload(**info)), metadata=both.rpc().metadata, timeout=60)
    task = ended(both, answer.task_id)
    assert task.status == "completed", task
    assert (task.payload["document_id"], task.payload["chunk_size"]) == ("手册.md", 60)
    text = both.rest("GET", f"/kbs/{kb_id}/documents/手册.md/text")
    assert "thirty days" in text.text
    asked = {
        "query": "days of leave",
        "limit": 3,
        "around": 1,
        "filter": {"documents": ["手册.md"], "metadata": {"year": 2026}},
    }
    filters = SearchFilter(documents=["手册.md"], metadata=struct(year=2026))
    message = both.rpc().call(
        "Search", SearchRequest(kbs=[kb_id], query="days of leave", limit=3, around=1, filter=filters)
    )
    rest = both.rest("POST", "/search", json={"kbs": [kb_id], **asked}).json()
    assert message.hits
    assert steady(fields(message)) == steady(rest)


def test_a_kb_is_deleted_as_by_rest(both: Both, kb_id: str) -> None:
    for delete in (
        lambda: fields(both.rpc().call("DeleteKb", DeleteKbRequest(kb_id=kb_id))),
        lambda: both.rest("DELETE", f"/kbs/{kb_id}").json(),
    ):
        submitted = both.rpc().stub("UploadDocument")(
            iter(upload(kb_id=kb_id, filename="a.md")), metadata=both.rpc().metadata, timeout=60
        )
        assert ended(both, submitted.task_id).status == "completed"
        answer = delete()
        assert answer.keys() == {"task_id", "status", "task_type", "kb_id", "created_at"}
        assert (answer["task_type"], answer["kb_id"]) == ("kb_deletion", kb_id)
        assert ended(both, answer["task_id"]).status == "completed"
        assert both.rest("GET", f"/kbs/{kb_id}").status_code == 404
        assert not both.rpc().call("Search", SearchRequest(kbs=[kb_id], query="leave")).hits


def test_acts_are_in_the_audit_as_by_rest(both: Both) -> None:
    kb_ids = [f"kb-{uuid.uuid4()}" for _ in range(2)]

    def by_rpc(kb_id: str, call: str, task_id: str) -> str:
        about = ("x-request-id", call)
        message = {"Cancel": CancelRequest, "Retry": RetryRequest}.get(call)
        if message is not None:
            return str(both.rpc().call(call, message(task_id=task_id), about).task.task_id)
        if call == "DeleteKb":
            return str(both.rpc().call(call, DeleteKbRequest(kb_id=kb_id), about).task_id)
        deletion = SubmitRequest(task_type="document_deletion", kb_id=kb_id, payload=struct(document_id="a.md"))
        return str(both.rpc().call("Submit", deletion, about).task_id)

    def by_rest(kb_id: str, call: str, task_id: str) -> str:
        deletion = {"task_type": "document_deletion", "kb_id": kb_id, "payload": {"document_id": "a.md"}}
        verb, path = {
            "Cancel": ("DELETE", f"/tasks/{task_id}"),
            "Retry": ("POST", f"/tasks/{task_id}/retry"),
            "Submit": ("POST", "/tasks"),
            "DeleteKb": ("DELETE", f"/kbs/{kb_id}"),
        }[call]
        body = deletion if call == "Submit" else None
        answer = both.rest(verb, path, headers={"x-request-id": call}, json=body)
        assert answer.is_success, answer.text
        return str(answer.json()["task_id"])

    acts_by_way = []
    for kb_id, act in zip(kb_ids, (by_rpc, by_rest), strict=True):
        for name in ("a.md", "b.md"):
            messages = iter(upload(kb_id=kb_id, filename=name))
            document = both.rpc().stub("UploadDocument")(messages, metadata=both.rpc().metadata, timeout=60).task_id
            assert ended(both, document).status == "completed"
        later = SubmitRequest(task_type="test", kb_id=kb_id)
        later.run_at.FromJsonString("2100-01-01T00:00:00Z")
        task_id = both.rpc().call("Submit", later).task_id
        for call in ("Cancel", "Retry", "Submit", "DeleteKb"):
            assert ended(both, act(kb_id, call, task_id)).status in ("completed", "cancelled")
        acts = both.rest("GET", "/audit", params={"kb_id": kb_id}).json()["items"]
        acts_by_way.append(
            [(entry["name"], entry["action"], entry["target"]["kind"], entry["request_id"]) for entry in acts]
        )
    assert acts_by_way[0] == acts_by_way[1]
    assert acts_by_way[0] == [
        ("operate-s", "kb.delete", "kb", "DeleteKb"),
        ("operate-s", "document.delete", "document", "Submit"),
        ("operate-s", "task.retry", "task", "Retry"),
        ("operate-s", "task.cancel", "task", "Cancel"),
    ]


def test_an_upload_that_is_none_is_refused(both: Both, kb_id: str) -> None:
    data = UploadDocumentRequest(data=b"x")
    info = UploadDocumentRequest(info=DocumentInfo(kb_id=kb_id, filename="a.txt"))
    code, details = both.rpc().refused("UploadDocument", iter([data]))
    assert (code, details["BadRequest"]["field_violations"][0]["field"]) == ("INVALID_ARGUMENT", "info")
    code, details = both.rpc().refused("UploadDocument", iter([info, data, info]))
    assert (code, details["BadRequest"]["field_violations"][0]["field"]) == ("INVALID_ARGUMENT", "data")
    large = [UploadDocumentRequest(data=bytes(256 * 1024)) for _ in range(MAX_DOCUMENT_BYTES // (256 * 1024) + 1)]
    code, details = both.rpc().refused("UploadDocument", iter([info, *large]))
    assert (code, details["ErrorInfo"]["reason"]) == ("RESOURCE_EXHAUSTED", "too_large")


#: Headers that do not fit, and so are not quoted either.
LOCKED = {"url": "https://wiki.example/", "headers": {"Host": "s3cr3t"}, "header_names": ["Host"]}

BAD: list[tuple[str, Any, tuple[str, str, dict[str, Any]]]] = [
    (
        "Submit",
        SubmitRequest(task_type="nothing", priority="soon", retry_limit=99),
        ("POST", "/tasks", {"json": {"task_type": "nothing", "priority": "soon", "retry_limit": 99}}),
    ),
    (
        "Submit",
        SubmitRequest(task_type="document_processing", kb_id="a", payload=struct(**LOCKED)),
        ("POST", "/tasks", {"json": {"task_type": "document_processing", "kb_id": "a", "payload": LOCKED}}),
    ),
    ("SubmitBatch", SubmitBatchRequest(), ("POST", "/tasks/batch", {"json": {}})),
    ("Get", GetRequest(task_id=NOBODY), ("GET", f"/tasks/{NOBODY}", {})),
    ("Get", GetRequest(task_id="a/../b"), ("GET", "/tasks/a%2F..%2Fb", {})),
    ("Get", GetRequest(task_id=NOBODY, wait=-1), ("GET", f"/tasks/{NOBODY}", {"params": {"wait": -1}})),
    ("List", ListRequest(limit=1000, status=["odd"]), ("GET", "/tasks", {"params": {"limit": 1000, "status": "odd"}})),
    ("Cancel", CancelRequest(task_id=NOBODY), ("DELETE", f"/tasks/{NOBODY}", {})),
    ("Retry", RetryRequest(task_id=NOBODY), ("POST", f"/tasks/{NOBODY}/retry", {})),
    ("DeleteKb", DeleteKbRequest(kb_id="no such"), ("DELETE", "/kbs/no%20such", {})),
    ("Watch", WatchRequest(task_id=NOBODY), ("GET", f"/tasks/{NOBODY}/events", {})),
    ("Watch", WatchRequest(resume_token="x"), ("GET", "/events", {"headers": {"Last-Event-ID": "x"}})),
    ("Search", SearchRequest(kbs=["a"], limit=0), ("POST", "/search", {"json": {"kbs": ["a"], "limit": 0}})),
    (
        "UploadDocument",
        upload(kb_id="a", filename="a.txt", chunk_size=-1),
        ("POST", "/kbs/a/documents", {"files": {"file": ("a.txt", TEXT)}, "data": {"chunk_size": "-1"}}),
    ),
]


def told_alike(answer: httpx2.Response, code: str, details: dict[str, Any]) -> None:
    """Hold what gRPC says of an error against the same of REST: its code, its details, and when to come again."""
    problem = answer.json()
    number = CODES[problem["status"]]
    assert code == grpc.StatusCode(next(status.value for status in grpc.StatusCode if status.value[0] == number)).name
    assert details["message"] == problem["detail"]
    assert details["ErrorInfo"] == {
        "reason": problem["code"],
        "domain": "taskmanager",
        "metadata": {"type": problem["type"]},
    }
    assert details["RequestInfo"] == {"request_id": "mine"}
    violations = [
        {
            "field": error["field"],
            "description": error["message"],
            "reason": error["code"],
            "localized_message": {"locale": "zh", "message": error["message_zh"]},
        }
        for error in problem.get("errors", [])
    ]
    assert details.get("BadRequest", {"field_violations": []})["field_violations"] == violations
    assert details["LocalizedMessage.en"]["message"] == problem["hint"]
    assert details["LocalizedMessage.zh"]["message"] == problem["hint_zh"]
    assert ("RetryInfo" in details) == ("retry-after" in answer.headers)


def again_after(details: dict[str, Any]) -> int:
    """The seconds after which gRPC says to come again."""
    return int(details["RetryInfo"]["retry_delay"].removesuffix("s"))


@pytest.mark.parametrize(("name", "message", "request_"), BAD, ids=[f"{name}-{n}" for n, (name, *_) in enumerate(BAD)])
def test_an_error_is_told_as_by_rest_to_each_role(
    both: Both, name: str, message: Any, request_: tuple[str, str, Any]
) -> None:
    method, path, more = request_
    for key in (*KEYS.values(), BOUND, None, "no key of ours"):
        answer = both.rest(method, path, key, **more)
        told_alike(answer, *both.rpc(key).refused(name, iterated(name, message), ("x-request-id", "mine")))


@pytest.fixture(scope="module")
def narrow(both: Both) -> Iterator[Both]:
    """A web and an rpc process that take three requests a minute of each key, and no stream at all."""
    port, grpc_port = str(free_port()), str(free_port())
    http = httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=40)
    processes = [
        both.deployment.start(
            name, ready=ready, RATE_LIMIT_PER_MINUTE="3", MAX_STREAMS="0", PORT=port, GRPC_PORT=grpc_port
        )
        for name, ready in (("web", lambda _: is_up(http)), ("rpc", is_serving))
    ]
    narrow = Both(both.deployment, f"127.0.0.1:{grpc_port}", http)
    yield narrow
    narrow.close()
    http.close()
    for process in processes:
        process.end()


def is_up(http: httpx2.Client) -> bool:
    """Whether a web process answers."""
    try:
        return http.get("/livez").status_code == 200
    except httpx2.TransportError:
        return False


def test_too_many_requests_may_come_again_when_rest_says_it(narrow: Both) -> None:
    key, mine = KEYS["submit"], ("x-request-id", "mine")
    for _ in range(3):
        narrow.rpc(key).call("List", ListRequest())
    before = narrow.rpc(key).refused("List", ListRequest(), mine)
    answer = narrow.rest("GET", "/tasks", key)
    after = narrow.rpc(key).refused("List", ListRequest(), mine)
    assert (answer.status_code, before[0]) == (429, "RESOURCE_EXHAUSTED")
    for refusal in (before, after):
        told_alike(answer, *refusal)
    # It is the same moment, which comes nearer from one answer to the next.
    assert again_after(before[1]) >= int(answer.headers["retry-after"]) >= again_after(after[1]) > 0


def test_what_has_no_room_may_come_again_when_rest_says_it(narrow: Both) -> None:
    answer = narrow.rest("GET", "/events", KEYS["read"])
    code, details = narrow.rpc(KEYS["read"]).refused("Watch", WatchRequest(), ("x-request-id", "mine"))
    assert (answer.status_code, code) == (503, "UNAVAILABLE")
    told_alike(answer, code, details)
    assert again_after(details) == int(answer.headers["retry-after"])


@pytest.fixture
def paused(both: Both) -> Iterator[None]:
    """The queue of `test` tasks is paused: what waits there is as it is."""
    both.rest("POST", "/queues/default/pause", json={}).raise_for_status()
    yield
    both.rest("POST", "/queues/default/resume").raise_for_status()


@pytest.mark.usefixtures("paused")
def test_the_whole_answers_of_cancel_and_retry_are_those_of_rest(both: Both, kb_id: str) -> None:
    def by_rpc(name: str, message: Any) -> str:
        return steady(fields(both.rpc().call(name, message).task))

    def by_rest(method: str, task_id: str, end: str = "") -> str:
        return steady(both.rest(method, f"/tasks/{task_id}{end}").json() | {"left_out": []})

    body = {"task_type": "test", "kb_id": kb_id, "metadata": {"a": [1, None]}, "priority": "high"}
    one, other = (both.rest("POST", "/tasks", json=body).json()["task_id"] for _ in range(2))
    assert by_rpc("Cancel", CancelRequest(task_id=one)) == by_rest("GET", one)
    assert by_rest("DELETE", other) == by_rpc("Get", GetRequest(task_id=other))
    assert by_rpc("Retry", RetryRequest(task_id=one)) == by_rest("GET", one)
    assert by_rest("POST", other, "/retry") == by_rpc("Get", GetRequest(task_id=other))


def test_the_events_of_a_watch_are_those_of_rest_field_by_field(both: Both, kb_id: str) -> None:
    items = [{"task_type": "test", "kb_id": kb_id}, {"task_type": "document_processing", "payload": {"content": "x"}}]
    batch = both.rest("POST", "/tasks/batch", json={"tasks": items}).json()
    assert (batch["accepted"], batch["rejected"]) == (1, 1)
    ended(both, batch["tasks"][0]["task_id"])
    task_id, batch_id = batch["tasks"][0]["task_id"], batch["batch_id"]
    for path, target in ((f"/tasks/{task_id}", {"task_id": task_id}), (f"/batches/{batch_id}", {"batch_id": batch_id})):
        began = both.rest("GET", f"{path}/events").text
        # The first shows how it is now, and is the last.
        (first,) = both.rpc().call("Watch", WatchRequest(**target))
        ((_, shown),) = told_by(began)
        assert steady(fields(first.event)) == steady(shown)
        after = str(int(first.resume_token) - 100) if int(first.resume_token) > 100 else "0"
        events = told_by(both.rest("GET", f"{path}/events", headers={"Last-Event-ID": after}).text)
        seen = list(both.rpc().call("Watch", WatchRequest(**target, resume_token=after)))
        assert [answer.resume_token for answer in seen] == [token for token, _ in events] != []
        assert [steady(fields(answer.event)) for answer in seen] == [steady(event) for _, event in events]


def told_by(stream: str) -> list[tuple[str, dict[str, Any]]]:
    """The ids and the data of the events of a stream of REST."""
    events = []
    for block in stream.split("\n\n"):
        lines = dict(line.partition(": ")[::2] for line in block.split("\n"))
        if "data" in lines:
            events.append((lines["id"], json.loads(lines["data"])))
    return events


def names(message: Any, *left_out: str) -> set[str]:
    """The fields of a message."""
    return {field.name for field in message.DESCRIPTOR.fields} - set(left_out)


def test_an_upload_and_a_search_have_the_fields_of_rest() -> None:
    assert names(DocumentInfo, "kb_id") == UploadForm.model_fields.keys() - {"file"}
    for message, model in (
        (SearchRequest, search.SearchOfKbs),
        (SearchFilter, search.SearchFilter),
        (search_service_pb2.SearchResponse, search.SearchAnswer),
        (search_service_pb2.Hit, search.FoundChunk),
        (search_service_pb2.Scores, search.Scores),
        (search_service_pb2.Highlight, search.Highlight),
        (search_service_pb2.Chunk, ShownChunk),
        (search_service_pb2.Degraded, search.Degraded),
    ):
        assert names(message) == model.model_fields.keys(), model


def test_an_empty_id_is_no_task_and_never_all_of_them(both: Both) -> None:
    for name, message in {"Get": GetRequest(), "Cancel": CancelRequest(), "Retry": RetryRequest()}.items():
        assert both.rpc().refused(name, message)[0] == "NOT_FOUND"


def test_a_number_that_json_has_not_is_refused(both: Both) -> None:
    message = SubmitRequest(task_type="test", payload=struct(x=float("nan")))
    code, details = both.rpc().refused("Submit", message)
    assert (code, details["ErrorInfo"]["reason"]) == ("INVALID_ARGUMENT", "invalid_request")


def test_the_same_idempotency_key_gives_the_same_task_by_either_way(both: Both, kb_id: str) -> None:
    key, body = str(uuid.uuid4()), {"task_type": "test", "kb_id": kb_id, "payload": {"message": "x", "number": 3}}
    message = SubmitRequest(task_type="test", kb_id=kb_id, payload=struct(message="x", number=3))
    first = both.rpc().call("Submit", message, ("idempotency-key", key)).task_id
    assert both.rpc().call("Submit", message, ("idempotency-key", key)).task_id == first
    assert both.rest("POST", "/tasks", json=body, headers={"Idempotency-Key": key}).json()["task_id"] == first
    message.payload["message"] = "y"
    code, details = both.rpc().refused("Submit", message, ("idempotency-key", key))
    assert (code, details["BadRequest"]["field_violations"][0]["field"]) == ("INVALID_ARGUMENT", "Idempotency-Key")


#: A call of each method that is let in and then refused for what it asks, or changes nothing.
HARMLESS: dict[str, Any] = {
    "Submit": SubmitRequest(task_type="nothing", kb_id=MINE),
    "SubmitBatch": SubmitBatchRequest(),
    "Get": GetRequest(task_id=NOBODY),
    "List": ListRequest(limit=0),
    "Cancel": CancelRequest(task_id=NOBODY),
    "Retry": RetryRequest(task_id=NOBODY),
    "Watch": WatchRequest(task_id=NOBODY),
    "UploadDocument": upload(kb_id=MINE, filename="a.txt", chunk_size=-1),
    "DeleteKb": DeleteKbRequest(kb_id=f"{MINE}-no-such"),
    "Search": SearchRequest(kbs=[MINE], limit=0),
}


@pytest.mark.parametrize("name", [name.rpartition("/")[2] for name in METHODS])
def test_a_role_may_call_what_it_may_ask_of_the_route(both: Both, name: str) -> None:
    method = next(entry for full, entry in METHODS.items() if full.endswith(f"/{name}"))
    least = RULES[method.verb, method.path].role
    for role, key in KEYS.items():
        code, details = both.rpc(key).refused(name, iterated(name, HARMLESS[name]))
        denied = details["ErrorInfo"]["reason"] == "forbidden_role"
        assert denied == (code == "PERMISSION_DENIED") == (ROLES.index(role) < ROLES.index(least)), (role, details)
    for none in (None, "no key of ours"):
        assert both.rpc(none).refused(name, iterated(name, HARMLESS[name]))[0] == "UNAUTHENTICATED"


def test_a_key_of_a_kb_touches_that_alone(both: Both, kb_id: str) -> None:
    theirs = both.rpc().call("Submit", SubmitRequest(task_type="test", kb_id=kb_id)).task_id
    mine = both.rpc(BOUND).call("Submit", SubmitRequest(task_type="test", kb_id=MINE)).task_id
    bound = both.rpc(BOUND)
    hidden = {"Get": GetRequest, "Cancel": CancelRequest, "Retry": RetryRequest, "Watch": WatchRequest}
    for name, kind in hidden.items():
        assert bound.refused(name, kind(task_id=theirs))[0] == "NOT_FOUND", name
    for name, message in {
        "Submit": SubmitRequest(task_type="test", kb_id=kb_id),
        "List": ListRequest(kb_id=kb_id),
        "Search": SearchRequest(kbs=[MINE, kb_id], query="x"),
        "UploadDocument": upload(kb_id=kb_id, filename="a.txt"),
        "DeleteKb": DeleteKbRequest(kb_id=kb_id),
    }.items():
        code, details = bound.refused(name, iterated(name, message))
        assert (code, details["ErrorInfo"]["reason"]) == ("PERMISSION_DENIED", "forbidden_kb"), name
    assert mine in {task.task_id for task in bound.call("List", ListRequest()).items}
    assert {task.kb_id for task in bound.call("List", ListRequest()).items} == {MINE}


def test_what_a_url_is_fetched_with_is_taken_and_kept_as_by_rest(both: Both, kb_id: str) -> None:
    payload = {"url": "http://127.0.0.1:1/a.md", "headers": {"X-Tenant": "kb", "Authorization": "Bearer s3cr3t"}}
    body: dict[str, Any] = {"task_type": "document_processing", "kb_id": kb_id, "payload": payload}
    message = SubmitRequest(**{**body, "payload": struct(**payload)})
    task_ids = both.rpc().call("Submit", message).task_id, both.rest("POST", "/tasks", json=body).json()["task_id"]
    for task_id in task_ids:
        task = ended(both, task_id)
        assert task.error.code == "forbidden_url"
        assert list(task.payload["header_names"]) == ["Authorization", "X-Tenant"]
        rest = both.rest("GET", f"/tasks/{task_id}")
        assert "s3cr3t" not in f"{task}{rest.text}"
        assert steady(fields(task)) == steady(rest.json() | {"left_out": []})
    page = both.rpc().call("List", ListRequest(kb_id=kb_id))
    assert "s3cr3t" not in str(page)
    assert all("header_names" in entry.payload for entry in page.items)


#: Where the answer of each method is compared with that of its route.
COMPARED = {
    "Submit": test_a_task_is_submitted_and_shown_as_by_rest,
    "SubmitBatch": test_a_batch_answers_each_of_its_items_as_by_rest,
    "Get": test_the_whole_answers_of_cancel_and_retry_are_those_of_rest,
    "List": test_tasks_are_listed_by_pages_as_by_rest,
    "Cancel": test_the_whole_answers_of_cancel_and_retry_are_those_of_rest,
    "Retry": test_the_whole_answers_of_cancel_and_retry_are_those_of_rest,
    "Watch": test_the_events_of_a_watch_are_those_of_rest_field_by_field,
    "UploadDocument": test_a_document_is_uploaded_and_found_as_by_rest,
    "DeleteKb": test_a_kb_is_deleted_as_by_rest,
    "Search": test_a_document_is_uploaded_and_found_as_by_rest,
}


def test_no_method_is_without_a_comparison_of_its_answer_and_of_an_error() -> None:
    described = {method.name for service in SERVICES for method in service.methods}
    assert described == COMPARED.keys() == {name for name, *_ in BAD} == HARMLESS.keys()
    for name, test in COMPARED.items():
        assert f'"{name}"' in inspect.getsource(test), f"{test.__name__} does not call {name}"
