"""The benchmark's parts that are the service's own still run, on a few tasks and documents, and tell what they saw."""

from __future__ import annotations

from pathlib import Path

from bench import pipeline, report, size, throughput
from bench.contestants import CONTESTANTS, OURS
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
    size.measure(servers, 2, 1000, 0.2, results.size)
    assert results.failures == []
    assert results.throughput[OURS.name, "single, completed/s"][0] > 1
    assert len(results.size["ratio"]) == 2
    results.failures.append("a peer: it did not start")
    report.write(results, tmp_path / "benchmarks.md")
    page = (tmp_path / "benchmarks.md").read_text()
    assert "1,000 ended tasks" in page
    assert "- a peer: it did not start" in page
    assert all(each.settings in page for each in CONTESTANTS)


def test_an_interval_holds_the_median_and_is_narrow_for_equal_ratios() -> None:
    low, high = size.interval([0.95, 0.97, 1.0, 1.01, 0.99, 0.96, 1.02])
    assert 0.95 <= low <= 0.99 <= high <= 1.02
    assert size.interval([0.9] * 7) == (0.9, 0.9)
