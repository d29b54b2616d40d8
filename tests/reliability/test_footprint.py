"""Each process stays small; `make bench-footprint` says how small, and how soon it is ready."""

from __future__ import annotations

from bench.footprint import MEGABYTE, load
from tests.processes import Deployment


def test_every_process_stays_below_110_megabytes(deployment: Deployment) -> None:
    processes = [deployment.start(name) for name in ("web", "worker", "clock")]
    load(deployment, 20)
    resident = {name: size for process in processes for name, size in process.memory().items()}
    assert sum("documents.sandbox.child" in name for name in resident) >= 1, "a reader has read"
    assert len(resident) >= 6, "two of web, two of worker, one clock, one reader"
    assert {name: size for name, size in resident.items() if size >= 110 * MEGABYTE} == {}
