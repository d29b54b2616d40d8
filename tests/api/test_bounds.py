"""One request cannot stop the others: what is too large is refused, and what is large is read beside them."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
import hypothesis
import pytest
from hypothesis import strategies

from api import requests
from api.requests import LARGEST_BODY, too_many_values
from tasks.input.bounds import LARGEST_METADATA, LARGEST_PAYLOAD, MOST_VALUES
from tests.api.conftest import MAX_DOCUMENT_BYTES, Client, bad_fields, is_problem
from tests.processes import Deployment, EmbeddedDeployment
from tests.servers import eventually

TASKS = "/api/v1/tasks"
JSON = {"content-type": "application/json"}


def of_size(size: int) -> dict[str, str]:
    """An object that takes so many bytes as JSON."""
    return {"a": "é" + "x" * (size - len(b'{"a":""}') - 2)}


@pytest.mark.parametrize(("field", "most"), [("metadata", LARGEST_METADATA), ("payload", LARGEST_PAYLOAD)])
def test_a_field_has_a_size(idle_client: Client, field: str, most: int) -> None:
    # The task type adds a field of its own to the payload, after it was measured.
    assert idle_client.submit(**{field: of_size(most)})
    refused = idle_client.http.post(TASKS, json={"task_type": "test", field: of_size(most + 1)})
    assert bad_fields(refused) == {field}
    message = refused.json()["errors"][0]["message"]
    assert f"{most:,}" in message
    assert "send its address or id" in message


@pytest.mark.parametrize("field", ["metadata", "payload"])
@pytest.mark.parametrize("value", [{}, [], 1, "a"])
def test_a_field_has_so_many_values(idle_client: Client, field: str, value: Any) -> None:
    assert idle_client.submit(**{field: {"a": [value] * (MOST_VALUES - 2)}})
    refused = idle_client.http.post(TASKS, json={"task_type": "test", field: {"a": [value] * (MOST_VALUES - 1)}})
    assert bad_fields(refused) == {field}
    assert f"{MOST_VALUES:,} values" in refused.json()["errors"][0]["message"]


def test_a_text_is_no_part_of_its_payload_s_size_whatever_it_holds(idle_client: Client, kb_id: str) -> None:
    for text in ("x" * 1_000_000, '[{,:"\\' * 300_000):
        payload = {"content": text, "document_id": "d"}
        assert idle_client.submit(task_type="document_processing", kb_id=kb_id, payload=payload)


def test_an_item_that_is_too_large_fails_alone(idle_client: Client) -> None:
    tasks = [{"task_type": "test"}, {"task_type": "test", "metadata": of_size(LARGEST_METADATA + 1)}]
    answer = idle_client.http.post(f"{TASKS}/batch", json={"tasks": tasks}).json()
    assert (answer["accepted"], answer["rejected"]) == (1, 1)
    assert answer["tasks"][1]["error"]["errors"][0]["field"] == "metadata"


@pytest.mark.parametrize("value", ["{}", "1,2,3", '{"a": "' + "x" * 70_000 + '"}'])
def test_an_upload_s_fields_have_the_same_bounds(idle_client: Client, kb_id: str, value: str) -> None:
    if value == "1,2,3":
        value = json.dumps({"a": [1] * MOST_VALUES})
    answer = idle_client.upload(kb_id, b"text", "a.txt", metadata=value)
    assert answer.status_code == 202 if value == "{}" else bad_fields(answer) == {"metadata"}


@contextmanager
def watched(client: Client) -> Iterator[list[float]]:
    """How long others wait meanwhile, in seconds."""
    waits: list[float] = []
    over = threading.Event()

    def ask() -> None:
        while not over.wait(0.02):
            began = time.monotonic()
            httpx2.get(f"{client.deployment.url}/livez", timeout=60)
            waits.append(time.monotonic() - began)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        yield waits
    finally:
        over.set()
        asking.join()


M = LARGEST_BODY - 200
MANY = {
    "lists": b"[],",
    "objects": b"{},",
    "numbers": b"1,",
    "texts": b'"",',
    "escapes": rb'"\"\\",',
}


@pytest.mark.parametrize("piece", MANY.values(), ids=MANY)
def test_a_body_of_very_many_values_holds_nobody_up(idle_client: Client, piece: bytes) -> None:
    body = b'{"task_type": "test", "metadata": {"a": [' + piece * (M // len(piece)) + b"0]}}"
    with watched(idle_client) as waits:
        answer = idle_client.http.post(TASKS, content=body, headers=JSON)
    problem = is_problem(answer, 413)
    assert problem["code"] == "too_large"
    assert f"{requests.MOST_VALUES:,} values" in problem["detail"]
    assert max(waits) < 2, "on a machine that others use, too"


def test_a_large_batch_holds_nobody_up(idle_client: Client) -> None:
    tasks = [{"task_type": "test", "payload": {"message": "x" * 30_000}}] * 1000
    with watched(idle_client) as waits:
        assert idle_client.http.post(f"{TASKS}/batch", json={"tasks": tasks}).json()["accepted"] == 1000
    assert max(waits) < 4


def marks_of(value: Any) -> int:
    """One for each name and value within, and one for a list or an object that is empty."""
    if isinstance(value, dict):
        return max(1, sum(2 + marks_of(part) for part in value.values()))
    return max(1, sum(1 + marks_of(part) for part in value)) if isinstance(value, list) else 0


ANYTHING = strategies.recursive(
    strategies.none() | strategies.integers() | strategies.text('[]{},:"\\a'),
    lambda inner: strategies.lists(inner) | strategies.dictionaries(strategies.text('[{,:"\\'), inner),
)


@hypothesis.given(value=ANYTHING)
def test_values_are_counted_as_they_are(value: Any) -> None:
    data = json.dumps(value).encode()
    marks = marks_of(value)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(requests, "MOST_VALUES", marks + 1)
        assert not too_many_values(data)
        patch.setattr(requests, "MOST_VALUES", marks)
        assert too_many_values(data)


def told_early(port: int, path: str, kind: str, length: int) -> int:
    """The status that a request gets of which nothing but the headers is sent."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(
            f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n"
            "Expect: 100-continue\r\n\r\n".encode()
        )
        said = b""
        while data := connection.recv(65536):
            said += data
        return int(said.split(b" ", 2)[1])


FORM = "multipart/form-data; boundary=x"
ANNOUNCED = [
    (TASKS, "application/json", LARGEST_BODY + 1),
    (f"{TASKS}/batch", "application/json", LARGEST_BODY + 1),
    ("/api/v1/kbs/kb/documents", FORM, 200 * 1024 * 1024),
    ("/api/v1/chunk-preview", FORM, 200 * 1024 * 1024),
]


@pytest.mark.parametrize(("path", "kind", "length"), ANNOUNCED)
def test_what_is_announced_to_be_too_large_is_refused_unread(
    running: Deployment, path: str, kind: str, length: int
) -> None:
    assert told_early(running.port, path, kind, length) == 413, "and nothing of it was sent"


def test_what_is_announced_to_be_too_large_is_refused_by_uvicorn_too(embedded: EmbeddedDeployment) -> None:
    embedded.start_embedded(API_KEYS="a:b", MAX_DOCUMENT_BYTES=str(MAX_DOCUMENT_BYTES))
    assert told_early(embedded.port, TASKS, "application/json", 10) == 401, "nor is a stranger listened to"


def test_who_sends_its_whole_body_first_reads_why_it_was_refused(idle_client: Client) -> None:
    is_problem(idle_client.http.post(TASKS, content=b"x" * (LARGEST_BODY + 1), headers=JSON), 413)


def made_large(client: Client, task_id: str, **fields: Any) -> None:
    """Give a task what is refused today and was taken before."""
    for name, value in fields.items():
        client.sql(f"UPDATE tasks SET {name} = %s WHERE id = %s RETURNING id", json.dumps(value), task_id)


def test_a_page_leaves_out_what_is_large_and_says_so(idle_client: Client, kb_id: str) -> None:
    large, plain, text = (idle_client.submit(kb_id=kb_id, metadata={"a": 1}) for _ in range(3))
    metadata: dict[str, Any] = {"a": [{}] * 500_000}
    made_large(idle_client, large, metadata=metadata, payload={"b": "x" * 1_000_000})
    made_large(idle_client, text, payload={"content": "é" * 100_000, "document_id": "d"})
    answer = idle_client.http.get(TASKS, params={"kb_id": kb_id})
    assert len(answer.content) < 20_000
    shown = {task["task_id"]: task for task in answer.json()["items"]}
    assert (shown[large]["metadata"], shown[large]["payload"]) == (None, None)
    assert shown[large]["left_out"] == ["payload", "metadata"]
    assert shown[plain]["metadata"] == {"a": 1}
    assert "left_out" not in shown[plain]
    assert shown[text]["payload"] == {"document_id": "d", "content_characters": 100_000}
    assert idle_client.http.get(f"{TASKS}/{large}").json()["metadata"] == metadata


def test_a_callback_leaves_out_metadata_from_before_they_had_a_limit(client: Client) -> None:
    task_id = client.submit(
        callback_url="http://192.0.2.1/", metadata={"a": 1}, run_at=time.strftime("%Y-%m-%dT%H:%M:%SZ", in_a_minute())
    )
    made_large(client, task_id, metadata={"a": "x" * LARGEST_METADATA})
    assert client.http.delete(f"{TASKS}/{task_id}").status_code == 200
    ((body,),) = eventually(
        lambda: client.sql("SELECT body FROM callbacks WHERE task_id = %s", task_id), seconds=20, reason="it is owed"
    )
    assert (body["data"]["metadata"], body["data"]["left_out"]) == ({}, ["metadata"])
    client.deployment.described.callback(body)


def in_a_minute() -> time.struct_time:
    return time.gmtime(time.time() + 60)
