"""Tools that others made understand the OpenAPI document, and find that the service keeps to it.

They live in an environment of their own, `.venv/contract`, which `make test` makes. `make contract` looks for longer.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.conftest import Client
from tests.guard import Guard
from tests.processes import Deployment
from tests.test_requirements import ROOT

TOOLS = ROOT / ".venv" / "contract" / "bin"
USING = Path(__file__).with_name("generated_client.py")
CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,"
    "response_headers_conformance,allow_header_conformance,negative_data_rejection,positive_data_acceptance,"
    "missing_required_header,unsupported_method,ignored_auth,use_after_free"
)
KEY = "c0ntract"


def run(*command: str | Path, cwd: Path, code: int = 0) -> str:
    """Run a tool to its end, with this code. Returns what it printed."""
    # The generator has ruff lay out what it wrote.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        list(map(str, command)),
        cwd=cwd,
        env={**os.environ, "PATH": path, "PYTHONPATH": str(cwd)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stdout[-8000:]
    return done.stdout


@pytest.fixture
def generated(client: Client, tmp_path: Path) -> Path:
    """A client in a folder of its own."""
    document = tmp_path / "openapi.json"
    document.write_text(client.http.get("/openapi.json").text)
    folder = tmp_path / "service_client"
    output = run(
        TOOLS / "openapi-python-client",
        *("generate", "--path", document, "--output-path", folder, "--meta", "none"),
        cwd=tmp_path,
    )
    assert "WARNING" not in output.upper(), output
    return folder


def test_a_generated_client_works_and_knows_the_type_of_every_answer(
    generated: Path, client: Client, kb_id: str
) -> None:
    functions = [path for path in generated.glob("api/*/*.py") if path.name != "__init__.py"]
    assert {"submit_task", "get_task", "list_tasks", "cancel_task", "search_kb"} <= {path.stem for path in functions}
    for path in functions:
        # What has no body has no type.
        untyped = set(re.findall(r"response_(\d+) = cast\(Any, ", path.read_text()))
        assert untyped <= {"204", "304"}, path.name
    output = run(TOOLS / "python", USING, client.deployment.url, kb_id, cwd=generated.parent)
    assert json.loads(output) == {
        "status": "completed",
        "chunks": 1,
        "listed": [True],
        "hits": ["Green tea is brewed at 80 °C."],
        "versions": [1, 2],
        "newest": "White tea is brewed at 75 °C.",
        "failed": "corrupt",
        "deleted": 204,
        "gone": "no_such_resource",
        "missing": "no_such_resource",
        "deletion": "completed",
        "nothing": 404,
    }


#: Mistakes that the types of a generated client must show, each in a line of its own.
WRONG = """
from service_client import Client
from service_client.api.tasks import get_task, list_tasks
from service_client.models import Document, SearchRequest

client = Client(base_url="http://localhost")
SearchRequest(query=7)
get_task.sync(client=client)
list_tasks.sync(client=client, status="asleep")
Document.from_dict({}).nmae
"""


def test_the_types_of_a_generated_client_hold_what_uses_it(generated: Path) -> None:
    mypy = (sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", "--config-file=")
    with_its_packages = ("--python-executable", TOOLS / "python")
    run(*mypy, *with_its_packages, USING, cwd=generated.parent)
    (generated.parent / "wrong.py").write_text(WRONG)
    output = run(*mypy, *with_its_packages, "wrong.py", cwd=generated.parent, code=1)
    assert [line.partition(":")[2].partition(":")[0] for line in output.splitlines() if ": error:" in line] == [
        *("7", "8", "9", "10"),
    ]


@pytest.fixture(scope="module")
def locked(idle: Deployment, tmp_path_factory: pytest.TempPathFactory, guard: Guard) -> Iterator[Deployment]:
    """A web process that asks for a key."""
    servers = (idle.environment["DATABASE_URL"], idle.environment["RABBITMQ_URL"])
    with Deployment(*servers, tmp_path_factory.mktemp("contract"), guard, API_KEYS=f"tests:{KEY}") as deployment:
        deployment.start("web")
        yield deployment


# `make contract` may look for as long as it likes.
@pytest.mark.timeout(7200 if os.environ.get("CONTRACT_EXAMPLES") else 480)
@pytest.mark.parametrize(
    ("headers", "few"),
    # Whoever has no key is refused before anything is read: one request of a kind shows it.
    [((), "1"), (("--header", f"Authorization: Bearer {KEY}"), "3")],
    ids=["no key", "a key"],
)
def test_nothing_is_answered_that_the_document_does_not_say(
    locked: Deployment, tmp_path: Path, headers: tuple[str, ...], few: str
) -> None:
    examples = os.environ.get("CONTRACT_EXAMPLES")
    bounds = (
        ("--phases", "examples,coverage,fuzzing", "-n", examples) if examples else ("--phases", "fuzzing", "-n", few)
    )
    run(
        TOOLS / "schemathesis",
        *("--config-file", Path(__file__).with_name("schemathesis.toml")),
        *("run", f"{locked.url}/openapi.json", "--checks", CHECKS, *bounds, *headers),
        # A stream has no end. The same requests in every run.
        *("--exclude-operation-id-regex", "^follow_", "--seed", "1", "--generation-database", "none"),
        *("--suppress-health-check", "all", "--request-timeout", "30", "--continue-on-failure", "--no-color"),
        cwd=tmp_path,
    )
