"""A task that takes as long as it is told to."""

from __future__ import annotations

import pytest

from tests.actors.conftest import Bench
from worker.holding import Lost


def test_it_is_complete_as_submitted_and_takes_no_time(bench: Bench) -> None:
    (task_id,) = bench.submit(task_type="benchmark", payload={})
    bench.finish(task_id, "benchmark")
    assert bench.row(task_id).status == "completed"


def test_it_stops_when_its_task_is_cancelled(bench: Bench) -> None:
    (task_id,) = bench.submit(task_type="benchmark", payload={"seconds": 60})
    claim = bench.held(task_id, "benchmark")
    claim.lost = True
    with pytest.raises(Lost):
        bench.perform(claim)
