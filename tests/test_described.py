"""What holds answers against the OpenAPI document finds what is not as it is described."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import pytest
from falcon.testing import TestClient

from api.app import create_app
from dashboard.routes import pages
from settings import read
from tests.described import Described

TASK = "01a20c00-e385-77bb-a3bd-460960adfaf4"
ACCEPTED: dict[str, Any] = {
    "task_id": TASK,
    "status": "queued",
    "task_type": "test",
    "kb_id": None,
    "created_at": "2026-11-29T12:00:00Z",
}
IDS = {"x-request-id": "1"}


@pytest.fixture(scope="module")
def described() -> Described:
    return Described(TestClient(create_app(read({}), pages())).simulate_get("/openapi.json").json)


def answer(
    status: int, body: Any, method: str = "POST", path: str = "/api/v1/tasks", **headers: str
) -> httpx2.Response:
    """An answer as a client has it."""
    request = httpx2.Request(method, f"http://service{path}")
    return httpx2.Response(status, json=body, headers=IDS | headers, request=request)


def test_what_is_as_it_is_described_passes(described: Described) -> None:
    described.check(answer(202, ACCEPTED, location=f"/api/v1/tasks/{TASK}"))


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        (answer(202, {**ACCEPTED, "colour": "green"}), "colour"),
        (answer(202, {name: value for name, value in ACCEPTED.items() if name != "status"}), "status"),
        (answer(202, {**ACCEPTED, "task_id": 7}), "task_id"),
        (answer(202, {**ACCEPTED, "task_id": "seven"}), "task_id"),
        (answer(202, {**ACCEPTED, "status": "lost"}), "status"),
        (answer(202, ACCEPTED, etag='"1"'), "etag"),
        (answer(201, ACCEPTED), "201"),
        (answer(202, ACCEPTED, **{"content-type": "text/plain"}), "text/plain"),
        (answer(422, {"title": "Unprocessable Content"}, **{"content-type": "application/problem+json"}), "detail"),
        (answer(200, {}, "GET", "/api/v1/nothing"), "not described"),
        (answer(200, {"hits": []}, "POST", "/api/v1/kbs/kb/search"), "confidence"),
        (answer(204, {}, "DELETE", "/api/v1/kbs/kb/documents/a%2Fb"), "with a body"),
    ],
)
def test_what_is_not_is_found(described: Described, wrong: httpx2.Response, problem: str) -> None:
    with pytest.raises(AssertionError, match=problem):
        described.check(wrong)


def test_every_answer_and_every_request_has_an_example_that_is_as_it_is_described(described: Described) -> None:
    assert described.examples() >= 100


def test_an_example_that_is_not_is_found(described: Described) -> None:
    document = json.loads(json.dumps(described.document))
    document["components"]["examples"]["Task"]["value"]["colour"] = "green"
    with pytest.raises(AssertionError, match="colour"):
        Described(document).examples()
    del document["components"]["responses"]["NotFound"]["content"]["application/problem+json"]["example"]
    with pytest.raises(KeyError):
        Described(document).examples()
