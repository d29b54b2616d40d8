"""How an outage is told, and what of Dramatiq's own lines is dropped."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator

import pytest
import structlog

import logs
from settings import Settings


def configure(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the logs what a process has, until the test ends."""
    monkeypatch.setattr(logging.root, "handlers", [])
    monkeypatch.setattr(logging.root, "level", logging.WARNING)
    logs.configure(Settings(log_format="json"))


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def test_an_outage_is_told_at_once_then_each_minute_and_at_its_end(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    configure(monkeypatch)
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    outage = logs.Outage("kettle_away")
    outage.is_over()
    for _ in range(130):
        outage.goes_on(reason="unplugged")
        now += 1
    outage.is_over()
    outage.is_over()
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(each["event"], each["seconds"]) for each in told] == [
        ("kettle_away", 0),
        ("kettle_away", 60),
        ("kettle_away", 120),
        ("kettle_away_over", 130),
    ]
    assert {each["reason"] for each in told[:-1]} == {"unplugged"}


def test_what_is_told_by_us_is_not_told_by_a_library_as_well(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    configure(monkeypatch)
    worker = logging.getLogger("dramatiq.worker.ConsumerThread(default)")
    worker.critical("Consumer encountered a connection error: %s", "lost")
    worker.warning("Message %s was skipped.", "test('1')")
    logging.getLogger("httpx2").info("HTTP Request: POST http://kb/?token=s3cr3t")
    logging.getLogger("httpcore2.http11").debug("send_request_headers")
    worker.critical("Consumer encountered an unexpected error.")
    (line,) = capsys.readouterr().out.splitlines()
    assert "unexpected" in line
