"""Who may see a page: a browser without a key signs in, and one with a key sees what the key may."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest
from playwright.sync_api import Browser, expect

from dashboard.live import TOLD_EVERY
from dashboard.rendering import FOLDER
from models.base import new_id
from tests.api.conftest import Client
from tests.dashboard.browser import NARROW, WIDE, Language, person
from tests.guard import Guard
from tests.processes import Deployment
from tests.servers import eventually

KEYS = "ops:k-ops,viewer:k-read:read,scaler:k-scale:scale,mine:k-mine:submit:mine"
HTML = {"Accept": "text/html"}
BEARER = {"Authorization": "Bearer k-read"}
#: A button that sends a request, with its attributes and its text; and how a template says one.
BUTTON = re.compile(r'<button type="button" class="[^"]*" (data-method=[^>]*)>([^<]*)</button>')
OFFERED = re.compile(r'ui\.action\(_\("([^"]+)"\)')


@pytest.fixture(scope="module")
def locked(idle: Deployment, tmp_path_factory: pytest.TempPathFactory, guard: Guard) -> Iterator[Deployment]:
    """A web process that asks for keys."""
    with web_beside(idle, tmp_path_factory.mktemp("locked"), guard, MAX_STREAMS="2") as deployment:
        yield deployment


@pytest.fixture(scope="module")
def signed(idle: Deployment, tmp_path_factory: pytest.TempPathFactory, guard: Guard) -> Iterator[Deployment]:
    """The same, for a browser: it opens streams as it likes."""
    with web_beside(idle, tmp_path_factory.mktemp("signed"), guard) as deployment:
        yield deployment


@contextmanager
def web_beside(idle: Deployment, folder: Path, guard: Guard, **settings: str) -> Iterator[Deployment]:
    """Another web process of a deployment, which asks for keys."""
    servers = (idle.environment["DATABASE_URL"], idle.environment["RABBITMQ_URL"])
    with Deployment(*servers, folder, guard) as deployment:
        deployment.environment |= {"API_KEYS": KEYS, **settings}
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


def test_a_reader_sees_every_page_and_no_button_that_works(locked: Deployment, idle_client: Client) -> None:
    """Every action that any template offers: it is disabled, and refused by the session as by the key itself."""
    seen: set[str] = set()
    with browser(locked, "k-read") as client, httpx2.Client(base_url=locked.url, headers=BEARER) as curl:
        token = client.get("/api/v1/session").json()["csrf_token"]
        for path in filled(idle_client):
            shown = client.get(path)
            assert shown.status_code == 200, path
            assert token in shown.text
            buttons = BUTTON.findall(shown.text)
            for attributes, text in buttons:
                seen.add(text)
                method, address = (re.search(f'data-{name}="([^"]+)"', attributes)[1] for name in ("method", "path"))  # type: ignore[index]
                assert " disabled " in attributes, (path, text)
                assert "role" in attributes
                for who, headers in ((client, {"X-CSRF-Token": token}), (curl, {})):
                    answer = who.request(method, html.unescape(address), headers=headers, json={})
                    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden_role"), (path, text)
        upload = client.post("/api/v1/kbs/kb/documents", headers={"X-CSRF-Token": token}, files={"file": b"x"})
        assert (upload.status_code, upload.json()["code"]) == (403, "forbidden_role")
        assert 'id="drop"' in client.get("/kbs/kb").text
        assert re.search(r'<form class="drop"[^>]* hidden', client.get("/kbs/kb").text)
    texts = {
        text for path in (FOLDER / "templates").glob("*.html") for text in OFFERED.findall(path.read_text("utf-8"))
    }
    assert seen == texts


@pytest.mark.parametrize("language", ["en", "zh-CN"])
@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_a_reader_in_a_browser_can_press_no_button_and_is_refused_when_it_is_pressed_all_the_same(
    chromium: Browser, signed: Deployment, idle_client: Client, language: Language, width: int
) -> None:
    pages = filled(idle_client)
    with person(chromium, signed.url, language, width) as visitor:
        page = visitor.page
        visitor.open("/")
        page.locator("input[name=key]").fill("k-read")
        page.locator("#sign-in button").click()
        expect(page.locator(".tiles")).to_be_visible()
        for path in pages:
            visitor.open(path)
            buttons = page.locator("button[data-method]")
            assert buttons.count() == page.locator("button[data-method]:disabled").count(), path
            for title in buttons.evaluate_all("all => all.map((each) => each.title)"):
                assert ("只读" if language == "zh-CN" else "role read") in title, path
            expect(page.locator("#drop")).to_be_hidden()
        visitor.open("/queues")
        # At once: the page, which looks again by itself, would disable it.
        page.locator("#queue-storing button[data-method]").evaluate("each => { each.disabled = false; each.click(); }")
        expect(page.locator("#toasts .bad")).to_contain_text("operate")


def filled(client: Client) -> list[str]:
    """Have something of everything, and return the pages that show it."""
    kb_id = f"kb-{new_id()}"
    open_task = client.submit(kb_id=kb_id)
    batch = client.http.post("/api/v1/tasks/batch", json={"tasks": [{"task_type": "test", "kb_id": kb_id}]}).json()
    ended = client.http.post("/api/v1/tasks/batch", json={"tasks": [{"task_type": "test", "kb_id": kb_id}]}).json()
    bulk = client.submit(kb_id=kb_id)
    document = new_id()
    client.http.post("/api/v1/queues/storing/pause")
    of_batch = ended["tasks"][0]["task_id"]
    error = json.dumps({"code": "internal", "message": "x", "stage": "test", "hint": None, "hint_zh": None})
    client.execute(
        f"""
        UPDATE tasks SET status = 'failed', finished_at = now(), error = '{error}' WHERE id = '{of_batch}';
        UPDATE batches SET pending = 0, finished_at = now() WHERE id = '{ended["batch_id"]}';
        UPDATE tasks SET status = 'completed', task_type = 'bulk', stage = 'bulk', finished_at = now(),
            payload = '{{"action": "cancel"}}' WHERE id = '{bulk}';
        INSERT INTO callbacks (id, task_id, url, body) VALUES ('{new_id()}', '{of_batch}', 'http://x/',
            '{{"type": "task.failed", "data": {{"kb_id": "{kb_id}"}}}}');
        INSERT INTO versions (id, kb_id, document_id, number, format, sha256, size, characters, text, anchors, embedder)
            VALUES ('{document}', '{kb_id}', 'd', 1, 'text', '', 4, 4, 'text', '[]', 'local');
        INSERT INTO documents (kb_id, document_id, version_id, embedder, chunks, tokens)
            VALUES ('{kb_id}', 'd', '{document}', 'local', 1, 1);
        INSERT INTO chunks (version_id, index, kb_id, start_offset, end_offset, heading_path, text, hash, embedder,
            tokens, token_count, embedding)
            VALUES ('{document}', 0, '{kb_id}', 0, 4, '{{}}', 'text', '', 'local', '', 1, '[1]')
        """
    )
    assert batch["accepted"] == 1
    pages = ["/", "/tasks", "/errors", "/batches", "/queues", "/workers", "/kbs", "/callbacks"]
    of_kb = [f"/kbs/{kb_id}", f"/kbs/{kb_id}?prefix=d", f"/kbs/{kb_id}/documents/d"]
    return [*pages, *of_kb, *(f"/tasks/{task_id}" for task_id in (open_task, of_batch, bulk))]


def test_a_page_that_is_looked_at_counts_among_the_streams_of_its_key(locked: Deployment) -> None:
    with browser(locked, "k-read") as client:
        with client.stream("GET", "/queues?live=1") as answer:
            assert next(line for line in answer.iter_lines() if line).startswith("id: ")
            assert client.get("/workers?live=1").status_code == 503
            assert client.get("/api/v1/events").status_code == 503
            assert client.get("/workers").status_code == 200

        def opened() -> bool:
            with client.stream("GET", "/queues?live=1") as again:
                return again.status_code == 200

        # That nobody reads it any more is seen when it is sent something.
        eventually(opened, seconds=2 * TOLD_EVERY, reason="its place is free again")


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
