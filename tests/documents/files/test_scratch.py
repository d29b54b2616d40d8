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


def test_a_process_that_is_killed_while_it_makes_or_removes_its_folder_leaves_nothing_for_good(temporary: Path) -> None:
    only_lock, _ = tempfile.mkstemp(prefix=scratch.PREFIX, suffix=".lock")
    os.close(only_lock)
    lock, name = tempfile.mkstemp(prefix=scratch.PREFIX, suffix=".lock")
    os.close(lock)
    Path(name.removesuffix(".lock")).mkdir()
    assert scratch.sweep() == 2
    assert list(temporary.iterdir()) == []


def test_a_lock_that_a_sweep_took_before_it_was_held_is_made_anew(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    swept: list[int] = []

    def made(prefix: str, suffix: str) -> tuple[int, str]:
        lock = mkstemp(prefix=prefix, suffix=suffix)
        if not swept:
            swept.append(scratch.sweep())
        return lock

    mkstemp = tempfile.mkstemp
    monkeypatch.setattr(tempfile, "mkstemp", made)
    with scratch.folder() as folder:
        assert swept == [1]
        assert scratch.sweep() == 0
        assert folder.is_dir()
    assert list(temporary.iterdir()) == []


def test_a_folder_that_the_release_before_left_is_removed(temporary: Path) -> None:
    (temporary / f"{scratch.PREFIX}before").mkdir()
    (temporary / f"{scratch.PREFIX}before" / "lock").touch()
    assert scratch.sweep() == 1
    assert list(temporary.iterdir()) == []


def test_what_is_no_lock_of_ours_is_left_alone(temporary: Path) -> None:
    elsewhere = temporary / "elsewhere"
    elsewhere.touch()
    (temporary / f"{scratch.PREFIX}link.lock").symlink_to(elsewhere)
    (temporary / f"{scratch.PREFIX}folder.lock").mkdir()
    os.mkfifo(temporary / f"{scratch.PREFIX}pipe.lock")
    assert scratch.sweep() == 0
    assert len(list(temporary.iterdir())) == 4
