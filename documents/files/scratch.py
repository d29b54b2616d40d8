"""Folders for files that are needed for a moment. Those of processes that were killed are removed by the next."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PREFIX = "task-manager-"
#: Held locked by the process that the folder is of, for as long as it lives.
_LOCK = "lock"
#: Seconds after which a folder without a lock is no longer one that is being made.
_MAKING = 3600.0


@contextmanager
def folder() -> Iterator[Path]:
    """Make a folder that is removed at the end, whatever lies in it then."""
    path = Path(tempfile.mkdtemp(prefix=PREFIX))
    lock = os.open(path / f"{_LOCK}.new", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # Under its name it is locked from the first moment.
        (path / f"{_LOCK}.new").rename(path / _LOCK)
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        os.close(lock)


def sweep() -> int:
    """Remove the folders that this user's processes left when they were killed; returns how many."""
    left = [path for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*") if _is_left(path)]
    for path in left:
        shutil.rmtree(path, ignore_errors=True)
    return len(left)


def _is_left(path: Path) -> bool:
    try:
        facts = path.lstat()
    except FileNotFoundError:
        return False  # it was removed meanwhile
    try:
        if facts.st_uid != os.geteuid():
            return False
        lock = os.open(path / _LOCK, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return time.time() - facts.st_mtime > _MAKING
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(lock)
    return True
