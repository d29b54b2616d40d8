"""Debian's packages, installed or unpacked for the tests that need them where the machine allows it."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.servers import ServerMissing, one_at_a_time


def installable() -> bool:
    """Whether packages can be installed: as root, on Debian or Ubuntu."""
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def install(installed: Callable[[], bool], *packages: str) -> None:
    """Install packages without letting them start a server of their own.

    Raises:
      ServerMissing: when that is not possible, or `installed` still denies it; says which command would help.
    """
    if installed():
        return
    if not installable():
        raise ServerMissing(f"the tests need what `sudo apt-get install {' '.join(packages)}` installs")
    with one_at_a_time("packages"):
        if not installed():
            _install(installed, packages)


def program(name: str, *, of_package: str) -> Path:
    """Return a program of a package that is only unpacked, so that what else is in it never starts; kept for next time.

    Raises:
      ServerMissing: when the package cannot be had; says which command would help.
    """
    if path := shutil.which(name):
        return Path(path)
    kept = cache() / name
    with one_at_a_time("packages"):
        if not kept.exists():
            _unpack(name, of_package, kept)
    return kept


def cache() -> Path:
    """Return the folder of what is kept for the next run, which is there."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "task-manager-tests"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _unpack(name: str, package: str, kept: Path) -> None:
    with tempfile.TemporaryDirectory(dir=kept.parent) as folder:
        download, reason = ["apt-get", "download", package], "there is no apt-get"
        # The list of packages may be missing or too old; root can fetch it.
        for command in (download, ["apt-get", "update"], download):
            try:
                done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
            except FileNotFoundError:
                break
            reason = done.stderr[-500:]
            if archives := list(Path(folder).glob("*.deb")):
                subprocess.run(["dpkg", "-x", archives[0], folder], check=True)
                (Path(folder) / "usr" / "bin" / name).rename(kept)
                return
    raise ServerMissing(f"the tests need {name}, which `sudo apt-get install {package}` installs: {reason}")


def _install(installed: Callable[[], bool], packages: Sequence[str]) -> None:
    policy = Path("/usr/sbin/policy-rc.d")
    ours = not policy.exists()
    if ours:
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    command = ["apt-get", "install", "--yes", "--no-install-recommends", *packages]
    try:
        # The list of packages may be missing or too old; it is fetched only if need be.
        for step in (command, ["apt-get", "update"], command):
            done = subprocess.run(step, env=environment, capture_output=True, check=False)
            if installed():
                return
        raise ServerMissing(f"apt-get could not install {' '.join(packages)}: {done.stderr.decode()[-500:]}")
    finally:
        if ours:
            policy.unlink()
