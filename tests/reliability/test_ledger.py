"""The ledger: a minute of `kill -9` on all processes and both servers, and every accepted task is accounted for."""

from __future__ import annotations

import random
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.documents import samples
from tests.guard import Guard
from tests.postgres import OwnPostgres
from tests.processes import Deployment
from tests.rabbitmq import RabbitNode
from tests.receiver import Receiver
from tests.reliability.conftest import House
from tests.reliability.test_killers import ADDITIONS
from tests.servers import eventually

#: Seconds for which something is killed every so many seconds.
STORM = 60.0
KILL_EVERY = 1.0
#: Seconds for which a server is left alone when it has come back: without it nothing can be accepted.
SERVERS_RESPITE = 12.0
#: Seconds until all that was accepted has ended and was called back: a callback that a killed worker had taken is
#: tried again after a minute.
AFTERWARDS = 180.0
CLIENTS = 3
#: Seconds between two submissions of a client.
PACE = 0.25
#: Of every process that may be killed, so many run.
PROCESSES = {"web": 1, "worker": 2, "clock": 2}


def text(number: int) -> str:
    """A document of its own, as long as every other."""
    return (
        f"# Document {number:08}\n\n"
        + "The quick brown fox jumps over the lazy dog. 敏捷的棕色狐狸跳过了懒狗。\n\n" * 10
    )


def document(number: int) -> dict[str, Any]:
    payload = {"content": text(number), "document_id": f"d{number}", "chunk_size": 200, "chunk_overlap": 0}
    return {"task_type": "document_processing", "kb_id": "kb", "payload": payload}


class Target:
    """What can be killed, and is started again by a process manager.

    Parameters:
      start: how, where nobody else does it.
      respite: seconds for which it is left alone when it was started again; what never comes to work is no test.
    """

    def __init__(self, kill: Callable[[], None], start: Callable[[], None] | None = None, respite: float = 4) -> None:
        self._kill, self._start, self._respite = kill, start, respite
        self._starting = threading.Thread(target=self._bring_back)
        self._free_at = 0.0

    def kill(self) -> bool:
        """Kill it, unless it was killed a moment ago. Returns whether it was killed."""
        if self._starting.is_alive() or time.monotonic() < self._free_at:
            return False
        self._kill()
        self._starting = threading.Thread(target=self._bring_back)
        self._starting.start()
        return True

    def _bring_back(self) -> None:
        if self._start is not None:
            self._start()
        self._free_at = time.monotonic() + self._respite

    def wait(self) -> None:
        """Until it is back."""
        if self._starting.ident is not None:
            self._starting.join()


class Client(threading.Thread):
    """A KB service that submits all kinds of work, and asks again under the same key when it got no answer."""

    def __init__(self, url: str, number: int, stop: threading.Event) -> None:
        super().__init__(name=f"client {number}")
        self._http = httpx2.Client(base_url=f"{url}/api/v1", timeout=10)
        self._random = random.Random(number)
        self._numbers = iter(range(number * 1_000_000, (number + 1) * 1_000_000))
        self._stopped = stop
        self.tasks: list[str] = []
        self.documents: list[int] = []
        self.batches: list[str] = []
        self.asked_again = 0
        self.refusals: list[str] = []

    def run(self) -> None:
        kinds = [self.one_document] * 5 + [self.upload, self.test, self.test, self.batch, self.dependent]
        while not self._stopped.wait(PACE):
            self._random.choice(kinds)()

    def accepted(self, path: str, **request: Any) -> dict[str, Any]:
        """The answer to a request, asked until it is 202."""
        key = {"Idempotency-Key": str(uuid.uuid4())}
        while True:
            try:
                answer = self._http.post(path, headers=key, **request)
            except httpx2.HTTPError:
                pass
            else:
                if answer.status_code == 202:
                    body: dict[str, Any] = answer.json()
                    return body
                if answer.status_code < 500:
                    self.refusals.append(answer.text)
                    return {"task_id": "refused", "batch_id": "refused", "tasks": []}
            self.asked_again += 1
            time.sleep(0.2)

    def number(self) -> int:
        self.documents.append(next(self._numbers))
        return self.documents[-1]

    def one_document(self) -> None:
        self.tasks.append(self.accepted("/tasks", json=document(self.number()))["task_id"])

    def upload(self) -> None:
        number = self.number()
        fields = {"document_id": f"d{number}", "chunk_size": "200", "chunk_overlap": "0"}
        files = {"file": ("a.md", text(number).encode())}
        self.tasks.append(self.accepted("/kbs/kb/documents", data=fields, files=files)["task_id"])

    def test(self) -> None:
        self.tasks.append(self.accepted("/tasks", json={"task_type": "test"})["task_id"])

    def dependent(self) -> None:
        others = self.tasks[-2:]
        self.tasks.append(self.accepted("/tasks", json={"task_type": "test", "depends_on": others})["task_id"])

    def batch(self) -> None:
        items = [
            {"name": "first", **document(self.number())},
            {"name": "second", **document(self.number()), "depends_on": ["first"]},
            {"task_type": "test", "depends_on": ["first", "second"]},
            {"task_type": "test"},
        ]
        answer = self.accepted("/tasks/batch", json={"tasks": items})
        self.batches.append(answer["batch_id"])
        self.tasks += [each["task_id"] for each in answer["tasks"]]


@pytest.fixture
def own_postgres(server_folder: Path, guard: Guard) -> Iterator[OwnPostgres]:
    """A PostgreSQL that nobody else needs."""
    server = OwnPostgres(server_folder / "ledger", guard)
    yield server
    server.close()


def storm(targets: dict[str, list[Target]]) -> Counter[str]:
    """Kill one of the targets every KILL_EVERY seconds. Returns how often each was."""
    chance = random.Random(1)
    killed: Counter[str] = Counter()
    until = time.monotonic() + STORM
    while time.monotonic() < until:
        name = chance.choice(list(targets))
        if chance.choice(targets[name]).kill():
            killed[name] += 1
            time.sleep(KILL_EVERY)
        else:
            time.sleep(KILL_EVERY / 50)
    return killed


@pytest.mark.timeout(500)
def test_every_accepted_task_is_accounted_for_after_a_minute_of_kills(
    own_postgres: OwnPostgres, rabbit_node: RabbitNode, tmp_path: Path, guard: Guard
) -> None:
    with (
        own_postgres.database() as database_url,
        Deployment(database_url, rabbit_node.url, tmp_path, guard) as deployment,
        Receiver() as receiver,
    ):
        house = House(deployment, receiver)
        deployment.environment["LEASE_SECONDS"] = "5"
        deployment.add(ADDITIONS)
        running = {name: [deployment.start(name, restart=True) for _ in range(n)] for name, n in PROCESSES.items()}
        targets = {
            **{name: [Target(each.kill) for each in processes] for name, processes in running.items()},
            "rabbitmq": [Target(rabbit_node.kill, rabbit_node.start, SERVERS_RESPITE)],
            "postgresql": [Target(own_postgres.kill, own_postgres.start, SERVERS_RESPITE)],
        }
        poison = plant_poison(house, tmp_path)
        stop = threading.Event()
        clients = [Client(deployment.url, number, stop) for number in range(1, CLIENTS + 1)]
        for client in clients:
            client.start()
        try:
            killed = storm(targets)
        finally:
            for target in chain(*targets.values()):
                target.wait()
        stop.set()
        for client in clients:
            client.join()
        balance(house, clients, poison, killed)


def plant_poison(house: House, folder: Path) -> set[str]:
    """A document that kills its reader, and a task that kills its worker. Returns their ids."""
    upload = {"file": ("poison.pdf", samples.swelling_pdf(900 << 20))}
    answer = house.deployment.http.post("/api/v1/kbs/kb/documents", files=upload)
    assert answer.status_code == 202, answer.text
    sign = folder / "sign"
    sign.touch()
    return {answer.json()["task_id"], house.submit(task_type="killer", payload={"sign": str(sign)})}


def balance(house: House, clients: list[Client], poison: set[str], killed: Counter[str]) -> None:
    """What was accepted is what there is, what ended and what was told."""
    tasks = [task_id for client in clients for task_id in client.tasks]
    batches = [batch_id for client in clients for batch_id in client.batches]
    numbers = [number for client in clients for number in client.documents]
    print(f"killed: {dict(killed)}; accepted: {len(tasks)} tasks, {len(numbers)} of them documents;", end=" ")
    print(f"asked again: {sum(client.asked_again for client in clients)}")
    assert killed.keys() == {*PROCESSES, "rabbitmq", "postgresql"}
    assert [client.refusals for client in clients] == [[]] * CLIENTS
    assert len(tasks) == len(set(tasks)) > 50

    began = time.monotonic()
    unfinished = "SELECT count(*) FROM tasks WHERE finished_at IS NULL"
    try:
        eventually(lambda: house.sql(unfinished) == [(0,)], seconds=AFTERWARDS, every=0.5, reason="every task ends")
    except AssertionError as error:
        rows = house.sql("SELECT to_jsonb(tasks) - 'payload' FROM tasks WHERE finished_at IS NULL LIMIT 20")
        raise AssertionError(f"{error}\n{rows}\n{house.deployment.logs()[-20_000:]}") from None
    print(f"all ended {time.monotonic() - began:.0f} s after the last kill")
    statuses = dict(house.sql("SELECT id::text, status || coalesce(' ' || (error->>'code'), '') FROM tasks"))
    assert statuses == dict.fromkeys(tasks, "completed") | dict.fromkeys(poison, "failed worker_crashed")

    versions = house.sql("SELECT d.document_id, v.number FROM documents AS d JOIN versions AS v ON v.id = d.version_id")
    assert sorted(versions) == sorted((f"d{number}", 1) for number in numbers), "each document once, in one version"
    chunks = house.sql(
        """
        SELECT DISTINCT count(*), count(DISTINCT c.index), max(c.index) + 1
        FROM documents AS d JOIN chunks AS c USING (version_id) GROUP BY d.document_id
        """
    )
    assert len(chunks) == 1 and len(set(chunks[0])) == 1, f"every document has all of its chunks once: {chunks}"
    assert house.sql("SELECT count(*) FROM batches WHERE pending <> 0 OR finished_at IS NULL") == [(0,)]
    assert house.sql("SELECT count(*) FROM batches") == [(len(batches),)]
    assert house.sql("SELECT count(*) FROM locks") == [(0,)]
    house.called_back_once(*tasks, *poison, *batches, seconds=AFTERWARDS)
    assert set(house.receiver.ids_by_subject()) == {*tasks, *poison, *batches}
