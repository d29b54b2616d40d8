"""The ledger: everything is killed, stopped, paused and misled for a while, and then the books are kept.

`make ledger` disturbs 300 times, or KILLS; SEED says what is disturbed, and how.
"""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.commit_proxy import CommitProxy
from tests.documents import samples
from tests.guard import Guard
from tests.postgres import OwnPostgres
from tests.processes import Deployment
from tests.rabbitmq import RabbitNode
from tests.receiver import Receiver
from tests.reliability.conftest import House
from tests.reliability.storm import Storm
from tests.reliability.submitters import Client, Request
from tests.reliability.test_killers import ADDITIONS
from tests.servers import eventually

#: Disturbances: some of each kind; `make ledger` has more.
KILLS = int(os.environ.get("KILLS") or 25)
SEED = os.environ.get("SEED") or "1"
#: Tasks that must have been accepted before it ends: fewer prove nothing.
ENOUGH = 50
LEASE = 5.0
SHUTDOWN = 10.0
#: Seconds by which a process may be late at its end, on a machine that does all of this at once.
LATE = 3.0
#: Seconds until all that was accepted has ended and was called back: a callback that a killed worker had taken is
#: tried again after a minute.
AFTERWARDS = 180.0 + KILLS
CLIENTS = 3
#: Of every process that may be killed, so many run.
PROCESSES = {"web": 1, "worker": 2, "clock": 2}


@pytest.fixture
def own_postgres(server_folder: Path, guard: Guard) -> Iterator[OwnPostgres]:
    """A PostgreSQL that nobody else needs."""
    server = OwnPostgres(server_folder / "ledger", guard)
    yield server
    server.close()


@pytest.mark.timeout(600 + 10 * KILLS)
def test_every_task_is_accounted_for_whatever_is_killed_stopped_paused_or_misled(
    own_postgres: OwnPostgres, rabbit_node: RabbitNode, tmp_path: Path, guard: Guard
) -> None:
    with (
        own_postgres.database() as database_url,
        CommitProxy(database_url) as proxy,
        Deployment(database_url, rabbit_node.url, tmp_path, guard) as deployment,
        Receiver() as receiver,
    ):
        house = House(deployment, receiver)
        temporary = tmp_path / "temporary"
        temporary.mkdir()
        deployment.environment.update(
            DATABASE_URL=proxy.url,
            LEASE_SECONDS=f"{LEASE:g}",
            SHUTDOWN_TIMEOUT=f"{SHUTDOWN:g}",
            TMPDIR=str(temporary),
        )
        deployment.add(ADDITIONS)
        storm = Storm(SEED, deployment.wait_until_ready, LEASE)
        for name, number in PROCESSES.items():
            for _ in range(number):
                storm.add_process(deployment.start(name, restart=True))
        storm.add_server("rabbitmq", rabbit_node)
        storm.add_server("postgresql", own_postgres)
        storm.add_proxy(proxy)
        poison = plant_poison(house, tmp_path)
        began = time.monotonic()
        clients = work_through(storm, deployment.url)
        requests = [request for client in clients for request in client.requests]
        answers = Counter(request.answer for request in requests)
        print(f"\nseed {SEED}: {storm.done.total()} disturbances in {time.monotonic() - began:.0f} s,", end=" ")
        print(dict(sorted(storm.done.items())))
        print(f"{len(requests)} requests: {dict(answers)}; ", end="")
        print(f"asked again {sum(client.asked_again for client in clients)} times; {proxy.lost} answers lost")
        books = Books()
        with books.page("disturbances"):
            assert storm.done.keys() == storm.ways
        with books.page("answers"):
            assert [fault for client in clients for fault in client.faults] == []
        balance(books, house, requests, poison)
        leave_nothing(books, house, rabbit_node, temporary)
        with books.page("SIGTERM"):
            print(f"slowest of {len(storm.ends)} ends after SIGTERM: {max(storm.ends, default=None)}")
            assert [end for end in storm.ends if end[0] > SHUTDOWN + LATE] == []
        assert not books.wrong, "\n".join(books.wrong)


class Books:
    """All that is wrong, and not only what was seen first."""

    def __init__(self) -> None:
        self.wrong: list[str] = []

    @contextmanager
    def page(self, what: str) -> Iterator[None]:
        """Go on behind what is wrong here."""
        try:
            yield
        except AssertionError as error:
            print(f"WRONG: {what}: {error}")
            self.wrong.append(f"{what}: {error}")


def plant_poison(house: House, folder: Path) -> set[str]:
    """A document that kills its reader, and a task that kills its worker. Returns their ids."""
    upload = {"file": ("poison.pdf", samples.swelling_pdf(900 << 20))}
    answer = house.deployment.http.post("/api/v1/kbs/kb/documents", files=upload)
    assert answer.status_code == 202, answer.text
    sign = folder / "sign"
    sign.touch()
    return {answer.json()["task_id"], house.submit(task_type="killer", payload={"sign": str(sign)})}


def work_through(storm: Storm, url: str) -> list[Client]:
    """Have clients submit while the storm rages. Returns them when all is calm."""

    def is_over() -> bool:
        accepted = sum(len(request.task_ids) for client in clients for request in client.requests)
        return storm.done.total() >= KILLS and accepted > ENOUGH

    stop = threading.Event()
    # One has no keys: what became of a request without an answer it cannot know, but the books must.
    clients = [Client([url], number, stop, keyed=number > 1) for number in range(1, CLIENTS + 1)]
    for client in clients:
        client.start()
    try:
        storm.rage(is_over)
    finally:
        stop.set()
    for client in clients:
        client.join()
    return clients


def balance(books: Books, house: House, requests: list[Request], poison: set[str]) -> None:
    """What was accepted is what there is, what ended and what was told."""
    everything_ends(house)
    rows = house.sql(
        """
        SELECT id::text, metadata->>'marker', batch_id::text, status || coalesce(' ' || (error->>'code'), '')
        FROM tasks
        """
    )
    tasks = [row for row in rows if row[1] is not None]
    ids = {marker: task_id for task_id, marker, _, _ in tasks}
    batches = {batch_id for _, _, batch_id, _ in tasks if batch_id}
    with books.page("ends"):
        failed = {task_id: status for task_id, _, _, status in rows if status != "completed"}
        wrong = [task_id for task_id in failed if task_id not in poison]
        query = "SELECT to_jsonb(tasks) - 'payload' FROM tasks WHERE id = ANY(CAST(%s AS uuid[])) LIMIT 20"
        assert failed == dict.fromkeys(poison, "failed worker_crashed"), house.sql(query, wrong)
    with books.page("requests"):
        assert len(ids) == len(tasks) > ENOUGH, "no request made a task twice"
        assert ids.keys() <= {marker for request in requests for marker in request.markers}
    with books.page("answers"):
        assert [request for request in requests if not is_kept(request, ids)] == []
    with books.page("batches"):
        assert len(batches) == sum(request.is_batch and request.markers[0] in ids for request in requests)
        assert house.sql("SELECT count(*) FROM batches WHERE pending <> 0 OR finished_at IS NULL") == [(0,)]
        assert {batch_id for (batch_id,) in house.sql("SELECT id::text FROM batches")} == batches
    numbers = [n for request in requests for marker, n in request.documents.items() if marker in ids]
    with books.page("documents"):
        every_document_once(house, numbers)
    with books.page("callbacks"):
        subjects = {*(task_id for task_id, *_ in tasks), *poison, *batches}
        house.called_back_once(*subjects, seconds=AFTERWARDS)
        assert set(house.receiver.ids_by_subject()) == subjects
        print(f"{len(house.receiver.received) - len(subjects)} of {len(subjects)} callbacks came again under their id")
    unknown = [request for request in requests if request.answer == "unknown"]
    came = sum(request.markers[0] in ids for request in unknown)
    print(f"{len(tasks)} tasks, {len(numbers)} of them documents, {len(batches)} batches; ", end="")
    print(f"{came} of {len(unknown)} requests without an answer were accepted")


def is_kept(request: Request, ids: dict[str, str]) -> bool:
    """Whether a request's tasks are what its answer says."""
    made = [ids[marker] for marker in request.markers if marker in ids]
    if request.answer == "accepted":
        return made == request.task_ids
    return len(made) in ((0,) if request.answer == "denied" else (0, len(request.markers)))


def everything_ends(house: House) -> None:
    """Wait until every task has."""
    began = time.monotonic()
    unfinished = "SELECT count(*) FROM tasks WHERE finished_at IS NULL"
    try:
        eventually(lambda: house.sql(unfinished) == [(0,)], seconds=AFTERWARDS, every=0.5, reason="every task ends")
    except AssertionError as error:
        rows = house.sql("SELECT to_jsonb(tasks) - 'payload' FROM tasks WHERE finished_at IS NULL LIMIT 20")
        raise AssertionError(f"{error}\n{rows}\n{house.deployment.logs()[-20_000:]}") from None
    print(f"all ended {time.monotonic() - began:.0f} s after the last disturbance")


def every_document_once(house: House, numbers: list[int]) -> None:
    """Each document is searchable, in one version, with all of its chunks once, in their places."""
    versions = house.sql("SELECT d.document_id, v.number FROM documents AS d JOIN versions AS v ON v.id = d.version_id")
    assert sorted(versions) == sorted((f"d{number}", 1) for number in numbers), "each document once, in one version"
    chunks = house.sql(
        """
        SELECT DISTINCT count(*), count(DISTINCT c.index), max(c.index) + 1
        FROM documents AS d JOIN chunks AS c USING (version_id) GROUP BY d.document_id
        """
    )
    assert [len(set(counts)) for counts in chunks] == [1], f"every document has all of its chunks once: {chunks}"


#: What may be left of work that is over: nothing.
LEFT = {
    "locks": "SELECT count(*) FROM locks",
    "shards": "SELECT count(*) FROM shards",
    "claims": "SELECT count(*) FROM tasks WHERE worker_id IS NOT NULL OR claimed_at IS NOT NULL",
    "drafts": "SELECT count(*) FROM drafts JOIN documents USING (version_id)",
    "vectors": "SELECT count(*) FROM draft_vectors JOIN documents USING (version_id)",
}


def leave_nothing(books: Books, house: House, rabbit_node: RabbitNode, temporary: Path) -> None:
    """Once all is done, and then once all processes have ended, nothing is left behind."""
    for what, count in LEFT.items():
        with books.page("rows"):
            eventually(partial(is_zero, house, count), seconds=60, reason=f"no {what} are left")
    with books.page("queues"):
        eventually(partial(is_calm, rabbit_node), seconds=60, reason="queues are empty, with a consumer in each worker")
    for process in house.deployment.processes:
        with books.page("SIGTERM"):
            took = process.terminate()
            assert took < SHUTDOWN + LATE, f"{process.name} took {took:.1f} s to end"
    with books.page("processes"):
        eventually(lambda: not processes_in(house.deployment.root), seconds=10, reason="no process is left")
        assert house.sql("SELECT name FROM workers") == []
    with books.page("folders"):
        assert [entry.name for entry in temporary.iterdir()] == []
    with books.page("connections"):
        others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        eventually(partial(is_zero, house, others), seconds=20, reason="no connection to PostgreSQL is left")
        eventually(lambda: rabbit_node.management("/connections") == [], seconds=20, reason="none to RabbitMQ is left")


def is_zero(house: House, count: str) -> bool:
    return house.sql(count) == [(0,)]


def is_calm(rabbit_node: RabbitNode) -> bool:
    queues = [queue for name, queue in rabbit_node.queues().items() if not name.endswith(".XQ")]
    return all(queue["messages"] == 0 and queue["consumers"] == PROCESSES["worker"] for queue in queues)


def processes_in(root: Path) -> list[Any]:
    """The processes that run from a folder."""
    commands = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.cwd() == str(root):
                commands.append(process.cmdline())
    return commands
