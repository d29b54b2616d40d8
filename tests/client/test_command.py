"""The command `tm` in this process, where something stands in its way."""

from __future__ import annotations

import os
import time
import uuid
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from task_manager_client import TaskManager
from task_manager_client.command import submitting
from task_manager_client.command.main import main
from task_manager_client.command.output import show
from task_manager_client.command.sources import Named
from task_manager_client.handles import TaskHandle
from tests.client.conftest import KEY
from tests.client.lossy import Answer, Lossy, once
from tests.processes import EmbeddedDeployment


@pytest.fixture
def environment(service: EmbeddedDeployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """The address and the key of the service, and a user who reads English."""
    for name, value in {"TM_API_URL": service.url, "TM_API_KEY": KEY, "LANG": "C.UTF-8", "LC_ALL": ""}.items():
        monkeypatch.setenv(name, value)


def test_a_folder_that_cannot_be_read_is_told_and_nothing_is_submitted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "open.txt").write_text("Open.")
    (tmp_path / "closed").mkdir()
    scandir = os.scandir

    def refusing(path: Any) -> Any:
        # Permissions do not hold for root, whom tests may run as.
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    assert main(["submit", "-r", str(tmp_path), "--kb", "a"]) == 2
    assert capsys.readouterr().err == f"tm: {tmp_path / 'closed'} cannot be read: Permission denied\n"


@pytest.mark.parametrize(("value", "said"), [("-1", "-1 is below 0; 0 means all"), ("x", "'x' is not a whole number")])
def test_a_limit_that_is_none_is_refused(value: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["list", "--limit", value])
    assert f"argument --limit: {said}\n" in capsys.readouterr().err


def test_json_lines_are_printed_as_they_come(capsys: pytest.CaptureFixture[str]) -> None:
    def rows() -> Iterator[dict[str, int]]:
        yield {"a": 1}
        assert capsys.readouterr().out == '{"a": 1}\n'
        yield {"a": 2}

    lines = Namespace(output="jsonl", fields=None)
    assert show(rows(), ("a",), lines) == 2
    assert capsys.readouterr().out == '{"a": 2}\n'
    assert show([], ("a",), lines) == 0


@pytest.mark.usefixtures("environment")
def test_a_bulk_that_fails_ends_it_with_1_and_says_why(
    service: EmbeddedDeployment, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kb = f"kb-{uuid.uuid4()}"
    with TaskManager(service.url, KEY) as tm:
        failed = tm.documents.upload(kb, b"", filename="empty.txt").wait(60)
        tm.tasks.submit("test", kb, run_at="2100-01-01T00:00:00Z")
    monkeypatch.setattr(TaskHandle, "wait", lambda *_: failed)
    assert main(["cancel", "--kb", kb, "--yes"]) == 1
    assert failed.error is not None
    assert capsys.readouterr() == ("", f"empty in preprocessing: {failed.error.message}\n  {failed.error.hint}\n")


@pytest.mark.usefixtures("environment")
def test_a_spent_rate_limit_is_waited_for_however_long_it_lasts(
    service: EmbeddedDeployment, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "a.txt").write_text("Tea.")
    refusing = once(Answer(429, {"retry-after": "1"}), when=lambda asked: "wait=" in asked.path)
    monkeypatch.setattr(submitting, "PATIENCE", -1.0)
    with Lossy(service.url, refusing) as net:
        monkeypatch.setenv("TM_API_URL", net.url)
        began = time.monotonic()
        assert main(["submit", str(tmp_path / "a.txt"), "--kb", f"kb-{uuid.uuid4()}", "--wait"]) == 0
        assert time.monotonic() - began >= 1


def test_a_look_waits_the_longer_the_longer_nothing_moves() -> None:
    document = submitting.Document(Named("a", None))
    seen = [_task(progress) for progress in (0, 0, 0, 0, 50, 50)]
    pauses = []
    for task in seen:
        document.see(task)
        pauses.append(document.pause)
    assert pauses == [0.25, 0.5, 1.0, 1.0, 0.25, 0.5]


def _task(progress: float) -> Any:
    return type("Seen", (), {"status": "processing", "stage": "embedding", "progress": progress})()
