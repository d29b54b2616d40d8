"""The web process as gunicorn runs it."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from api.connection import LARGEST_HEAD
from api.front import BODY_WITHIN, BYTES_A_SECOND
from settings import HEADERS_WITHIN
from tests.processes import ROOT, Deployment, EmbeddedDeployment, procfile


def test_a_connection_that_is_kept_open_does_not_hold_up_a_stop(deployment: Deployment) -> None:
    web = deployment.start("web")
    assert deployment.http.get("/livez").status_code == 200
    assert web.terminate() < 5


def test_every_line_of_its_log_is_json(deployment: Deployment) -> None:
    web = deployment.start("web")
    web.terminate()
    lines = [json.loads(line) for line in web.log.splitlines()]
    assert {"event", "level", "timestamp"} <= set.intersection(*(set(line) for line in lines))
    assert any(line["event"].startswith("Listening at") for line in lines)


@pytest.mark.parametrize(("settings", "warned"), [({}, True), ({"AUTH": "none"}, False), ({"API_KEYS": "a:b"}, False)])
def test_who_listens_to_all_without_a_key_says_so(
    deployment: Deployment, settings: dict[str, str], warned: bool
) -> None:
    deployment.environment.update(settings)
    web = deployment.start("web")
    lines = [json.loads(line) for line in web.log.splitlines()]
    said = [line for line in lines if line["event"] == "no_keys"]
    assert bool(said) == warned
    assert all(line["level"] == "warning" and "API_KEYS" in line["hint"] for line in said)


def hung_up_on(port: int, said: bytes) -> float:
    """Seconds after which a connection is closed that says so much and no more."""
    with socket.create_connection(("127.0.0.1", port), timeout=90) as connection:
        began = time.monotonic()
        connection.sendall(said)
        while connection.recv(4096):
            pass
        return time.monotonic() - began


def told_while_trickling(port: int, said: bytes) -> tuple[float, bytes]:
    """Seconds until a request is answered of which one more byte comes each second, and its answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
        began = time.monotonic()
        connection.sendall(said)
        answer = b""
        while not answer.endswith(b"}") and time.monotonic() - began < 90:
            try:
                answer += connection.recv(4096)
            except TimeoutError:
                connection.sendall(b" ")
        return time.monotonic() - began, answer


BEGINNINGS = (b"", b"GET /livez HTTP/1.1\r\nHost: x\r\nX-A: ", b"POST /api/v1/tasks")
FORM = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.md"\r\n\r\n'
HEAD = b"POST /api/v1/tasks HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
BODIES = (
    HEAD % 100_000,
    HEAD % 2_000_000 + b" " * 1_000_000,
    b"POST /api/v1/kbs/kb/documents HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\n"
    b"Content-Length: 100000\r\n\r\n" + FORM,
)


def told_while_slow(port: int) -> bytes:
    """The answer to a body that takes longer than BODY_WITHIN, twice as fast as it must."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        pieces = int(BODY_WITHIN) + 3
        body = b'{"task_type": "test"}'.ljust(pieces * 2 * BYTES_A_SECOND)
        connection.sendall(HEAD % len(body))
        for piece in range(pieces):
            time.sleep(1)
            connection.sendall(body[piece * 2 * BYTES_A_SECOND :][: 2 * BYTES_A_SECOND])
        return connection.recv(4096)


def is_strict(port: int) -> None:
    """Who does not say what it wants is hung up on, and whose body trickles is told so."""
    with ThreadPoolExecutor(7) as pool:
        slow = pool.submit(told_while_slow, port)
        answers = pool.map(lambda said: told_while_trickling(port, said), BODIES)
        waited = list(pool.map(lambda said: hung_up_on(port, said), BEGINNINGS))
        assert all(HEADERS_WITHIN - 1 < seconds < HEADERS_WITHIN + 15 for seconds in waited), waited
        for seconds, answer in answers:
            assert answer.startswith(b"HTTP/1.1 408 "), answer
            assert b"arrived too slowly" in answer, answer
            assert BODY_WITHIN - 1 < seconds < BODY_WITHIN + 15
        assert slow.result().startswith(b"HTTP/1.1 202 ")


def test_gunicorn_waits_for_nobody_without_end(deployment: Deployment) -> None:
    deployment.start("web")
    is_strict(deployment.port)


def test_uvicorn_waits_for_nobody_without_end(embedded: EmbeddedDeployment) -> None:
    embedded.start_embedded()
    is_strict(embedded.port)
    answered = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\nGET /livez HTTP/1.1\r\nX-A: "
    assert hung_up_on(embedded.port, answered) < HEADERS_WITHIN + 15


def test_a_head_without_end_is_refused(deployment: Deployment) -> None:
    deployment.start("web")
    with socket.create_connection(("127.0.0.1", deployment.port), timeout=20) as connection:
        connection.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n")
        for _ in range(LARGEST_HEAD // 4000 + 1):
            connection.sendall(b"X-A: " + b"a" * 4000 + b"\r\n")
            time.sleep(0.005)
        assert connection.recv(4096).startswith(b"HTTP/1.1 431 ")


#: As Java's client sends its first request, and curl with `--http2`.
OFFERED = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAA\r\n"
BODY = b'{"task_type": "test"}'
SUBMISSION = (HEAD % len(BODY)).replace(b"Content-Length", OFFERED + b"Content-Length")


@pytest.mark.parametrize("pause", [0, 0.2], ids=["in one piece", "in three"])
def test_who_offers_another_protocol_is_answered_by_this_one(embedded: EmbeddedDeployment, pause: float) -> None:
    embedded.start_embedded()
    pieces = [SUBMISSION[:150], SUBMISSION[150:], BODY + HEAD % len(BODY) + BODY]
    with socket.create_connection(("127.0.0.1", embedded.port), timeout=20) as connection:
        for piece in pieces if pause else [b"".join(pieces)]:
            connection.sendall(piece)
            time.sleep(pause)
        connection.sendall(
            b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: upgrade, close\r\nUpgrade: websocket\r\n\r\n"
        )
        answer = b"".join(iter(lambda: connection.recv(4096), b""))
    assert re.findall(rb"HTTP/1.1 (\d+)", answer) == [b"202", b"202", b"200"], answer


def test_a_wrong_setting_stops_it_with_one_line(deployment: Deployment) -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", procfile()["web"]],
        cwd=ROOT,
        env={**deployment.environment, "PORT": "http"},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.returncode == 1
    assert done.stdout + done.stderr == (
        "task-manager: PORT: input should be a valid integer, unable to parse string as an integer. "
        "Example: PORT=8084\n"
    )
