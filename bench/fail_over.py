"""One of each is lost in turn under load: a node of RabbitMQ, a web, a worker, a clock, PostgreSQL's primary.

    make cluster-demo

Three nodes of RabbitMQ with quorum queues, PostgreSQL with a synchronous standby, two webs, three workers and two
clocks run on this machine. Whatever is killed is started again as whoever runs it would: processes at once, a node of
RabbitMQ after a while, and the standby is promoted and gets a standby of its own. Prints what became of all that was
accepted, and how soon work went on; draws tasks a second over time into docs/pictures/fail-over.svg.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import psycopg2

from bench import fail_over_books, fail_over_picture
from bench.fail_over_books import Course, Loss
from tests.guard import Guard
from tests.pair import Pair
from tests.processes import ROOT, Deployment, Process
from tests.receiver import Receiver
from tests.reliability.submitters import Client
from tests.servers import eventually, free_port
from tests.trio import Trio

WEBS, WORKERS, CLOCKS, CLIENTS = 2, 3, 2, 3
LEASE = 10.0
#: Seconds of load before the first loss, and after each return.
CALM = 15.0
#: Seconds for which a node of RabbitMQ is away.
AWAY = 15.0
#: Seconds until a killed process serves again, on a machine whose two cores do all of this at once.
READY = 180.0

#: The local port of a clock's connection that is within one of its duties: that clock leads.
LEADING = """
    SELECT client_port FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE locktype = 'advisory' AND granted AND application_name = 'task-manager clock'
      AND objid::bigint = hashtext('clock wake')::bigint & 4294967295
"""
#: The workers that hold tasks, by `host:pid`, and how many they hold.
HELD = "SELECT w.name, count(*) FROM tasks AS t JOIN workers AS w ON w.id = t.worker_id GROUP BY w.name"


class Cluster:
    """All servers and processes."""

    def __init__(self, rabbitmq: Trio, postgres: Pair, deployment: Deployment, receiver: Receiver) -> None:
        self.rabbitmq, self.postgres, self.deployment, self.receiver = rabbitmq, postgres, deployment, receiver
        deployment.patience = READY
        self.webs = [self._web(free_port()) for _ in range(WEBS)]
        self.workers, self.clocks = (
            [deployment.start(name, restart=True) for _ in range(count)]
            for name, count in (("worker", WORKERS), ("clock", CLOCKS))
        )

    @property
    def urls(self) -> list[str]:
        """Where the webs listen."""
        return [url(web) for web in self.webs]

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        """Return what the primary answers."""
        return self.postgres.primary.sql(statement)

    def lose_rabbitmq(self) -> None:
        """Kill the node that all are connected to and that leads every queue; it comes back after a while."""
        member = self.rabbitmq.members[0]
        member.kill()
        time.sleep(AWAY)
        member.start()
        self.rabbitmq.wait_until_whole()

    def lose_web(self) -> None:
        """Kill one of the webs."""
        self.webs[0].kill()
        self.deployment.wait_until_ready(self.webs[0], answers)

    def lose_worker(self) -> None:
        """Kill a worker that is at work: what it holds is missed only when its heartbeat is."""
        worker = eventually(self._stopped_at_work, seconds=60, every=0.01, reason="a worker is at work")
        assert worker is not None
        worker.kill()
        self.deployment.wait_until_ready(worker)

    def lose_clock(self) -> None:
        """Kill the clock that leads."""
        clock = self._leading()
        clock.kill()
        self.deployment.wait_until_ready(clock)

    def lose_postgresql(self) -> None:
        """Kill the primary: the standby is promoted, and gets a standby of its own."""
        self.postgres.fail_over()
        self.postgres.join()

    def _web(self, port: int) -> Process:
        return self.deployment.start("web", restart=True, ready=answers, PORT=str(port))

    def _stopped_at_work(self) -> Process | None:
        """Return a worker that stands still while it holds tasks."""
        for name, _ in self.sql(HELD):
            pid = int(name.rpartition(":")[2])
            worker = next(
                (process for process in self.workers if pid in {member.pid for member in process.members}), None
            )
            if worker is None:
                continue
            os.killpg(worker.pid, signal.SIGSTOP)
            held = dict(self.sql(HELD)).get(name, 0)
            if held:
                print(f"a worker is killed that holds {held} tasks", flush=True)
                return worker
            os.killpg(worker.pid, signal.SIGCONT)
        return None

    def _leading(self) -> Process:
        connection = psycopg2.connect(self.postgres.primary.url)
        connection.autocommit = True
        try:
            with connection.cursor() as cursor:

                def leader() -> Process | None:
                    cursor.execute(LEADING)
                    ports = {port for (port,) in cursor.fetchall()}
                    return next((process for process in self.clocks if ports & local_ports(process)), None)

                clock = eventually(leader, seconds=60, every=0.001, reason="a clock is at its duties")
        finally:
            connection.close()
        assert clock is not None
        return clock


def local_ports(process: Process) -> set[int]:
    """Return the ports from which a process is connected to others."""
    return {connection.laddr.port for member in process.members for connection in member.net_connections("tcp")}


def url(web: Process) -> str:
    """Where a web listens."""
    return f"http://127.0.0.1:{web.environment['PORT']}"


def answers(web: Process) -> bool:
    """Whether a web can do its work."""
    return httpx2.get(f"{url(web)}/readyz", timeout=5).status_code == 200


@contextmanager
def start(folder: Path, guard: Guard) -> Iterator[Cluster]:
    """Start all of it, in a folder that whoever runs PostgreSQL may write to."""
    rabbitmq = Trio(folder / "rabbitmq", guard)
    postgres = Pair(folder / "postgres", guard, synchronous=True)
    logs = folder / "logs"
    logs.mkdir()
    environment = {"QUEUE_TYPE": "quorum", "LEASE_SECONDS": f"{LEASE:g}"}
    try:
        command = [sys.executable, "-m", "alembic", "upgrade", "head"]
        subprocess.run(command, cwd=ROOT, env={**os.environ, "DATABASE_URL": postgres.url}, check=True)
        with (
            Receiver() as receiver,
            Deployment(postgres.url, rabbitmq.urls, logs, guard, **environment, **receiver.environment) as deployment,
        ):
            yield Cluster(rabbitmq, postgres, deployment, receiver)
    finally:
        postgres.close()
        rabbitmq.close()


def run(cluster: Cluster, calm: float = CALM) -> Course:
    """Lose one of each under load, and wait for the end of all that was accepted."""
    stop = threading.Event()
    course = Course(time.time())
    clients = [Client(cluster.urls, number, stop, keyed=True) for number in range(1, CLIENTS + 1)]
    for client in clients:
        client.start()
    try:
        time.sleep(calm)
        for what, lose in ways(cluster).items():
            loss = Loss(what, time.time())
            course.losses.append(loss)
            lose()
            loss.back = time.time()
            print(f"{what}: lost, and back after {loss.back - loss.at:.1f} s", flush=True)
            time.sleep(calm)
    finally:
        stop.set()
        for client in clients:
            client.join()
    course.ended = time.time()
    fail_over_books.keep(course, clients, cluster.sql, cluster.receiver)
    return course


def ways(cluster: Cluster) -> dict[str, Callable[[], None]]:
    """Return what is lost, in this order; each waits until it is there again. The first is nothing, to compare with."""
    return {
        "nothing": lambda: None,
        "rabbitmq": cluster.lose_rabbitmq,
        "web": cluster.lose_web,
        "worker": cluster.lose_worker,
        "clock": cluster.lose_clock,
        "postgresql": cluster.lose_postgresql,
    }


def main() -> None:
    """Run it, print what became of all, and draw it."""
    guard = Guard()
    folder = Path(tempfile.mkdtemp(prefix="cluster-"))
    folder.chmod(0o755)
    guard.remove_later(folder)
    try:
        with start(folder, guard) as cluster:
            course = run(cluster)
    finally:
        guard.close()
    print(fail_over_books.report(course))
    if course.wrong:
        sys.exit(1)
    for path in fail_over_picture.draw(course):
        print(path)


if __name__ == "__main__":
    main()
