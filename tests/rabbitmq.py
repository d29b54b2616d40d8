"""The RabbitMQ of the tests: one that is named, a private node of this machine, or a container."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import subprocess
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from tests.guard import Guard, kill_group, start_time
from tests.packages import install, installable
from tests.servers import ServerMissing, eventually, free_port

IMAGE = "rabbitmq:4-management"

#: Seconds; a private node takes about 5 to start on two cores.
START_SECONDS = 120.0

CONFIGURATION = """\
listeners.tcp.1 = 127.0.0.1:{port}
management.tcp.ip = 127.0.0.1
management.tcp.port = {management_port}
# Queue counts of the management API are at most this many milliseconds old.
collect_statistics_interval = 500
disk_free_limit.absolute = 50MB
log.console = false
log.file.level = info
"""


class RabbitServer:
    """A broker that is only used: it can hold virtual hosts, but cannot be stopped.

    Parameters:
      url: `amqp://user:password@host:port/vhost`.
      management_url: where its management API is; None means port 15672 of the same host.
    """

    def __init__(self, url: str, management_url: str | None = None, origin: str = "RABBITMQ_TEST_URL") -> None:
        self.url = url
        self.origin = origin
        self._management_url = management_url or f"http://{urlsplit(url).hostname}:15672"
        self._numbers = itertools.count(1)

    @property
    def virtual_host(self) -> str:
        """The virtual host that the URL names; an empty path means `/`."""
        return unquote(urlsplit(self.url).path.removeprefix("/")) or "/"

    def management(self, path: str, method: str = "GET", body: Any = None) -> Any:
        """What the management API answers, decoded.

        `{vhost}` in the path stands for this server's virtual host, as in `management("/queues/{vhost}/storing")`.

        Raises:
          urllib.error.HTTPError: when it answers with an error, 404 for a queue that does not exist.
        """
        parts = urlsplit(self.url)
        credentials = f"{unquote(parts.username or 'guest')}:{unquote(parts.password or 'guest')}"
        request = urllib.request.Request(
            f"{self._management_url}/api{path.replace('{vhost}', quote(self.virtual_host, safe=''))}",
            data=None if body is None else json.dumps(body).encode(),
            method=method,
            headers={
                "Authorization": "Basic " + b64encode(credentials.encode()).decode(),
                "Content-Type": "application/json",
            },
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def queues(self) -> dict[str, dict[str, Any]]:
        """The queues of this virtual host by name, as the management UI shows them."""
        return {queue["name"]: queue for queue in self.management("/queues/{vhost}")}

    def messages(self, queue: str, count: int = 100) -> list[dict[str, Any]]:
        """The first messages of a queue with their properties and headers; they stay in the queue."""
        messages: list[dict[str, Any]] = self.management(
            f"/queues/{{vhost}}/{queue}/get",
            "POST",
            {"count": count, "ackmode": "ack_requeue_true", "encoding": "auto", "truncate": 50_000},
        )
        return messages

    @contextmanager
    def fresh(self) -> Iterator[RabbitServer]:
        """The same broker with an empty virtual host of one's own."""
        name = f"test-{os.getpid()}-{next(self._numbers)}"
        user = unquote(urlsplit(self.url).username or "guest")
        self.management(f"/vhosts/{name}", "PUT", {})
        self.management(f"/permissions/{name}/{user}", "PUT", {"configure": ".*", "write": ".*", "read": ".*"})
        try:
            url = urlunsplit(urlsplit(self.url)._replace(path=f"/{name}"))
            yield RabbitServer(url, self._management_url, self.origin)
        finally:
            with suppress(urllib.error.URLError):
                self.management(f"/vhosts/{name}", "DELETE")

    def description(self) -> str:
        """Version and address, for the summary of a run."""
        version = self.management("/overview")["rabbitmq_version"]
        parts = urlsplit(self.url)
        return (
            f"RabbitMQ {version} ({self.origin}, {parts.hostname}:{parts.port or 5672},"
            f" management {self._management_url})"
        )

    def close(self) -> None:
        """Nothing to do: somebody else runs it."""


class RabbitNode(RabbitServer):
    """A broker of the run's own, which can be stopped, killed, wiped and blocked.

    This class runs a private node of the `rabbitmq-server` on this machine: its own node name, ports, data,
    cookie and port mapper, on the loopback interface only.
    """

    def __init__(self, folder: Path, guard: Guard, origin: str = "private node") -> None:
        self.port = free_port()
        self._management_port = free_port()
        super().__init__(
            f"amqp://guest:guest@127.0.0.1:{self.port}/%2F",
            f"http://127.0.0.1:{self._management_port}",
            origin,
        )
        self.folder = folder
        self._guard = guard
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the node on its own port and data, and wait until it serves.

        Raises:
          AssertionError: when it did not come up in time; its log is in the folder.
        """
        self._launch()
        eventually(self._serving, seconds=START_SECONDS, every=0.2, reason=f"RabbitMQ in {self.folder} serves")

    def stop(self) -> None:
        """Shut down in good order: connections are closed, data stays."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a power cut would; data stays as far as it was written."""
        self._end(signal.SIGKILL)

    def wipe(self) -> None:
        """Lose everything it held, and start again on the same port."""
        self.kill()
        shutil.rmtree(self.folder / "data", ignore_errors=True)
        self.start()

    def pause(self) -> None:
        """Freeze it: connections stay open and nobody answers."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a frozen node go on."""
        self._signal(signal.SIGCONT)

    def block(self) -> None:
        """Raise its memory alarm, which stops every publisher, and wait until it is raised."""
        self.control("set_vm_memory_high_watermark", "0.0000001")
        eventually(self._memory_alarm, seconds=20, every=0.1, reason="the memory alarm is raised")

    def unblock(self) -> None:
        """Clear the memory alarm."""
        self.control("set_vm_memory_high_watermark", "0.6")
        eventually(lambda: not self._memory_alarm(), seconds=20, every=0.1, reason="the memory alarm is cleared")

    def restore(self) -> None:
        """Bring it back to a running, unblocked node without queues, whatever a test did to it."""
        with suppress(ProcessLookupError):
            self.resume()
        if not self.running:
            self.start()
        if self._memory_alarm():
            self.unblock()
        for name in self.queues():
            self.management(f"/queues/{{vhost}}/{quote(name, safe='')}", "DELETE")

    @property
    def running(self) -> bool:
        """Whether its process is there."""
        return self._process is not None and self._process.poll() is None

    def close(self) -> None:
        """End the node for good, and the port mapper with it."""
        self.kill()
        mapper: subprocess.Popen[bytes] | None = self.__dict__.pop("_mapper", None)
        if mapper is not None:
            mapper.kill()
            mapper.wait()
            self._guard.forget(mapper.pid)

    def control(self, *arguments: str) -> str:
        """Run `rabbitmqctl` on this node; takes a second or two.

        Raises:
          subprocess.CalledProcessError: when it fails; its output is part of the error.
        """
        command = [str(_binary("rabbitmqctl")), "--quiet", *arguments]
        return subprocess.run(
            command, env=self._environment(), check=True, capture_output=True, text=True, timeout=180
        ).stdout

    def _launch(self) -> None:
        self.folder.mkdir(exist_ok=True)
        (self.folder / "rabbitmq.conf").write_text(self._configuration())
        (self.folder / "enabled_plugins").write_text("[rabbitmq_management].\n")
        self._start_mapper()
        with (self.folder / "output.log").open("ab") as output:
            self._process = subprocess.Popen(
                [str(_binary("rabbitmq-server"))],
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._started = start_time(self._process.pid)
        self._guard.watch(self._process.pid)

    def _configuration(self) -> str:
        """What `rabbitmq.conf` says."""
        return CONFIGURATION.format(port=self.port, management_port=self._management_port)

    def _start_mapper(self) -> None:
        """Erlang's port mapper in the foreground: the one that a node starts by itself would outlive it."""
        if "_mapper" in self.__dict__:
            return
        self._mapper_port = free_port()
        self._distribution_port = free_port()
        self._mapper = subprocess.Popen(
            [str(_binary("epmd")), "-port", str(self._mapper_port), "-address", "127.0.0.1"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._guard.watch(self._mapper.pid)

    def _environment(self) -> dict[str, str]:
        """Everything that would else be the machine's own RabbitMQ."""
        return {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            # The Erlang cookie is made in HOME.
            "HOME": str(self.folder),
            "ERL_EPMD_PORT": str(self._mapper_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_CRASH_DUMP": str(self.folder / "erl_crash.dump"),
            "RABBITMQ_NODENAME": f"test-{self.port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self._distribution_port),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "RABBITMQ_MNESIA_BASE": str(self.folder / "data"),
            "RABBITMQ_LOG_BASE": str(self.folder / "log"),
            "RABBITMQ_PID_FILE": str(self.folder / "node.pid"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "enabled_plugins"),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq.conf"),
            "RABBITMQ_CONF_ENV_FILE": str(self.folder / "no-such-file"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(self.folder / "no-such-file.config"),
        }

    def _serving(self) -> bool:
        if not self.running:
            log = (self.folder / "output.log").read_text(errors="replace")[-2000:]
            raise ServerMissing(f"RabbitMQ ended while it started:\n{log}")
        return bool(self.management("/overview")["listeners"])

    def _memory_alarm(self) -> bool:
        try:
            self.management("/health/checks/local-alarms")
        except urllib.error.HTTPError as error:
            return error.code == 503
        return False

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            os.killpg(self._process.pid, number)

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        try:
            if number == signal.SIGTERM:
                # The start script passes it on to the node.
                process.terminate()
                process.wait(timeout=60)
        finally:
            kill_group(process.pid, self._started)
            process.wait()
            self._guard.forget(process.pid)


class ContainerNode(RabbitNode):
    """The same with Docker, for a machine that has no `rabbitmq-server`."""

    def __init__(self, folder: Path, guard: Guard) -> None:
        super().__init__(folder, guard, origin=f"container of {IMAGE}")
        self._name = f"task-manager-test-{self.port}"

    @property
    def running(self) -> bool:
        """Whether the container runs."""
        done = subprocess.run(
            ["docker", "inspect", "--format", "{{.State.Running}}", self._name],
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout.strip() == "true"

    def stop(self) -> None:
        """Shut down in good order."""
        self._docker("stop", self._name)

    def kill(self) -> None:
        """End it at once."""
        if self.running:
            self._docker("kill", self._name)

    def wipe(self) -> None:
        """Lose everything it held, and start again on the same port."""
        self._docker("rm", "--force", "--volumes", self._name)
        self.start()

    def pause(self) -> None:
        """Freeze it."""
        self._docker("pause", self._name)

    def resume(self) -> None:
        """Let a frozen container go on; nothing happens to one that was not frozen."""
        subprocess.run(["docker", "unpause", self._name], capture_output=True, check=False)

    def close(self) -> None:
        """Remove the container."""
        subprocess.run(["docker", "rm", "--force", "--volumes", self._name], capture_output=True, check=False)

    def control(self, *arguments: str) -> str:
        """Run `rabbitmqctl` in the container."""
        return self._docker("exec", self._name, "rabbitmqctl", "--quiet", *arguments)

    def _launch(self) -> None:
        known = subprocess.run(["docker", "inspect", self._name], capture_output=True, check=False).returncode == 0
        if known:
            self._docker("start", self._name)
            return
        self._docker(
            *("run", "--detach", "--name", self._name, "--hostname", "test"),
            *("--publish", f"127.0.0.1:{self.port}:5672"),
            *("--publish", f"127.0.0.1:{self._management_port}:15672"),
            IMAGE,
        )

    def _serving(self) -> bool:
        return bool(self.management("/overview")["listeners"])

    @staticmethod
    def _docker(*arguments: str) -> str:
        return subprocess.run(["docker", *arguments], check=True, capture_output=True, text=True, timeout=600).stdout


def private_node(folder: Path, guard: Guard) -> RabbitNode:
    """A running node of the run's own: from this machine, else from the package, else from Docker.

    Raises:
      ServerMissing: when none of these is possible; says which command would help.
    """
    if installable():
        install(_installed, "rabbitmq-server")
    if _installed():
        node = RabbitNode(folder, guard)
    elif shutil.which("docker") and not subprocess.run(["docker", "info"], capture_output=True, check=False).returncode:
        node = ContainerNode(folder, guard)
    else:
        raise ServerMissing(
            "The tests need a RabbitMQ. Install it with `sudo apt-get install rabbitmq-server` (macOS:"
            " `brew install rabbitmq`), or start Docker, or name a broker that is running:"
            " RABBITMQ_TEST_URL=amqp://guest:guest@localhost:5672/ make test"
        )
    try:
        node.start()
    except BaseException:
        node.close()
        raise
    return node


def _installed() -> bool:
    return bool(_find("rabbitmq-server") and _find("rabbitmqctl") and _find("epmd"))


def _find(name: str) -> Path | None:
    # Those of another RabbitMQ; see `tests.rabbitmq_4`.
    if folder := os.environ.get("RABBITMQ_TEST_PROGRAMS"):
        return Path(folder) / name
    # Debian's wrappers in /usr/sbin change to the user rabbitmq; the scripts behind them do not.
    scripts = Path("/usr/lib/rabbitmq/bin") / name
    if scripts.exists():
        return scripts
    path = shutil.which(name, path=os.environ["PATH"] + ":/usr/local/sbin:/usr/sbin:/opt/homebrew/sbin")
    if path is None and name == "epmd":
        inside_erlang = sorted(Path("/usr/lib/erlang").glob("erts-*/bin/epmd"))
        return inside_erlang[-1] if inside_erlang else None
    return Path(path) if path else None


def _binary(name: str) -> Path:
    path = _find(name)
    if path is None:
        raise ServerMissing(f"{name} is not on this machine")
    return path
