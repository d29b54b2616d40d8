"""A stranger's hour: from an empty environment with the client's wheel to a KB that is gone, by REST and by gRPC.

The documents are what nobody here wrote: the READMEs, licences, changes and pages of the packages in the environment
that runs the tests.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest
from psycopg2 import sql

from tests.client.wheels import install
from tests.guard import Guard
from tests.processes import EmbeddedDeployment
from tests.receiver import SECRET
from tests.servers import eventually, free_port
from tests.test_requirements import ROOT

DOCUMENTS = 200
NAMES = ("README*", "LICENSE*", "LICENCE*", "NOTICE*", "AUTHORS*", "*.rst", "*.md", "*.txt", "*.html")
#: Bytes of the smallest and the largest that are taken: below are lists of names, above it is a matter of patience.
SIZES = range(700, 60_000)
#: What stays of a KB: the history of its tasks, who did what, and the mark that nothing older passes.
KEPT = {"tasks", "audit", "deletions"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """So many documents of others, no two of them the same, below the names of their packages."""
    folder = tmp_path_factory.mktemp("documents")
    packages = Path(sysconfig.get_path("purelib"))
    seen: set[bytes] = set()
    for path in sorted({path for name in NAMES for path in packages.rglob(name)}):
        if (
            len(seen) == DOCUMENTS
            or not path.is_file()
            or path.suffix in (".py", ".pyi")
            or "task_manager" in str(path)
        ):
            continue
        data = path.read_bytes()
        if len(data) in SIZES and data not in seen:
            seen.add(data)
            place = folder / path.relative_to(packages)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data)
    assert len(seen) == DOCUMENTS
    return folder


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment with the client's wheel, and what a client by reflection is made with."""
    return install(wheel, tmp_path_factory.mktemp("environment") / "venv", "grpcio-reflection")


@pytest.fixture(scope="module")
def hour(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the two programs, and nothing else of this repository."""
    folder = tmp_path_factory.mktemp("hour")
    shutil.copytree(ROOT / "tests" / "client" / "hour", folder / "tests" / "client" / "hour")
    return folder


@pytest.fixture(scope="module")
def running(server_folder: Path, guard: Guard) -> Iterator[EmbeddedDeployment]:
    """What `make run` starts, with gRPC, and with callbacks to this machine."""
    settings = {
        "CALLBACK_SECRET": SECRET,
        "CALLBACK_ALLOWED_HOSTS": "127.0.0.1",
        "GRPC_PORT": str(free_port()),
    }
    with EmbeddedDeployment(Path(tempfile.mkdtemp(dir=server_folder)), guard, **settings) as service:
        service.start_embedded()
        yield service


@pytest.mark.parametrize("way", ["rest", "grpc"])
def test_a_stranger_takes_a_folder_in_is_called_back_searches_deletes_and_finds_nothing(
    way: str, running: EmbeddedDeployment, python: Path, hour: Path, folder: Path
) -> None:
    address = running.url if way == "rest" else f"127.0.0.1:{running.environment['GRPC_PORT']}"
    done = subprocess.run(
        [python, "-W", "error", "-m", f"tests.client.hour.by_{way}", address, folder, SECRET],
        cwd=hour,
        env={},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["documents"], report["questions"]) == (DOCUMENTS, 10)
    assert report["empty"] < DOCUMENTS / 10


def test_nothing_is_left_of_either(running: EmbeddedDeployment) -> None:
    eventually(lambda: left_in_database(running) == {}, seconds=120, reason="nothing is left in PostgreSQL")
    assert left_on_disk(running) == []


def left_in_database(running: EmbeddedDeployment) -> dict[str, int]:
    """The rows of each table that names a KB, and of what hangs on these, without the history."""
    url = f"postgresql://postgres@/postgres?host={running.folder / 'data' / 'postgres'}"
    with psycopg2.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT table_name FROM information_schema.columns JOIN information_schema.tables"
            " USING (table_schema, table_name) WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
            " AND column_name IN ('kb_id', 'version_id')"
        )
        counts = {}
        for table in {name for (name,) in cursor.fetchall()} - KEPT | {"blobs", "originals"}:
            cursor.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table)))
            counts[table] = cursor.fetchone()[0]
    connection.close()
    assert len(counts) > 3, counts
    return {table: count for table, count in counts.items() if count}


def left_on_disk(running: EmbeddedDeployment) -> list[Path]:
    """The files below DATA_DIR that are neither PostgreSQL's nor the service's own."""
    data = running.folder / "data"
    ours = {data / "owner", data / "runtime", data / "postgres"}
    return [path for path in data.rglob("*") if path.is_file() and not {path, *path.parents} & ours]
