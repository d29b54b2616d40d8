"""Embedded mode from its first moment on: whatever ends it takes its PostgreSQL along."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import httpx2
import psutil
import psycopg2.errors
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from settings import Settings
from tests.api.bulkheads.test_bulkheads import locked
from tests.api.conftest import is_problem
from tests.guard import Guard
from tests.processes import EmbeddedDeployment
from tests.servers import eventually, free_port
from tests.test_requirements import ROOT


def postmaster(folder: Path) -> int | None:
    """The process id of the PostgreSQL of a data folder, if it has one."""
    lines = (folder / "postgres" / "postmaster.pid").read_text().splitlines()
    return int(lines[0]) if lines else None


def _url(embedded: EmbeddedDeployment) -> str:
    return f"postgresql://postgres@/postgres?host={embedded.folder / 'data' / 'postgres'}"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_during_the_start_leaves_no_postgresql(
    server_folder: Path, guard: Guard, number: signal.Signals
) -> None:
    folder = server_folder / f"embedded-{number}"
    environment = {**os.environ, "DATA_DIR": str(folder), "PORT": str(free_port()), "GRPC_PORT": "0"}
    process = subprocess.Popen([sys.executable, "-m", "embedded"], cwd=ROOT, env=environment, start_new_session=True)
    guard.watch(process.pid)
    pid = eventually(lambda: postmaster(folder), seconds=30, every=0.005, reason="PostgreSQL starts")
    process.send_signal(number)
    process.wait(timeout=30)
    eventually(lambda: not psutil.pid_exists(pid), seconds=10, reason="PostgreSQL has ended")
    guard.forget(process.pid)


def test_what_a_killed_service_was_at_is_taken_up_by_the_next_start_without_waiting_for_a_lease(
    embedded: EmbeddedDeployment,
) -> None:
    service = embedded.start_embedded(LEASE_SECONDS="300", WORKER_POOL_SIZE="4")
    running = [submit(embedded, task_type="benchmark", payload={"seconds": 4}) for _ in range(4)]
    waiting = submit(embedded, task_type="test")
    for task_id in running:
        eventually(partial(has_status, embedded, task_id, "processing"), seconds=20, reason="it runs")
    with closing(psycopg2.connect(_url(embedded), application_name="task-manager")) as left, left.cursor() as cursor:
        # As a transaction of the service does that the server has not yet seen the end of.
        cursor.execute("SELECT FROM workers FOR UPDATE")
        service.kill()
        embedded.start_embedded()
    for task_id in (*running, waiting):
        eventually(partial(has_status, embedded, task_id, "completed"), seconds=60, reason="it completes")
    # What is shown is what it took, and not what nobody did meanwhile.
    shown = show(embedded, running[0])
    assert shown["stages"][0]["attempts"] == 2


def test_postgresql_is_stopped_by_the_next_clean_end_after_a_kill(embedded: EmbeddedDeployment) -> None:
    embedded.start_embedded().kill()
    pid = postmaster(embedded.folder / "data")
    assert pid is not None
    assert psutil.pid_exists(pid), "it outlives a kill, and the next start finds it"
    embedded.start_embedded().terminate()

    def has_ended() -> bool:
        # One that nobody has waited for yet has ended, too.
        return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE

    eventually(has_ended, seconds=10, reason="it is stopped")


def test_a_second_service_on_the_same_folder_says_who_has_it(embedded: EmbeddedDeployment) -> None:
    service = embedded.start_embedded()
    second = embedded.start("embedded", wait=False, PORT=str(free_port()))
    eventually(lambda: not second.running, seconds=20, reason="it ends")
    assert f"process {service.pid} works on {embedded.folder / 'data'} already" in second.log
    assert "Traceback" not in second.log
    assert embedded.http.get("/livez").status_code == 200


def test_grpc_is_served_beside_rest_unless_its_port_is_taken(embedded: EmbeddedDeployment) -> None:
    port = Settings.model_fields["grpc_port"].default
    with socket.socket() as other:
        with suppress(OSError):  # where somebody has it already, it is taken as well
            other.bind(("127.0.0.1", port))
            other.listen()
        service = embedded.start_embedded(GRPC_PORT="")
        assert service.log.count("no_grpc") == 1
        assert "gRPC:" not in service.log
        assert embedded.http.get("/readyz").status_code == 200
        is_ours = other.getsockname()[1] == port
    service.terminate()
    if not is_ours:
        return
    service = embedded.start_embedded(GRPC_PORT="")
    assert f"; gRPC: 127.0.0.1:{port} " in service.log
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=20)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


def test_a_port_for_grpc_that_was_asked_for_and_is_taken_stops_the_start(embedded: EmbeddedDeployment) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        process = embedded.start("embedded", wait=False, GRPC_PORT=str(port))
        eventually(lambda: not process.running, seconds=60, reason="it ends")
    assert f"task-manager: GRPC_PORT: cannot listen on 127.0.0.1:{port}" in process.log
    assert "Traceback" not in process.log


def test_postgresql_logs_no_value_of_a_statement_that_failed(embedded: EmbeddedDeployment) -> None:
    embedded.start_embedded()
    folder = embedded.folder / "data" / "postgres"
    with closing(psycopg2.connect(_url(embedded))) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE planted (value text PRIMARY KEY)")
        with pytest.raises(psycopg2.errors.UniqueViolation):
            cursor.execute("INSERT INTO planted VALUES ('s3cret'), ('s3cret')")
    log = (folder / "log").read_text()
    assert "planted_pkey" in log, "the error itself is there"
    assert "s3cret" not in log


def test_postgresql_has_memory_for_a_large_index_unless_an_operator_says_otherwise(
    embedded: EmbeddedDeployment,
) -> None:
    url = _url(embedded)

    def answer(statement: str) -> Any:
        with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
            connection.autocommit = True
            cursor.execute(statement)
            return cursor.fetchone() if cursor.description else None

    service = embedded.start_embedded()
    assert answer("SHOW shared_buffers") == ("512MB",)
    answer("ALTER SYSTEM SET shared_buffers = '64MB'")
    service.terminate()
    embedded.start_embedded()
    assert answer("SHOW shared_buffers") == ("64MB",)


def test_a_locked_table_is_waited_for_no_longer_than_elsewhere(embedded: EmbeddedDeployment) -> None:
    embedded.start_embedded()
    url = _url(embedded)
    for method, path, body in (
        ("GET", "/api/v1/kbs/kb/documents", None),
        ("POST", "/api/v1/tasks", {"task_type": "test"}),
    ):
        with locked(url, "documents, tasks"):
            answer = embedded.http.request(method, path, json=body)
        assert "lock" in is_problem(answer, 503)["detail"]


def submit(embedded: EmbeddedDeployment, **fields: object) -> str:
    answer = embedded.http.post("/api/v1/tasks", json=fields)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["task_id"])


def has_status(embedded: EmbeddedDeployment, task_id: str, status: str) -> bool:
    return bool(show(embedded, task_id)["status"] == status)


def show(embedded: EmbeddedDeployment, task_id: str) -> dict[str, Any]:
    # Not the pooled client: a connection to the process that was killed would be tried again.
    shown: dict[str, Any] = httpx2.get(f"{embedded.url}/api/v1/tasks/{task_id}", timeout=10).json()
    return shown
