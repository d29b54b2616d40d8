"""Files of the worker's machine, below the folders that may be read."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path

from errors import TaskError

#: Bytes that are copied or hashed at once.
PART = 1024 * 1024


def copy(source: str, folders: Sequence[Path], max_bytes: int, path: Path) -> None:
    """Copy a file to `path` from below one of these folders; neither `..` nor a link leads out of them.

    The file is opened before it is judged, and judged by where the open file really is: a link that is swapped
    in between changes nothing.

    Raises:
      TaskError: forbidden_path, not_found or too_large.
    """
    if "\0" in source or not source.startswith("/"):
        raise TaskError("forbidden_path", f"{source!r} is not an absolute path")
    roots = [folder.resolve() for folder in folders]
    if not any(Path(os.path.normpath(source)).is_relative_to(root) for root in (*folders, *roots)):
        raise _outside(source)
    try:
        # Without blocking: a pipe that nobody writes to must not hold this thread.
        descriptor = os.open(source, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise TaskError("not_found", f"there is no file {source!r}") from None
    except OSError as error:
        raise TaskError("not_found", f"{source!r} cannot be opened: {error.strerror}") from None
    try:
        really = Path(f"/proc/self/fd/{descriptor}").readlink()
        if not any(really.is_relative_to(root) for root in roots):
            raise _outside(source)
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            raise TaskError("forbidden_path", f"{source!r} is not a regular file")
        if facts.st_size > max_bytes:
            raise too_large(max_bytes)
        with path.open("wb") as copy:
            while part := os.read(descriptor, PART):
                copy.write(part)
    finally:
        os.close(descriptor)


def too_large(max_bytes: int) -> TaskError:
    """Return that a document has more bytes than one may have."""
    return TaskError("too_large", f"the document is larger than {max_bytes:,} bytes")


def _outside(source: str) -> TaskError:
    return TaskError("forbidden_path", f"{source!r} is not below one of the folders that may be read")
