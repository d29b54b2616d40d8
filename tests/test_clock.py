"""A clock is known by its heartbeat, as long as its ticks succeed."""

from __future__ import annotations

import time

import pytest
from sqlalchemy import Engine, text

import clock
from models import database as models_database


def heard() -> int:
    """The clocks that have a heartbeat."""
    with models_database.transaction() as session:
        return int(session.execute(text("SELECT count(*) FROM workers WHERE kind = 'clock'")).scalar_one())


def test_a_clock_whose_ticks_fail_says_nothing(database: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "_ticked_at", time.monotonic() - clock.SILENT_AFTER - 1)
    clock.beat()
    assert heard() == 0
    monkeypatch.setattr(clock, "_ticked_at", time.monotonic())
    clock.beat()
    assert heard() == 1
