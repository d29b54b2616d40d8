"""RabbitMQ 4 of Debian 13, unpacked beside this machine's own system: what Debian 12 installs is RabbitMQ 3.10.

    python -m tests.rabbitmq_4 COMMAND…

unpacks it, and runs a command whose tests start that RabbitMQ. This takes root, as installing a package does, 370 MB
below the cache, and a minute the first time. The folder is a system of its own, entered by `chroot`. As long as the
command runs, `/proc` and the folder of temporary files are mounted in it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.packages import cache, install
from tests.servers import one_at_a_time

SUITE, MIRROR = "trixie", "http://deb.debian.org/debian"
PROGRAMS = {
    "rabbitmq-server": "/usr/lib/rabbitmq/bin/rabbitmq-server",
    "rabbitmqctl": "/usr/lib/rabbitmq/bin/rabbitmqctl",
    "epmd": "/usr/bin/epmd",
}


def unpacked() -> Path:
    """Return the folder of the system, made where it is not there yet.

    Raises:
      ServerMissing: debootstrap cannot be installed.
      subprocess.CalledProcessError: the packages cannot be had.
    """
    system = cache() / SUITE
    install(lambda: shutil.which("debootstrap") is not None, "debootstrap")
    with one_at_a_time("packages"):
        if not system.exists():
            begun = system.with_suffix(".begun")
            shutil.rmtree(begun, ignore_errors=True)
            command = ["debootstrap", "--variant=minbase", "--include=rabbitmq-server", SUITE, str(begun), MIRROR]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            begun.rename(system)
    return system


@contextmanager
def programs(system: Path) -> Iterator[Path]:
    """Yield a folder with what starts the programs of a system, which may write where the tests do."""
    shared = Path(tempfile.gettempdir()).resolve()
    with ExitStack() as mounted, tempfile.TemporaryDirectory() as folder:
        for options, place in ((["-t", "proc", "proc"], Path("/proc")), (["--bind", str(shared)], shared)):
            target = system / place.relative_to("/")
            target.mkdir(parents=True, exist_ok=True)
            subprocess.run(["mount", *options, target], check=True)
            mounted.callback(subprocess.check_call, ["umount", "--lazy", str(target)])
        for name, path in PROGRAMS.items():
            script = Path(folder) / name
            script.write_text(f'#!/bin/sh\nexec chroot "{system}" {path} "$@"\n')
            script.chmod(0o755)
        yield Path(folder)


def main() -> int:
    """Run the command, and return with what it returned."""
    with programs(unpacked()) as folder:
        return subprocess.run(
            sys.argv[1:], env={**os.environ, "RABBITMQ_TEST_PROGRAMS": str(folder)}, check=False
        ).returncode


if __name__ == "__main__":
    sys.exit(main())
