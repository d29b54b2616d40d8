"""A browser signs in with a key and out again, and no page of another site does anything in its name."""

from __future__ import annotations

import base64
import http.cookies
import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import falcon
import httpx2
import pytest

from api.access import failures
from api.access.failures import AT_ONCE, EVERY, Failures
from api.access.session import COOKIE, LASTS, Session
from keys import Key
from tests.api.conftest import Client, is_problem
from tests.guard import Guard
from tests.processes import Deployment

SESSION = "/api/v1/session"
KEYS = "ops:the-first-key,reader:the-second-key:read:handbook"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}

Start = Callable[[str], Deployment]


@pytest.fixture(scope="module")
def start(idle: Deployment, tmp_path_factory: pytest.TempPathFactory, guard: Guard) -> Iterator[Start]:
    """Starts web processes with these keys."""
    started: list[Deployment] = []

    def start(keys: str) -> Deployment:
        servers = (idle.environment["DATABASE_URL"], idle.environment["RABBITMQ_URL"])
        deployment = Deployment(*servers, tmp_path_factory.mktemp("sessions"), guard, API_KEYS=keys)
        started.append(deployment)
        deployment.start("web")
        return deployment

    yield start
    for deployment in started:
        deployment.__exit__(None, None, None)


@pytest.fixture(scope="module")
def locked(start: Start) -> Deployment:
    return start(KEYS)


class Browser:
    """Keeps a cookie, and sends nothing else by itself."""

    def __init__(self, deployment: Deployment) -> None:
        self.url = deployment.url
        self.cookies: dict[str, str] = {}
        self.token = ""

    def ask(self, method: str, path: str, *, headers: dict[str, str] | None = None, **more: Any) -> httpx2.Response:
        cookie = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        return httpx2.request(
            method, self.url + path, headers=(headers or {}) | (cookie if self.cookies else {}), timeout=30, **more
        )

    def change(self, method: str, path: str, **more: Any) -> httpx2.Response:
        """Ask as a page of ours does for a change."""
        return self.ask(method, path, headers={"X-CSRF-Token": self.token}, **more)

    def sign_in(self, key: str, **headers: str) -> http.cookies.Morsel[str]:
        """Sign in by the form. Returns what the cookie says."""
        answer = self.ask("POST", SESSION, headers=headers, data={"key": key})
        assert answer.status_code == 200, answer.text
        assert key not in answer.text
        assert answer.headers["cache-control"] == "no-store"
        self.token = answer.json()["csrf_token"]
        cookie = http.cookies.SimpleCookie(answer.headers["set-cookie"])[COOKIE]
        self.cookies = {COOKIE: cookie.value}
        return cookie


@pytest.fixture
def browser(locked: Deployment) -> Browser:
    return Browser(locked)


def is_denied(answer: httpx2.Response, code: str) -> None:
    problem = is_problem(answer, 403)
    assert (problem["code"], bool(problem["hint"]), bool(problem["hint_zh"])) == (code, True, True)


def test_a_cookie_stands_for_the_key_and_no_script_can_read_it(browser: Browser) -> None:
    is_problem(browser.ask("GET", "/api/v1/tasks"), 401)
    cookie = browser.sign_in("the-second-key")
    assert (cookie["httponly"], cookie["samesite"], cookie["path"], cookie["secure"]) == (True, "Strict", "/", "")
    assert int(cookie["max-age"]) == LASTS
    assert browser.ask("GET", "/api/v1/tasks").status_code == 200
    shown = browser.ask("GET", SESSION).json()
    assert (shown["name"], shown["role"], shown["kbs"]) == ("reader", "read", ["handbook"])
    assert shown["csrf_token"] == browser.token


def test_a_cookie_that_came_over_https_goes_by_no_other_way(browser: Browser) -> None:
    assert browser.sign_in("the-first-key", **{"X-Forwarded-Proto": "https"})["secure"] is True


def test_a_key_comes_as_json_as_well_and_a_wrong_one_is_refused(browser: Browser) -> None:
    assert browser.ask("POST", SESSION, json={"key": "the-first-key"}).json()["name"] == "ops"
    for wrong in ("the-first", "", "schlüssel"):
        is_problem(browser.ask("POST", SESSION, json={"key": wrong}), 401)
    is_problem(browser.ask("POST", SESSION, json={"password": "x"}), 422)
    is_problem(browser.ask("POST", SESSION, content=b"key=" + b"x" * 100_000, headers=FORM), 413)


def test_no_more_is_read_of_whoever_has_no_key_than_a_key_takes(browser: Browser) -> None:
    large = json.dumps({"key": "x" * 100_000}).encode()
    is_problem(browser.ask("POST", SESSION, content=large, headers={"Content-Type": "application/json"}), 413)
    for kind in ("application/json", FORM["Content-Type"]):
        unannounced = iter([b"key=", b"x" * 100_000])
        is_problem(browser.ask("POST", SESSION, content=unannounced, headers={"Content-Type": kind}), 400)


def test_a_session_follows_events(browser: Browser) -> None:
    browser.sign_in("the-first-key")
    headers = {"Cookie": f"{COOKIE}={browser.cookies[COOKIE]}"}
    with httpx2.stream("GET", f"{browser.url}/api/v1/events", headers=headers, timeout=30) as stream:
        assert stream.status_code == 200
        first = next(json.loads(line[5:]) for line in stream.iter_lines() if line.startswith("data:"))
        assert first["type"] == "open"


def test_a_session_changes_nothing_without_its_token(browser: Browser, locked: Deployment) -> None:
    browser.sign_in("the-first-key")
    other = Browser(locked)
    other.sign_in("the-first-key")
    task = {"task_type": "test"}
    is_denied(browser.ask("POST", "/api/v1/tasks", json=task), "csrf_token")
    for token in ("", "x", other.token, browser.token[:-1]):
        is_denied(browser.ask("POST", "/api/v1/tasks", json=task, headers={"X-CSRF-Token": token}), "csrf_token")
    accepted = browser.change("POST", "/api/v1/tasks", json=task)
    assert accepted.status_code == 202
    shown = browser.ask("GET", f"/api/v1/tasks/{accepted.json()['task_id']}").json()
    assert shown["submitted_by"] == "ops"
    is_denied(browser.ask("DELETE", f"/api/v1/tasks/{shown['task_id']}"), "csrf_token")
    assert browser.change("DELETE", f"/api/v1/tasks/{shown['task_id']}").status_code == 200


def test_a_form_may_hold_the_token(browser: Browser) -> None:
    browser.sign_in("the-first-key")
    # What tells that the token was found: there is no such queue.
    path = "/api/v1/queues/none/pause"
    is_problem(browser.ask("POST", path, data={"csrf_token": browser.token}), 404)
    is_denied(browser.ask("POST", path, data={"csrf_token": "x"}), "csrf_token")
    is_denied(browser.ask("POST", path, data={"other": "x"}), "csrf_token")


def test_a_session_may_what_its_key_may(browser: Browser) -> None:
    browser.sign_in("the-second-key")
    is_denied(browser.change("POST", "/api/v1/tasks", json={"task_type": "test"}), "forbidden_role")
    is_denied(browser.ask("GET", "/api/v1/kbs/other/documents"), "forbidden_kb")
    assert browser.change("POST", "/api/v1/kbs/handbook/search", json={"query": "tea"}).status_code == 200


def test_a_key_that_is_sent_counts_before_the_cookie(browser: Browser) -> None:
    browser.sign_in("the-second-key")
    sent = {"Authorization": "Bearer the-first-key"}
    assert browser.ask("GET", SESSION, headers=sent).json()["name"] == "ops"
    is_problem(browser.ask("GET", SESSION, headers={"Authorization": "Bearer wrong"}), 401)


def test_every_process_knows_a_session_until_its_key_is_gone(browser: Browser, start: Start) -> None:
    browser.sign_in("the-first-key")
    rotating = start("ops:a-newer-key,ops:the-first-key")
    browser.url = rotating.url
    assert browser.ask("GET", SESSION).json()["name"] == "ops"
    browser.url = start("ops:a-newer-key").url
    is_problem(browser.ask("GET", SESSION), 401)


def test_a_cookie_that_is_over_or_was_changed_opens_nothing(browser: Browser) -> None:
    browser.sign_in("the-second-key")
    payload, _, signature = browser.cookies[COOKIE].partition(".")
    name, expires_at, nonce = json.loads(base64.urlsafe_b64decode(payload))
    forged = [
        Session(Key("reader", b"the-second-key"), made([name, int(time.time()) - 1, nonce]), 0).cookie,
        f"{made(['ops', expires_at, nonce])}.{signature}",
        f"{made([name, expires_at + 1, nonce])}.{signature}",
        Session(Key("ops", b"another-key"), made(["ops", expires_at, nonce]), 0).cookie,
        *(
            f"{made(content)}.{signature}"
            for content in (1, [], [name, "x", nonce], [name, 1e400, nonce], [None, None, 1])
        ),
        payload,
        f"{payload}.",
        "",
        f"{payload}.{browser.token}",
    ]
    for cookie in forged:
        browser.cookies = {COOKIE: cookie}
        assert browser.ask("GET", SESSION).status_code == 401, cookie
    raw = httpx2.get(browser.url + SESSION, headers={b"Cookie": f"{COOKIE}=é.é".encode()})
    assert raw.status_code == 401
    browser.cookies = {COOKIE: f"{payload}.{signature}"}
    assert browser.ask("GET", SESSION).status_code == 200


def made(claims: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(claims).encode()).decode()


def test_signing_out_takes_the_cookie_back(browser: Browser) -> None:
    browser.sign_in("the-first-key")
    is_denied(browser.ask("DELETE", SESSION), "csrf_token")
    answer = browser.change("DELETE", SESSION)
    cookie = http.cookies.SimpleCookie(answer.headers["set-cookie"])[COOKIE]
    assert (answer.status_code, cookie.value, cookie["path"]) == (204, "", "/")
    assert parsedate_to_datetime(cookie["expires"]) < datetime.now(UTC)


def test_who_fails_too_often_waits_even_with_the_right_key(start: Start) -> None:
    browser = Browser(start(KEYS))
    answers = [browser.ask("POST", SESSION, data={"key": f"guess-{n}"}) for n in range(AT_ONCE)]
    assert {answer.status_code for answer in answers} == {401}
    refused = browser.ask("POST", SESSION, data={"key": "the-first-key"})
    is_problem(refused, 429)
    assert 0 < int(refused.headers["retry-after"]) <= EVERY
    # Programs, whose keys no sign-in is needed for, go on.
    sent = {"Authorization": "Bearer the-first-key"}
    assert browser.ask("GET", SESSION, headers=sent).status_code == 200


def test_who_guesses_through_a_proxy_hinders_nobody_else(browser: Browser) -> None:
    for number in range(AT_ONCE + 1):
        refused = browser.ask("POST", SESSION, json={"key": "wrong"}, headers={"X-Forwarded-For": "192.0.2.77"})
        is_problem(refused, 401 if number < AT_ONCE else 429)
    browser.sign_in("the-first-key", **{"X-Forwarded-For": "198.51.100.77"})


def test_failures_are_forgotten_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    counted = Failures()
    for _ in range(AT_ONCE):
        counted.refuse("10.0.0.1")
        counted.count("10.0.0.1")
    with pytest.raises(falcon.HTTPTooManyRequests):
        counted.refuse("10.0.0.1")
    counted.refuse("10.0.0.2")
    now[0] += EVERY
    counted.refuse("10.0.0.1")
    counted.count("10.0.0.1")
    with pytest.raises(falcon.HTTPTooManyRequests):
        counted.refuse("10.0.0.1")


def test_addresses_of_one_ipv6_network_count_together_and_few_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failures, "MOST", 3)
    counted = Failures()
    for number in range(AT_ONCE):
        counted.count(f"2001:db8::{number}")
    with pytest.raises(falcon.HTTPTooManyRequests):
        counted.refuse("2001:db8::ffff")
    counted.refuse("2001:db8:0:1::1")
    for number in range(3):
        counted.count(f"10.0.0.{number}")
    counted.refuse("2001:db8::1")


@pytest.mark.parametrize(
    ("headers", "is_own"),
    [
        ({}, True),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "https://outside.example"}, True),
        ({"Sec-Fetch-Site": "none"}, True),
        ({"Sec-Fetch-Site": "same-site"}, False),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Origin": "HOST"}, True),
        ({"Origin": "https://attacker.example"}, False),
        ({"Origin": "null"}, False),
        ({"Sec-Fetch-Site": "cross-site", "Authorization": "Bearer anything"}, True),
    ],
    ids=str,
)
def test_where_no_key_is_asked_for_another_site_still_changes_nothing(
    idle_client: Client, headers: dict[str, str], is_own: bool
) -> None:
    url = idle_client.deployment.url
    sent = {name: value.replace("HOST", url) for name, value in headers.items()}
    # As a form of another site can send it.
    answer = idle_client.http.post("/api/v1/queues/none/resume", headers=sent)
    if is_own:
        is_problem(answer, 404)
    else:
        is_denied(answer, "cross_site")
    assert idle_client.http.get("/api/v1/stats/queues", headers=sent).status_code == 200


def test_another_site_signs_nobody_in(browser: Browser) -> None:
    headers = {"Sec-Fetch-Site": "cross-site"}
    is_denied(browser.ask("POST", SESSION, data={"key": "the-first-key"}, headers=headers), "cross_site")


def test_where_no_key_is_asked_for_there_is_nothing_to_sign_in_to(idle_client: Client) -> None:
    shown = idle_client.http.get(SESSION).json()
    assert shown == {"name": None, "role": "operate", "kbs": None, "csrf_token": None, "expires_at": None}
    is_problem(idle_client.http.post(SESSION, json={"key": "any"}), 409)
