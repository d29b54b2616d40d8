"""A suspect runs alone in a process: what comes of it there, and that it ends with whatever nobody wants any more."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator

import psutil
import pytest

from errors import TaskError
from settings import settings
from tasks.working.claim import Claim
from tests.actors.conftest import Bench
from tests.servers import eventually
from worker import isolation
from worker.holding import Claims, HandBack, Lost
from worker.isolation import Isolation


@pytest.fixture
def claims() -> Claims:
    return Claims()


@pytest.fixture
def alone(database_url: str, claims: Claims, monkeypatch: pytest.MonkeyPatch) -> Iterator[Isolation]:
    """The processes of one worker. They find the database of the test by the environment, and have no broker."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    for name in ("RABBITMQ_URL", "RABBITMQ_URLS"):
        monkeypatch.delenv(name, raising=False)
    # However busy the machine is.
    monkeypatch.setattr(isolation, "PATIENCE", 60.0)
    settings.cache_clear()
    made = Isolation(claims)
    yield made
    if made._origin is not None:
        made._origin.end()
    settings.cache_clear()


def long(bench: Bench) -> Claim:
    """A claim whose work takes longer than any test."""
    (task_id,) = bench.submit(task_type="benchmark", payload={"seconds": 600})
    return bench.held(task_id, "benchmark")


def suspects() -> list[psutil.Process]:
    """The processes that run claims of this one."""
    origins = [child for child in psutil.Process().children() if "worker.isolated" in child.cmdline()]
    return [child for origin in origins for child in origin.children()]


def once_it_runs(act: Callable[[], None]) -> None:
    """Do something when the process of a claim runs."""

    def wait() -> None:
        eventually(lambda: len(suspects()) == 1, seconds=60, every=0.05, reason="its process runs")
        act()

    threading.Thread(target=wait).start()


def test_a_stage_is_done_and_its_end_written_by_its_process(bench: Bench, alone: Isolation) -> None:
    (task_id,) = bench.submit(payload={"message": "hello"})
    assert alone.run(bench.held(task_id)) is True
    row = bench.row(task_id)
    assert (row.status, row.result) == ("completed", {"echo": {"message": "hello"}})
    eventually(lambda: suspects() == [], seconds=20, reason="its process has ended")


def test_its_death_is_told_with_how_it_died_and_leaves_the_worker_unharmed(bench: Bench, alone: Isolation) -> None:
    claim = long(bench)
    once_it_runs(lambda: suspects()[0].kill())
    with pytest.raises(TaskError, match="SIGKILL") as raised:
        alone.run(claim)
    assert raised.value.code == "worker_crashed"
    (task_id,) = bench.submit()
    assert alone.run(bench.held(task_id)) is True, "and the next one runs"


def test_a_claim_that_is_lost_ends_its_process(bench: Bench, alone: Isolation) -> None:
    claim = long(bench)

    def lose() -> None:
        claim.lost = True

    once_it_runs(lose)
    with pytest.raises(Lost):
        alone.run(claim)
    eventually(lambda: suspects() == [], seconds=20, reason="its process has ended")


def test_a_worker_that_stops_hands_it_back(bench: Bench, alone: Isolation, claims: Claims) -> None:
    claim = long(bench)
    once_it_runs(lambda: claims.stop(0))
    with pytest.raises(HandBack):
        alone.run(claim)
    eventually(lambda: suspects() == [], seconds=20, reason="its process has ended")


def test_one_that_does_not_end_in_its_time_is_killed(
    bench: Bench, alone: Isolation, monkeypatch: pytest.MonkeyPatch
) -> None:
    warm = bench.submit()[0]
    assert alone.run(bench.held(warm)) is True
    claim = long(bench)
    claim.timeout = 0.5
    monkeypatch.setattr(isolation, "PATIENCE", 2.0)
    with pytest.raises(TaskError) as raised:
        alone.run(claim)
    assert raised.value.code == "timeout"
    eventually(lambda: suspects() == [], seconds=20, reason="its process has ended")


def test_the_process_that_the_others_are_forked_from_may_be_killed(bench: Bench, alone: Isolation) -> None:
    (first, second) = bench.submit(2)
    assert alone.run(bench.held(first)) is True
    for origin in psutil.Process().children():
        if "worker.isolated" in origin.cmdline():
            os.kill(origin.pid, 9)
            origin.wait(20)
    claim = bench.held(second)
    try:
        done = alone.run(claim)
    except HandBack:
        done = alone.run(claim)  # as the next worker does that has it
    assert done is True
