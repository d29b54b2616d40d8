"""The OpenAPI document and the page that shows it."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import falcon.inspect
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from api.app import create_app
from settings import read
from tests.api.conftest import Client

#: What describes the others.
ITSELF = {"/openapi.json", "/docs", "/"}


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


def test_every_route_is_in_it(document: dict[str, Any]) -> None:
    routes = {
        (route.path, method.method.lower())
        for route in falcon.inspect.inspect_routes(create_app(read({})))
        for method in route.methods
        # HEAD is GET without its body.
        if not method.internal and method.method != "HEAD" and route.path not in ITSELF
    }
    assert {(path, method) for path, methods in document["paths"].items() for method in methods} == routes


def test_an_example_is_a_request_that_works(document: dict[str, Any], idle_client: Client) -> None:
    examples = [
        (path.replace("{kb_id}", "kb"), content["example"])
        for path, methods in document["paths"].items()
        for entry in methods.values()
        for content in entry.get("requestBody", {}).get("content", {}).values()
        if "example" in content
    ]
    assert len(examples) >= 3
    for path, example in examples:
        assert idle_client.http.post(path, json=example).status_code in (200, 202), path


def test_what_asks_for_a_key_says_so(document: dict[str, Any]) -> None:
    for path, methods in document["paths"].items():
        for entry in methods.values():
            assert ("security" in entry) == path.startswith("/api/v1"), path


class Fetched(HTMLParser):
    """Everything in a page that a browser would fetch or run."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "link", "img", "iframe", "object", "embed", "base", "form"):
            self.found.append(tag)
        self.found += [
            f"{name}={value}"
            for name, value in attributes
            if name.startswith("on") or (name in ("src", "href", "srcset") and not (value or "").startswith("#"))
        ]


def test_the_page_fetches_nothing(idle_client: Client) -> None:
    answer = idle_client.http.get("/docs")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    fetched = Fetched()
    fetched.feed(answer.text)
    assert fetched.found == []
    assert not re.search(r"@import|url\(", answer.text)


def test_the_page_shows_every_route(document: dict[str, Any], idle_client: Client) -> None:
    page = idle_client.http.get("/docs").text
    for path, methods in document["paths"].items():
        for method in methods:
            assert re.search(rf"{method.upper()}</b> <code>{re.escape(path)}</code>", page), f"{method} {path}"
