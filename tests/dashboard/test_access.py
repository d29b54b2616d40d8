"""Who may see a page: a browser without a key signs in, and one with a key sees what the key may."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
import pytest

from tests.guard import Guard
from tests.processes import Deployment
from tests.servers import eventually

KEYS = "ops:k-ops,viewer:k-read:read,scaler:k-scale:scale,mine:k-mine:submit:mine"
HTML = {"Accept": "text/html"}


@pytest.fixture(scope="module")
def locked(idle: Deployment, tmp_path_factory: pytest.TempPathFactory, guard: Guard) -> Iterator[Deployment]:
    """A web process that asks for keys."""
    servers = (idle.environment["DATABASE_URL"], idle.environment["RABBITMQ_URL"])
    with Deployment(*servers, tmp_path_factory.mktemp("locked"), guard) as deployment:
        deployment.environment |= {"API_KEYS": KEYS, "MAX_STREAMS": "2"}
        deployment.start("web")
        yield deployment


@contextmanager
def browser(locked: Deployment, key: str) -> Iterator[httpx2.Client]:
    """A browser that has signed in."""
    with httpx2.Client(base_url=locked.url, headers=HTML) as client:
        assert client.post("/api/v1/session", json={"key": key}).status_code == 200
        yield client


def test_a_browser_without_a_key_is_asked_for_one_and_comes_back(locked: Deployment) -> None:
    answer = httpx2.get(f"{locked.url}/tasks?status=failed", headers=HTML)
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?next=%2Ftasks%3Fstatus%3Dfailed")
    shown = httpx2.get(locked.url + answer.headers["location"], headers=HTML)
    assert shown.status_code == 200
    assert 'data-next="/tasks?status=failed"' in shown.text
    answer = httpx2.get(f"{locked.url}/kbs/a%2Fb", headers=HTML)
    assert 'data-next="/kbs/a%2Fb"' in httpx2.get(locked.url + answer.headers["location"], headers=HTML).text
    assert 'data-next="/"' in httpx2.get(f"{locked.url}/sign-in?next=//evil.example", headers=HTML).text


def test_who_asks_for_json_is_told_in_json(locked: Deployment) -> None:
    answer = httpx2.get(f"{locked.url}/tasks", headers={"Accept": "application/json"})
    assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")


def test_a_reader_sees_every_page_and_no_button_that_works(locked: Deployment) -> None:
    with browser(locked, "k-read") as client:
        for path in ("/", "/tasks", "/queues", "/workers", "/kbs", "/kbs/kb"):
            assert client.get(path).status_code == 200, path
        shown = client.get("/queues").text
        assert shown.count("data-method=") == shown.count("disabled title=") > 0
        token = client.get("/api/v1/session").json()["csrf_token"]
        assert token in shown
        answer = client.post("/api/v1/queues/default/pause", headers={"X-CSRF-Token": token})
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden_role")


def test_a_page_that_is_looked_at_counts_among_the_streams_of_its_key(locked: Deployment) -> None:
    with browser(locked, "k-read") as client:
        with client.stream("GET", "/queues?live=1") as answer:
            assert next(line for line in answer.iter_lines() if line).startswith("data: ")
            assert client.get("/workers?live=1").status_code == 503
            assert client.get("/api/v1/events").status_code == 503
            assert client.get("/workers").status_code == 200

        def opened() -> bool:
            with client.stream("GET", "/queues?live=1") as again:
                return again.status_code == 200

        eventually(opened, reason="its place is free again")


def test_an_operators_button_works_with_the_token_alone(locked: Deployment) -> None:
    with browser(locked, "k-ops") as client:
        token = client.get("/api/v1/session").json()["csrf_token"]
        assert client.post("/api/v1/queues/default/pause").status_code == 403
        for verb, shown in (("pause", True), ("resume", False)):
            answer = client.post(f"/api/v1/queues/default/{verb}", headers={"X-CSRF-Token": token})
            assert (answer.status_code, answer.json()["paused"]) == (200, shown)


def test_a_key_of_one_kb_is_shown_no_other(locked: Deployment) -> None:
    with browser(locked, "k-mine") as client:
        assert client.get("/kbs/mine").status_code == 200
        for path in ("/kbs/other", "/queues", "/"):
            refused = client.get(path)
            assert refused.status_code == 403, path
            assert refused.headers["content-type"].startswith("text/html")


def test_a_key_that_only_scales_sees_no_page(locked: Deployment) -> None:
    with browser(locked, "k-scale") as client:
        assert client.get("/tasks").status_code == 403
