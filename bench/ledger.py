"""The disturbances of `make ledger`, done to FastAPI and Celery: what is lost, doubled, and left.

    make bench-ledger KILLS=300 SEED=1

Clients submit texts without a rest; each that was accepted is to be divided, and its end told, as `work` of
`bench.peers.fastapi_celery_documents` does it. The same storm kills, stops and pauses its processes, kills both servers
and loses answers of commits. Then the books are kept: prints a line for each.
"""

from __future__ import annotations

import os
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx2
import psycopg2

from bench.contestants import PEERS
from tests.commit_proxy import CommitProxy
from tests.guard import Guard
from tests.postgres import OwnPostgres
from tests.processes import ROOT, Process
from tests.rabbitmq import RabbitNode, private_node
from tests.receiver import Receiver
from tests.reliability.storm import Storm
from tests.reliability.submitters import PACE, text
from tests.servers import eventually, free_port

KILLS = int(os.environ.get("KILLS") or 300)
SEED = os.environ.get("SEED") or "1"
CLIENTS = 3
#: By which a pause is measured, as in the ledger.
LEASE = 5.0
#: Seconds in which what was accepted must have ended.
AFTERWARDS = 180.0 + KILLS
SCHEMA = """
    CREATE TABLE jobs (id uuid PRIMARY KEY, content text NOT NULL, status text NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(), finished_at timestamptz);
    CREATE TABLE chunks (job_id uuid REFERENCES jobs, index integer, content text, PRIMARY KEY (job_id, index))
"""
COMMANDS = {
    "web": "uvicorn bench.peers.fastapi_celery_documents:app --workers 2 --port {port} --log-level warning",
    "worker": "celery -A bench.peers.fastapi_celery_documents:celery worker --concurrency 2 --loglevel WARNING",
}
PROCESSES = {"web": 1, "worker": 2}


class Client(threading.Thread):
    """Submits texts; each is asked once, for there are no idempotency keys."""

    def __init__(self, url: str, number: int, stop: threading.Event) -> None:
        super().__init__(name=f"client {number}")
        self._http = httpx2.Client(base_url=url, timeout=15)
        self._number = number * 1_000_000
        self._stopped = stop
        self.accepted: list[str] = []
        self.answers: Counter[str] = Counter()

    def run(self) -> None:
        while not self._stopped.wait(PACE):
            self._number += 1
            try:
                answer = self._http.post("/tasks", json={"content": text(self._number)})
            except httpx2.HTTPError as error:
                self.answers["denied" if isinstance(error, httpx2.ConnectError) else "unknown"] += 1
                continue
            self.answers["accepted" if answer.status_code == 202 else f"status {answer.status_code}"] += 1
            if answer.status_code == 202:
                self.accepted.append(answer.json()["task_id"])


def main() -> int:
    """Disturb, wait, keep the books. Returns 1 where something that was accepted was lost."""
    guard = Guard()
    folder = Path(tempfile.mkdtemp(prefix="bench-ledger-"))
    guard.remove_later(folder)
    server, node = OwnPostgres(folder / "postgres", guard), private_node(folder / "rabbitmq", guard)
    try:
        with server.database(migrated=False) as url, CommitProxy(url) as proxy, Receiver() as receiver:
            return _run(server, node, url, proxy, receiver, folder, guard)
    finally:
        node.close()
        server.close()
        guard.close()


def _run(
    server: OwnPostgres,
    node: RabbitNode,
    database_url: str,
    proxy: CommitProxy,
    receiver: Receiver,
    folder: Path,
    guard: Guard,
) -> int:
    _sql(database_url, SCHEMA)
    port = free_port()
    environment = {
        **os.environ,
        "PATH": f"{PEERS}{os.pathsep}{os.environ.get('PATH', '')}",
        "PYTHONPATH": str(ROOT),
        "DATABASE_URL": proxy.url,
        "RABBITMQ_URL": node.url,
        "CALLBACK_URL": receiver.url,
    }
    url = f"http://127.0.0.1:{port}"
    ready: dict[str, Callable[[], bool]] = {
        "web": lambda: httpx2.get(f"{url}/health", timeout=2).status_code == 200,
        # Nothing tells of a worker by itself: it is there when the queue has as many consumers as there are workers.
        "worker": lambda: node.queues().get("celery", {}).get("consumers") == PROCESSES["worker"],
    }
    storm = Storm(SEED, lambda process: _await(ready[process.name]), LEASE)
    processes = []
    for name, count in PROCESSES.items():
        for number in range(count):
            arguments = f"--hostname worker{number}@%h" if name == "worker" else ""
            process = Process(
                name,
                environment,
                folder / f"{name}-{number}.log",
                guard,
                command=COMMANDS[name].format(port=port),
                arguments=arguments,
                restart=True,
                root=folder,
            )
            processes.append(process)
            storm.add_process(process)
    for is_ready in ready.values():
        _await(is_ready)
    storm.add_server("rabbitmq", node)
    storm.add_server("postgresql", server)
    storm.add_proxy(proxy)
    try:
        return _keep_books(storm, url, database_url, receiver)
    finally:
        for process in processes:
            process.end()


def _keep_books(storm: Storm, url: str, database_url: str, receiver: Receiver) -> int:
    stop, began = threading.Event(), time.monotonic()
    clients = [Client(url, number, stop) for number in range(1, CLIENTS + 1)]
    for client in clients:
        client.start()
    storm.rage(lambda: storm.done.total() >= KILLS)
    stop.set()
    for client in clients:
        client.join()
    print(f"seed {SEED}: {storm.done.total()} disturbances in {time.monotonic() - began:.0f} s", end=" ")
    print(dict(sorted(storm.done.items())))
    answers = sum((client.answers for client in clients), Counter[str]())
    accepted = {task_id for client in clients for task_id in client.accepted}
    print(f"requests: {dict(answers)}")
    with suppress(AssertionError):
        eventually(lambda: not accepted - _ended(database_url), seconds=AFTERWARDS, every=1.0)
    time.sleep(10.0)  # for the callbacks of the last
    ended = _ended(database_url)
    lost = accepted - ended
    print(f"{len(accepted)} accepted, {len(lost)} of them never ended, {len(ended - accepted)} ended besides")
    rows = _sql(database_url, "SELECT id::text FROM jobs WHERE status <> 'completed'")
    print(f"{len(rows)} rows are left that are not completed")
    callbacks = Counter(callback.body["task_id"] for callback in receiver.received)
    again = sum(count > 1 for count in callbacks.values())
    print(f"{len(ended - callbacks.keys())} ends without a callback, {again} told again")
    return 1 if lost else 0


def _ended(database_url: str) -> set[str]:
    return {row[0] for row in _sql(database_url, "SELECT id::text FROM jobs WHERE status = 'completed'")}


def _await(is_ready: Callable[[], bool]) -> None:
    eventually(is_ready, seconds=60, every=0.1, reason="it is ready")


def _sql(database_url: str, statement: str) -> list[tuple[Any, ...]]:
    connection = psycopg2.connect(database_url)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(main())
