"""What LibreOffice makes of a document of the time before 2007: it is started anew for each, in a folder of its own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from documents.readers.legacy import kit
from documents.readers.shared.compound import Storage, read_compound
from documents.reading import deadline
from documents.reading.formats import BY_NAME
from documents.text import Extracted
from errors import TaskError
from processes import ending

#: Seconds for one document: a small one takes 2.
_TIMEOUT = 300.0
#: What LibreOffice may not do for any document: run macros that are not ours, follow links to files of this machine or
#: others. The names are those of its own registry; a release that does not know one passes it over.
_FORBIDDEN = {
    ("/org.openoffice.Office.Common/Security/Scripting", "MacroSecurityLevel"): "3",
    ("/org.openoffice.Office.Common/Security/Scripting", "BlockUntrustedRefererLinks"): "true",
    ("/org.openoffice.Office.Common/Security/Scripting", "DisableActiveContent"): "true",
    ("/org.openoffice.Office.Writer/Content/Update", "Link"): "0",
}


@dataclass(frozen=True, slots=True)
class Legacy:
    """A format of the time before 2007.

    Parameters:
      name, newer: as in `documents.reading.formats`: its own, and that of what LibreOffice makes of it.
      filter: what LibreOffice calls the newer format.
      part: the part of LibreOffice that reads it, as its files and packages are called.
      read: reads the newer format.
      is_encrypted: says so of what the file holds.
    """

    name: str
    newer: str
    filter: str
    part: str
    read: Callable[[Path], Extracted]
    is_encrypted: Callable[[Storage], bool]


@lru_cache(maxsize=2)
def program(part: str) -> Path | None:
    """Return the folder of LibreOffice's programs; None where it is not installed, or lacks the part."""
    command = shutil.which("soffice")
    if command is None:
        return None
    folder = Path(command).resolve().parent
    has_part = (folder.parent / "share" / "registry" / f"{part}.xcd").exists()
    return folder if has_part and any((folder / name).exists() for name in kit.LIBRARIES) else None


def read(path: Path, legacy: Legacy) -> Extracted:
    """Read a document as what LibreOffice makes of it.

    Raises:
      TaskError: as `_converted` and the reader of the newer format do.
    """
    with _converted(path, legacy) as newer:
        extracted = legacy.read(newer)
    extracted.format = legacy.name
    return extracted


@contextmanager
def _converted(path: Path, legacy: Legacy) -> Iterator[Path]:
    """Have LibreOffice write a document in its newer format, into a file that is removed at the end.

    Raises:
      TaskError: unsupported_format where LibreOffice is not installed; encrypted, corrupt; timeout.
    """
    folder = program(legacy.part)
    if folder is None:
        format = BY_NAME[legacy.name]
        raise TaskError(
            "unsupported_format",
            f"the file is {format.label}, which is read where LibreOffice is installed: {format.hint}, or install"
            f" libreoffice-{legacy.part}-nogui where the workers run",
        )
    if legacy.is_encrypted(read_compound(path.read_bytes())):
        raise TaskError("encrypted", f"the file is {BY_NAME[legacy.name].label}, protected by a password")
    with tempfile.TemporaryDirectory(prefix="libreoffice-") as name:
        scratch = Path(name)
        source = shutil.copyfile(path, scratch / f"document.{legacy.name}")
        target = scratch / f"document.{legacy.newer}"
        _write_profile(scratch / "profile")
        arguments = (folder, scratch / "profile", source, target)
        said = _run([sys.executable, "-I", kit.__file__, *map(str, arguments), legacy.filter], scratch)
        if not target.exists():
            raise TaskError("corrupt", f"LibreOffice cannot read it{said}")
        yield target


def _write_profile(profile: Path) -> None:
    items = "".join(
        f'<item oor:path="{path}"><prop oor:name="{name}" oor:op="fuse"><value>{value}</value></prop></item>'
        for (path, name), value in _FORBIDDEN.items()
    )
    user = profile / "user"
    user.mkdir(parents=True)
    (user / "registrymodifications.xcu").write_text(
        f'<oor:items xmlns:oor="http://openoffice.org/2001/registry">{items}</oor:items>', encoding="utf-8"
    )


def _run(command: list[str], scratch: Path) -> str:
    """Run a command until it ends or the time is over, and let nothing that it started outlive it.

    Returns:
      the end of what it said, behind a colon; nothing where it said nothing.
    """
    left = min(_TIMEOUT, deadline.seconds_left())
    process = subprocess.Popen(
        command,
        cwd=scratch,
        env=_environment(scratch),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=ending.die_with_parent,  # where its reader is killed, it ends as well
    )
    try:
        _, error = process.communicate(timeout=max(left, 0))
    except subprocess.TimeoutExpired:
        raise TaskError("timeout", f"LibreOffice took longer than {left:.0f} seconds", retryable=False) from None
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    said = " ".join(error.decode(errors="replace").split())[-200:]
    if not said and process.returncode:
        said = f"it {ending.manner(process.returncode)}"
    return said and f": {said}"


def _environment(scratch: Path) -> dict[str, str]:
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "LANG": "C.UTF-8",
        # What it keeps for its user, and what it writes for a moment, goes with the folder.
        "HOME": str(scratch),
        "TMPDIR": str(scratch),
        "SAL_USE_VCLPLUGIN": "svp",  # it draws into memory, and looks for no screen
        # One document keeps one CPU busy: there are as many readers as CPUs.
        "MAX_CONCURRENCY": "1",
        "OMP_NUM_THREADS": "1",
    }
