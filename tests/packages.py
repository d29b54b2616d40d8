"""Debian's packages, installed for the tests that need them where the machine allows it."""

from __future__ import annotations

import os
import shutil
import subprocess
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
        for each in (command, ["apt-get", "update"], command):
            done = subprocess.run(each, env=environment, capture_output=True, check=False)
            if installed():
                return
        raise ServerMissing(f"apt-get could not install {' '.join(packages)}: {done.stderr.decode()[-500:]}")
    finally:
        if ours:
            policy.unlink()
