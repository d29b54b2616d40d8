"""Every block of the pages is run by `test_pages.py`, or has a line here that says what holds it instead."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg2
import pytest
from psycopg2.extensions import parse_dsn

from settings import read
from task_manager_client import TaskManager
from task_manager_client.command.arguments import parser
from tests.docs.blocks import Block, blocks, environment
from tests.docs.test_pages import DOCS, ENGLISH_ONLY
from tests.guard import Guard
from tests.postgres import Postgres
from tests.processes import Deployment
from tests.rabbitmq import RabbitServer
from tests.servers import eventually
from tests.test_requirements import ROOT

SETTINGS = "read as settings below"
PARSED = "its commands are parsed below"
CLUSTER = "needs a cluster; tests/deploy/test_kubernetes.py looks at the files"
SYSTEMD = "needs systemd; tests/deploy/test_deploy.py looks at the units"
#: How each block that is not run begins, by its page, and why, or what holds it.
NOT_RUN = {
    "README.md": {"make demo": "tests/test_demo.py, tests/test_embedded.py"},
    "access.md": {"API_KEYS=": SETTINGS},
    "callbacks.md": {
        "POST /your/path": "what a receiver gets, and the receivers of the same page are run",
        "CALLBACK_SECRET=": SETTINGS,
    },
    "client.md": {"": "tests/client/test_docs.py"},
    "embedding.md": {
        ".venv/bin/python -m pip": SETTINGS,
        "EMBEDDER=openai": SETTINGS,
        "pip install 'optimum": "the page says that no test runs the exporter",
    },
    "extend.md": {"": "tests/docs/test_extending.py"},
    "fail-over.md": {"DATABASE_URL=": SETTINGS, "RABBITMQ_URL=": SETTINGS},
    "formats.md": {"apt-get install": "needs root; CI installs the same packages"},
    "howto.md": {
        "report.pdf: corrupt": "tests/client/test_tm.py, test_failures_are_grouped_by_code_with_what_to_do_once",
        "tm list --kb kitchen --status completed": PARSED,
    },
    "integrate.md": {
        "pipx run openapi-python-client": "tests/api/description/generated_client.py, tests/docs/snippets.py",
        "venv/bin/pip install": SETTINGS,
    },
    "logs.md": {
        "curl localhost:8084": "needs systemd, Docker and Kubernetes",
        '{"timestamp"': "tests/test_logs.py",
    },
    "operations.md": {
        "sed -i": "run below",
        "# prometheus.yml": "tests/deploy/test_monitoring.py",
        "kubectl": CLUSTER,
        "cp deploy/systemd": SYSTEMD,
        "TM_API_URL=": PARSED,
    },
    "running.md": {
        "python3.11 -m venv": "run below",
        "ALTER DATABASE": "run below",
        "upstream task_manager": "needs nginx",
        "sh deploy/backup.sh": "run below",
        "createdb": "run below",
        'psql "$DATABASE_URL"': "run below",
        "cd /opt/task-manager": SYSTEMD,
        "kubectl": CLUSTER,
    },
    "statistics.md": {"apiVersion: keda.sh": CLUSTER, '[{"name": "worker"': "tests/api/access/test_roles.py"},
    "task-types.md": {"": "tests/reliability/test_task_types.py"},
    "tutorial.md": {"make run": "tests/test_embedded.py"},
    "waiting.md": {"{": "tests/tasks/views/test_why.py"},
}


def not_run() -> Iterator[tuple[str, Block]]:
    """Each block that `test_pages.py` does not run, by its page."""
    for page in (ROOT / "README.md", *sorted(DOCS.rglob("*.md"))):
        name = str(page.relative_to(DOCS)) if page.is_relative_to(DOCS) else page.name
        if not name.endswith(".zh.md") and not name.startswith(tuple(ENGLISH_ONLY)):
            yield from ((name, block) for block in blocks(page) if not block.run)


def held(name: str, block: Block) -> str | None:
    """The line of `NOT_RUN` that a block has."""
    return next((begin for begin in NOT_RUN.get(name, ()) if block.code.startswith(begin)), None)


def block_of(name: str, begin: str) -> str:
    """The code of a block of a page."""
    return next(block.code for block in blocks(DOCS / name) if block.code.startswith(begin))


def of_reason(reason: str) -> list[tuple[str, str]]:
    """The blocks that are held by the same."""
    return [
        (name, block.code) for name, block in not_run() if NOT_RUN.get(name, {}).get(held(name, block) or "") == reason
    ]


def test_what_is_not_run_says_what_holds_it() -> None:
    loose, used = [], set()
    for name, block in not_run():
        begin = held(name, block)
        # `make snippets` compiles and runs the programs of these languages.
        if begin is None and not (block.name and block.language in ("typescript", "go", "java")):
            loose.append(f"{name}:{block.line}: {block.code[:60]!r}")
        used.add((name, begin))
    assert loose == [], "run it below <!-- run -->, or say here what holds it"
    assert {(name, begin) for name, begins in NOT_RUN.items() for begin in begins} <= used, "no such block any more"


@pytest.mark.parametrize("where", sorted({reason for begins in NOT_RUN.values() for reason in begins.values()}))
def test_what_holds_it_exists(where: str) -> None:
    for path in re.findall(r"tests/[\w/]+\.py", where):
        assert (ROOT / path).exists()


@pytest.mark.parametrize(("name", "code"), of_reason(SETTINGS))
def test_settings_of_a_page_are_taken(name: str, code: str) -> None:
    pairs = re.findall(r"(?:^|\s)([A-Z][A-Z_]+)=(\S+)", code)
    assert pairs, name
    # Secrets and keys are cut short on the pages.
    said = {key: value.replace("whsec_…", "whsec_MDEyMzQ1Njc4OWFiY2RlZg==").replace("…", "Kq3") for key, value in pairs}
    settings = read(said)
    assert settings.model_fields_set >= {key.lower() for key in said if key.lower() in type(settings).model_fields}


@pytest.mark.parametrize(("name", "code"), of_reason(PARSED))
def test_commands_of_a_page_are_taken(name: str, code: str) -> None:
    commands = re.findall(r"^(?:[A-Z_]+=\S+ )*tm (.+?)(?: \| .*)?$", code, re.MULTILINE)
    assert commands, name
    for command in commands:
        assert parser().parse_args(shlex.split(command)).verb


def test_the_runbook_may_be_elsewhere(tmp_path: Path) -> None:
    shutil.copy(ROOT / "deploy" / "prometheus" / "alerts.yml", tmp_path)
    subprocess.run(["sh", "-euc", block_of("operations.md", "sed -i")], cwd=tmp_path, check=True)
    addresses = re.findall(r"runbook_url: (\S+)", (tmp_path / "alerts.yml").read_text())
    assert addresses
    assert all(address.startswith("https://git.example.com/") for address in addresses)


def test_the_processes_run_side_by_side(
    empty_database_url: str, rabbitmq: RabbitServer, guard: Guard, tmp_path: Path
) -> None:
    code = block_of("running.md", "python3.11 -m venv")
    _, _, commands = code.partition(
        'export PATH="$PWD/venv/bin:$PATH"\n'
    )  # what is installed is what the tests run with
    here = {
        "postgresql://user:password@localhost:5432/tasks": empty_database_url,
        "amqp://guest:guest@localhost:5672/%2F": rabbitmq.url,
    }
    for example, ours in here.items():
        assert example in commands
        commands = commands.replace(example, f"'{ours}'")
    with Deployment("", "", tmp_path, guard) as deployment, (tmp_path / "log").open("wb") as log:
        running = subprocess.Popen(
            ["bash", "-euc", f"{commands}\nwait"],
            cwd=ROOT,
            env=deployment.environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        guard.watch(running.pid)
        try:
            with TaskManager(deployment.url, retries=0) as tm:

                def states() -> bool:
                    return {check.status for check in tm.health().checks.values()} == {"up"}

                eventually(states, seconds=120, reason="every part is up")
                assert tm.tasks.submit("test").wait(60).completed
        finally:
            os.killpg(running.pid, signal.SIGTERM)
            running.wait(60)
            guard.forget(running.pid)


def test_the_log_of_postgresql_is_told_to_quote_nothing(empty_database_url: str) -> None:
    name = urlsplit(empty_database_url).path[1:]
    with closing(psycopg2.connect(empty_database_url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(block_of("running.md", "ALTER DATABASE").replace(" tasks ", f" {name} "))
    with closing(psycopg2.connect(empty_database_url)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('log_min_error_statement'), current_setting('log_error_verbosity')")
        assert cursor.fetchone() == ("panic", "terse")


def test_a_backup_is_made_and_restored(postgres: Postgres, database_url: str, tmp_path: Path) -> None:
    of = parse_dsn(database_url)
    restored = f"{of['dbname']}_restored"
    url = urlunsplit(urlsplit(database_url)._replace(path=f"/{restored}"))
    here = {
        "postgresql://USER:PASSWORD@HOST:5432/restored": f"'{url}'",
        "FOLDER": str(tmp_path),
        "FILE": f"{tmp_path}/tasks-*.dump",
        "SUPERUSER": of["user"],
        "USER": of["user"],
        "HOST": of.get("host", "localhost"),
        "restored ": f"{restored} ",
        "restored\n": f"{restored}\n",
    }
    commands = "".join(
        block_of("running.md", begin) for begin in ("sh deploy/backup.sh", "createdb", 'psql "$DATABASE_URL"')
    )
    for example, ours in here.items():
        assert example in commands, example
        commands = commands.replace(example, ours)
    path = f"{postgres.programs}{os.pathsep}{environment()['PATH']}"
    more = {"PGPORT": of.get("port", "5432"), "PGPASSWORD": of.get("password", "")}
    variables = environment(**more) | {"DATABASE_URL": database_url, "PATH": path}

    def run(*command: str) -> None:
        done = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    try:
        run("bash", "-euc", commands)
        with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('log_error_verbosity'), count(*) FROM alembic_version")
            assert cursor.fetchone() == ("terse", 1)
    finally:
        run("dropdb", "--force", "--if-exists", "-h", here["HOST"], "-U", here["USER"], restored)
