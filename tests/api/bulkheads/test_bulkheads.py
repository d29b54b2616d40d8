"""What hangs, or is locked, or is taken by one client, does not stop the rest of the API."""

from __future__ import annotations

import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any

import httpx2
import psycopg2
import pytest

from tests.api.conftest import Client, is_problem
from tests.api.resources.test_events import follow
from tests.openai_server import openai_server
from tests.processes import Deployment

#: Seconds within which what does not depend on the hindrance answers, on a machine that others use as well.
SOON = 4.0
#: And at most what waits for a deadline of its own: 5 s of a query, 3 s of a lock, twice for who waits in line.
LATE = 15.0
SEARCHES = 24


class Silent:
    """An endpoint that accepts every connection and never says a word."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=200)
        self.port = self._socket.getsockname()[1]
        self._held: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                self._held.append(self._socket.accept()[0])
            except OSError:
                return

    def close(self) -> None:
        for connection in (self._socket, *self._held):
            connection.close()


@pytest.fixture
def silent() -> Iterator[Silent]:
    endpoint = Silent()
    yield endpoint
    endpoint.close()


def timed(call: Callable[[], httpx2.Response]) -> tuple[httpx2.Response, float]:
    """An answer, and after how many seconds it came."""
    began = time.monotonic()
    answer = call()
    return answer, time.monotonic() - began


@pytest.fixture
def with_a_kb(deployment: Deployment) -> tuple[Deployment, str]:
    """A KB whose vectors come from an endpoint, which is away by now."""
    with openai_server() as server:
        settings = {
            "EMBEDDER": "openai",
            "EMBEDDING_BASE_URL": f"{server.url}/v1",
            "EMBEDDING_API_KEY": server.key or "",
        }
        deployment.environment.update(settings)
        web = deployment.start("web")
        worker = deployment.start("worker")
        Client(deployment).take_in("kitchen", "Green tea is brewed at eighty degrees.", "tea")
        web.terminate()
        worker.terminate()
    return deployment, "/api/v1/kbs/kitchen/search"


def test_a_provider_that_hangs_stops_nothing_but_vectors(with_a_kb: tuple[Deployment, str], silent: Silent) -> None:
    deployment, search = with_a_kb
    deployment.start("web", EMBEDDING_BASE_URL=f"http://127.0.0.1:{silent.port}/v1")
    deployment.http.get("/readyz")
    with ThreadPoolExecutor(SEARCHES) as clients:
        ask = lambda: deployment.http.post(search, json={"query": "green tea"})  # noqa: E731
        searches = [clients.submit(timed, ask) for _ in range(SEARCHES)]
        time.sleep(0.5)
        for path in ("/livez", "/readyz", "/health", "/api/v1/tasks?limit=1"):
            answer, seconds = timed(lambda path=path: deployment.http.get(path))  # type: ignore[misc]
            assert (answer.status_code, seconds < SOON) == (200, True), (path, seconds)
        answer, seconds = timed(lambda: deployment.http.post("/api/v1/tasks", json={"task_type": "test"}))
        assert (answer.status_code, seconds < SOON) == (202, True), seconds
        for future in searches:
            result, seconds = future.result()
            assert result.status_code == 200, result.text
            assert seconds < LATE
            assert result.json()["degraded"]["reason"] == "embedder_unavailable"
            assert [hit["document_id"] for hit in result.json()["hits"]] == ["tea"]
    # It is left alone for a while now.
    answer, seconds = timed(lambda: deployment.http.post(search, json={"query": "green tea"}))
    assert answer.json()["degraded"]["detail"]
    assert seconds < SOON
    refused = deployment.http.post(search, json={"query": "green tea", "mode": "vector"})
    assert is_problem(refused, 503)["code"] == "embedder_unavailable"
    assert int(refused.headers["retry-after"]) > 0
    words = deployment.http.post(search, json={"query": "green tea", "mode": "text"}).json()
    assert (words["degraded"], len(words["hits"])) == (None, 1)


def test_a_kb_without_documents_asks_no_provider(deployment: Deployment, silent: Silent) -> None:
    url = f"http://127.0.0.1:{silent.port}/v1"
    deployment.start("web", EMBEDDER="openai", EMBEDDING_BASE_URL=url, EMBEDDING_API_KEY="key")
    answer, seconds = timed(lambda: deployment.http.post("/api/v1/kbs/empty/search", json={"query": "tea"}))
    assert (answer.status_code, answer.json()["hits"], answer.json()["degraded"]) == (200, [], None)
    assert seconds < SOON


@contextmanager
def locked(url: str, table: str) -> Iterator[None]:
    """Hold a table as a migration does."""
    connection = psycopg2.connect(url)
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"LOCK TABLE {table}")
            yield
    finally:
        connection.close()


def test_a_locked_table_stops_only_what_needs_it(deployment: Deployment) -> None:
    deployment.start("web")
    client = Client(deployment)
    task_id = client.submit()
    document = "/api/v1/kbs/kb/documents/none/text"
    deployment.http.get(document)
    with ExitStack() as stack:
        clients = stack.enter_context(ThreadPoolExecutor(30))
        stack.enter_context(locked(deployment.database_url, "tasks"))

        def ask(method: str, path: str, **more: Any) -> Any:
            return clients.submit(timed, lambda: deployment.http.request(method, path, **more))

        shown = [ask("GET", f"/api/v1/tasks/{task_id}") for _ in range(20)]
        submitted = [ask("POST", "/api/v1/tasks", json={"task_type": "test"}) for _ in range(5)]
        time.sleep(0.5)
        for path, status in {"/readyz": 200, "/livez": 200, "/health": 200, document: 404}.items():
            answer, seconds = timed(lambda path=path: deployment.http.get(path))  # type: ignore[misc]
            assert (answer.status_code, seconds < SOON) == (status, True), (path, seconds, answer.text)
        for future in (*shown, *submitted):
            answer, seconds = future.result()
            is_problem(answer, 503)
            assert int(answer.headers["retry-after"]) > 0
            assert seconds < LATE
        for future in submitted:
            assert "lock" in future.result()[0].json()["detail"]
            assert "nothing was accepted" in future.result()[0].json()["detail"]
    assert client.sql("SELECT count(*) FROM tasks") == [(1,)]
    assert deployment.http.get(f"/api/v1/tasks/{task_id}").status_code == 200
    client.submit()


def test_a_full_disk_is_called_so(deployment: Deployment) -> None:
    deployment.start("web")
    client = Client(deployment)
    connection = psycopg2.connect(deployment.database_url)
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql AS"
            " 'BEGIN RAISE disk_full USING MESSAGE = ''could not extend file: No space left on device''; END';"
            "CREATE TRIGGER fill BEFORE INSERT ON tasks EXECUTE FUNCTION fill()"
        )
    connection.close()
    problem = is_problem(deployment.http.post("/api/v1/tasks", json={"task_type": "test"}), 503)
    assert "its disk is full" in problem["detail"]
    assert "cannot be reached" not in problem["detail"]
    assert client.sql("SELECT count(*) FROM tasks") == [(0,)]


def test_one_client_cannot_take_all_event_streams(deployment: Deployment) -> None:
    deployment.start("web", MAX_STREAMS="8", API_KEYS="one:first,other:second")

    def opened(key: str, stack: ExitStack) -> int:
        headers = {"Authorization": f"Bearer {key}"}
        answer = stack.enter_context(deployment.http.stream("GET", "/api/v1/events", headers=headers))
        if answer.status_code == 200:
            lines = answer.iter_lines()
            next(lines)
            kept.append(lines)  # the response is closed with it
        return answer.status_code

    kept: list[Iterator[str]] = []
    with ExitStack() as stack:
        mine = [opened("first", stack) for _ in range(10)]
        assert mine == [200] * 4 + [503] * 6
        assert [opened("second", stack) for _ in range(3)] == [200, 200, 503]
        assert opened("first", stack) == 503


def test_a_stream_opens_while_a_transaction_goes_on(deployment: Deployment) -> None:
    deployment.start("web")
    client = Client(deployment)
    connection = psycopg2.connect(deployment.database_url)
    try:
        with connection.cursor() as cursor:
            cursor.execute("CREATE TEMPORARY TABLE mine (one integer)")
            events = follow(deployment, "/events")
            assert next(events)["type"] == "open"
            task_id = client.submit()
            assert next(events)["task_id"] == task_id
    finally:
        connection.close()


def test_nothing_is_opened_of_what_is_not_there_while_a_transaction_goes_on(deployment: Deployment) -> None:
    deployment.start("web", MAX_STREAMS="1")
    for _ in range(3):
        is_problem(deployment.http.get(f"/api/v1/tasks/{uuid.uuid4()}/events"), 404)
    assert next(follow(deployment, "/events"))["type"] == "open"
