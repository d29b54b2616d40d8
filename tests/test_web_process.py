"""The web process as gunicorn runs it."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

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


def hung_up_on_all(port: int) -> None:
    with ThreadPoolExecutor(3) as pool:
        beginnings = (b"", b"GET /livez HTTP/1.1\r\nHost: x\r\nX-A: ", b"POST /api/v1/tasks")
        waited = list(pool.map(lambda said: hung_up_on(port, said), beginnings))
    assert all(HEADERS_WITHIN - 1 < seconds < HEADERS_WITHIN + 15 for seconds in waited), waited


def test_gunicorn_hangs_up_on_who_does_not_say_what_it_wants(deployment: Deployment) -> None:
    deployment.start("web")
    hung_up_on_all(deployment.port)


def test_uvicorn_hangs_up_on_who_does_not_say_what_it_wants(embedded: EmbeddedDeployment) -> None:
    embedded.start_embedded()
    hung_up_on_all(embedded.port)
    answered = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\nGET /livez HTTP/1.1\r\nX-A: "
    assert hung_up_on(embedded.port, answered) < HEADERS_WITHIN + 15


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
