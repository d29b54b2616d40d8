"""A child that a document has taken over finds no secret, no network and no other process."""

from __future__ import annotations

import os
import platform
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from documents.sandbox.confinement import PROCESSES
from documents.sandbox.pool import MEMORY_BYTES, Sandbox

HERE = "tests.documents.sandbox.victims:"
SECRET = "postgresql://tasks:hunter2@db/tasks"


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    for name in ("DATABASE_URL", "API_KEYS", "COHERE_API_KEY", "SOMETHING_ELSE"):
        monkeypatch.setenv(name, SECRET)
    made = Sandbox(1)
    made.run(HERE + "echo", (1,), timeout=20)
    yield made
    made.close()


def test_its_environment_is_a_handful_of_names_without_a_secret(sandbox: Sandbox) -> None:
    environment = Path(f"/proc/{sandbox.children[0]}/environ").read_bytes().decode()
    names = {line.partition("=")[0] for line in environment.split("\0") if line}
    assert names <= {
        *("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "TESSDATA_PREFIX"),
        *("PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "MALLOC_ARENA_MAX"),
    }
    assert SECRET not in environment


def test_it_holds_nothing_open_but_its_pipes_and_the_log(sandbox: Sandbox, tmp_path: Path) -> None:
    with (tmp_path / "mine").open("w") as mine:
        os.set_inheritable(mine.fileno(), True)
        made = Sandbox(1)
        try:
            made.run(HERE + "echo", (1,), timeout=20)
            folder = Path(f"/proc/{made.children[0]}/fd")
            held = {int(link.name): str(link.readlink()) for link in folder.iterdir()}
        finally:
            made.close()
    assert {held[number] for number in held if number > 2 and not held[number].startswith("pipe:")} == set()


def test_it_gains_no_rights_and_keeps_within_its_limits(sandbox: Sandbox, tmp_path: Path) -> None:
    status = Path(f"/proc/{sandbox.children[0]}/status").read_text()
    assert "NoNewPrivs:\t1" in status
    limits = sandbox.run(HERE + "limits", (), timeout=20)
    assert limits["FSIZE"] == limits["AS"] == (MEMORY_BYTES, MEMORY_BYTES)
    assert limits["CORE"] == (0, 0)
    assert limits["NPROC"][1] <= PROCESSES
    assert sandbox.run(HERE + "write_too_much", (str(tmp_path / "large"),), timeout=20) == "EFBIG"


def test_it_reaches_no_network(sandbox: Sandbox) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        answer = sandbox.run(HERE + "reach", (server.getsockname()[1],), timeout=20)
    assert answer != "reached"
    if platform.machine() in ("x86_64", "aarch64"):
        status = Path(f"/proc/{sandbox.children[0]}/status").read_text()
        assert "Seccomp:\t2" in status
        assert answer == "EACCES"


def test_it_has_a_network_of_its_own_where_this_kernel_allows_it(sandbox: Sandbox) -> None:
    allowed = subprocess.run(["unshare", "--user", "--net", "true"], capture_output=True, check=False).returncode == 0
    apart = Path(f"/proc/{sandbox.children[0]}/ns/net").readlink() != Path("/proc/self/ns/net").readlink()
    assert apart == allowed, (
        f"this kernel {'allows' if allowed else 'does not allow'} namespaces to an ordinary process"
    )
    if apart:
        assert sandbox.run(HERE + "spy", (os.getpid(),), timeout=20) == "EACCES", "the secrets of its parent"


def test_what_it_starts_runs_and_is_confined_as_well(sandbox: Sandbox) -> None:
    """As Tesseract is started."""
    assert "NoNewPrivs:\t1" in sandbox.run(HERE + "start", ("cat", "/proc/self/status"), timeout=20)
    assert sandbox.run(HERE + "start", ("id", "-u"), timeout=20).strip() == str(os.getuid())
