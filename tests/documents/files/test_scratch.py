"""The folders of processes that were killed are removed, those of others are left alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from documents.files import scratch

HOLDS = (
    "import time; from documents.files import scratch\nwith scratch.folder() as f: print(f, flush=True); time.sleep(60)"
)


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    yield tmp_path
    tempfile.tempdir = None


def test_a_folder_is_removed_with_all_that_is_in_it(temporary: Path) -> None:
    with scratch.folder() as folder:
        (folder / "document").write_bytes(b"x")
        assert folder.parent == temporary
        assert scratch.sweep() == 0
        assert (folder / "document").exists()
    assert list(temporary.iterdir()) == []


def test_the_folder_of_a_killed_process_is_swept_and_that_of_a_live_one_is_not(temporary: Path) -> None:
    (temporary / "task-manager-notes.txt").write_text("mine")
    processes = [subprocess.Popen([sys.executable, "-c", HOLDS], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    try:
        killed, live = (Path(process.stdout.readline().strip()) for process in processes if process.stdout)
        (killed / "document").write_bytes(b"x" * 1000)
        processes[0].send_signal(signal.SIGKILL)
        processes[0].wait()
        assert scratch.sweep() == 1
        assert not killed.exists()
        assert live.exists()
        assert (temporary / "task-manager-notes.txt").exists()
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def test_a_folder_that_is_just_being_made_is_left_alone(temporary: Path) -> None:
    making = Path(tempfile.mkdtemp(prefix=scratch.PREFIX))
    assert scratch.sweep() == 0
    assert making.exists()
    os.utime(making, (0, 0))
    assert scratch.sweep() == 1
    assert not making.exists()


def test_a_folder_that_somebody_else_removes_meanwhile_is_no_error(temporary: Path) -> None:
    assert not scratch._is_left(temporary / f"{scratch.PREFIX}gone")
