"""The OpenAPI document."""

from __future__ import annotations

import json
import re
from typing import Any

import falcon.inspect
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from api.app import create_app
from dashboard.routes import pages
from settings import VERSION, read
from tests.api.conftest import Client

#: What describes the others.
ITSELF = {"/openapi.json", "/docs", "/docs/errors", "/docs/{name}", "/"}


@pytest.fixture
def document(idle_client: Client) -> dict[str, Any]:
    """As it is served."""
    answer = idle_client.http.get("/openapi.json")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    shown: dict[str, Any] = answer.json()
    return shown


def test_it_is_valid_openapi_3_1(document: dict[str, Any]) -> None:
    assert re.fullmatch(r"3\.1\.\d", document["openapi"])
    OpenAPIV31SpecValidator(document).validate()
    assert document["info"]["version"] == VERSION


def test_every_route_is_in_it(document: dict[str, Any]) -> None:
    described = {
        (route.path, method.method.lower())
        for route in falcon.inspect.inspect_routes(create_app(read({}), pages()))
        for method in route.methods
        # HEAD is GET without its body.
        if not method.internal and method.method != "HEAD" and route.path not in ITSELF | dict(pages().routes).keys()
    }
    assert {(path, method) for path, methods in document["paths"].items() for method in methods} == described


def test_an_example_is_a_request_that_works(document: dict[str, Any], idle_client: Client) -> None:
    examples = [
        (method, path.replace("{kb_id}", "kb").replace("{name}", "default"), kind, content["example"])
        for path, methods in document["paths"].items()
        for method, entry in methods.items()
        for kind, content in entry.get("requestBody", {}).get("content", {}).items()
    ]
    assert len(examples) >= 18
    for method, path, kind, example in examples:
        if "{" in path or path.endswith("/session"):
            continue  # It is of a resource that there must be, or of a service that has keys.
        if kind == "application/json":
            answer = idle_client.http.request(method.upper(), path, json=example)
        else:
            form = {name: value for name, value in example.items() if name != "file"}
            answer = idle_client.http.post(path, files={"file": example["file"]}, data=form)
        assert answer.status_code in (200, 201, 202), path
    assert idle_client.http.post("/api/v1/queues/default/resume").status_code == 200


def test_what_asks_for_a_key_says_so(document: dict[str, Any]) -> None:
    for path, methods in document["paths"].items():
        for method, entry in methods.items():
            asked = entry.get("security", document["security"])
            needs_one = path.startswith("/api/v1") and (method, path) != ("post", "/api/v1/session")
            assert (asked == [{"key": []}]) == needs_one, path


def test_operations_are_named_for_what_they_do(document: dict[str, Any]) -> None:
    ids = [entry["operationId"] for methods in document["paths"].values() for entry in methods.values()]
    assert len(ids) == len(set(ids))
    assert {"submit_task", "get_task", "list_tasks", "cancel_task", "upload_document", "search_kb"} <= set(ids)
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)+", name) for name in ids)


def test_every_component_is_referred_to(document: dict[str, Any]) -> None:
    text = json.dumps(document)
    for kind, components in document["components"].items():
        if kind != "securitySchemes":
            for name in components:
                assert f'"#/components/{kind}/{name}"' in text, f"{kind}/{name}"
