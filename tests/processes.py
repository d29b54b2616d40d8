"""The processes of the Procfile, started as a PaaS would: what is tested is what is deployed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx2
import psutil
import psycopg2

import settings
from tests.described import Described, described
from tests.guard import Guard, kill_group, start_time
from tests.servers import eventually, free_port

ROOT = Path(__file__).resolve().parent.parent

#: Seconds that a process gets to become ready. The promise is 2; a loaded machine is no reason to fail here, where all
#: tests of a folder would fail with it. One that ends is not waited for.
READY_SECONDS = 120.0


def procfile() -> dict[str, str]:
    """The command of each process by its name."""
    lines = (ROOT / "Procfile").read_text().splitlines()
    return {name: command.strip() for name, _, command in (line.partition(":") for line in lines if ":" in line)}


#: What a process is started with: as it is deployed, or as `make run` does.
COMMANDS = {**procfile(), "embedded": "python -m embedded"}


class Process:
    """One process of the Procfile, or the embedded one, with everything it spawns, in a process group of its own.

    Parameters:
      name: as in the Procfile.
      command: another than that of the Procfile.
      log_path: receives standard output and error; a restarted process goes on in the same file.
      arguments: what follows its command.
      restart: start it again whenever it ends by itself or is killed, as a PaaS does.
      root: the folder of the service's code.
    """

    def __init__(
        self,
        name: str,
        environment: Mapping[str, str],
        log_path: Path,
        guard: Guard,
        *,
        command: str = "",
        arguments: str = "",
        restart: bool = False,
        root: Path = ROOT,
    ) -> None:
        self.name = name
        self._command = command or COMMANDS[name]
        self.arguments = arguments
        self.environment = dict(environment)
        self.log_path = log_path
        self.restart = restart
        self.root = root
        self.starts = 0
        self._guard = guard
        self._stopping = threading.Event()
        self._starting = threading.Lock()
        self._launch()
        if restart:
            threading.Thread(target=self._keep_alive, name=f"keep {name} alive", daemon=True).start()

    @property
    def pid(self) -> int:
        """The first process of the group, whose number is the group's too."""
        return self._popen.pid

    @property
    def running(self) -> bool:
        """Whether the first process of the group is there."""
        return self._popen.poll() is None

    @property
    def members(self) -> list[psutil.Process]:
        """Every living process of the group, the first one included."""
        with suppress(psutil.NoSuchProcess):
            first = psutil.Process(self.pid)
            if self.running:
                return [first, *first.children(recursive=True)]
        return []

    def memory(self) -> dict[str, int]:
        """Resident bytes of each process of the group, by `pid command`."""
        return {f"{member.pid} {' '.join(member.cmdline()[:4])}": member.memory_info().rss for member in self.members}

    @property
    def log(self) -> str:
        """What it has printed so far."""
        return self.log_path.read_text(errors="replace")

    def kill(self) -> None:
        """`kill -9` of the whole group at once."""
        with self._starting:
            kill_group(self.pid, self._started)
            self._popen.wait()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the first process, as a PaaS and Docker do."""
        self._popen.send_signal(number)

    def terminate(self, seconds: float = 40.0) -> float:
        """SIGTERM, and wait for the end. Returns the seconds it took; what is left after `seconds` is killed.

        Raises:
          AssertionError: when it had to be killed.
        """
        self._stopping.set()
        started = time.monotonic()
        self.signal(signal.SIGTERM)
        try:
            self._popen.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} did not end within {seconds} s of SIGTERM; log:\n{self.log}") from None
        finally:
            self.end()
        return time.monotonic() - started

    def stop_once(self, seconds: float = 60.0) -> float:
        """SIGTERM to a process that is started again. Returns the seconds it took; it is killed after `seconds`."""
        stopped = self._popen
        started = time.monotonic()
        stopped.send_signal(signal.SIGTERM)
        try:
            stopped.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.kill()
        return time.monotonic() - started

    def end(self) -> None:
        """Make sure that nothing of it is left, and that it is not started again."""
        self._stopping.set()
        members = self.members
        self.kill()
        for member in members:
            with suppress(psutil.NoSuchProcess):
                member.kill()
        self._guard.forget(self.pid)

    def _launch(self) -> None:
        self.starts += 1
        with self.log_path.open("ab") as log:
            self._popen = subprocess.Popen(
                ["/bin/sh", "-c", f"exec {self._command} {self.arguments}"],
                cwd=self.root,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._started = start_time(self.pid)
        self._guard.watch(self.pid)

    def _keep_alive(self) -> None:
        while not self._stopping.wait(0.05):
            with self._starting:
                if self._popen.poll() is not None and not self._stopping.is_set():
                    # What the first process left behind would hold its port.
                    kill_group(self.pid, self._started)
                    self._guard.forget(self.pid)
                    self._launch()


class Deployment:
    """The service as it is deployed, on one database and one broker.

    Parameters:
      folder: where logs and data go.
      settings: environment variables for every process, on top of those that name the servers.

    `patience` is the seconds that each process gets to become ready.
    """

    def __init__(self, database_url: str, rabbitmq_url: str, folder: Path, guard: Guard, **environment: str) -> None:
        self.database_url = database_url
        self.folder = folder
        self.root = ROOT
        self.port = free_port()
        self.environment = {
            **_outside(),
            # Empty variables count as unset.
            "DATABASE_URL": database_url,
            "RABBITMQ_URL": rabbitmq_url,
            "PORT": str(self.port),
            "LOG_FORMAT": "json",
            **environment,
        }
        self.processes: list[Process] = []
        self.patience = READY_SECONDS
        self._guard = guard
        self._http: httpx2.Client | None = None

    def add(self, files: Path) -> None:
        """Run a copy of the service that has these files besides, as one to which a user has added a task type."""
        self.root = self.folder / "service"
        shutil.copytree(ROOT, self.root, ignore=shutil.ignore_patterns(".*", "__pycache__", "tests", "bench", "docs"))
        shutil.copytree(files, self.root, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))

    @property
    def url(self) -> str:
        """Where its web process listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def http(self) -> httpx2.Client:
        """A client of its web process; paths start with `/`, and every answer is held against the OpenAPI document."""
        if self._http is None:
            self._http = httpx2.Client(base_url=self.url, timeout=40, event_hooks={"response": [self._is_as_described]})
        return self._http

    @property
    def described(self) -> Described:
        """Return what its web process says of itself."""
        return described(self.root)

    def _is_as_described(self, answer: httpx2.Response) -> None:
        self.described.check(answer)

    def start(
        self,
        name: str,
        arguments: str = "",
        *,
        restart: bool = False,
        wait: bool = True,
        ready: Callable[[Process], bool] | None = None,
        **environment: str,
    ) -> Process:
        """Start a process of the Procfile; several of one name may run.

        Parameters:
          arguments: what follows its command, as in `start("worker", "--queues embedding")`.
          restart: start it again whenever it dies.
          wait: until it is ready: web answers `/livez`, worker and clock have their row in `workers`.
          ready: another way to tell.
          environment: variables of this process alone.

        Raises:
          AssertionError: when it did not become ready; its log is part of the message.
        """
        number = len(self.processes)
        process = Process(
            name,
            {**self.environment, **environment},
            self.folder / f"{name}-{number}.log",
            self._guard,
            arguments=arguments,
            restart=restart,
            root=self.root,
        )
        self.processes.append(process)
        if wait:
            self.wait_until_ready(process, ready)
        return process

    def wait_until_ready(self, process: Process, ready: Callable[[Process], bool] | None = None) -> None:
        """Wait until a process can do its work.

        Raises:
          AssertionError: when it ended or did not become ready; its log is part of the message.
        """
        ask = ready or (self._has_a_row if process.name in ("worker", "clock") else self._web_is_ready)
        try:
            eventually(
                lambda: ask(process) or not (process.running or process.restart),
                seconds=self.patience,
                every=0.02,
                reason=f"{process.name} is ready",
            )
        except AssertionError as error:
            raise AssertionError(f"{error}\nlog of {process.name}:\n{process.log}") from None
        if not (process.running or process.restart):
            raise AssertionError(f"{process.name} ended while it started; log:\n{process.log}")

    def logs(self) -> str:
        """Every process's log, for the message of a failed test."""
        return "\n".join(f"--- {process.log_path.name}\n{process.log}" for process in self.processes)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._http is not None:
            self._http.close()
        for process in self.processes:
            process.end()

    def _web_is_ready(self, process: Process) -> bool:
        # Not the pooled client: a connection that was made to a process that died would be tried again.
        return httpx2.get(f"{self.url}/livez", timeout=2).status_code == 200

    def _has_a_row(self, process: Process) -> bool:
        """Whether `workers` names one of the group's processes: its `name` is host:pid."""
        pids = {str(member.pid) for member in process.members}
        connection = psycopg2.connect(self.database_url)
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT name FROM workers WHERE kind = %s", (process.name,))
                return any(name.rpartition(":")[2] in pids for (name,) in cursor.fetchall())
        finally:
            connection.close()


class EmbeddedDeployment(Deployment):
    """The service in one process, with the PostgreSQL that it keeps in its data folder."""

    def __init__(self, folder: Path, guard: Guard, **environment: str) -> None:
        # No gRPC unless a test says where: all of them would listen on the same port.
        own = {"DATA_DIR": str(folder / "data"), "GRPC_PORT": "0"}
        super().__init__("", "", folder, guard, **{**own, **environment})

    def start_embedded(self, *, restart: bool = False, **environment: str) -> Process:
        """Start the one process and wait until it answers; a second start finds the data of the first."""
        self.environment.update(environment)
        process = self.start("embedded", restart=restart)
        self._guard.watch(os.getpgid(self._postmaster()))
        return process

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        # It outlives a killed service on purpose: the next start finds it running.
        with suppress(FileNotFoundError, psutil.NoSuchProcess):
            postmaster = psutil.Process(self._postmaster())
            postmaster.send_signal(signal.SIGQUIT)
            postmaster.wait(timeout=20)

    def _postmaster(self) -> int:
        lines = (self.folder / "data" / "postgres" / "postmaster.pid").read_text().splitlines()
        # While the data folder is being made, PostgreSQL writes the number as a negative one.
        return abs(int(lines[0]))


def _outside() -> dict[str, str]:
    """This environment without any setting of the service, and with the commands of this Python first."""
    ours = {*map(str.upper, settings.Settings.model_fields), *settings.ALIASES}
    kept = {name: value for name, value in os.environ.items() if name not in ours}
    return {**kept, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', '')}"}
