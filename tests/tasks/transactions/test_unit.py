"""What leaves a unit of work after its commit, and in which order."""

from __future__ import annotations

from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest
from dramatiq import Message

from tasks.transactions import unit
from tasks.transactions.waking import WakeBuffer


def test_a_log_that_stalls_holds_up_no_message(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []

    def publish(messages: list[Message[Any]]) -> Future[None]:
        done.append("published")
        return Future()

    monkeypatch.setattr(unit, "_broker", SimpleNamespace(publish=publish))
    monkeypatch.setattr(unit, "tell", lambda _: done.append("logged"))
    leaving = unit.Unit(SimpleNamespace())  # type: ignore[arg-type]
    leaving.publish([Message("default", "test", (), {}, {})])
    leaving.leave(WakeBuffer())
    assert done == ["published", "logged"]
