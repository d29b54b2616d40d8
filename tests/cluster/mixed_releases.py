"""The release before and this one side by side under load: an upgrade and a way back without a loss or an attempt."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

from tests.cluster.load import PATIENCE, accepted, errors, load
from tests.processes import ROOT, Deployment, Process
from tests.receiver import Receiver
from tests.reliability.conftest import House
from tests.reliability.submitters import Client
from tests.reliability.test_ledger import every_document_once, everything_ends
from tests.servers import eventually, free_port

#: What stands for the release before while no tag does: the newest commit with the schema of migration 0026.
EARLIER = "59063051"
#: Tasks that are accepted while it is as it is, before the next thing is changed.
MEANWHILE = 60
PROCESSES = ("worker", "worker", "clock")


def git(*arguments: str) -> str:
    """What git answers; empty when it fails."""
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


@pytest.fixture
def earlier(tmp_path: Path) -> Path:
    """The code of the release before."""
    name = git("describe", "--tags", "--abbrev=0", "HEAD^") or EARLIER
    if not git("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}"):
        pytest.fail(f"This clone does not hold {name}, the release before: `git fetch --unshallow --tags` brings it.")
    print(f"\nthe release before: {git('log', '-1', '--format=%h of %cs, %s', name)}")
    folder = tmp_path / "earlier"
    folder.mkdir()
    archive = subprocess.run(["git", "archive", name], cwd=ROOT, capture_output=True, check=True)
    subprocess.run(["tar", "-x", "-C", str(folder)], input=archive.stdout, check=True)
    return folder


class Releases:
    """Processes of two releases on one database and one broker."""

    def __init__(self, deployment: Deployment, roots: dict[str, Path]) -> None:
        self.deployment, self.roots = deployment, roots
        self.ports = {name: free_port() for name in roots}
        self.running: dict[str, list[Process]] = {}

    @property
    def urls(self) -> list[str]:
        """Where the web of each listens, while it runs."""
        return [self.url(name) for name in self.roots]

    def url(self, name: str) -> str:
        """Where the web of a release listens, while it runs."""
        return f"http://127.0.0.1:{self.ports[name]}"

    def migrate(self, name: str) -> None:
        """Run what a release runs before its processes."""
        command = [sys.executable, "-m", "alembic", "upgrade", "head"]
        environment = {**os.environ, "DATABASE_URL": self.deployment.database_url}
        done = subprocess.run(
            command, cwd=self.roots[name], env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr[-3000:]

    def start(self, name: str) -> None:
        """Start all processes of a release."""
        self.deployment.root = self.roots[name]
        web = self.deployment.start(
            "web", ready=lambda _: httpx2.get(f"{self.url(name)}/readyz").is_success, PORT=str(self.ports[name])
        )
        self.running[name] = [web, *(self.deployment.start(kind) for kind in PROCESSES)]

    def stop(self, name: str) -> None:
        """Stop all processes of a release as a deploy does."""
        for process in self.running.pop(name):
            process.terminate()


def go_on(clients: list[Client]) -> None:
    """Wait until more has been accepted."""
    until_now = len(accepted(clients))
    eventually(lambda: len(accepted(clients)) > until_now + MEANWHILE, seconds=120, reason="work goes on")


@pytest.mark.timeout(900)
def test_two_releases_side_by_side_lose_nothing_and_spend_no_attempt(
    empty_database_url: str, deployment: Deployment, earlier: Path
) -> None:
    deployment.database_url = deployment.environment["DATABASE_URL"] = empty_database_url
    releases = Releases(deployment, {"earlier": earlier, "this": ROOT})
    with Receiver() as receiver:
        house = House(deployment, receiver)
        deployment.patience = PATIENCE
        # A process that a busy machine holds up is not to be taken for a dead one.
        deployment.environment["LEASE_SECONDS"] = "30"
        releases.migrate("earlier")
        releases.start("earlier")
        with load(releases.urls, keyed=True) as clients:
            go_on(clients)
            releases.migrate("this")
            go_on(clients)
            releases.start("this")
            go_on(clients)
            releases.stop("earlier")
            go_on(clients)
            releases.start("earlier")
            go_on(clients)
            releases.stop("this")
            go_on(clients)
        everything_ends(house)
        ids = set(accepted(clients))
        print(f"{len(ids)} tasks; asked again {sum(client.asked_again for client in clients)} times")
        assert [fault for client in clients for fault in client.faults] == []
        rows = house.sql("SELECT id::text, status, errors, crashes, deaths, retries FROM tasks")
        assert {row[0] for row in rows} == ids
        assert {row[1:] for row in rows} == {("completed", 0, 0, 0, 0)}, "no attempt was spent"
        every_document_once(
            house, [n for client in clients for request in client.requests for n in request.documents.values()]
        )
        subjects = ids | {batch_id for (batch_id,) in house.sql("SELECT id::text FROM batches")}
        eventually(lambda: subjects <= receiver.ids_by_subject().keys(), seconds=120, reason="all are called back")
        assert {len(known) for known in receiver.ids_by_subject().values()} == {1}
        assert [callback.problem for callback in receiver.received if callback.problem] == []
        assert errors(deployment.processes) == []
