"""A task's attempts as bars: wait and run apart."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from dashboard.waterfall import LEFT, WIDTH, _in_steps, bars


def test_the_pause_before_a_retry_is_neither_wait_nor_run() -> None:
    def attempt(number: int, started: int, finished: int) -> dict[str, Any]:
        return {
            "stage": "test",
            "number": number,
            "outcome": "put_off",
            "worker": None,
            "started_at": f"2026-11-29T10:00:{started:02}Z",
            "finished_at": f"2026-11-29T10:00:{finished:02}Z",
            "waited_seconds": 5.0,
        }

    first, second = bars(
        {
            "created_at": "2026-11-29T10:00:00Z",
            "finished_at": "2026-11-29T10:00:50Z",
            "attempts": [attempt(1, 5, 15), attempt(2, 40, 50)],
        }
    )
    second_of_width = (WIDTH - LEFT) / 50
    assert (first.waited_at, first.waited) == (LEFT, 5 * second_of_width)
    assert second.waited_at == LEFT + 35 * second_of_width
    assert (second.waited, second.waited_seconds) == (5 * second_of_width, 5)


def test_an_open_task_is_drawn_anew_only_when_the_difference_can_be_seen() -> None:
    created = datetime.now(UTC) - timedelta(hours=1)
    running = {"name": "test", "attempts": 1, "status": "processing", "started_at": created.isoformat()}
    task = {
        "created_at": created.isoformat(),
        "finished_at": None,
        "stages": [running | {"finished_at": None}],
    }
    ends = {_in_steps(created, created + timedelta(seconds=passed)) for passed in range(1, 3601)}
    assert len(ends) < 200
    assert all(end >= created + timedelta(seconds=1) for end in ends)
    assert bars(task)[0].ran == WIDTH - LEFT
