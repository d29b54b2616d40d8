"""No-op tasks, from their submission to their end: one at a time, in batches, and on an idle system."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx2
import psycopg2

from bench import cpu
from bench.contestants import BODY, CONTESTANTS, OURS, Contestant, Running, running
from bench.servers import Servers

#: Figures by contestant and column, one for each round.
Samples = dict[tuple[str, str], list[float]]

CLIENTS = 50
BATCH = 100
BATCH_CLIENTS = 4
#: How many times as long as it was submitted for a contestant may take to end its tasks.
PATIENCE = 20
#: The same where those that have ended are enough.
SHORT_PATIENCE = 6
PAUSE = 0.05


def measure(
    servers: Servers,
    rounds: int,
    seconds: float,
    samples: Samples,
    failures: list[str],
    contestants: Sequence[Contestant] = CONTESTANTS,
) -> None:
    """All contestants in turn, round after round; one that fails is named, and the others go on."""
    for turn in range(rounds):
        for contestant in contestants:
            try:
                _one(contestant, servers, turn, seconds, samples)
            except Exception as error:
                failures.append(f"{contestant.name}, round {turn + 1}: {type(error).__name__}: {str(error)[:300]}")


def _one(contestant: Contestant, servers: Servers, turn: int, seconds: float, samples: Samples) -> None:
    folder = servers.folder / f"{contestant.name.replace(' ', '-')}-{turn}"
    with running(contestant, servers, folder) as service:
        note = _Notes(contestant.name, samples)
        note("ready, s", service.ready_seconds)
        load(service, "/tasks", BODY, CLIENTS, min(1.0, seconds))
        _memory(service, note, "at rest")
        service.forget()
        idle = _idle(service, max(5, int(20 * seconds)))
        if idle:
            note("idle p50, ms", statistics.median(idle))
            note("idle p99, ms", sorted(idle)[int(len(idle) * 0.99)])
            service.forget()
        single = load(service, "/tasks", BODY, CLIENTS, seconds)
        _throughput(single, note, "single")
        note("POST p50, ms", single.p50)
        note("POST p99, ms", single.p99)
        service.forget()
        # The last measurement: where a peer takes minutes to end what it accepted, the rate is known long before.
        whole = contestant is OURS
        batch = load(service, "/tasks/batch", {"tasks": [BODY] * BATCH}, BATCH_CLIENTS, seconds, BATCH, whole=whole)
        _throughput(batch, note, "batches")
        _memory(service, note, "at the end")
        print(
            f"{contestant.name}: single {single.completed:.0f}/s ({sum(single.cpu.values()):.0f} µs of CPU each), "
            f"batches {batch.completed:.0f}/s ({sum(batch.cpu.values()):.0f} µs)",
            flush=True,
        )


class _Notes:
    """Adds figures of one contestant."""

    def __init__(self, name: str, samples: Samples) -> None:
        self._name, self._samples = name, samples

    def __call__(self, column: str, figure: float) -> None:
        self._samples.setdefault((self._name, column), []).append(figure)


@dataclass(frozen=True, slots=True)
class Load:
    """What came of a load.

    completed, submitted: tasks a second.
    p50, p99: milliseconds until the answer to a request.
    cpu: microseconds of CPU for each task that was completed, by process group.
    """

    completed: float
    submitted: float
    p50: float
    p99: float
    cpu: dict[str, float]


def load(
    service: Running, path: str, body: Any, clients: int, seconds: float, size: int = 1, *, whole: bool = True
) -> Load:
    """Submit for `seconds`, and wait for the last task's end.

    Parameters:
      size: tasks of one request.
      whole: every task must end within PATIENCE; else those count that have ended within SHORT_PATIENCE.

    Raises:
      AssertionError: when a submission was refused, or a task did not end.
    """
    before = service.counted() if not service.contestant.unfinished else 0
    url = service.url + service.contestant.prefix + path
    command = [sys.executable, "-m", "bench.load", url, "--connections", str(clients), "--seconds", str(seconds)]
    used = cpu.by_group(service.processes)
    done = subprocess.run(command, input=json.dumps(body).encode(), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()[-300:]
    answer = json.loads(done.stdout)
    assert set(answer["statuses"]) == {"202"}, answer["statuses"]
    sent = answer["statuses"]["202"] * size
    # Some servers' clocks tick in milliseconds.
    count, last = service.finished(
        answer["began"] - 0.002, before + sent, (PATIENCE if whole else SHORT_PATIENCE) * max(seconds, 2.0)
    )
    used = cpu.spent(service.processes, used)
    completed = count - before
    assert completed == sent or (completed and not whole), f"{completed} of {sent} tasks ended in time"
    return Load(
        completed=completed / (last - answer["began"]),
        submitted=sent / answer["seconds"],
        p50=answer["p50"],
        p99=answer["p99"],
        cpu={group: cost / completed * 1e6 for group, cost in used.items()},
    )


def _idle(service: Running, count: int) -> list[float]:
    """Milliseconds from a POST to the end of its task, as its row tells; one task at a time."""
    if not service.contestant.unfinished:
        return []
    connection = psycopg2.connect(service.database_url)
    connection.autocommit = True
    latencies = []
    with httpx2.Client(base_url=service.url) as http, connection.cursor() as cursor:
        for _ in range(count):
            time.sleep(PAUSE)
            began = time.perf_counter()
            task = http.post(f"{service.contestant.prefix}/tasks", json=BODY).json()["task_id"]
            while True:
                cursor.execute(service.contestant.one, (task,))
                row = cursor.fetchone()
                if row and row[0]:
                    break
                time.sleep(0.0002)
            latencies.append((time.perf_counter() - began) * 1000)
    connection.close()
    return latencies


def _throughput(measured: Load, note: _Notes, how: str) -> None:
    note(f"{how}, completed/s", measured.completed)
    note(f"{how}, submitted/s", measured.submitted)
    note(f"{how}, CPU µs", sum(measured.cpu.values()))
    for group, microseconds in measured.cpu.items():
        note(f"{how}, {group}, CPU µs", microseconds)


def _memory(service: Running, note: _Notes, when: str) -> None:
    for name, (rss, pss) in service.memory().items():
        note(f"{name} RSS {when}, MB", rss)
        note(f"{name} PSS {when}, MB", pss)
