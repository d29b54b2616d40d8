"""The clients of the ledger: KB services that submit all kinds of work, and note what they were told of it."""

from __future__ import annotations

import json
import random
import threading
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx2

#: Seconds between two submissions of a client.
PACE = 0.25


def text(number: int) -> str:
    """A document of its own, as long as every other."""
    return (
        f"# Document {number:08}\n\n"
        + "The quick brown fox jumps over the lazy dog. 敏捷的棕色狐狸跳过了懒狗。\n\n" * 10
    )


def document(number: int) -> dict[str, Any]:
    """A task that takes it in."""
    payload = {"content": text(number), "document_id": f"d{number}", "chunk_size": 200, "chunk_overlap": 0}
    return {"task_type": "document_processing", "kb_id": "kb", "payload": payload}


@dataclass
class Request:
    """A request, and what is known of it: the markers of its tasks stand in their metadata.

    Parameters:
      documents: the number of a document, by the marker of its task.
      answer: `accepted`, `denied` (nothing came of it), or `unknown`: no answer came, or one that does not say.
      accepted_at: seconds of the clock, when it was known to be.
    """

    markers: list[str]
    documents: dict[str, int]
    is_batch: bool = False
    answer: str = "unknown"
    task_ids: list[str] = field(default_factory=list)
    asked_at: float = field(default_factory=time.time)
    accepted_at: float | None = None


class Client(threading.Thread):
    """Submits without a rest.

    Parameters:
      urls: of the web processes; the next one is asked when one does not accept.
      keyed: whether each request has a key, and is asked until it is accepted; else it is asked once.
    """

    def __init__(self, urls: Sequence[str], number: int, stop: threading.Event, *, keyed: bool) -> None:
        super().__init__(name=f"client {number}")
        self._http = [httpx2.Client(base_url=f"{url}/api/v1", timeout=15) for url in urls]
        self._turn = number
        self._random = random.Random(number)
        self._numbers = iter(range(number * 1_000_000, (number + 1) * 1_000_000))
        self._stopped = stop
        self._keyed = keyed
        self.requests: list[Request] = []
        self.asked_again = 0
        self.faults: list[str] = []

    def run(self) -> None:
        kinds = [self._document] * 5 + [self._upload, self._test, self._test, self._batch, self._dependent]
        while not self._stopped.wait(PACE):
            self._random.choice(kinds)()

    def _document(self) -> None:
        number = next(self._numbers)
        self._post("/tasks", [document(number)], [number])

    def _upload(self) -> None:
        number = next(self._numbers)
        request = self._new([number])
        fields = {
            "document_id": f"d{number}",
            "chunk_size": "200",
            "chunk_overlap": "0",
            "metadata": json.dumps({"marker": request.markers[0]}),
        }
        self._ask(request, "/kbs/kb/documents", data=fields, files={"file": ("a.md", text(number).encode())})

    def _test(self) -> None:
        self._post("/tasks", [{"task_type": "test"}], [None])

    def _dependent(self) -> None:
        known = [task_id for request in self.requests[-5:] for task_id in request.task_ids]
        self._post("/tasks", [{"task_type": "test", "depends_on": known[-2:]}], [None])

    def _batch(self) -> None:
        first, second = next(self._numbers), next(self._numbers)
        items = [
            {"name": "first", **document(first)},
            {"name": "second", **document(second), "depends_on": ["first"]},
            {"task_type": "test", "depends_on": ["first", "second"]},
            {"task_type": "test"},
        ]
        self._post("/tasks/batch", items, [first, second, None, None])

    def _new(self, numbers: list[int | None]) -> Request:
        markers = [str(uuid.uuid4()) for _ in numbers]
        documents = {marker: number for marker, number in zip(markers, numbers, strict=True) if number is not None}
        self.requests.append(Request(markers, documents))
        return self.requests[-1]

    def _post(self, path: str, tasks: list[dict[str, Any]], numbers: list[int | None]) -> None:
        request = self._new(numbers)
        marked = [task | {"metadata": {"marker": marker}} for task, marker in zip(tasks, request.markers, strict=True)]
        request.is_batch = path == "/tasks/batch"
        self._ask(request, path, json={"tasks": marked} if request.is_batch else marked[0])

    def _ask(self, request: Request, path: str, **sent: Any) -> None:
        headers = {"Idempotency-Key": str(uuid.uuid4())} if self._keyed else {}
        self._once(request, path, headers, sent)
        while self._keyed and request.answer != "accepted" and not self.faults:
            self.asked_again += 1
            self._turn += 1
            time.sleep(0.2)
            self._once(request, path, headers, sent)

    def _once(self, request: Request, path: str, headers: dict[str, str], sent: dict[str, Any]) -> None:
        try:
            answer = self._http[self._turn % len(self._http)].post(path, headers=headers, **sent)
        except httpx2.ConnectError:
            request.answer = "denied"  # nothing was sent
            return
        except httpx2.HTTPError:
            return
        if answer.status_code == 202:
            body = answer.json()
            request.answer, request.accepted_at = "accepted", time.time()
            request.task_ids = [task["task_id"] for task in body.get("tasks", [body])]
        elif answer.status_code != 503:
            self.faults.append(f"{path} {answer.status_code} {answer.text}")
        elif "nothing was accepted" in answer.text:
            request.answer = "denied"
