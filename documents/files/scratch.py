"""Folders for files that are needed for a moment. Those of processes that were killed are removed by the next."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PREFIX = "task-manager-"
#: A file beside each folder, which the process that the folder is of holds locked for as long as it lives. It is there
#: before the folder and goes after it: at whatever moment the process is killed, what is left is found by it.
_LOCK = ".lock"


@contextmanager
def folder() -> Iterator[Path]:
    """Make a folder that is removed at the end, whatever lies in it then."""
    lock, name = _locked()
    path = Path(name.removesuffix(_LOCK))
    try:
        path.mkdir(0o700)
        yield path
    finally:
        _remove(path, lock)


def sweep() -> int:
    """Remove the folders that this user's processes left when they were killed; returns how many."""
    temporary = Path(tempfile.gettempdir())
    folders = {name: name.with_suffix("") for name in temporary.glob(f"{PREFIX}*{_LOCK}")}
    # The release before had the lock in the folder; this can go with the next.
    folders |= {name: name.parent for name in temporary.glob(f"{PREFIX}*/lock")}
    count = 0
    for name, path in folders.items():
        if (lock := _left(name)) is not None:
            _remove(path, lock)
            count += 1
    return count


def _locked() -> tuple[int, str]:
    """Make a lock and hold it. One that a sweep took before it was held is left to that sweep."""
    while True:
        lock, name = tempfile.mkstemp(prefix=PREFIX, suffix=_LOCK)
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.fstat(lock).st_nlink:
            return lock, name
        os.close(lock)


def _left(name: Path) -> int | None:
    """Hold a lock that nobody holds. Returns None where somebody does, and for what is not a lock of this user's."""
    try:
        lock = os.open(name, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    with suppress(OSError):
        facts = os.fstat(lock)
        if stat.S_ISREG(facts.st_mode) and facts.st_uid == os.geteuid():
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(lock).st_nlink:
                return lock
    os.close(lock)
    return None


def _remove(path: Path, lock: int) -> None:
    shutil.rmtree(path, ignore_errors=True)
    path.with_name(path.name + _LOCK).unlink(missing_ok=True)
    os.close(lock)
