"""The benchmark's parts that are the service's own still run, on a few tasks and documents, and tell what they saw."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import pytest

from bench import cpu, ingest, pipeline, report, size, throughput
from bench.contestants import CONTESTANTS, OURS
from bench.ingest_contestants import EMBEDDED, OWN, SCRIPTS, SERVICE, Contestant, Ingestion, script
from bench.servers import Servers
from tests.guard import Guard
from tests.postgres import Postgres
from tests.rabbitmq import RabbitNode


def test_it_measures_the_service_and_writes_a_page(
    postgres: Postgres, rabbit_node: RabbitNode, guard: Guard, tmp_path: Path
) -> None:
    servers = Servers(postgres, rabbit_node, tmp_path, guard)
    results = report.Results("make bench", "2026-11-25", ["PostgreSQL", "RabbitMQ"], documents_count=4, rows=1000)
    throughput.measure(servers, 1, 0.2, results.throughput, results.failures, (OURS,))
    pipeline.measure(servers, 1, 4, results.documents)
    size.measure(servers, 1, 1000, 0.2, results.size)
    assert results.failures == []
    assert results.throughput[OURS.name, "single, completed/s"][0] > 1
    groups = [results.throughput[OURS.name, f"batches, {group}, CPU µs"][0] for group in report.GROUPS]
    assert min(groups) >= 0
    assert groups[0] > 0
    assert groups[1] > 0
    assert results.throughput[OURS.name, "batches, CPU µs"] == [pytest.approx(sum(groups))]
    assert results.documents["service, CPU ms"][0] > results.documents["service, worker, CPU ms"][0] > 0
    assert len(results.size["ratio"]) == 1
    results.failures.append("a peer: it did not start")
    report.write(results, tmp_path / "benchmarks.md")
    page = (tmp_path / "benchmarks.md").read_text()
    assert "1,000 ended tasks" in page
    assert f"| {OURS.name}: single |" in page
    assert "- a peer: it did not start" in page
    assert all(contestant.settings in page for contestant in CONTESTANTS)


def test_it_measures_how_documents_are_taken_in_and_writes_a_page(
    postgres: Postgres, rabbit_node: RabbitNode, guard: Guard, server_folder: Path
) -> None:
    servers = Servers(postgres, rabbit_node, Path(tempfile.mkdtemp(dir=server_folder)), guard)
    results = report.Results("make bench-ingest", "2026-11-29", ["PostgreSQL", "RabbitMQ"], documents_count=8)
    name, python, module, stored, settings = SCRIPTS[0]
    contestants = [
        SERVICE,
        EMBEDDED,
        *(Contestant(f"{name}, {how}", settings, script(python, module, how, stored)) for how in ("one", "many")),
        Contestant("a script", "", script(OWN, "missing", "one", stored)),
        Contestant("a miser", "", lambda *_: Ingestion(1.0, {}, documents=15, chunks=40)),
    ]
    ingest.measure(servers, 1, 8, results, contestants)
    missing, miser = results.failures
    assert "No module named 'bench.peers.ingest_missing'" in missing
    assert miser == "a miser, round 1: AssertionError: 15 documents are searchable"
    for contestant in contestants[:4]:
        assert results.throughput[contestant.name, "own, CPU ms"][0] > 0
        assert 2 < results.throughput[contestant.name, "chunks a document"][0] < 4
    assert results.throughput[EMBEDDED.name, "PostgreSQL, CPU ms"][0] > 0
    results.throughput["LangChain, one at a time", "seconds"] = [0.001]
    ingest.write(results, tmp := servers.folder / "benchmarks-ingest.md")
    page = tmp.read_text()
    assert f"| {SERVICE.name} |" in page
    assert f"| {EMBEDDED.name} |" in page
    assert "against 0.0 s | no slower | **no** |" in page
    assert "- a miser, round 1" in page


CHILD = "import time\nwhile time.process_time() < 0.3: pass\nprint('used', flush=True)\ninput()"
#: Has a child that uses 0.3 s of CPU and ends with the next line; tells of its end, and ends itself with its input.
PARENT = f"""
import subprocess, sys
subprocess.run([sys.executable, "-c", {CHILD!r}])
print("ended", flush=True)
sys.stdin.read()
"""


def test_cpu_is_that_of_children_too_whether_they_run_or_have_ended() -> None:
    command = [sys.executable, "-c", PARENT]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        groups = {"parent": [psutil.Process(process.pid)]}
        before = cpu.by_group(groups)
        assert process.stdout.readline() == "used\n"
        running = cpu.spent(groups, before)["parent"]
        print(file=process.stdin, flush=True)
        assert process.stdout.readline() == "ended\n"
        ended = cpu.spent(groups, before)["parent"]
        process.stdin.close()
    assert 0.29 < running < 0.6
    assert 0.29 < ended < 0.6


def test_an_interval_holds_the_median_and_is_narrow_for_equal_ratios() -> None:
    low, high = size.interval([0.95, 0.97, 1.0, 1.01, 0.99, 0.96, 1.02])
    assert 0.95 <= low <= 0.99 <= high <= 1.02
    assert size.interval([0.9] * 7) == (0.9, 0.9)
