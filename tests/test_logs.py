"""How an outage is told, and what of Dramatiq's own lines is dropped."""

from __future__ import annotations

import json
import logging
import select
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import structlog

import logs
from settings import Settings


def configure(monkeypatch: pytest.MonkeyPatch, log_level: Any = "info") -> None:
    """Make the logs what a process has, until the test ends."""
    monkeypatch.setattr(logging.root, "handlers", [])
    monkeypatch.setattr(logging.root, "level", logging.WARNING)
    logs.configure(Settings(log_format="json", log_level=log_level))


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
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["event"], line["seconds"]) for line in lines] == [
        ("kettle_away", 0),
        ("kettle_away", 60),
        ("kettle_away", 120),
        ("kettle_away_over", 130),
    ]
    assert {line["reason"] for line in lines[:-1]} == {"unplugged"}


TOLD = logs.Submitted(task_id=UUID(int=1), task_type="test", status="queued", priority=4, kb_id="知识库")


def test_many_lines_are_few_writes_each_of_which_a_pipe_takes_whole(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    configure(monkeypatch)
    writes: list[str] = []
    stream = logging.root.handlers[0].stream  # type: ignore[attr-defined]
    monkeypatch.setattr(stream, "write", writes.append)
    logs.tell(TOLD for _ in range(100))
    assert len(writes) < 10
    assert all(len(piece.encode()) <= select.PIPE_BUF for piece in writes)
    lines = [json.loads(line) for line in "".join(writes).splitlines()]
    assert len(lines) == 100
    assert lines[0] | {"event": "submitted", "kb_id": "知识库", "task_id": str(UUID(int=1))} == lines[0]
    assert list(lines[0])[:3] == ["timestamp", "level", "event"]
    assert abs(datetime.fromisoformat(lines[0]["timestamp"]) - datetime.now(UTC)).total_seconds() < 60


def test_lines_are_not_even_made_where_info_is_not_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    configure(monkeypatch, log_level="warning")
    lines = iter([TOLD])
    logs.tell(lines)
    assert next(lines) is TOLD


def test_a_line_that_cannot_be_written_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    configure(monkeypatch)
    monkeypatch.setattr(logging.root.handlers[0], "stream", Path("/dev/full").open("w"))  # noqa: SIM115
    monkeypatch.setattr(logging, "raiseExceptions", False)
    logs.tell([TOLD])


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
