"""What the counters said over time: noted once however often, thinned as it ages, and read as increases."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

import clock
import metrics
from models import database
from tasks.transactions.unit import unit_of_work
from tasks.views.figures import history
from tasks.views.figures.history import MEASURES, WINDOWS, quantile
from tests.tasks.conftest import Desk


def record() -> None:
    with unit_of_work() as unit:
        history.record(unit)


def back(desk: Desk, by: timedelta) -> None:
    """Have everything been noted so long ago."""
    desk.sql("UPDATE history SET at = at - CAST(:by AS interval)", by=by)


def read(metric: str, window: str = "1h") -> dict[str, list[float | None]]:
    with database.transaction() as session:
        answer: dict[str, Any] = history.series(session, MEASURES[metric], WINDOWS[window])
    assert all(len(series["values"]) == len(answer["times"]) for series in answer["series"])
    return {series["name"]: series["values"] for series in answer["series"]}


def count(metric: metrics.Metric, *labels: str, by: int = 1) -> None:
    with unit_of_work() as unit:
        unit.count(metric, *labels, by=by)


def test_what_came_about_between_two_notes_is_told_and_a_note_made_twice_changes_nothing(desk: Desk) -> None:
    count(metrics.SUCCESS, "test", by=5)
    record()
    record()
    assert desk.sql("SELECT count(*) AS n FROM history WHERE metric = 'task_success_total'")[0].n == 1
    back(desk, timedelta(seconds=20))
    count(metrics.SUCCESS, "test", by=2)
    count(metrics.SUCCESS, "document_processing")
    count(metrics.SUCCESS, "preprocessing")
    record()
    record()
    assert read("completed") == {"document_processing": [1], "test": [2]}, "neither what was before, nor a stage"
    back(desk, timedelta(seconds=20))
    record()
    assert read("completed") == {"document_processing": [1, 0], "test": [2, 0]}


def test_clocks_beside_each_other_note_it_once(desk: Desk) -> None:
    count(metrics.SUCCESS, "test")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(clock.tick, [clock.HISTORY] * 8))
    ats = [row.at for row in desk.sql("SELECT at FROM history WHERE metric = 'task_success_total'")]
    # All of them may have ticked on both sides of the end of 10 seconds.
    assert len(ats) == len(set(ats)) <= 2
    assert all(at.timestamp() % history.STEP == 0 for at in ats)
    assert ats


def test_a_failure_is_told_by_its_code_whatever_the_type(desk: Desk) -> None:
    count(metrics.FAILURE, "test", "internal")
    record()
    back(desk, timedelta(seconds=20))
    for label in ("test", "document_processing", "preprocessing"):
        count(metrics.FAILURE, label, "internal")
    record()
    assert read("failed") == {"internal": [2]}


def test_the_seconds_of_a_stage_are_those_of_what_ended_meanwhile(desk: Desk) -> None:
    def observe(seconds: float, times: int) -> None:
        with unit_of_work() as unit:
            for _ in range(times):
                unit.observe(metrics.PROCESSING, "chunking", value=seconds)

    observe(200.0, 50)
    record()
    back(desk, timedelta(seconds=20))
    observe(0.02, 9)
    observe(20.0, 1)
    record()
    (p50,), (p95,) = read("stage_seconds_p50")["chunking"], read("stage_seconds_p95")["chunking"]
    assert p50 is not None
    assert 0.01 < p50 <= 0.025
    assert p95 is not None
    assert 10 < p95 <= 30
    back(desk, timedelta(seconds=20))
    record()
    assert read("stage_seconds_p50")["chunking"][-1] is None, "nothing ended since"


def test_what_a_queue_holds_is_noted_each_minute(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.submit(3)
    count(metrics.SUCCESS, "test")
    monkeypatch.setattr(history, "STEP_OF_QUEUES", 10**12)
    record()
    assert desk.sql("SELECT * FROM history WHERE metric = 'queue waiting'") == []
    back(desk, timedelta(seconds=20))
    monkeypatch.setattr(history, "STEP_OF_QUEUES", 1)
    record()
    noted = desk.sql("SELECT metric, labels, sum AS held FROM history WHERE metric LIKE 'queue %' ORDER BY metric")
    assert [(row.metric, row.labels) for row in noted] == [
        ("queue oldest_age_seconds", "default"),
        ("queue running", "default"),
        ("queue waiting", "default"),
    ]
    assert noted[2].held == 3


@pytest.mark.parametrize(
    ("age", "kept"), [("30 minutes", 360), ("90 minutes", 60), ("1470 minutes", 1), ("91 days", 0)]
)
def test_what_is_older_is_kept_at_longer_distances(desk: Desk, age: str, kept: int) -> None:
    desk.sql(
        "INSERT INTO history SELECT metric, date_bin('1 hour', now() - CAST(:age AS interval), '2000-01-01')"
        " + n * interval '10 seconds', '', 0, 0, '{}' FROM generate_series(0, 359) AS n,"
        " unnest(ARRAY['task_success_total', 'of an earlier release']) AS metric",
        age="0" if age == "30 minutes" else age,
    )
    if age not in ("30 minutes", "91 days"):
        # All of it within the hour in which it is thinned.
        shift = "1 hour" if age == "90 minutes" else "24 hours"
        desk.sql(
            "UPDATE history SET at = at + (now() - CAST(:shift AS interval) - interval '1 hour'"
            " - (SELECT min(at) FROM history))",
            shift=shift,
        )
        desk.sql("UPDATE history SET at = date_bin('10 seconds', at + interval '9 seconds', '2000-01-01')")
    with unit_of_work() as unit:
        history.thin(unit)
    left = desk.sql("SELECT metric, count(*) AS n FROM history GROUP BY metric")
    assert [row.n for row in left] == ([pytest.approx(kept, abs=1)] * 2 if kept else [])


def test_a_quantile_is_that_of_prometheus() -> None:
    inside = [0] * (len(metrics.BUCKETS) + 1)
    assert quantile(inside, 0.5) is None
    inside[7] = 10  # from 0.5 to 1 s
    assert quantile(inside, 0.5) == pytest.approx(0.75)
    inside[-1] = 90  # beyond the last bound nothing is known but that
    assert quantile(inside, 0.5) == metrics.BUCKETS[-1]


def test_the_first_failure_of_all_is_told(desk: Desk) -> None:
    count(metrics.SUCCESS, "test")
    with unit_of_work() as unit:
        unit.observe(metrics.PROCESSING, "test", value=1.0)
    record()
    back(desk, timedelta(seconds=20))
    count(metrics.FAILURE, "test", "internal")
    record()
    assert read("failed") == {"internal": [1]}
