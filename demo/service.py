"""Embedded mode as a child of the demo, on a port and in a folder of its own, of which at most its data are kept."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.request import ProxyHandler, build_opener

from processes.ending import die_with_parent

ROOT = Path(__file__).resolve().parent.parent

#: Seconds to make a database and to start; far more than a slow machine takes.
START = 90.0
#: Seconds to stop in peace, and then for PostgreSQL to go when it is told to at once.
STOP = 40.0
AT_ONCE = 10.0
#: What a process must know of the machine. The service's own settings stay outside: none can change the demo.
KEPT = ("HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "LOGNAME", "PATH", "TZ", "USER")


class NotStarted(Exception):
    """The service ended, or did not answer in time; the message holds its log."""


class EmbeddedService:
    """A running service at `url`, from `with` to its end, however that comes.

    settings: variables of its environment besides.
    """

    def __init__(self, settings: Mapping[str, str] | None = None) -> None:
        self._settings = dict(settings or {})
        self.url = f"http://127.0.0.1:{_free_port()}"
        self._folder = Path(tempfile.mkdtemp(prefix="tm-demo-"))
        self._log = self._folder / "log"
        self._process: subprocess.Popen[bytes] | None = None
        self._kept_in: Path | None = None
        self.has_kept = False
        """Whether the data are kept."""

    def keep_in(self, folder: Path) -> None:
        """Have the data kept in a folder when it stops, unless there is something by then."""
        self._kept_in = folder

    def __enter__(self) -> Self:
        """Start it and wait until it answers.

        Raises:
          NotStarted: it does not.
        """
        try:
            self._start()
            self._wait()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def _start(self) -> None:
        environment = {name: os.environ[name] for name in KEPT if name in os.environ}
        own = {
            "PORT": self.url.rpartition(":")[2],
            "GRPC_PORT": "0",  # the demo speaks REST, and the usual port may be that of `make run`
            "DATA_DIR": str(self._folder / "data"),
            "TMPDIR": str(self._folder),  # where PostgreSQL's socket and a lock are left lying
            "LOG_FORMAT": "console",
        }
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "embedded"],
                cwd=ROOT,
                env=environment | own | self._settings,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # Ctrl-C is for the demo, which then stops the service in order.
                start_new_session=True,
                preexec_fn=partial(die_with_parent, signal.SIGTERM) if sys.platform == "linux" else None,
            )

    def _wait(self) -> None:
        """Wait until it answers.

        Raises:
          NotStarted: it ended, or START is over.
        """
        assert self._process is not None
        # Whatever proxy the environment names is not asked.
        opener = build_opener(ProxyHandler({}))
        deadline = time.monotonic() + START
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise NotStarted(f"it ended with exit code {self._process.returncode}; its log:\n{self._logs()}")
            with suppress(OSError):
                opener.open(f"{self.url}/readyz", timeout=5).close()
                return
            time.sleep(0.05)
        raise NotStarted(f"it did not answer within {START:g} seconds; its log:\n{self._logs()}")

    def _stop(self) -> None:
        # Another Ctrl-C must not leave half of it behind.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        if self._process is not None:
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP)
            # What it had started, such as initdb, is of its group.
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._stop_postgres()
        try:
            if self._kept_in is not None and not self._kept_in.exists():
                shutil.move(self._folder / "data", self._kept_in)
                self.has_kept = True
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _stop_postgres(self) -> None:
        """Stop the PostgreSQL of a service that did not stop in order; there is nothing here to resume with it."""
        pid_file = self._folder / "data" / "postgres" / "postmaster.pid"
        with suppress(FileNotFoundError, ProcessLookupError, IndexError, ValueError):
            postmaster = int(pid_file.read_text().splitlines()[0])
            os.kill(postmaster, signal.SIGQUIT)
            deadline = time.monotonic() + AT_ONCE
            while pid_file.exists() and time.monotonic() < deadline:
                time.sleep(0.05)
            if pid_file.exists():
                os.kill(postmaster, signal.SIGKILL)

    def _logs(self) -> str:
        postgres = self._folder / "data" / "postgres" / "log"
        return "\n".join(path.read_text(errors="replace").strip() for path in (self._log, postgres) if path.exists())


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
