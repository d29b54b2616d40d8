"""Fixtures that hand out real servers. They are started when first asked for, and named in the summary."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from sqlalchemy import Engine
from xdist.scheduler import LoadScopeScheduling

import settings
from models import database as models_database
from tests import postgres as postgres_server
from tests import rabbitmq as rabbitmq_server
from tests.guard import Guard
from tests.postgres import Postgres
from tests.processes import ROOT, Deployment, EmbeddedDeployment
from tests.rabbitmq import RabbitNode, RabbitServer
from tests.servers import ServerMissing

#: Every run tries the same examples, so that it fails for what was changed; `HYPOTHESIS_PROFILE=search` looks for new
#: ones. How long one takes says something of the machine only.
hypothesis.settings.register_profile("repeat", derandomize=True, deadline=None)
hypothesis.settings.register_profile("search", deadline=None)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeat"))

_servers: list[str] = []
#: The same of every process that ran tests, as their ends are told to the one that started them.
_servers_of_workers: list[str] = []


@pytest.fixture(scope="session", autouse=True)
def _no_settings_from_the_shell() -> None:
    """What a developer has set for the service must not change what the tests see."""
    for name in (*map(str.upper, settings.Settings.model_fields), *settings.ALIASES):
        os.environ.pop(name, None)


@pytest.fixture(autouse=True)
def _settings_are_read_anew() -> Iterator[None]:
    yield
    settings.settings.cache_clear()


@pytest.fixture(scope="session")
def guard() -> Iterator[Guard]:
    """Ends whatever is left when the run is over, even when the run was killed."""
    guard = Guard()
    yield guard
    guard.close()


@pytest.fixture(scope="session")
def server_folder(guard: Guard) -> Path:
    """Where the servers of this run keep their data and logs; removed with the run."""
    # Not below pytest's own folder: another run closes that to PostgreSQL, which does not run as root.
    folder = Path(tempfile.mkdtemp(prefix="servers-"))
    guard.remove_later(folder)
    return folder


@pytest.fixture(scope="session")
def postgres(server_folder: Path, guard: Guard) -> Iterator[Postgres]:
    """The PostgreSQL of this run; `with postgres.database() as url:` makes a database of any lifetime."""
    server = postgres_server.postgres(server_folder / "postgres", guard, flushes=False)
    _servers.append(server.description())
    yield server
    server.close()


@pytest.fixture
def database_url(postgres: Postgres) -> Iterator[str]:
    """An empty database with the newest schema, for one test."""
    with postgres.database() as url:
        yield url


@pytest.fixture
def empty_database_url(postgres: Postgres) -> Iterator[str]:
    """A database without any table, for tests of the migrations."""
    with postgres.database(migrated=False) as url:
        yield url


@pytest.fixture
def database(database_url: str) -> Iterator[Engine]:
    """`models.database` connected to a database of its own."""
    yield models_database.connect(database_url, pool_size=5, application_name="tests")
    models_database.disconnect()


@pytest.fixture(scope="session")
def _node(server_folder: Path, guard: Guard) -> Iterator[RabbitNode]:
    try:
        node = rabbitmq_server.private_node(server_folder / "rabbitmq", guard)
    except ServerMissing as missing:
        pytest.exit(str(missing), returncode=1)
    _servers.append(node.description())
    yield node
    node.close()


@pytest.fixture(scope="session")
def rabbitmq_server_of_the_run(request: pytest.FixtureRequest) -> RabbitServer:
    """The broker of this run; `with server.fresh() as rabbitmq:` makes a virtual host of any lifetime."""
    url = os.environ.get("RABBITMQ_TEST_URL")
    if not url:
        node: RabbitNode = request.getfixturevalue("_node")
        return node
    server = RabbitServer(url, os.environ.get("RABBITMQ_TEST_MANAGEMENT_URL"))
    _servers.append(server.description())
    return server


@pytest.fixture
def rabbitmq(rabbitmq_server_of_the_run: RabbitServer) -> Iterator[RabbitServer]:
    """An empty virtual host for one test: `.url`, `.management(path)`, `.queues()`, `.messages(queue)`."""
    with rabbitmq_server_of_the_run.fresh() as server:
        yield server


@pytest.fixture
def rabbit_node(_node: RabbitNode) -> Iterator[RabbitNode]:
    """A broker that a test may stop, kill, wipe, pause and block; it is brought back afterwards."""
    _node.restore()
    yield _node
    _node.restore()


@pytest.fixture
def deployment(database_url: str, rabbitmq: RabbitServer, tmp_path: Path, guard: Guard) -> Iterator[Deployment]:
    """The processes of the Procfile on a database and a virtual host of their own; none runs yet."""
    with Deployment(database_url, rabbitmq.url, tmp_path, guard) as processes:
        yield processes


@pytest.fixture
def breakable_deployment(
    database_url: str, rabbit_node: RabbitNode, tmp_path: Path, guard: Guard
) -> Iterator[Deployment]:
    """The same on `rabbit_node`, which the test may take away."""
    with Deployment(database_url, rabbit_node.url, tmp_path, guard) as processes:
        yield processes


@pytest.fixture
def embedded(server_folder: Path, guard: Guard) -> Iterator[EmbeddedDeployment]:
    """Embedded mode in a folder of its own; `.start_embedded()` starts it."""
    with EmbeddedDeployment(Path(tempfile.mkdtemp(dir=server_folder)), guard) as process:
        yield process


#: Folders whose tests take longest, by the servers that they start or by what they wait for. They come first, so that
#: what is left in the end is short, and is done by all processes.
LONG = ("dashboard", "reliability", "client", "api", "rpc", "worker", "models", "", "deploy", "broker", "tasks")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest: of the folders, and in each with the modules that stay in one process."""
    items.sort(key=lambda item: _length(item.nodeid))


def _length(nodeid: str) -> tuple[int, bool]:
    folder = _folder(nodeid)
    return LONG.index(folder) if folder in LONG else len(LONG), not _shares_a_fixture(nodeid.partition("::")[0])


@cache
def _folder(nodeid: str) -> str:
    """The folder of a test below tests/; empty for one that is in none."""
    _, *folders, _ = nodeid.partition("::")[0].split("/")
    return folders[0] if folders else ""


class _Sharing(LoadScopeScheduling):
    """Hands out tests one by one, but those of a module that makes a fixture for all of its tests together.

    A process stays in its folder, whose servers it has started; then it goes on with one that no other is in.
    """

    def __init__(self, config: pytest.Config, log: Any) -> None:
        # They are in order.
        config.option.loadscopereorder = False
        super().__init__(config, log)
        self._folders: dict[Any, str] = {}

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0]
        return path if _shares_a_fixture(path) else nodeid

    def _assign_work_unit(self, node: Any) -> None:
        here = self._folders.get(node)
        taken = {self._folders.get(other) for other in self.nodes if other is not node}
        following = (
            next((unit for unit in self.workqueue if _folder(unit) == here), None)
            or next((unit for unit in self.workqueue if _folder(unit) not in taken), None)
            or next(iter(self.workqueue))
        )
        self.workqueue.move_to_end(following, last=False)
        self._folders[node] = _folder(following)
        super()._assign_work_unit(node)


@cache
def _shares_a_fixture(path: str) -> bool:
    return 'fixture(scope="module")' in (ROOT / path).read_text()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> _Sharing:
    """How the tests are shared between the processes of a run."""
    return _Sharing(config, log)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Tell the process that started this one what it ran against."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["servers"] = _servers


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Note what a process that ends ran against."""
    _servers_of_workers.extend(getattr(node, "workeroutput", {}).get("servers", []))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name the servers that this run used."""
    servers = _servers + _servers_of_workers
    if servers:
        terminalreporter.section("servers")
    for server in servers:
        terminalreporter.line(server)
