"""Event streams over HTTP, from a real gunicorn."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from pipeline import STAGES
from tests.api.conftest import Client, bad_fields, is_problem
from tests.processes import Deployment
from tests.servers import eventually

STREAMS = 200

Event = dict[str, Any]


def follow(deployment: Deployment, path: str, after: int | None = None) -> Iterator[Event]:
    """The events of a stream until it ends, each with its id."""
    headers = {} if after is None else {"Last-Event-ID": str(after)}
    with deployment.http.stream("GET", f"/api/v1{path}", headers=headers) as answer:
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"] == "text/event-stream"
        event: Event = {}
        for line in answer.iter_lines():
            name, _, value = line.partition(": ")
            if name == "id":
                event["id"] = int(value)
            elif name == "data":
                data = json.loads(value)
                deployment.described.events(data)
                event |= data
            elif not line and event:
                yield event
                event = {}


def test_a_task_is_followed_to_its_end(client: Client, kb_id: str) -> None:
    everything = follow(client.deployment, "/events")
    assert next(everything)["type"] == "open"
    payload = {"content": "Green tea is brewed at 80 °C. " * 50, "document_id": "tea"}
    task_id = client.submit(task_type="document_processing", kb_id=kb_id, payload=payload)
    own = list(follow(client.deployment, f"/tasks/{task_id}/events"))
    assert own[-1]["type"] == "task.completed"
    assert own[-1]["progress"] == 100
    seen: list[Event] = []
    for event in everything:
        if event.get("task_id") == task_id:
            seen.append(event)
            if event["type"] == "task.completed":
                break
    assert [event["id"] for event in seen] == sorted({event["id"] for event in seen})
    assert [event["progress"] for event in seen] == sorted(event["progress"] for event in seen)
    assert list(dict.fromkeys(event["stage"] for event in seen)) == list(STAGES)
    assert [event["status"] for event in seen[:2]] == ["queued", "processing"]
    assert {event["kb_id"] for event in seen} == {kb_id}
    assert own == [event for event in seen if event["id"] >= own[0]["id"]]
    for position in range(len(seen) - 1):
        assert list(follow(client.deployment, f"/tasks/{task_id}/events", seen[position]["id"])) == seen[position + 1 :]
    last = {"Last-Event-ID": str(seen[-1]["id"])}
    assert client.http.get(f"/api/v1/tasks/{task_id}/events", headers=last).status_code == 204


def test_a_batch_is_followed_to_its_end(client: Client) -> None:
    answer = client.http.post("/api/v1/tasks/batch", json={"tasks": [{"task_type": "test"}] * 20}).json()
    tasks = {task["task_id"] for task in answer["tasks"]}
    path = f"/batches/{answer['batch_id']}/events"
    first, *seen = follow(client.deployment, path)
    assert first["type"] in ("batch.processing", "batch.completed")
    assert first["total"] == 20
    every = list(follow(client.deployment, path, 0))
    assert every[-1]["type"] == "batch.completed"
    for task_id in tasks:
        assert [event["status"] for event in every if event.get("task_id") == task_id] == [
            "queued",
            "processing",
            "completed",
        ]
    if first["type"] == "batch.processing":
        assert seen == [event for event in every if event["id"] > first["id"]]
    middle = every[len(every) // 2]["id"]
    assert list(follow(client.deployment, path, middle)) == [event for event in every if event["id"] > middle]
    last = {"Last-Event-ID": str(every[-1]["id"])}
    assert client.http.get(f"/api/v1{path}", headers=last).status_code == 204


@pytest.mark.parametrize("kind", ["tasks", "batches"])
def test_what_is_not_there_cannot_be_followed(idle_client: Client, kind: str) -> None:
    is_problem(idle_client.http.get(f"/api/v1/{kind}/{uuid.uuid4()}/events"), 404)


def test_an_id_that_is_none_is_refused(idle_client: Client) -> None:
    answer = idle_client.http.get("/api/v1/events", headers={"Last-Event-ID": "yesterday"})
    assert bad_fields(answer) == {"Last-Event-ID"}


def test_whoever_comes_too_late_is_told_to_look_again(idle_client: Client) -> None:
    assert next(follow(idle_client.deployment, "/events", 10**15))["type"] == "reset"
    task_id = idle_client.submit()
    first = next(follow(idle_client.deployment, f"/tasks/{task_id}/events", 10**15))
    assert (first["type"], first["task_id"]) == ("task.queued", task_id)


class Sockets:
    """Streams that are held open, each by a socket of its own."""

    def __init__(self, deployment: Deployment, count: int) -> None:
        self._deployment = deployment
        self.streams = [self._open() for _ in range(count)]
        self.received = [b""] * count

    def _open(self) -> socket.socket:
        stream = socket.create_connection(("127.0.0.1", self._deployment.port), timeout=20)
        stream.sendall(b"GET /api/v1/events HTTP/1.1\r\nHost: here\r\n\r\n")
        return stream

    def read_until(self, what: bytes) -> None:
        """Read from each until it has sent this; `b""`: until it ends."""
        for number, stream in enumerate(self.streams):
            while not what or what not in self.received[number]:
                data = stream.recv(65536)
                if not data:
                    assert not what, f"stream {number} ended: {self.received[number]!r}"
                    break
                self.received[number] += data

    def close(self) -> None:
        for stream in self.streams:
            stream.close()


def test_many_streams_cost_rest_little_end_with_the_process_and_resume_without_loss(deployment: Deployment) -> None:
    # One alone may have half of them.
    deployment.environment["MAX_STREAMS"] = str(2 * STREAMS)
    web = deployment.start("web")
    deployment.start("worker")
    client = Client(deployment)
    with ExitStack() as closing:
        sockets = Sockets(deployment, STREAMS)
        closing.callback(sockets.close)
        sockets.read_until(b'"open"')
        refused = deployment.http.get("/api/v1/events")
        is_problem(refused, 503)
        assert int(refused.headers["retry-after"]) > 0
        task_id = client.submit()
        client.ended(task_id)
        sockets.read_until(f'"task.completed","task_id":"{task_id}"'.encode())
        assert all(one.count(task_id.encode()) == 3 for one in sockets.received), "queued, processing, completed"
        latencies = []
        for _ in range(50):
            began = time.perf_counter()
            assert deployment.http.get(f"/api/v1/tasks/{task_id}").status_code == 200
            latencies.append(time.perf_counter() - began)
        print(f"GET beside {STREAMS} streams: median {sorted(latencies)[25] * 1000:.1f} ms, load {os.getloadavg()[0]}")
        assert sorted(latencies)[25] < 0.25
        seen = max(int(line[4:]) for line in sockets.received[0].splitlines() if line.startswith(b"id: "))
        ending = threading.Thread(target=sockets.read_until, args=(b"",))
        ending.start()
        stopped = web.terminate()
        print(f"{STREAMS} streams ended with the process in {stopped:.1f} s")
        # 1.5 s on an idle machine. Whoever waits for the streams waits for all of SHUTDOWN_TIMEOUT, 25 s.
        assert stopped < 10
        ending.join(timeout=5)
        assert not ending.is_alive()
    deployment.start("web")
    eventually(lambda: deployment.http.get("/livez").status_code == 200)
    unseen = [client.submit() for _ in range(5)]
    for unseen_id in unseen:
        client.ended(unseen_id)
    followed = follow(deployment, "/events", seen)
    happened = [next(followed) for _ in range(15)]
    assert [event["id"] for event in happened] == sorted(event["id"] for event in happened)
    for unseen_id in unseen:
        assert [one["status"] for one in happened if one["task_id"] == unseen_id] == [
            "queued",
            "processing",
            "completed",
        ]
